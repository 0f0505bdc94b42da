"""Section 2.7: models, runs, predictions, weights."""
import os
import uuid

import nucleus
import pytest
import requests
from conftest import box, fill, finish, guess, new_dataset, refused
from nucleus import CategoryPrediction, Keypoint, KeypointsPrediction, LinePrediction, Point, PolygonPrediction, Segment, SegmentationPrediction


def new_model(client, name="detector", **kwargs):
    return client.create_model(name, f"ref-{uuid.uuid4().hex}", **kwargs)


@pytest.fixture
def scored(client, folder):
    """A dataset of four items and a model."""
    return fill(client, folder, 4), new_model(client)


def test_models_add(client):
    model = client.create_model("one", f"m-{uuid.uuid4().hex}", metadata={"a": 1}, tags=["x"])
    assert model.id.startswith("prj_") and len(model.id) <= 24
    got = client.get_model(model.id)
    assert (got.name, got.reference_id, got.metadata, got.tags) == ("one", model.reference_id, {"a": 1}, ["x"])


def test_models_add_the_same_reference_again(client):
    model = new_model(client)
    with pytest.raises(Exception):
        client.create_model("again", model.reference_id)


def test_models_list(client):
    model = new_model(client, "listed")
    assert ("listed", model.id) in [(m.name, m.id) for m in client.models]


def test_model_without_metadata(client):
    assert client.get_model(new_model(client).id).metadata is None


def test_model_by_its_run(client, scored):
    dataset, model = scored
    run = model.create_run("r", dataset, [guess("r0")])
    assert client.get_model(model_run_id=run.model_run_id).id == model.id


def test_model_delete(client, scored):
    dataset, model = scored
    dataset.upload_predictions(model, [guess("r0")])
    assert client.delete_model(model.id)["msg"] == "Model deletion running in an async job"
    with refused(404):
        client.get_model(model.id)
    assert dataset.model_runs == []


def test_model_unknown(client):
    with refused(404):
        client.get_model("prj_00000000000000000000")


def test_model_tags(client, wire):
    model = new_model(client)
    model.add_tags(["a", "b"])
    model.remove_tags(["a", "never"])
    assert client.get_model(model.id).tags == ["b"]
    answer = wire("DELETE", f"model/{model.id}/tag", {"tags": ["never"]})
    assert (answer.status_code, answer.text) == (400, '{"error":"Deleted 0 tags from model. The specified tag(s) were not found."}')


def test_model_trained_slices(client, scored):
    dataset, model = scored
    sliced = dataset.create_slice("training", ["r0"])
    model.add_trained_slice_ids([sliced.id])
    assert client.get_model(model.id).trained_slice_ids == [sliced.id]
    model.remove_trained_slice_ids([sliced.id])
    assert not client.get_model(model.id).trained_slice_ids


def test_run_create_in_a_dataset(client, scored):
    dataset, model = scored
    run = dataset.create_model_run("first", reference_id=model.reference_id, metadata={"e": 3})
    assert run.model_run_id.startswith("run_")
    info = run.info()
    assert (info["model_id"], info["name"], info["metadata"]) == (model.id, "first", {"e": 3})
    assert dataset.model_runs == [run.model_run_id] and dataset.info().model_run_ids == [run.model_run_id]


def test_run_create_of_an_unknown_model(scored):
    dataset, _ = scored
    with pytest.raises((nucleus.NucleusAPIError, nucleus.ModelRunCreationError)):
        dataset.create_model_run("x", reference_id="nobody's")


def test_run_without_a_dataset(client, scored):
    dataset, model = scored
    run = model.create_run("free", reference_id="its own", metadata={"a": 1})
    items = dataset.items
    answer = run.add_predictions([guess(dataset_item_id=items[0].dataset_item_id), guess("r1", dataset_id=dataset.id)])
    assert (answer["model_run_id"], answer["predictions_processed"], answer["predictions_ignored"]) == (run.model_run_id, 2, 0)
    assert len(run.loc(items[0].dataset_item_id)["box"]) == 1
    assert model.model_runs() == [run.model_run_id] and model.model_runs(include_versions=True) == [run.model_run_id]
    assert dataset.model_runs == [run.model_run_id]


def test_runs_merge(client, scored):
    dataset, model = scored
    runs = [model.create_run(f"r{n}", dataset, [guess("r0", 5 + n, annotation_id="same"), guess(f"r{n}", annotation_id=f"own{n}")]) for n in (1, 2)]
    merged = client.merge_model_runs([r.model_run_id for r in runs], name="both")
    finish(merged["job"])
    assert merged["dataset_ids"] == [dataset.id]
    union = client.get_model_run(merged["model_run_id"], dataset.id)
    boxes = union.refloc("r0")["box"]
    assert sorted(b.x for b in boxes) == [6, 7] and len({b.annotation_id for b in boxes}) == 2
    assert len(union.ungrouped_export()["box"]) == 4
    assert len(runs[0].refloc("r0")["box"]) == 1


def test_run_commit_and_delete(client, scored):
    dataset, model = scored
    run = model.create_run("r", dataset, [guess("r0")])
    assert run.commit()["model_run_id"] == run.model_run_id
    client.delete_model_run(run.model_run_id)
    assert dataset.model_runs == []
    with refused(404):
        run.info()


def every_kind(ref):
    return {
        "box": nucleus.BoxPrediction("horse", 1.5, 2, 30, 40, ref, 0.75, "b", {"a": 1}, class_pdf={"horse": 0.75, "cow": 0.25}, embedding_vector=[1, 2]),
        "polygon": PolygonPrediction("horse", [Point(1, 2), Point(30, 2), Point(3, 40)], ref, 0.5, "p", {}),
        "line": LinePrediction("rope", [Point(1, 2), Point(3, 4)], ref, 0.5, "l", {}),
        "keypoints": KeypointsPrediction("pose", [Keypoint(1, 2, True), Keypoint(None, None, False)], ["nose", "tail"], [[0, 1]], ref, 0.5, "k", {}),
        "category": CategoryPrediction("outdoor", ref, confidence=0.5),
        "segmentation": SegmentationPrediction("https://masks.example/m.png", [Segment("horse", 1)], ref, "s"),
    }


def same(got, sent):
    return all(vars(got)[k] == v or not vars(got)[k] and not v for k, v in vars(sent).items() if k not in ("dataset_item_id", "dataset_id"))


def test_predictions_of_every_kind(scored):
    dataset, model = scored
    sent = every_kind("r0")
    answer = dataset.upload_predictions(model, list(sent.values()))
    assert (answer["dataset_id"], answer["predictions_processed"], answer["predictions_ignored"]) == (dataset.id, 6, 0)
    assert answer["model_run_id"] in dataset.model_runs
    for got in (dataset.export_predictions(model), dataset.predictions_iloc(model, 0), dataset.predictions_refloc(model, "r0")):
        assert set(got) == set(sent)
        for kind, prediction in sent.items():
            assert len(got[kind]) == 1 and same(got[kind][0], prediction), f"{got[kind][0]}, sent {prediction}"


def test_predictions_use_the_one_run_of_dataset_and_model(scored):
    dataset, model = scored
    first = dataset.upload_predictions(model, [guess("r0", annotation_id="a")])
    second = dataset.upload_predictions(model, [guess("r1", annotation_id="a")])
    assert first["model_run_id"] == second["model_run_id"] and dataset.model_runs == [first["model_run_id"]]


def test_predictions_conflict(scored):
    dataset, model = scored
    dataset.upload_predictions(model, [guess("r0", annotation_id="a")])
    assert dataset.upload_predictions(model, [guess("r0", 9, annotation_id="a")])["predictions_ignored"] == 1
    assert dataset.upload_predictions(model, [guess("r0", 9, annotation_id="a")], update=True)["predictions_processed"] == 1
    assert [b.x for b in dataset.predictions_refloc(model, "r0")["box"]] == [9]


def test_predictions_of_unknown_items_are_errors_of_a_success(scored):
    dataset, model = scored
    answer = dataset.upload_predictions(model, [guess("r0"), guess("nobody")])
    assert answer["predictions_processed"] == 1 and "nobody" in answer["errors"][0]


def test_predictions_sum_over_batches(scored):
    dataset, model = scored
    answer = dataset.upload_predictions(model, [guess(f"r{n % 4}", annotation_id=f"a{n}") for n in range(30)], batch_size=7)
    assert answer["predictions_processed"] == 30


def test_predictions_async(scored):
    dataset, model = scored
    job = finish(dataset.upload_predictions(model, [guess("r0"), guess("nobody")], asynchronous=True))
    assert job.job_type == "uploadPredictions" and "Item with id nobody doesn" in job.errors()[0]
    assert len(dataset.export_predictions(model)["box"]) == 1


def test_predict_on_a_run(scored):
    dataset, model = scored
    run = dataset.create_model_run("r", reference_id=model.reference_id)
    assert run.predict([guess("r0", annotation_id="a")])["predictions_processed"] == 1
    finish(run.predict([guess("r1", annotation_id="b")], asynchronous=True))
    identity = dataset.items[1].dataset_item_id
    for got in (run.iloc(1), run.refloc("r1"), run.loc(identity)):
        assert [b.annotation_id for b in got["box"]] == ["b"]
    assert run.prediction_loc("r0", "a").confidence == 0.9
    assert len(run.ungrouped_export()["box"]) == 2


def test_predictions_for_a_run_of_a_dataset(scored):
    dataset, model = scored
    run = model.create_run("r", reference_id=f"x{uuid.uuid4().hex}")
    assert dataset.upload_predictions_for_model_run(run.model_run_id, [guess("r0", annotation_id="a")])["predictions_processed"] == 1
    finish(dataset.upload_predictions_for_model_run(run.model_run_id, [guess("r1", annotation_id="a")], asynchronous=True))
    assert run.model_run_id in dataset.model_runs and len(run.ungrouped_export()["box"]) == 2


def test_prediction_loc(scored):
    dataset, model = scored
    dataset.upload_predictions(model, [guess("r0", annotation_id="a")])
    got = dataset.prediction_loc(model, "r0", "a")
    assert (got.label, got.confidence, got.reference_id) == ("horse", 0.9, "r0")


def test_prediction_readers_of_raw_references(client, folder):
    dataset, model = new_dataset(client), new_model(client)
    refs = ["dir/sub/x.jpg", "a//b", "a b.jpg", "ü.jpg", "100%.jpg"]
    finish(dataset.append([nucleus.DatasetItem(str(folder / "img_00.jpg"), r) for r in refs]))
    dataset.upload_predictions(model, [guess(r) for r in refs])
    run = client.get_model_run(dataset.model_runs[0], dataset.id)
    for ref in refs:
        (prediction,) = dataset.predictions_refloc(model, ref)["box"]
        assert prediction.reference_id == ref
        assert run.refloc(ref)["box"][0].annotation_id == prediction.annotation_id
        assert dataset.prediction_loc(model, ref, prediction.annotation_id).reference_id == ref
        assert run.prediction_loc(ref, prediction.annotation_id).reference_id == ref


def test_run_free_predictions(scored):
    """By item id, with no reference id at all."""
    dataset, model = scored
    ids = [i.dataset_item_id for i in dataset.items]
    answer = model.upload_predictions([guess(dataset_item_id=ids[0]), guess("r1", dataset_id=dataset.id), guess("nobody", dataset_id=dataset.id)])
    assert (answer["predictions_processed"], answer["predictions_ignored"]) == (2, 0) and len(answer["errors"]) == 1
    (got,) = model.predictions_loc(ids[0])["box"]
    assert (got.dataset_item_id, got.confidence, got.annotation_id) == (ids[0], 0.9, "horse-5-6-30-20-None")
    assert len(model.predictions_refloc("r1")["box"]) == 1


def test_run_free_predictions_sum_over_batches(scored):
    dataset, model = scored
    ids = [i.dataset_item_id for i in dataset.items]
    answer = model.upload_predictions([guess(dataset_item_id=ids[n % 4], annotation_id=f"a{n}") for n in range(9)], batch_size=2)
    assert (answer["predictions_processed"], answer["predictions_ignored"]) == (9, 0)


def test_run_free_readers_on_the_wire(scored, wire):
    dataset, model = scored
    ids = [i.dataset_item_id for i in dataset.items]
    model.upload_predictions([guess(dataset_item_id=ids[0])])
    for route in (f"loc/{ids[0]}", "refloc/r0", "iloc/0"):
        answer = wire("GET", f"model/{model.id}/predictions/{route}")
        if answer.status_code == 200:
            (prediction,) = answer.json()["predictions"]
            assert (prediction["type"], prediction["dataset_item_id"], prediction["dataset_id"]) == ("box", ids[0], dataset.id)
    assert wire.ok("GET", f"model/{model.id}/predictions/loc/{ids[1]}")["predictions"] == []


def test_copy_predictions_from_a_run(scored):
    dataset, model = scored
    run = model.create_run("r", dataset, [guess("r0"), guess("r1"), CategoryPrediction("outdoor", "r0", confidence=0.5)])
    answer = model.copy_predictions_from_run(run.model_run_id)
    assert answer["model_id"] == model.id and answer["predictions_copied"] + answer["predictions_skipped_unsupported"] == 3
    assert len(model.predictions_loc(dataset.items[0].dataset_item_id)["box"]) == 1


def test_slice_export_of_predictions(scored, wire):
    dataset, model = scored
    dataset.upload_predictions(model, [guess(f"r{n}") for n in range(4)])
    sliced = dataset.create_slice("two", ["r1", "r2"])
    rows = sliced.export_predictions(model)
    assert [(r["item"].reference_id, [b.confidence for b in r["predictions"]["box"]]) for r in rows] == [("r1", [0.9]), ("r2", [0.9])]
    assert list(sliced.export_predictions_generator(model)) == rows
    for row in wire.ok("GET", f"slice/{sliced.id}/{model.id}/exportForTraining")["exportedRows"]:
        assert all(isinstance(row[k], list) for k in ("box", "polygon", "line", "keypoints", "cuboid", "category", "multicategory"))


def test_query_objects_of_predictions(scored):
    from nucleus.dataset import ObjectQueryType

    dataset, model = scored
    dataset.upload_predictions(model, [guess("r0", confidence=0.2), guess("r1", confidence=0.8)])
    (found,) = dataset.query_objects("confidence > 0.5", ObjectQueryType.PREDICTIONS_ONLY, dataset.model_runs[0])
    assert (found.reference_id, found.confidence) == ("r1", 0.8)


def test_label_schema_with_predictions(scored):
    dataset, model = scored
    dataset.upload_predictions(model, [guess("r0", label="zebra")])
    assert dataset.evaluation_label_schema() == {"gt_labels": [], "prediction_labels": ["zebra"]}


@pytest.mark.parametrize("size", [1, 5_000_000, 70_000_000])
def test_weights(client, tmp_path, size):
    model = new_model(client)
    source = tmp_path / "weights.pt"
    source.write_bytes(os.urandom(1000) * (size // 1000) or b"x")
    assert client.get_model_weights(model).present is False
    uploaded = model.upload_weights(str(source), progress=False)
    assert (uploaded.present, uploaded.size_bytes, uploaded.original_filename) == (True, source.stat().st_size, "weights.pt")
    target = tmp_path / "again.pt"
    model.download_weights(str(target), progress=False)
    assert target.read_bytes() == source.read_bytes()
    assert model.delete_weights() is True
    assert model.weights().present is False and model.delete_weights() is False
    with pytest.raises((nucleus.NotFoundError, nucleus.NucleusAPIError)):
        model.download_weights(str(target), progress=False)


def test_weights_with_a_wrong_checksum(client, tmp_path):
    model = new_model(client)
    source = tmp_path / "weights.pt"
    source.write_bytes(b"abc")
    with pytest.raises(Exception):
        model.upload_weights(str(source), checksum_sha256="0" * 64, progress=False)
    assert model.weights().present is False


def test_models_of_another_world(client):
    from conftest import TEST_KEY

    model = new_model(client)
    other = nucleus.NucleusClient(TEST_KEY)
    assert model.id not in [m.id for m in other.models]
    with refused(404):
        other.get_model(model.id)
