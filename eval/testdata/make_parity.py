"""Records what pycocotools says about generated cases, for TestCOCONumbersEqualPycocotools.

usage: python make_parity.py [CASES]             writes parity.bin.gz beside this file: twelve little-endian doubles a case.
       python make_parity.py --horses LABELS.json   writes horses.json: the twelve numbers of predictions made from those labels.

Only the numbers are kept: the cases come from a counter-based generator (SplitMix64) that parity_test.go has as well, so
`draw` and `case` here and there must stay alike, call by call. Needs pycocotools and numpy.
"""
import contextlib, gzip, io, json, os, struct, sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

MASK = (1 << 64) - 1


class Draw:
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % n


def case(number):
    """Returns a label file and results. Grids are coarse on purpose: ties in score, overlaps of exactly 0.5 and areas of exactly 32² occur."""
    d = Draw(number)
    images, categories = 1 + d.below(8), 1 + d.below(4)
    grid = (1, 4, 10, 100)[d.below(4)]  # coordinates are multiples of 1/grid
    scores = (3, 10, 1000, 1 << 30)[d.below(4)]  # how many confidences there are
    crowds = d.below(3) * 10  # percent of ground truth
    many = d.below(10) == 0  # more than 100 predictions on an image
    side = (40, 120, 400)[d.below(3)]
    truth, results = [], []

    def number_on_grid(n):
        return d.below(n * grid) / grid

    def box():
        x, y = number_on_grid(side), number_on_grid(side)
        if d.below(8) == 0:
            s = (32, 96)[d.below(2)]
            return [x, y, float(s), float(s)]
        return [x, y, (1 + d.below(side * grid)) / grid, (1 + d.below(side * grid)) / grid]

    def near(b):
        kind = d.below(6)
        x, y, w, h = b
        if kind == 0:
            return [x, y, w, h]
        if kind == 1:
            return [x, y, w, h / 2]
        if kind == 2:
            return [x, y, w, h * 2]
        step = lambda v: v + (d.below(9) - 4) * (1 + int(w) // 16) / grid
        return [step(x), step(y), max(step(w), 1 / grid), max(step(h), 1 / grid)]

    for i in range(images):
        for _ in range(d.below(8)):
            b = box()
            area = (b[2] * b[3], b[2] * b[3] / 2, 1024.0, 9216.0)[d.below(4)]
            crowd = int(d.below(100) < crowds)
            truth.append({"id": len(truth) + 1, "image_id": 10 * i + 7, "category_id": 3 * d.below(categories) + 1, "bbox": b, "area": area, "iscrowd": crowd})
    for _ in range(1 + d.below(60) + 250 * many):
        score = d.below(scores) / scores
        if truth and d.below(3) > 0:
            g = truth[d.below(len(truth))]
            r = {"image_id": g["image_id"], "category_id": g["category_id"], "bbox": near(g["bbox"]), "score": score}
            if d.below(10) == 0:
                r["category_id"] = 3 * d.below(categories) + 1
        else:
            r = {"image_id": 10 * d.below(images) + 7, "category_id": 3 * d.below(categories) + 1, "bbox": box(), "score": score}
        results.append(r)
    labels = {
        "images": [{"id": 10 * i + 7, "file_name": f"{i}.jpg", "width": side, "height": side} for i in range(images)],
        "categories": [{"id": 3 * k + 1, "name": str(k)} for k in range(categories)],
        "annotations": truth,
    }
    return labels, results


def perturbed(labels):
    """Returns predictions made from labels: each box moved a little, some lost, some wrong. parity_test.go has the same."""
    d, results = Draw(2026), []
    for a in labels["annotations"]:
        x, y, w, h = a["bbox"]
        move = lambda v, side: v + side * (d.below(2001) - 1000) / 8000
        near = [move(x, w), move(y, h), move(w, w), move(h, h)]
        score = d.below(1000) / 1000
        if d.below(10) > 0:
            results.append({"image_id": a["image_id"], "category_id": a["category_id"], "bbox": near, "score": score})
        if d.below(3) == 0:
            far = [float(d.below(200)), float(d.below(200)), float(20 + d.below(200)), float(20 + d.below(200))]
            results.append({"image_id": a["image_id"], "category_id": a["category_id"], "bbox": far, "score": score / 2})
    return results


def numbers(labels, results):
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = labels
        gt.createIndex()
        e = COCOeval(gt, gt.loadRes(results), "bbox")
        e.evaluate()
        e.accumulate()
        e.summarize()
    return [float(v) for v in e.stats]


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.argv[1:2] == ["--horses"]:
        labels = json.load(open(sys.argv[2]))
        with open(os.path.join(here, "horses.json"), "w") as f:
            json.dump(numbers(labels, perturbed(labels)), f)
        sys.exit()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    data = b"".join(struct.pack("<12d", *numbers(*case(n))) for n in range(count))
    with open(os.path.join(here, "parity.bin.gz"), "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write(data)
