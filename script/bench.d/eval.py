"""Times `remuda eval --predictions` against pycocotools on the same files, in turns, and prints the ratio of the medians.
Both run on one thread, so the processor time that each used is compared: other programs on the machine disturb it least.

usage: eval.py [--runs 3] [--images 5000] [--boxes 36000] [--predictions 250000] [--categories 80]
"""
import argparse, json, os, resource, statistics, subprocess, sys, tempfile, time

import numpy as np

REMUDA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bin", "remuda")
NAMES = "ap ap50 ap75 ap_small ap_medium ap_large ar1 ar10 ar100 ar_small ar_medium ar_large".split()
PYCOCOTOOLS = """
import contextlib, io, json, sys
with contextlib.redirect_stdout(io.StringIO()):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    truth = COCO(sys.argv[1])
    e = COCOeval(truth, truth.loadRes(sys.argv[2]), "bbox")
    e.evaluate(); e.accumulate(); e.summarize()
print(json.dumps([float(v) for v in e.stats]))
"""


def generate(folder, a):
    """Writes labels and predictions with COCO's proportions: few categories hold most boxes, most predictions are unsure and wrong."""
    r = np.random.default_rng(0)
    width, height = 640, 480
    category = lambda n: np.minimum(r.exponential(a.categories / 10, n).astype(int), a.categories - 1)

    def boxes(n):
        w = np.exp(r.normal(4, 1, n)).clip(4, width)
        h = (w * np.exp(r.normal(0, 0.4, n))).clip(4, height)
        return np.stack([r.uniform(0, 1, n) * (width - w), r.uniform(0, 1, n) * (height - h), w, h], 1)

    image, kind, truth = r.integers(0, a.images, a.boxes), category(a.boxes), boxes(a.boxes)
    labels = {
        "images": [{"id": i + 1, "file_name": f"{i + 1:06d}.jpg", "width": width, "height": height} for i in range(a.images)],
        "categories": [{"id": k + 1, "name": f"category {k + 1}"} for k in range(a.categories)],
        "annotations": [
            {"id": j + 1, "image_id": int(image[j]) + 1, "category_id": int(kind[j]) + 1, "bbox": truth[j].round(2).tolist(),
             "area": round(float(truth[j, 2] * truth[j, 3] * 0.7), 2), "iscrowd": int(r.random() < 0.01)}
            for j in range(a.boxes)
        ],
    }
    n = a.predictions
    real = r.random(n) < 0.35  # drawn around a ground truth
    of = r.integers(0, a.boxes, n)
    scale = 0.08 * truth[of][:, 2:].min(1, keepdims=True)
    near = truth[of] + r.normal(size=(n, 4)) * scale
    near[:, 2:] = near[:, 2:].clip(1)
    box = np.where(real[:, None], near, boxes(n)).round(2).tolist()
    where = np.where(real, image[of], r.integers(0, a.images, n)) + 1
    what = np.where(real & (r.random(n) < 0.95), kind[of], category(n)) + 1
    score = np.where(real, r.beta(3, 2, n), r.beta(1, 6, n)).round(4)
    results = [{"image_id": int(where[j]), "category_id": int(what[j]), "bbox": box[j], "score": float(score[j])} for j in range(n)]
    paths = os.path.join(folder, "labels.json"), os.path.join(folder, "predictions.json")
    for path, data in zip(paths, (labels, results)):
        with open(path, "w") as f:
            json.dump(data, f)
    return paths


def timed(command):
    """Returns the processor seconds and the wall seconds that a command took, and the JSON it printed."""
    env = dict(os.environ, GOMAXPROCS="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    out = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if out.returncode != 0:
        sys.exit(f"{command[0]} ended with status {out.returncode}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, json.loads(out.stdout)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("runs", 3), ("images", 5000), ("boxes", 36000), ("predictions", 250000), ("categories", 80)):
        p.add_argument("--" + name, type=int, default=default)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        labels, predictions = generate(folder, a)
        ours, theirs = [], []
        for run in range(a.runs):
            seconds, wall, got = timed([REMUDA, "eval", "--predictions", predictions, "--data", labels, "--json"])
            ours.append(seconds)
            seconds, their_wall, want = timed([sys.executable, "-c", PYCOCOTOOLS, labels, predictions])
            theirs.append(seconds)
            print(f"run {run + 1}: remuda {ours[-1]:.2f} s (wall {wall:.2f}), pycocotools {theirs[-1]:.2f} s (wall {their_wall:.2f})", flush=True)
        worst = max(abs(got[n] - w) for n, w in zip(NAMES, want))
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"largest difference in the twelve numbers {worst:.1e} (must be ≤ 1e-9)")
    print(f"COCO evaluation: {ratio:.1f} × pycocotools (must be ≥ 10, aim 30)")
    sys.exit(worst > 1e-9 or ratio < 10)


if __name__ == "__main__":
    main()
