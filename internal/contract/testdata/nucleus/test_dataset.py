"""Sections 1 and 2.1: connection, datasets, taxonomies, metadata."""
import nucleus
import pytest
import requests
from conftest import ENDPOINT, KEY, TEST_KEY, Wire, box, fill, finish, new_dataset, refused


def test_auth_basic_with_the_key_as_user(wire):
    assert wire("GET", "dataset/details").status_code == 200


def test_auth_limited_access_key(client, monkeypatch):
    monkeypatch.delenv("NUCLEUS_API_KEY")
    dataset = new_dataset(client, "limited")
    limited = nucleus.NucleusClient(limited_access_key=KEY)
    assert limited.get_dataset(dataset.id).name == "limited"


def test_auth_wrong_key_fails_on_the_first_call():
    client = nucleus.NucleusClient("live_nothing")
    with refused(401):
        client.datasets


def test_auth_no_key_fails():
    answer = requests.get(f"{ENDPOINT}/dataset/details")
    assert answer.status_code == 401 and answer.text.startswith('{"error":"')


def test_endpoint_with_a_slash_at_its_end(client):
    dataset = new_dataset(client)
    assert nucleus.NucleusClient(KEY, endpoint=ENDPOINT + "/").get_dataset(dataset.id).size == 0


def test_no_redirects_and_json_everywhere(client, wire):
    dataset = new_dataset(client)
    for route in ("models/", "slice/", "dataset/", f"dataset/{dataset.id}/info", f"dataset/{dataset.id}/refloc/a//b", "nothing/here/"):
        answer = wire("GET", route)
        assert answer.status_code in (200, 404), f"{route}: {answer.status_code} {answer.text}"
        assert answer.headers["Content-Type"] == "application/json"
        if answer.status_code == 404:
            assert answer.text.startswith('{"error":"')


def test_bodies_of_gets_are_ignored(client, wire):
    dataset = new_dataset(client)
    assert wire.ok("GET", f"dataset/{dataset.id}/name", {}) == {"name": "horses"}


def test_worlds_share_nothing(client, folder):
    dataset = fill(client, folder, 1, "live only")
    other = nucleus.NucleusClient(TEST_KEY)
    assert "live only" not in [d.name for d in other.datasets]
    with refused(404):
        other.get_dataset(dataset.id).size
    with refused(404):
        other.delete_dataset(dataset.id)
    mine = new_dataset(other, "test only")
    assert mine.id in [d.id for d in other.datasets] and mine.id not in [d.id for d in client.datasets]


def test_dataset_create(client):
    dataset = client.create_dataset("name with ü", is_scene=False, item_metadata_schema={"a": "text"}, annotation_metadata_schema={"b": "number"})
    assert dataset.id.startswith("ds_") and len(dataset.id) <= 24


def test_dataset_details(client):
    dataset = new_dataset(client, "detailed")
    assert (dataset.id, "detailed") in [(d.id, d.name) for d in client.datasets]


def test_dataset_list(client):
    assert isinstance(client.list_datasets(), dict)


def test_dataset_delete(client, folder):
    dataset = fill(client, folder, 1)
    sliced = dataset.create_slice("s", ["r0"])
    assert client.delete_dataset(dataset.id) == {"message": "Beginning dataset deletion..."}
    with refused(404):
        dataset.size
    with refused(404):
        sliced.items
    assert sliced.id not in [s.id for s in client.slices]


def test_dataset_name(client):
    assert client.get_dataset(new_dataset(client, "called").id).name == "called"


def test_dataset_is_scene(client):
    assert client.get_dataset(new_dataset(client).id).is_scene is False


def test_dataset_use_privacy_mode(client):
    dataset = client.get_dataset(new_dataset(client).id)
    if not hasattr(dataset, "use_privacy_mode"):
        pytest.skip("this client does not ask")
    assert dataset.use_privacy_mode is False


def test_dataset_model_runs_of_none(client):
    assert new_dataset(client).model_runs == []


def test_dataset_slices(herd):
    assert herd.herd.id in [s.id for s in herd.slices]


def test_dataset_slices_by_name_and_type(herd):
    """The type arrives as SliceType.DATASET_ITEM from Python 3.11 on."""
    from nucleus.slice import SliceType

    for kind in (None, SliceType.DATASET_ITEM, "dataset_item"):
        found = herd.get_slices(name="first", slice_type=kind)
        assert [s.id for s in found] == [herd.herd.id]
    with pytest.raises(nucleus.NotFoundError):
        herd.get_slices(slice_type=SliceType.SCENE)
    with pytest.raises(nucleus.NotFoundError):
        herd.get_slices(name="no such")


def test_dataset_slices_type_values_on_the_wire(herd, wire):
    for value in ("dataset_item", "SliceType.DATASET_ITEM"):
        assert [s["id"] for s in wire.ok("GET", f"dataset/{herd.id}/slices?type={value}")] == [herd.herd.id]
    assert wire.ok("GET", f"dataset/{herd.id}/slices?type=SliceType.OBJECT") == []


def test_dataset_size(herd):
    assert herd.size == 12


def test_dataset_info(herd):
    info = herd.info()
    assert (info.dataset_id, info.name, info.length, info.slice_ids) == (herd.id, "herd", 12, [herd.herd.id])


def test_dataset_tags(client):
    dataset = new_dataset(client)
    if not hasattr(dataset, "add_tags"):
        pytest.skip("this client has no tags")
    assert dataset.get_tags() == []
    assert sorted(dataset.add_tags(["b", "a"])) == ["a", "b"]
    assert sorted(dataset.add_tags(["a"])) == ["a", "b"]
    assert dataset.remove_tags(["a", "never"]) == ["b"]
    assert dataset.get_tags() == ["b"]


def test_dataset_items(herd):
    items = herd.items
    assert [i.reference_id for i in items] == [f"r{n}" for n in range(12)]
    assert items[3].metadata == {"n": 3, "even": False}


def test_dataset_items_page(herd):
    assert [i.reference_id for i in herd.items_generator(page_size=5)] == [f"r{n}" for n in range(12)]


def test_dataset_items_page_has_a_token_always(herd, wire):
    page = wire.ok("POST", f"dataset/{herd.id}/itemsPage", {"pageToken": None, "pageSize": 5})
    assert page["nextPageToken"]
    page = wire.ok("POST", f"dataset/{herd.id}/itemsPage", {"pageToken": None, "pageSize": 50})
    assert "nextPageToken" in page and not page["nextPageToken"]


def test_dataset_class_labels(herd):
    assert sorted(herd.export_class_labels()) == ["cow", "horse"]


def test_dataset_label_schema(herd, wire):
    schema = wire.ok("GET", f"dataset/{herd.id}/labelSchema", {})
    assert sorted(schema["gt_labels"]) == ["cow", "horse"] and schema["prediction_labels"] == []


def test_taxonomy_add_update_delete(client):
    dataset = new_dataset(client)
    add = lambda labels, update: dataset.add_taxonomy("breed", "category", labels, update=update)["status"]
    assert add(["arab", "shire"], False) == "Taxonomy created"
    assert add(["pony"], False) == "Taxonomy already exists"
    assert add(["pony"], True) == "Taxonomy updated"
    answer = dataset.delete_taxonomy("breed")
    assert answer == {"dataset_id": dataset.id, "taxonomy_name": "breed", "status": "Taxonomy successfully deleted"}
    with refused(404):
        dataset.delete_taxonomy("breed")


def test_metadata_sync_merges(client, folder):
    dataset = fill(client, folder, 2)
    assert dataset.update_item_metadata({"r0": {"n": 7, "new": [1, {"a": None}]}}) is not None
    assert dataset.refloc("r0")["item"].metadata == {"n": 7, "even": True, "new": [1, {"a": None}]}
    assert dataset.refloc("r1")["item"].metadata == {"n": 1, "even": False}


def test_metadata_async_is_a_job(client, folder):
    dataset = fill(client, folder, 1)
    job = dataset.update_item_metadata({"r0": {"x": 1}}, asynchronous=True)
    finish(job)
    assert job.job_type == "metadataUpdate"
    assert dataset.refloc("r0")["item"].metadata["x"] == 1


def test_list_autotags_is_empty(client):
    assert new_dataset(client).list_autotags() == []


def test_jobs_info_status_errors(client, web):
    dataset = new_dataset(client)
    item = nucleus.DatasetItem(f"{web}/img_00.jpg", "u0")
    job = finish(dataset.append([item], asynchronous=True))
    again = client.get_job(job.job_id)
    assert (again.job_id, again.job_type) == (job.job_id, "uploadDatasetItems") and again.job_creation_time
    status = again.status()
    assert status["status"] == "Completed" and status["job_progress"] == "1.00" and status["completed_steps"] == status["total_steps"]
    assert again.errors() == []


def test_jobs_list(client, web):
    dataset = new_dataset(client)
    job = finish(dataset.append([nucleus.DatasetItem(f"{web}/img_01.jpg", "u0")], asynchronous=True))
    ids = lambda **kw: [j.job_id for j in client.list_jobs(dataset_id=dataset.id, **kw)]
    assert ids() == [] and ids(show_completed=True) == [job.job_id]
    assert ids(show_completed=True, job_types=["uploadAnnotations"]) == []
    assert ids(show_completed=True, from_date="2999-01-01") == [] and ids(show_completed=True, to_date="2999-01-01 00:00:00") == [job.job_id]
    finish(dataset.append([nucleus.DatasetItem(f"{web}/img_02.jpg", "u1")], asynchronous=True))
    assert len(ids(show_completed=True, limit=1)) == 1


def test_jobs_never_say_queued(client, web, wire):
    dataset = new_dataset(client)
    for n in range(3):
        job = dataset.append([nucleus.DatasetItem(f"{web}/img_{n:02}.jpg", f"u{n}")], asynchronous=True)
        assert wire.ok("GET", f"job/{job.job_id}")["status"] in ("Running", "Completed")


def test_jobs_unknown(client):
    with refused(404):
        client.get_job("job_00000000000000000000")


def test_autotags_that_are_unknown(herd):
    for call in (lambda: herd.autotag_items("night"), lambda: herd.autotag_training_items("night")):
        with refused(404, f"The autotag night was not found in dataset {herd.id}"):
            call()


LATER = """
GET dataset/{ds}/scenes_list
POST {ds}/upload_scenes?async=1
POST dataset/{ds}/queryScenesPage
POST dataset/{ds}/exportForTrainingByScene
GET dataset/{ds}/tracks
DELETE indexing/{ds}
POST indexing/{ds}/setPrimary
POST indexing/{ds}/setContinuous
POST indexing/{ds}/internal/object
GET slice/{slc}/export_raw_json
POST slice/{slc}/prj_x/send_to_labeling
GET evaluationV2Presets
POST leaderboard/f1Curve
"""


@pytest.mark.parametrize("row", LATER.split("\n")[1:-1])
def test_later_rows_say_so(herd, wire, row):
    method, route = row.format(ds=herd.id, slc=herd.herd.id).split(" ")
    answer = wire(method, route, {})
    assert 400 <= answer.status_code < 500 and "this server does not" in answer.json()["error"], answer.text
