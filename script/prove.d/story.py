"""What a user of the released client does, with 351 horses; every number is checked against the files they came from."""
import hashlib
import json
import os
import pathlib
import sys
import time

import nucleus
import requests

data = pathlib.Path(sys.argv[1])
begun = time.perf_counter()


def told(text):
    print(f"{time.perf_counter() - begun:6.1f} s  {text}", flush=True)


def read(name):
    """Returns {file name: [(label, x, y, width, height)]} of a COCO file."""
    coco = json.loads((data / name).read_text())
    names = {c["id"]: c["name"] for c in coco["categories"]}
    boxes = {i["file_name"]: [] for i in coco["images"]}
    files = {i["id"]: i["file_name"] for i in coco["images"]}
    for a in coco["annotations"]:
        boxes[files[a["image_id"]]].append((names[a["category_id"]], *a["bbox"]))
    return boxes


truth, test = read("all.json"), sorted(read("test.json"))
train = sorted(truth.keys() - set(test))
client = nucleus.NucleusClient()

dataset = client.create_dataset("horses", is_scene=False)
job = dataset.append([nucleus.DatasetItem(str(data / "images" / f), f) for f in sorted(truth)])
job.sleep_until_complete(verbose_std_out=False)
assert job.status()["status"] == "Completed" and dataset.size == len(truth)
told(f"{dataset.size} local images uploaded")

boxes = [nucleus.BoxAnnotation(label, x, y, w, h, f, f"{f}-{n}") for f, rows in truth.items() for n, (label, x, y, w, h) in enumerate(rows)]
answer = dataset.annotate(boxes)
assert answer["annotations_processed"] == len(boxes) and "errors" not in answer
told(f"{len(boxes)} boxes uploaded")
SLICE_ID = dataset.create_slice("train", train).id
held_out = dataset.create_slice("test", test)

# The three lines.
client = nucleus.NucleusClient(os.environ["NUCLEUS_API_KEY"])
data_slice = client.get_slice(SLICE_ID)
data_list = data_slice.items_and_annotations()

assert sorted(row["item"].reference_id for row in data_list) == train
largest = pulled = 0
for row in data_list:
    sent = truth[row["item"].reference_id]
    got = [(b.label, b.x, b.y, b.width, b.height) for b in row["annotations"].get("box", [])]
    assert len(got) == len(sent)
    pulled += len(got)
    for a, b in zip(got, sent):
        assert a[0] == b[0]
        largest = max([largest, *(abs(p - q) for p, q in zip(a[1:], b[1:]))])
told(f"a slice of {len(data_list)} images with {pulled} boxes pulled, largest difference {largest:.3f} px")
same = sum(hashlib.sha256(requests.get(row["item"].image_location).content).digest() == hashlib.sha256((data / "images" / row["item"].reference_id).read_bytes()).digest() for row in data_list)
assert same == len(data_list)
told(f"{same} images downloaded, all of the same bytes")

# Predictions as of a model that misses every fifth horse, moves all by two pixels, and sees one too many in every image.
model = client.create_model("off by two", "off-by-two")
predictions, missed, extra = [], 0, 0
for f in test:
    for n, (label, x, y, w, h) in enumerate(truth[f]):
        if (len(predictions) + missed) % 5 == 4:
            missed += 1
            continue
        predictions.append(nucleus.BoxPrediction(label, x + 2, y + 2, w, h, f, confidence=0.9 - n / 100, annotation_id=f"{f}-{n}"))
    predictions.append(nucleus.BoxPrediction("horse", 0, 0, 3, 3, f, confidence=0.2, annotation_id=f"{f}-too-many"))
    extra += 1
answer = dataset.upload_predictions(model, predictions)
assert answer["predictions_processed"] == len(predictions)
told(f"{len(predictions)} predictions uploaded")

benchmark = client.create_benchmark("test", slice_id=held_out.id, verbose=False)
evaluation = benchmark.create_evaluation_v2(answer["model_run_id"], name="first")
evaluation.wait_for_completion()
assert evaluation.status == "succeeded", evaluation.error_message
charts = evaluation.charts()
counts = charts.totalCounts
told(f"evaluated on {benchmark.item_count} images: {counts.tp} found, {counts.fp} too many, {counts.fn} missed, mAP50 {charts.mapSummary.mapAt50:.3f}, mAP {charts.mapSummary.mapAt5095:.3f}")
with_truth = {f for f in test if truth[f]}
assert counts.tp + counts.fn == sum(len(truth[f]) for f in test) and counts.fp >= len(with_truth) and counts.fn >= missed

worst = evaluation.examples("FN", limit=5, sort_by="gt_area", sort_order="DESC")
first = worst.rows[0]
told(f"{worst.total} examples of missed ones, the largest of {first.gt_area:.0f} px² in {dataset.loc(first.dataset_item_id)['item'].reference_id}")
