"""Sections 1.7 to 1.9, 2.2, 2.3 and 2.12: adding, reading and deleting items."""
import io
import json
import shutil
import urllib.parse
import uuid

import nucleus
import pytest
import requests
from conftest import TEST_KEY, Wire, append_local, box, fill, finish, identities, new_dataset, picture, refused
from nucleus import DatasetItem
from PIL import Image


def test_append_local_forty(client, folder):
    """More than ten files go in several forms, in parallel; order is that of the list."""
    dataset = new_dataset(client)
    job = append_local(dataset, folder, range(40))
    assert getattr(job, "job_type", "uploadDatasetItems") == "uploadDatasetItems"
    assert sorted(i.reference_id for i in dataset.items) == sorted(f"r{n}" for n in range(40))


def test_append_local_is_usable_at_once(client, folder):
    dataset = new_dataset(client)
    dataset.append([DatasetItem(str(folder / "img_00.jpg"), "now")])
    assert dataset.size == 1
    assert dataset.annotate([box("now")])["annotations_processed"] == 1
    assert dataset.create_slice("s", ["now"]).items[0].reference_id == "now"


def test_append_local_bytes_come_back(client, folder):
    dataset = fill(client, folder, 1)
    location = dataset.items[0].image_location
    answer = requests.get(location)
    assert answer.status_code == 200 and answer.content == (folder / "img_00.jpg").read_bytes()
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (96, 64)


def test_append_local_one_file_under_ten_ids(client, folder):
    dataset = new_dataset(client)
    finish(dataset.append([DatasetItem(str(folder / "img_03.jpg"), f"same{n}") for n in range(10)]))
    assert [i.reference_id for i in dataset.items] == [f"same{n}" for n in range(10)]
    assert {requests.get(i.image_location).content for i in dataset.items} == {(folder / "img_03.jpg").read_bytes()}


def test_append_local_is_sniffed(client, folder, tmp_path):
    """The content type is the extension's, which may lie."""
    (tmp_path / "png.jpg").write_bytes(picture(1, form="PNG"))
    shutil.copy(folder / "img_01.jpg", tmp_path / "UPPER.JPG")
    dataset = new_dataset(client)
    finish(dataset.append([DatasetItem(str(tmp_path / "png.jpg"), "a"), DatasetItem(str(tmp_path / "UPPER.JPG"), "b")]))
    assert [requests.get(i.image_location).headers["Content-Type"] for i in dataset.items] == ["image/png", "image/jpeg"]


def test_append_again_is_ignored_or_updated(client, folder):
    dataset = fill(client, folder, 3)
    again = [DatasetItem(str(folder / "img_00.jpg"), "r0", metadata={"new": 1})]
    finish(dataset.append(again))
    assert dataset.refloc("r0")["item"].metadata == {"n": 0, "even": True}
    finish(dataset.append(again, update=True))
    assert dataset.refloc("r0")["item"].metadata == {"new": 1}
    assert [i.reference_id for i in dataset.items] == ["r0", "r1", "r2"]


def test_append_metadata_is_echoed_exactly(client, folder):
    metadata = {"nested": {"a": [1, 2.5, None, True, {"b": "ü"}]}, "empty": {}, "big": 12345678901234567}
    dataset = new_dataset(client)
    finish(dataset.append([DatasetItem(str(folder / "img_00.jpg"), "m", metadata=metadata), DatasetItem(str(folder / "img_01.jpg"), "none")]))
    assert [i.metadata for i in dataset.items] == [metadata, {}]


def test_append_urls_staged(client, web):
    """signedUrl, PUT, POST append?async=1, and a job to wait for."""
    dataset = new_dataset(client)
    items = [DatasetItem(f"{web}/img_{n:02}.jpg", f"u{n}", metadata={"n": n}) for n in range(25)]
    job = finish(dataset.append(items, asynchronous=True))
    assert job.job_type == "uploadDatasetItems" and job.status()["status"] == "Completed"
    assert dataset.items == items, "image_url comes back as it was given"


def test_append_url_that_is_gone(client, web):
    dataset = new_dataset(client)
    job = finish(dataset.append([DatasetItem(f"{web}/missing.jpg", "gone"), DatasetItem(f"{web}/img_00.jpg", "there")], asynchronous=True))
    assert job.status()["status"] == "Completed"
    assert len(job.errors()) == 1 and "gone" in job.errors()[0]


def test_append_to_a_scene_dataset_is_refused(client, web):
    dataset = client.create_dataset("scenes", is_scene=True)
    with pytest.raises(Exception) as caught:
        finish(dataset.append([DatasetItem(f"{web}/img_00.jpg", "a")], asynchronous=True))
    assert isinstance(caught.value, nucleus.NucleusAPIError) and caught.value.status_code == 400 or "scene" in str(caught.value)


def test_append_to_an_unknown_dataset(client, folder):
    with refused(404):
        client.get_dataset("ds_00000000000000000000").append([DatasetItem(str(folder / "img_00.jpg"), "a")])


def test_append_json(client, web, wire):
    """As 0.18 sends it."""
    dataset = new_dataset(client)
    send = lambda refs, update=False: wire.ok("POST", f"dataset/{dataset.id}/append", {"items": [{"reference_id": r, "image_url": f"{web}/img_00.jpg", "metadata": {"v": update}} for r in refs], "update": update})
    first = send(["a", "b"])
    assert (first["dataset_id"], first["new_items"], first["updated_items"], first["ignored_items"], first["upload_errors"]) == (dataset.id, 2, 0, 0, 0) and "error_payload" not in first
    assert (send(["b", "c"])["ignored_items"], send(["a"], True)["updated_items"]) == (1, 1)
    assert [i.reference_id for i in dataset.items] == ["a", "b", "c"]


def form(refs, folder, update=False):
    parts = [("items", (None, json.dumps([{"metadata": {}, "reference_id": r, "image_url": f"x/{r}.jpg", "update": update} for r in refs]), "application/json"))]
    return parts + [("image", (f"x%2F{r}.jpg", (folder / f"img_{n:02}.jpg").read_bytes(), "image/jpg")) for n, r in enumerate(refs)]


def test_append_form_answers_with_counts_without_async(client, folder, wire):
    dataset = new_dataset(client)
    answer = wire("POST", f"dataset/{dataset.id}/append", files=form(["a", "b"], folder))
    assert answer.headers["Content-Type"] == "application/json"
    assert (answer.json()["dataset_id"], answer.json()["new_items"], answer.json()["upload_errors"]) == (dataset.id, 2, 0)


def test_append_form_answers_with_a_job_each_when_async(client, folder, wire):
    dataset = new_dataset(client)
    answer = wire("POST", f"dataset/{dataset.id}/append?async=1", files=form(["a", "b"], folder))
    assert answer.headers["Content-Type"] == "application/json"
    assert {"job_id", "job_last_known_status", "job_type", "job_creation_time"} <= set(answer.json())
    assert dataset.size == 2, "the rows are there before the answer"


def test_append_form_that_is_wrong_changes_nothing(client, folder, wire):
    dataset = new_dataset(client)
    whole = form(["a", "b"], folder)
    for parts in (whole[:2], whole[1:], [*whole, whole[1]], [("items", (None, "{}", "application/json"))], [("other", (None, "1", "text/plain"))]):
        answer = wire("POST", f"dataset/{dataset.id}/append?async=1", files=parts)
        assert answer.status_code == 400 and answer.text.startswith('{"error":"')
    assert dataset.size == 0


def test_signed_url_takes_a_plain_put(client, web, wire):
    dataset = new_dataset(client)
    request = uuid.uuid4().hex
    signed = wire.ok("GET", f"dataset/{dataset.id}/signedUrl/{request}?s3Endpoint=x")["signed_url"]
    line = json.dumps({"metadata": {}, "reference_id": "staged", "image_url": f"{web}/img_00.jpg"})
    assert requests.put(signed, data=io.BytesIO((line + "\n").encode())).status_code < 400
    first = wire.ok("POST", f"dataset/{dataset.id}/append?async=1", {"requestId": request, "update": False})
    again = wire.ok("POST", f"dataset/{dataset.id}/append?async=1", {"requestId": request, "update": False})
    finish(client.get_job(first["job_id"]))
    finish(client.get_job(again["job_id"]))
    assert dataset.size == 1


def test_signed_url_forged_is_refused(client, wire):
    dataset = new_dataset(client)
    signed = wire.ok("GET", f"dataset/{dataset.id}/signedUrl/{uuid.uuid4().hex}")["signed_url"]
    other = signed[:-6] + ("a" if signed[-6] != "a" else "b") + signed[-5:]
    assert requests.put(other, data=b"{}\n").status_code in (403, 404)


def test_signed_url_never_used(client, wire):
    dataset = new_dataset(client)
    answer = wire("POST", f"dataset/{dataset.id}/append?async=1", {"requestId": uuid.uuid4().hex, "update": False})
    assert answer.status_code in (400, 404) and answer.text.startswith('{"error":"')


def test_staged_lines_that_are_wrong_are_errors_of_the_job(client, web, wire):
    dataset = new_dataset(client)
    request = uuid.uuid4().hex
    signed = wire.ok("GET", f"dataset/{dataset.id}/signedUrl/{request}")["signed_url"]
    good = json.dumps({"metadata": {}, "reference_id": "good", "image_url": f"{web}/img_00.jpg"})
    requests.put(signed, data=f"{good}\nno json\n".encode())
    answer = wire("POST", f"dataset/{dataset.id}/append?async=1", {"requestId": request, "update": False})
    if answer.status_code == 200:
        job = client.get_job(answer.json()["job_id"])
        with pytest.raises(Exception):
            finish(job)
            assert not job.errors(), job.errors()
    else:
        assert answer.status_code == 400


def test_refloc_loc_iloc(herd):
    by_ref = herd.refloc("r3")
    assert by_ref["item"].reference_id == "r3" and by_ref["item"].metadata == {"n": 3, "even": False}
    assert [a.annotation_id for a in by_ref["annotations"]["box"]] == ["a3", "b3"]
    number = [i.reference_id for i in herd.items].index("r3")
    assert herd.iloc(number) == by_ref
    identity = getattr(by_ref["item"], "dataset_item_id", None)
    if identity:
        assert herd.loc(identity) == by_ref
        assert {a.dataset_item_id for a in by_ref["annotations"]["box"]} == {identity}


def test_loc_on_the_wire(herd, wire):
    """Items bear their id twice; types without annotations are left out."""
    first = wire.ok("GET", f"dataset/{herd.id}/iloc/0")
    identity = first["item"]["dataset_item_id"]
    assert identity.startswith("di_") and len(identity) <= 24 and first["item"]["id"] == identity
    assert wire.ok("GET", f"dataset/{herd.id}/loc/{identity}")["item"]["reference_id"] == "r0"
    assert set(first["annotations"]) == {"box"}
    assert all(a["type"] == "box" and a["reference_id"] == "r0" for a in first["annotations"]["box"])
    assert wire.ok("GET", f"dataset/{herd.id}/refloc/r11")["annotations"] == {}


def test_loc_unknown(herd):
    for call in (lambda: herd.refloc("nobody"), lambda: herd.loc("di_00000000000000000000"), lambda: herd.iloc(999)):
        with refused(404):
            call()
    with refused((400, 404)):
        herd.iloc(-1)


def test_items_have_an_id_everywhere(herd, wire):
    pages = [
        wire.ok("GET", f"dataset/{herd.id}/datasetItems")["dataset_items"],
        wire.ok("POST", f"dataset/{herd.id}/itemsPage", {"pageToken": None, "pageSize": 9})["items"],
        [r["item"] for r in wire.ok("GET", f"dataset/{herd.id}/exportForTraining")["exportedRows"]],
        wire.ok("GET", f"slice/{herd.herd.id}")["items"],
        wire.ok("POST", f"slice/{herd.herd.id}/itemsPage", {"pageToken": None, "pageSize": 9})["items"],
    ]
    for items in pages:
        assert items and all(i["dataset_item_id"].startswith("di_") and i["id"] == i["dataset_item_id"] for i in items)
        assert all(i["ref_id"] == i["reference_id"] and set(i["phash"]) <= {"0", "1"} and len(i["phash"]) == 64 for i in items)
        assert all("url" not in i for i in items)


REFERENCES = ["a b.jpg", "ü.jpg", "100%.jpg", "dir/sub/x.jpg", "a//b", "s3://b/x.jpg", "a%20b", "q?x=1", "h#y", "[z]-$1", "a+b", "..hidden", "日本/馬.jpg"]


def test_references_of_all_kinds(client, folder):
    dataset = new_dataset(client)
    finish(dataset.append([DatasetItem(str(folder / "img_00.jpg"), ref) for ref in REFERENCES[:10]]))
    finish(dataset.append([DatasetItem(str(folder / "img_00.jpg"), ref) for ref in REFERENCES[10:]]))
    dataset.annotate([box(ref) for ref in REFERENCES])
    for ref in REFERENCES:
        assert dataset.refloc(ref)["item"].reference_id == ref
    for ref in REFERENCES:
        dataset.delete_item(ref)
    assert dataset.size == 0


RAW = ["plain.jpg", "dir/sub/x.jpg", "a//b", "s3://b/x.jpg", "a b.jpg", "ü.jpg", "100%.jpg", "[z]-$1"]


def test_ground_truth_loc_with_references_of_all_kinds(client, folder):
    """Both parts come raw, and the default annotation id ends with the reference id."""
    dataset = new_dataset(client)
    finish(dataset.append([DatasetItem(str(folder / "img_00.jpg"), ref) for ref in RAW]))
    boxes = [box(ref) for ref in RAW]
    dataset.annotate(boxes)
    for b in boxes:
        got = dataset.ground_truth_loc(b.reference_id, b.annotation_id)
        assert (got.reference_id, got.annotation_id) == (b.reference_id, b.annotation_id)


def test_ground_truth_loc_of_ambiguous_splits(client, folder, wire):
    dataset = new_dataset(client)
    finish(dataset.append([DatasetItem(str(folder / "img_00.jpg"), "a"), DatasetItem(str(folder / "img_01.jpg"), "a/b")]))
    dataset.annotate([box("a", annotation_id="b/c"), box("a/b", annotation_id="d")])
    assert dataset.ground_truth_loc("a", "b/c").reference_id == "a"
    assert dataset.ground_truth_loc("a/b", "d").reference_id == "a/b"
    with refused(404):
        dataset.ground_truth_loc("a", "d")


def test_references_on_the_wire(client, folder, wire):
    dataset = new_dataset(client)
    finish(dataset.append([DatasetItem(str(folder / "img_00.jpg"), "a//b"), DatasetItem(str(folder / "img_00.jpg"), "a/b")]))
    for ref in ("a//b", "a/b"):
        assert wire.ok("GET", f"dataset/{dataset.id}/refloc/{urllib.parse.quote(ref, safe='')}")["item"]["reference_id"] == ref


def test_delete_item(client, folder):
    dataset = fill(client, folder, 3)
    dataset.annotate([box("r1")])
    sliced = dataset.create_slice("s", ["r0", "r1"])
    assert isinstance(dataset.delete_item("r1"), dict)
    assert [i.reference_id for i in dataset.items] == ["r0", "r2"]
    assert [i.reference_id for i in sliced.items] == ["r0"]
    assert dataset.iloc(1)["item"].reference_id == "r2"
    with refused(404):
        dataset.refloc("r1")
    with refused(404):
        dataset.delete_item("r1")


def test_folder_upload(client, folder, tmp_path):
    (tmp_path / "sub").mkdir()
    shutil.copy(folder / "img_00.jpg", tmp_path / "top.jpg")
    shutil.copy(folder / "img_01.jpg", tmp_path / "sub" / "low.jpg")
    dataset = client.create_dataset_from_dir(str(tmp_path), "from a folder")
    assert sorted(i.reference_id for i in dataset.items) == ["sub/low.jpg", "top.jpg"]
    assert dataset.refloc("sub/low.jpg")["item"].reference_id == "sub/low.jpg"


def deduplicated(dataset, threshold, refs=None):
    return dataset.deduplicate(threshold, reference_ids=refs).result()


@pytest.fixture
def twins(client, folder):
    dataset = fill(client, folder, 6)
    if not hasattr(dataset, "deduplicate"):
        pytest.skip("this client has no deduplication")
    finish(dataset.append([DatasetItem(str(folder / "img_02.jpg"), "twin")]))
    return dataset


def test_deduplicate(twins):
    first = deduplicated(twins, 0)
    assert (first.stats.threshold, first.stats.original_count, first.stats.deduplicated_count) == (0, 7, 6)
    assert ("twin" in first.unique_reference_ids) != ("r2" in first.unique_reference_ids)
    assert {f"r{n}" for n in (0, 1, 3, 4, 5)} <= set(first.unique_reference_ids)
    by_ref = dict(zip([i.reference_id for i in twins.items], identities(twins)))
    assert first.unique_item_ids == [by_ref[r] for r in first.unique_reference_ids]
    assert deduplicated(twins, 0) == first
    assert deduplicated(twins, 0, first.unique_reference_ids).unique_reference_ids == first.unique_reference_ids
    assert deduplicated(twins, 64).stats.deduplicated_count == 1


def test_deduplicate_by_ids_agrees_with_the_client(twins):
    from nucleus import deduplicate_by_phash

    items = twins.items
    for threshold in (0, 8, 20):
        theirs = deduplicate_by_phash(items, threshold)
        ours = twins.deduplicate_by_ids(threshold, identities(twins)).result()
        assert sorted(ours.unique_reference_ids) == sorted(theirs.unique_reference_ids)


def test_deduplicate_wrong_calls(twins):
    for threshold in (-1, 65, 10.5):
        with pytest.raises((nucleus.NucleusAPIError, nucleus.async_job.JobError)):
            twins.deduplicate(threshold).result()
    for call in (lambda: twins.deduplicate(0, ["nobody"]), lambda: twins.deduplicate_by_ids(0, ["di_nonexistent"])):
        with pytest.raises((nucleus.NucleusAPIError, nucleus.async_job.JobError)):
            call().result()


def test_deduplicate_an_empty_dataset(client):
    dataset = new_dataset(client)
    if not hasattr(dataset, "deduplicate"):
        pytest.skip("this client has no deduplication")
    result = deduplicated(dataset, 5)
    assert (result.unique_item_ids, result.unique_reference_ids, result.stats.original_count) == ([], [], 0)


def test_images_of_another_world_cannot_be_read(client, folder):
    dataset = fill(client, folder, 1)
    location = dataset.items[0].image_location
    forged = location[:-4] + ("0000" if not location.endswith("0000") else "1111")
    assert requests.get(forged).status_code in (403, 404)
    assert Wire(TEST_KEY)("GET", f"dataset/{dataset.id}/iloc/0").status_code == 404
