"""Records what scale-nucleus' local metrics say about generated cases, for TestValidateEqualsTheClientsOwnMetrics.

usage: python make_validate.py    writes validate.json beside this file.

A case is {"iou", "confidence", "enforce", "truth": [[item, label, x0, y0, x1, y1]], "predictions": [[…, confidence]], "want": {function:
[[value, weight] of each item]}, "total": {function: value}}. Those metrics take x and y of a box for its center, so the boxes are given to
them that way. Needs scale-nucleus (0.22.3), numpy, scipy and shapely.
"""
import json, os, random

from nucleus import BoxAnnotation, BoxPrediction
from nucleus.annotation import AnnotationList
from nucleus.metrics import PolygonIOU, PolygonPrecision, PolygonRecall
from nucleus.prediction import PredictionList

FUNCTIONS = {"bbox_iou": PolygonIOU, "bbox_precision": PolygonPrecision, "bbox_recall": PolygonRecall}


def box(r, near):
    if near and r.random() < 0.7:
        n = r.choice(near)
        values = [n[k] + r.gauss(0, 4) for k in range(2, 6)]
    else:
        x, y = r.uniform(0, 60), r.uniform(0, 60)
        values = [x, y, x + r.uniform(5, 40), y + r.uniform(5, 40)]
    x0, x1 = sorted((values[0], values[2]))
    y0, y1 = sorted((values[1], values[3]))
    return [round(v, 3) for v in (x0, y0, x1 + 0.5, y1 + 0.5)]


def center(b):
    return dict(x=(b[2] + b[4]) / 2, y=(b[3] + b[5]) / 2, width=b[4] - b[2], height=b[5] - b[3], reference_id=str(b[0]), label=b[1])


def case(seed):
    r = random.Random(seed)
    items = r.randint(1, 5)
    truth = [[r.randrange(items), r.choice("abc")] + box(r, []) for _ in range(r.randint(1, 20))]
    predictions = []
    for _ in range(r.randint(1, 25)):
        item = r.randrange(items)
        near = [t for t in truth if t[0] == item]
        predictions.append([item, r.choice("abc")] + box(r, near) + [round(r.random(), 4)])
    c = dict(items=items, iou=r.choice([0.05, 0.3, 0.5, 0.75]), confidence=r.choice([0, 0, 0.4]), enforce=r.random() < 0.5, truth=truth, predictions=predictions, want={}, total={})
    for name, function in FUNCTIONS.items():
        f = function(enforce_label_match=c["enforce"], iou_threshold=c["iou"], confidence_threshold=c["confidence"])
        scores = []
        for i in range(items):
            ts = AnnotationList(box_annotations=[BoxAnnotation(**center(t)) for t in truth if t[0] == i])
            ps = PredictionList(box_predictions=[BoxPrediction(confidence=p[6], **center(p)) for p in predictions if p[0] == i])
            if ts.box_annotations or [p for p in ps.box_predictions if p.confidence >= c["confidence"]]:
                scores.append(f.call_metric(ts, ps))
            else:  # it cannot join no arrays
                scores.append(None)
        c["want"][name] = [[s.value, s.weight] if s else [0, 0] for s in scores]
        c["total"][name] = f.aggregate_score([s for s in scores if s]).value
    return c


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "validate.json"), "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(case(seed)) for seed in range(120)) + "\n]\n")
