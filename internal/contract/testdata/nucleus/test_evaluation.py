"""Section 2.10: benchmarks, Evaluation V2, leaderboard, validate."""
import json
import urllib.parse
import uuid

import nucleus
import pytest
from conftest import box, fill, finish, guess, new_dataset, refused
from nucleus import BoxAreaExclusionRule, LabelExclusionRule, MetadataExclusionRule, RollupGroup


def new_model(client, name="detector"):
    return client.create_model(name, f"ref-{uuid.uuid4().hex}")


class Site:
    """Four items. r0: two horses found, one of them as a cow; r1: one missed; r2: one found and one too much; r3: no truth."""

    def __init__(self, client, folder):
        self.client = client
        self.dataset = fill(client, folder, 4, "evaluated")
        self.dataset.annotate([
            box("r0", 0, 0, 40, 40, annotation_id="t0"), box("r0", 50, 0, 20, 20, annotation_id="t1"),
            box("r1", 5, 5, 30, 30, annotation_id="t2"), box("r2", 10, 10, 40, 40, "cow", annotation_id="t3"),
        ])
        self.model = new_model(client)
        self.ids = {i.reference_id: i.dataset_item_id for i in self.dataset.items}
        self.guesses = [
            ("r0", (0, 0, 40, 40), "horse", 0.9), ("r0", (50, 0, 20, 20), "cow", 0.8),
            ("r2", (10, 10, 40, 40), "cow", 0.7), ("r2", (60, 40, 20, 20), "cow", 0.6),
        ]
        self.model.upload_predictions([guess(None, *xywh, label, confidence, dataset_item_id=self.ids[ref], annotation_id=f"p{n}") for n, (ref, xywh, label, confidence) in enumerate(self.guesses)])
        self.benchmark = client.create_benchmark("bench", dataset_id=self.dataset.id, description="d", metadata={"a": 1})

    def evaluate(self, **kwargs):
        evaluation = self.benchmark.create_evaluation_v2(model_id=self.model, **kwargs)
        evaluation.wait_for_completion()
        assert evaluation.status == "succeeded", evaluation.error_message
        return evaluation


@pytest.fixture(scope="session")
def site(client, folder):
    return Site(client, folder)


@pytest.fixture(scope="session")
def evaluation(site):
    return site.evaluate(name="first")


def test_calculate_evaluation_metrics_is_taken(site):
    site.dataset.upload_predictions(site.model, [guess("r0")])
    site.dataset.calculate_evaluation_metrics(site.model)
    site.dataset.calculate_evaluation_metrics(site.model, {"class_agnostic": False, "allowed_label_matches": [{"ground_truth_label": "horse", "model_prediction_label": "cow"}]})


def test_benchmark_create(site):
    b = site.client.get_benchmark(site.benchmark.id)
    assert b.id.startswith("bm_") and (b.name, b.description, b.metadata, b.status) == ("bench", "d", {"a": 1}, "ready")
    assert (b.item_count, b.dataset_count, b.skipped_items_without_ground_truth) == (3, 1, 1)


def test_benchmark_sources(site):
    sliced = site.dataset.create_slice("for a benchmark", ["r0", "r1"])
    count = lambda **kw: site.client.create_benchmark("b", **kw).item_count
    assert count(slice_id=sliced.id) == count(slice_ids=[sliced.id]) == count(item_ids=[site.ids["r0"], site.ids["r1"]]) == 2
    assert count(dataset_ids=[site.dataset.id]) == 3
    assert count(items=[{"dataset_id": site.dataset.id, "ref_id": "r2"}]) == 1


def test_benchmark_of_nothing(site, wire):
    for body in ({"name": "b"}, {"name": "b", "item_ids": ["di_00000000000000000000"]}, {"name": "b", "slice_id": "slc_00000000000000000000"}, {"name": "b", "rollupGroups": 5, "dataset_id": site.dataset.id}):
        answer = wire("POST", "benchmarks", body)
        assert answer.status_code in (400, 404) and answer.text.startswith('{"error":"')


def test_benchmark_list(site):
    assert site.benchmark.id in [b.id for b in site.client.list_benchmarks()]


def test_benchmark_items(site):
    page = site.benchmark.items()
    assert page.total == 3 and set(page.item_ids) == {site.ids[f"r{n}"] for n in range(3)}
    halves = [site.benchmark.items(limit=2), site.benchmark.items(limit=2, offset=2)]
    assert [i for h in halves for i in h.item_ids] == page.item_ids and {h.total for h in halves} == {3}


def test_benchmark_update(site):
    b = site.client.create_benchmark("old name", dataset_id=site.dataset.id, description="stays")
    b.update(name="new name")
    again = site.client.get_benchmark(b.id)
    assert (again.name, again.description) == ("new name", "stays")


def test_benchmark_delete(site):
    b = site.client.create_benchmark("gone", dataset_id=site.dataset.id)
    b.delete()
    with refused(404):
        b.refresh()


def test_benchmark_is_frozen(site, client, folder):
    """What is annotated later does not change what was."""
    dataset = fill(client, folder, 1)
    dataset.annotate([box("r0", 0, 0, 40, 40)])
    b = client.create_benchmark("frozen", dataset_id=dataset.id)
    dataset.annotate([box("r0", 50, 20, 10, 10, annotation_id="later")])
    model = new_model(client)
    e = b.create_evaluation_v2(model_id=model)
    e.wait_for_completion()
    assert e.charts().totalCounts.fn == 1


def test_evaluation_counts(evaluation):
    charts = evaluation.charts()
    assert (charts.totalCounts.tp, charts.totalCounts.fp, charts.totalCounts.fn) == (2, 2, 2)
    assert charts.totalCounts.predsWithConfidence == 4


def test_evaluation_charts_have_all_nine(evaluation, wire):
    by_post = wire.ok("POST", f"evaluationsV2/{evaluation.id}/charts", {"iouThreshold": 0.5})
    assert {"mapSummary", "perClassAp", "confusionMatrix", "scoreHistogram", "computedIouRanges", "totalCounts", "apBySize", "prCurve", "tideAttribution"} <= set(by_post)
    assert wire.ok("GET", f"evaluationsV2/{evaluation.id}/charts?iouThreshold=0.5") == by_post
    filters = urllib.parse.quote(json.dumps({"gtLabels": ["cow"]}))
    assert wire.ok("GET", f"evaluationsV2/{evaluation.id}/charts?iouThreshold=0.5&filters={filters}&query=") == wire.ok("POST", f"evaluationsV2/{evaluation.id}/charts", {"iouThreshold": 0.5, "filters": {"gtLabels": ["cow"]}})


def test_evaluation_average_precision(evaluation):
    """COCO's: horse 1 of 3 found at precision 1 gives 34 of 101 recall levels; cow 1 of 1, behind one wrong."""
    charts = evaluation.charts()
    per_class = {c.classLabel: c.ap for c in charts.perClassAp}
    assert per_class["horse"] == pytest.approx(34 / 101, abs=1e-9)
    assert per_class["cow"] == pytest.approx(0.5, abs=1e-9)
    assert charts.mapSummary.mapAt50 == pytest.approx((34 / 101 + 0.5) / 2, abs=1e-9)


def test_evaluation_confusion(evaluation):
    matrix = {(c.gtLabel, c.predLabel): c.count for c in evaluation.charts().confusionMatrix}
    assert matrix[("horse", "horse")] == 1 and matrix[("horse", "cow")] == 1 and matrix[("cow", "cow")] == 1


def test_evaluation_tide(evaluation):
    tide = evaluation.charts().tideAttribution
    assert (tide.truePositive, tide.classification, tide.background, tide.localization) == (2, 1, 1, 0)


def test_evaluation_get_and_list(site, evaluation, wire):
    again = site.client.get_evaluation_v2(evaluation.id)
    assert (again.id, again.status, again.name, again.model_id, again.benchmark_id) == (evaluation.id, "succeeded", "first", site.model.id, site.benchmark.id)
    listed = [e.id for e in site.client.list_evaluations_v2(model_id=site.model)]
    assert evaluation.id in listed
    assert {"id", "status", "model_run_id", "dataset_id"} <= set(wire.ok("GET", f"evaluationsV2/{evaluation.id}"))


def test_evaluation_examples(evaluation):
    page = evaluation.examples()
    assert page.total == 6 and sorted(r.match_type for r in page.rows) == ["FN", "FN", "FP", "FP", "TP", "TP"]
    best = evaluation.examples("TP", sort_by="confidence", sort_order="DESC").rows[0]
    assert (best.pred_raw_label, best.confidence, best.iou, best.true_positive, best.evaluation_id) == ("horse", 0.9, 1, True, evaluation.id)
    assert [r.confidence for r in evaluation.examples("FP", sort_by="confidence", sort_order="ASC").rows] == [0.6, 0.8]
    assert [r.gt_area for r in evaluation.examples("FN", sort_by="gt_area", sort_order="ASC").rows] == [400, 900]
    pages = [evaluation.examples(limit=4), evaluation.examples(limit=4, offset=4)]
    assert [len(p.rows) for p in pages] == [4, 2] and len({r.id for p in pages for r in p.rows}) == 6


@pytest.mark.parametrize("filters, total", [
    ({"confidenceRange": {"min": 0.75}}, 5), ({"gtLabels": ["cow"]}, 1), ({"predLabels": ["cow"]}, 3), ({"hasGroundTruth": True}, 5), ({"gtAreaRange": {"max": 500}}, 2),
    ({"itemMetadata": [{"key": "n", "op": "EQ", "value": 1}]}, 1), ({"itemMetadata": [{"key": "n", "op": "IN", "value": [0, 1]}]}, 4), ({"iouRange": {"min": 0.9}}, None),
])
def test_evaluation_filters(evaluation, filters, total):
    page = evaluation.examples(filters=filters)
    assert page.total == len(page.rows) and (total is None or page.total == total), [(r.match_type, r.gt_raw_label, r.pred_raw_label) for r in page.rows]


def test_evaluation_wrong_calls(site, evaluation, wire):
    for route, body in ((f"evaluationsV2/{evaluation.id}/examples", {"match_type": "XX"}), (f"evaluationsV2/{evaluation.id}/examples", {"sort_by": "password"}),
                        (f"evaluationsV2/{evaluation.id}/charts", {"iouThreshold": "x"}), (f"benchmarks/{site.benchmark.id}/evaluationsV2", {}),
                        (f"benchmarks/{site.benchmark.id}/evaluationsV2", {"model_id": site.model.id, "exclusionRules": [{"type": "nonsense"}]})):
        answer = wire("POST", route, body)
        assert answer.status_code == 400 and answer.text.startswith('{"error":"'), f"{route} {body}: {answer.status_code} {answer.text}"


def test_evaluation_filter_schema(evaluation):
    schema = evaluation.filter_schema()
    assert sorted(schema.gt_labels) == ["cow", "horse"] and sorted(schema.pred_labels) == ["cow", "horse"]
    assert {"n", "even"} <= {f.key for f in schema.metadata_fields}


def test_evaluation_rollup(site):
    e = site.evaluate(rollup_groups=[RollupGroup("animal", ["horse", "cow"])])
    counts = e.charts().totalCounts
    assert (counts.tp, counts.fp, counts.fn) == (3, 1, 1)
    assert e.rollup_groups == [RollupGroup("animal", ["horse", "cow"])]


@pytest.mark.parametrize("rule, counts", [
    (MetadataExclusionRule("n", "EQ", 1), (2, 2, 1)),
    (LabelExclusionRule("annotation", "groundTruth", ["cow"]), None),
    (BoxAreaExclusionRule("annotation", "prediction", min=500), (2, 0, 2)),  # what lies outside is left out
])
def test_evaluation_exclusions(site, rule, counts):
    got = site.evaluate(exclusion_rules=[rule]).charts().totalCounts
    assert counts is None or (got.tp, got.fp, got.fn) == counts


def test_evaluation_of_a_run(site):
    run = site.model.create_run("r", site.dataset, [guess("r0", 0, 0, 40, 40)])
    e = site.benchmark.create_evaluation_v2(run.model_run_id)
    e.wait_for_completion()
    assert (e.charts().totalCounts.tp, e.charts().totalCounts.fn) == (1, 3)
    assert e.id in [x.id for x in site.client.list_evaluations_v2(run.model_run_id)]


def test_evaluation_of_a_run_as_old_clients_ask(site, wire):
    run = site.model.create_run("old", site.dataset, [guess("r0", 50, 0, 20, 20, "cow")])
    made = wire.ok("POST", f"modelRun/{run.model_run_id}/evaluationsV2", {"name": "n", "allowed_label_matches": [{"ground_truth_label": "horse", "model_prediction_label": "cow"}]})
    e = site.client.get_evaluation_v2(made["evaluation_id"])
    e.wait_for_completion()
    assert e.model_run_id == run.model_run_id and e.charts().totalCounts.tp == 1


def test_evaluation_delete_and_cancel(site):
    e = site.evaluate()
    with refused(409, "succeeded already"):
        e.cancel()
    e.delete()
    with refused(404):
        e.refresh()
    with refused((400, 409)):
        site.evaluate().retry()


def test_query_objects_of_matches(site, client, folder):
    from nucleus.dataset import ObjectQueryType

    run = site.model.create_run("matched", site.dataset, [guess("r0", 0, 0, 40, 40)])
    site.benchmark.create_evaluation_v2(run.model_run_id).wait_for_completion()
    found = list(site.dataset.query_objects("", ObjectQueryType.IOU, run.model_run_id))
    assert found and all(m.model_run_id == run.model_run_id for m in found)


def test_leaderboard_ranking(site, evaluation):
    rows = site.client.leaderboard_ranking("MAP_50", [site.benchmark.id])
    assert rows[0].rank == 1 and [r.score for r in rows] == sorted([r.score for r in rows], reverse=True)
    assert site.model.id in [r.model_id for r in rows]
    for metric in ("MAP_50_95", "AP_SMALL", "AP_MEDIUM", "AP_LARGE", "PRECISION", "RECALL", "F1"):
        site.client.leaderboard_ranking(metric, [site.benchmark.id], confidence_threshold=0.5, scope="mine", collapse="bestPerModel")
    with refused(400):
        site.client.leaderboard_ranking("LUCK", [site.benchmark.id])


@pytest.fixture(scope="session")
def scenario(site):
    validate = site.client.validate
    sliced = site.dataset.create_slice("scenario", ["r0", "r1", "r2"])
    name = f"scenario {uuid.uuid4().hex}"
    return validate.create_scenario_test(name, sliced.id, [validate.eval_functions.bbox_recall(iou_threshold=0.5), validate.eval_functions.bbox_iou()]), sliced


def test_validate_eval_functions(client):
    functions = client.validate.eval_functions
    names = {f.name for f in functions.public_functions.values()} if hasattr(functions, "public_functions") else set()
    for f in (functions.bbox_iou, functions.bbox_map, functions.bbox_precision, functions.bbox_recall):
        assert f.id.startswith("ef_") and f.name.startswith("bbox_")


def test_validate_scenario_test(site, scenario):
    test, sliced = scenario
    assert (test.slice_id, test.id in [t.id for t in site.client.validate.scenario_tests]) == (sliced.id, True)
    assert sorted(i.reference_id for i in test.get_items()) == ["r0", "r1", "r2"]


def test_validate_metrics_and_thresholds(site, scenario):
    test, _ = scenario
    metric = test.add_eval_function(site.client.validate.eval_functions.bbox_precision)
    assert metric.threshold is None
    metric.set_threshold(0.9)
    thresholds = {m.eval_function_id: m.threshold for m in test.get_eval_functions()}
    assert len(thresholds) == 3 and thresholds[metric.eval_function_id] == 0.9


def test_validate_evaluate(site, client):
    validate = client.validate
    sliced = site.dataset.create_slice(f"s{uuid.uuid4().hex}", ["r0", "r1", "r2"])
    test = validate.create_scenario_test(f"t{uuid.uuid4().hex}", sliced.id, [validate.eval_functions.bbox_recall(iou_threshold=0.5, enforce_label_match=True)])
    model = new_model(client)
    site.dataset.upload_predictions(model, [guess(ref, *xywh, label, confidence, annotation_id=f"p{n}") for n, (ref, xywh, label, confidence) in enumerate(site.guesses)])
    job = finish(model.evaluate([test.name]))
    assert job.job_type == "testEvaluation"
    (history,) = test.get_eval_history()
    assert (history.status.value, history.model_id, history.scenario_test_id) == ("completed", model.id, test.id)
    items = {i.dataset_item_id: i.result for i in history.item_evals}
    assert items == {site.ids["r0"]: 0.5, site.ids["r1"]: 0, site.ids["r2"]: 1}
    assert history.result == pytest.approx(0.5)


def test_validate_delete(site, client):
    validate = client.validate
    sliced = site.dataset.create_slice(f"s{uuid.uuid4().hex}", ["r0"])
    test = validate.create_scenario_test(f"t{uuid.uuid4().hex}", sliced.id, [validate.eval_functions.bbox_iou()])
    assert validate.delete_scenario_test(test.id) is True
    assert test.id not in [t.id for t in validate.scenario_tests]
