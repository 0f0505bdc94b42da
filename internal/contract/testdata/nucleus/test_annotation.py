"""Sections 2.4 and 2.5: annotations and what the user's three lines pull."""
import nucleus
import pytest
from conftest import box, fill, finish, new_dataset, picture, refused
from nucleus import (
    CategoryAnnotation,
    Keypoint,
    KeypointsAnnotation,
    LineAnnotation,
    MultiCategoryAnnotation,
    Point,
    PolygonAnnotation,
    Segment,
    SegmentationAnnotation,
)

SEVEN = ["box", "polygon", "line", "keypoints", "cuboid", "category", "multicategory"]


def every_kind(ref, mask):
    return {
        "box": nucleus.BoxAnnotation("horse", 1.25, 2, 30.5, 40, ref, "b1", {"a": [1, {"b": 2}]}, embedding_vector=[0.5, 1], track_reference_id=None),
        "polygon": PolygonAnnotation("horse", [Point(1, 2), Point(30.5, 2), Point(3, 40)], ref, "p1", {"x": True}, embedding_vector=[1, 2, 3]),
        "line": LineAnnotation("rope", [Point(1, 2), Point(3, 4)], ref, "l1", {"x": None}),
        "keypoints": KeypointsAnnotation("pose", [Keypoint(1, 2, True), Keypoint(None, None, False)], ["nose", "tail"], ref, [[0, 1]], "k1", {}),
        "category": CategoryAnnotation("outdoor", ref),
        "multicategory": MultiCategoryAnnotation(["a", "b"], ref, taxonomy_name="tags"),
        "segmentation": SegmentationAnnotation(mask, [Segment("horse", 1, {"a": 1}), Segment("sky", 2)], ref, "s1"),
    }


def test_annotate_every_kind_round_trips(client, folder):
    dataset = fill(client, folder, 2)
    sent = every_kind("r0", "https://masks.example/m.png")
    answer = dataset.annotate(list(sent.values()))
    assert (answer["dataset_id"], answer["annotations_processed"], answer["annotations_ignored"]) == (dataset.id, 7, 0)
    got = dataset.refloc("r0")["annotations"]
    assert set(got) == set(sent)
    for kind, annotation in sent.items():
        assert len(got[kind]) == 1
        same = got[kind][0]
        theirs, ours = vars(annotation), vars(same)
        for key in theirs.keys() - {"dataset_item_id"}:
            assert ours[key] == theirs[key] or not ours[key] and not theirs[key], f"{kind}.{key}: {ours[key]!r}, sent {theirs[key]!r}"
    assert dataset.refloc("r1")["annotations"] == {}


def test_annotate_task_ids(client, folder, wire):
    """The task id is part of the key, and comes back."""
    dataset = fill(client, folder, 1)
    boxes = [{"label": "horse", "type": "box", "geometry": {"x": 1, "y": 1, "width": n, "height": 9}, "reference_id": "r0", "annotation_id": "same", "metadata": {}, "track_reference_id": None, "task_id": task} for n, task in ((5, "t1"), (6, "t2"), (7, None))]
    assert wire.ok("POST", f"dataset/{dataset.id}/annotate", {"annotations": boxes, "update": False})["annotations_processed"] == 3
    got = wire.ok("GET", f"dataset/{dataset.id}/refloc/r0")["annotations"]["box"]
    assert {(b.get("task_id"), b["geometry"]["width"]) for b in got} == {("t1", 5), ("t2", 6), (None, 7)}


def test_annotate_conflicts(client, folder):
    dataset = fill(client, folder, 1)
    counts = lambda answer: (answer["annotations_processed"], answer["annotations_ignored"])
    assert counts(dataset.annotate([box("r0", annotation_id="a"), box("r0", annotation_id="b")])) == (2, 0)
    assert counts(dataset.annotate([box("r0", 9, annotation_id="a"), box("r0", annotation_id="c")])) == (1, 1)
    assert counts(dataset.annotate([box("r0", 9, annotation_id="a")], update=True)) == (1, 0)
    assert sorted((b.annotation_id, b.x) for b in dataset.refloc("r0")["annotations"]["box"]) == [("a", 9), ("b", 5), ("c", 5)]


def test_annotate_categories_conflict_on_their_taxonomy(client, folder):
    dataset = fill(client, folder, 1)
    dataset.add_taxonomy("t", "category", ["x", "y"])
    dataset.annotate([CategoryAnnotation("one", "r0"), CategoryAnnotation("x", "r0", taxonomy_name="t")])
    assert dataset.annotate([CategoryAnnotation("two", "r0"), CategoryAnnotation("y", "r0", taxonomy_name="t")])["annotations_ignored"] == 2
    dataset.annotate([CategoryAnnotation("y", "r0", taxonomy_name="t")], update=True)
    assert sorted((c.label, c.taxonomy_name) for c in dataset.refloc("r0")["annotations"]["category"]) == [("one", None), ("y", "t")]


def test_annotate_one_segmentation_per_item(client, folder):
    dataset = fill(client, folder, 1)
    mask = lambda n: SegmentationAnnotation(f"https://masks.example/{n}.png", [Segment("horse", n)], "r0", f"s{n}")
    dataset.annotate([mask(1)])
    assert dataset.annotate([mask(2)])["annotations_ignored"] == 1
    dataset.annotate([mask(3)], update=True)
    assert [s.mask_url for s in dataset.refloc("r0")["annotations"]["segmentation"]] == ["https://masks.example/3.png"]


def test_annotate_unknown_items_are_errors_of_a_success(client, folder):
    dataset = fill(client, folder, 1)
    answer = dataset.annotate([box("r0"), box("nobody")])
    assert (answer["annotations_processed"], answer["annotations_ignored"]) == (1, 0)
    assert len(answer["errors"]) == 1 and "nobody" in answer["errors"][0]


def test_annotate_sums_over_batches(client, folder, wire):
    dataset = fill(client, folder, 3)
    answer = dataset.annotate([box(f"r{n % 3}", annotation_id=f"a{n}") for n in range(30)] + [box("x", annotation_id=f"a{n}") for n in range(3)], batch_size=7)
    assert answer["annotations_processed"] == 30 and len(answer["errors"]) == 3
    raw = wire.ok("POST", f"dataset/{dataset.id}/annotate", {"annotations": [], "update": False})
    assert None not in raw.values() and all(isinstance(v, (int, list, str)) for v in raw.values())


def test_annotate_local_masks(client, folder, tmp_path):
    """A form; the path that was sent comes back, whatever the mask's size."""
    dataset = fill(client, folder, 12)
    path = tmp_path / "mask.png"
    path.write_bytes(picture(1, (50, 20), "PNG"))
    answer = dataset.annotate([SegmentationAnnotation(str(path), [Segment("horse", 1)], f"r{n}", f"s{n}") for n in range(12)])
    assert (answer["annotations_processed"], answer["annotations_ignored"]) == (12, 0)
    assert dataset.refloc("r5")["annotations"]["segmentation"][0].mask_url == str(path)


def test_annotate_async(client, folder):
    dataset = fill(client, folder, 2)
    job = finish(dataset.annotate([box("r0"), box("r1"), box("nobody"), SegmentationAnnotation("https://masks.example/m.png", [Segment("horse", 1)], "r1")], asynchronous=True))
    status = job.status()
    assert job.job_type == "uploadAnnotations" and status["status"] == "Completed" and status["total_steps"] == 1
    assert status["message"]["annotation_upload"] == {"total": 4, "errored": 1, "ignored": 0, "datasetId": dataset.id, "processed": 3}
    assert "Item with id nobody doesn" in job.errors()[0]
    assert set(dataset.refloc("r1")["annotations"]) == {"box", "segmentation"}


def test_annotate_nonsense(client, folder, wire):
    dataset = fill(client, folder, 1)
    for wrong in ({"annotations": 5}, {"annotations": [7]}, [], "x"):
        answer = wire("POST", f"dataset/{dataset.id}/annotate", wrong)
        assert answer.status_code in (200, 400)
        if answer.status_code == 200:
            assert answer.json()["annotations_processed"] == 0 and answer.json()["errors"]
    for geometry in ({"x": 1, "y": 1, "width": -4, "height": 5}, {"x": "one", "y": 1, "width": 4, "height": 5}, {}, None):
        answer = wire("POST", f"dataset/{dataset.id}/annotate", {"annotations": [{"label": "h", "type": "box", "geometry": geometry, "reference_id": "r0"}]})
        assert answer.status_code in (200, 400)
        if answer.status_code == 200:
            assert answer.json()["annotations_processed"] == 0 and len(answer.json()["errors"]) == 1
    assert dataset.refloc("r0")["annotations"] == {}


def test_ground_truth_loc(herd):
    got = herd.ground_truth_loc("r2", "b2")
    assert (got.label, got.x, got.reference_id) == ("cow", 50, "r2")


def test_delete_annotations(client, folder):
    dataset = fill(client, folder, 3)
    dataset.annotate([box(f"r{n}") for n in range(3)])
    job = finish(dataset.delete_annotations(["r0"]))
    assert job.job_type == "annotationDeletion"
    assert [len(dataset.refloc(f"r{n}")["annotations"]) for n in range(3)] == [0, 1, 1]
    finish(dataset.delete_annotations(keep_history=False))
    assert [len(dataset.refloc(f"r{n}")["annotations"]) for n in range(3)] == [0, 0, 0]


def test_the_three_lines(herd):
    client = nucleus.NucleusClient()
    data = client.get_slice(herd.herd.id)
    data_list = data.items_and_annotations()
    assert [row["item"].reference_id for row in data_list] == [f"r{n}" for n in range(6)]
    for n, row in enumerate(data_list):
        assert set(row["annotations"]) == {"box"}
        assert [(b.label, b.x, b.y, b.width, b.height, b.annotation_id) for b in row["annotations"]["box"]] == [("horse", 5, 6, 30, 20, f"a{n}"), ("cow", 50, 30, 20, 20, f"b{n}")]


def test_export_rows_have_all_seven_arrays(herd, wire):
    for route in (f"slice/{herd.herd.id}/exportForTraining", f"dataset/{herd.id}/exportForTraining"):
        rows = wire.ok("GET", route)["exportedRows"]
        assert rows and all(isinstance(row[kind], list) for row in rows for kind in SEVEN)
        assert all("processed_url" not in row["item"] for row in rows)


def test_export_every_kind(client, folder):
    dataset = fill(client, folder, 2)
    dataset.annotate(list(every_kind("r0", "https://masks.example/m.png").values()))
    rows = dataset.items_and_annotations()
    assert set(rows[0]["annotations"]) == {"box", "polygon", "line", "keypoints", "category", "multicategory", "segmentation"}
    assert rows[0]["annotations"]["segmentation"].mask_url == "https://masks.example/m.png", "one object, not an array"
    assert rows[1]["annotations"] == {}


def test_dataset_export(herd):
    rows = herd.items_and_annotations()
    assert [len(r["annotations"]["box"]) for r in rows] == [2] * 10 + [0, 0]


def test_dataset_export_page(herd):
    assert list(herd.items_and_annotation_generator(page_size=5)) == herd.items_and_annotations()


def test_dataset_export_page_with_a_query(herd):
    rows = list(herd.items_and_annotation_generator(query="metadata.n > 8"))
    assert [r["item"].reference_id for r in rows] == ["r9", "r10", "r11"]


def test_slice_export_page(herd):
    assert list(herd.herd.items_and_annotation_generator()) == herd.herd.items_and_annotations()


def test_export_page_mirrored(client, web, wire):
    """With chip the server's copy takes precedence; without, the user's URL."""
    import requests

    dataset = new_dataset(client)
    finish(dataset.append([nucleus.DatasetItem(f"{web}/img_00.jpg", "u0")], asynchronous=True))
    sliced = dataset.create_slice("s", ["u0"])
    for source in (dataset, sliced):
        (row,) = source.items_and_annotation_generator(use_mirrored_images=True)
        assert row["item"].image_location != f"{web}/img_00.jpg"
        assert requests.get(row["item"].image_location).content == requests.get(f"{web}/img_00.jpg").content
        (row,) = source.items_and_annotation_generator()
        assert row["item"].image_location == f"{web}/img_00.jpg"


def test_export_page_only_most_recent_tasks(client, folder, wire):
    dataset = fill(client, folder, 1)
    for n, task in ((5, "t1"), (6, "t2")):
        wire.ok("POST", f"dataset/{dataset.id}/annotate", {"annotations": [{"label": "h", "type": "box", "geometry": {"x": 1, "y": 1, "width": n, "height": 9}, "reference_id": "r0", "annotation_id": "a", "task_id": task}], "update": False})
    widths = lambda **kw: sorted(b.width for row in dataset.items_and_annotation_generator(**kw) for b in row["annotations"]["box"])
    assert widths() == [6] and widths(only_most_recent_tasks=False) == [5, 6]
