"""Sections 2.6 and 2.9: slices, queries, samples, embeddings."""
import datetime
import json
import re

import nucleus
import pytest
import requests
from conftest import fill, finish, identities, new_dataset, refused
from nucleus.slice import SliceBuilderFilters, SliceBuilderMethods


def refs(items):
    return [i.reference_id for i in items]


def test_create_slice(client, herd):
    sliced = herd.create_slice("three", ["r3", "r1", "r2"])
    assert sliced.id.startswith("slc_") and len(sliced.id) <= 24
    assert sorted(refs(sliced.items)) == ["r1", "r2", "r3"]


def test_create_slice_empty(herd):
    assert herd.create_slice("empty").items == []


def test_create_slice_of_unknown_items(herd):
    with refused((400, 404), "nobody"):
        herd.create_slice("unknown", ["r0", "nobody"])
    assert "unknown" not in [s.name for s in herd.slices]


def test_create_slice_limit(herd):
    with refused(400):
        herd.create_slice("too many", [f"x{n}" for n in range(10001)])


def test_create_slice_by_ids(herd):
    if not hasattr(herd, "create_slice_by_ids"):
        pytest.skip("this client does not")
    sliced = herd.create_slice_by_ids("by ids", dataset_item_ids=identities(herd)[2:4])
    assert refs(sliced.items) == ["r2", "r3"]


def test_create_slice_of_objects(herd, wire):
    boxes = wire.ok("GET", f"dataset/{herd.id}/refloc/r2")["annotations"]["box"]
    made = wire.ok("POST", f"dataset/{herd.id}/create_slice", {"name": "objects", "dataset_item_ids": None, "scene_ids": None, "object_ids": [b["id"] for b in boxes]})
    sliced = nucleus.NucleusClient().get_slice(made["slice_id"])
    assert sliced.type == "object"
    assert sorted(a.annotation_id for a in sliced.items) == ["a2", "b2"]


def test_slice_info(herd):
    sliced = nucleus.NucleusClient().get_slice(herd.herd.id)
    info = sliced.info()
    assert (info["name"], info["dataset_id"], info["type"], info["slice_id"]) == ("first", herd.id, "dataset_item", sliced.id)
    assert {"created_at", "pending_job_count", "description"} <= set(info) and info["pending_job_count"] == 0
    assert (sliced.name, sliced.dataset_id, sliced.tags) == ("first", herd.id, [])


def test_slice_times_have_three_digits(herd, wire):
    times = [wire.ok("GET", f"slice/{herd.herd.id}/info")["created_at"]] + [s["created_at"] for s in wire.ok("GET", "slice/") + wire.ok("GET", f"dataset/{herd.id}/slices")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", t) for t in times)
    assert isinstance([s for s in herd.slices if s.id == herd.herd.id][0].created_at, datetime.datetime)


def test_slice_items_and_page(herd):
    assert refs(herd.herd.items) == refs(herd.herd.dataset_items()) == refs(herd.herd.items_generator(page_size=4)) == [f"r{n}" for n in range(6)]


def test_slice_page_has_a_token_always(herd, wire):
    last = wire.ok("POST", f"slice/{herd.herd.id}/itemsPage", {"pageToken": None, "pageSize": 100})
    assert "nextPageToken" in last and not last["nextPageToken"]


def test_slice_append(herd):
    sliced = herd.create_slice("grows", ["r0"])
    answer = sliced.append(["r0", "r5"])
    assert answer["slice_id"] == sliced.id and len(answer["new_items"]) == 1
    assert refs(sliced.items) == ["r0", "r5"]
    with refused((400, 404)):
        sliced.append(["nobody"])


def test_slice_delete(client, herd):
    sliced = herd.create_slice("short-lived", ["r0"])
    client.delete_slice(sliced.id)
    with refused(404):
        sliced.items


def test_slice_list(client, herd):
    assert herd.herd.id in [s.id for s in client.slices]


def test_slice_tags(herd):
    sliced = herd.create_slice("tagged", ["r0"])
    sliced.add_tags(["a", "b"])
    sliced.add_tags(["a"])
    assert sorted(sliced.tags) == ["a", "b"]


def test_slice_raw_items(herd):
    raw = herd.herd.export_raw_items()
    rows = raw["raw_dataset_items"] if isinstance(raw, dict) else raw
    assert [r["ref_id"] for r in rows] == [f"r{n}" for n in range(6)]
    assert requests.get(rows[0]["scale_url"]).content == requests.get(rows[0]["original_url"]).content


def test_slice_class_labels(herd):
    assert sorted(herd.herd.export_class_labels()) == ["cow", "horse"]
    assert sorted(herd.export_class_labels(herd.herd.id)) == ["cow", "horse"]


def test_slice_of_another_dataset(client, herd, wire):
    other = new_dataset(client)
    answer = wire("POST", f"slice/{herd.herd.id}/append", {"reference_ids": ["r7"], "dataset_id": other.id})
    assert answer.status_code in (400, 404)


def test_build_slice(herd):
    built = herd.build_slice("random", 4, SliceBuilderMethods.RANDOM)
    sliced = built[1] if isinstance(built, tuple) else built.get("sliceId") or built["slice_id"]
    if isinstance(built, tuple):
        finish(built[0])
    items = refs(nucleus.NucleusClient().get_slice(sliced).items)
    assert len(items) == 4 and set(items) <= {f"r{n}" for n in range(12)}


def test_build_slice_of_a_slice(herd):
    built = herd.build_slice("random of six", 50, SliceBuilderMethods.RANDOM, SliceBuilderFilters(slice_id=herd.herd.id))
    sliced = built[1] if isinstance(built, tuple) else built.get("sliceId") or built["slice_id"]
    if isinstance(built, tuple):
        finish(built[0])
    assert sorted(refs(nucleus.NucleusClient().get_slice(sliced).items)) == [f"r{n}" for n in range(6)]


@pytest.mark.parametrize("query, want", [
    ("metadata.n > 8", [9, 10, 11]),
    ("metadata.n % 5 = 0", [0, 5, 10]),
    ("annotations.count > 1", list(range(10))),
    ("annotations.count = 0", [10, 11]),
    ("metadata.n < 2 OR metadata.n = 11", [0, 1, 11]),
])
def test_query_items(herd, query, want):
    assert sorted(refs(herd.query_items(query))) == sorted(f"r{n}" for n in want)


def test_query_items_that_is_wrong(herd):
    for query in ("metadata.n >", "???", "no_such_field = 1"):
        with refused(400):
            list(herd.query_items(query))


def test_query_objects(herd):
    from nucleus.dataset import ObjectQueryType

    found = list(herd.query_objects('category = "cow"', ObjectQueryType.GROUND_TRUTH_ONLY))
    assert {a.label for a in found} == {"cow"} and len(found) == 10


def vectors(folder, refs_, dim=3):
    name = f"vectors-{len(list(folder.glob('vectors*')))}.json"
    (folder / name).write_text(json.dumps({r: [float(n + i) for i in range(dim)] for n, r in enumerate(refs_)}))
    return name


def test_embeddings_custom_index_and_export(client, folder, web):
    dataset = fill(client, folder, 4)
    name = vectors(folder, [f"r{n}" for n in range(4)])
    job = finish(dataset.create_custom_index([f"{web}/{name}"], embedding_dim=3))
    assert job.job_type == "customIndexing" and job.status()["status"] == "Completed"
    rows = dataset.export_embeddings(asynchronous=False)
    assert {r["reference_id"]: r["embedding_vector"] for r in rows} == {f"r{n}": [n, n + 1, n + 2] for n in range(4)}
    export = dataset.export_embeddings()
    urls = export.result_urls()
    assert sorted(r["reference_id"] for u in urls for r in requests.get(u).json()) == [f"r{n}" for n in range(4)]
    (index,) = dataset.embedding_indexes
    assert (index.index_type, index.index_level, index.status, index.embedding_dimension) == ("Custom", "Image", "Completed", 3)
    sliced = dataset.create_slice("two", ["r1", "r2"])
    assert sorted(r["reference_id"] for r in sliced.export_embeddings(asynchronous=False)) == ["r1", "r2"]
    urls = sliced.export_embeddings().result_urls()
    assert sorted(r["reference_id"] for u in urls for r in requests.get(u).json()) == ["r1", "r2"]


def test_embeddings_of_the_wrong_size(client, folder, web):
    dataset = fill(client, folder, 1)
    job = finish(dataset.create_custom_index([f"{web}/{vectors(folder, ['r0'])}"], embedding_dim=5))
    assert job.errors() and "r0" in job.errors()[0]
    assert dataset.export_embeddings(asynchronous=False) == []


def test_indexing_status(herd):
    status = herd.get_image_indexing_status()
    assert {"embedding_count", "image_count", "percent_indexed"} <= set(status) and "object_count" not in status
    assert status["image_count"] == 12


def test_image_index_is_a_job_that_ends(herd):
    """With the engine it completes; without, it says how to get one."""
    job = herd.create_image_index()
    assert job.job_type == "indexingImage"
    try:
        finish(job)
    except nucleus.async_job.JobError as e:
        assert "engine" in str(e)
