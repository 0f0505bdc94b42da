"""A training step, and the detection of one image, by remuda and by torchvision: the same weights, images and libtorch, in one run.

usage: step.py [--pairs 3] [--threads 2] [--only TEXT] [--json FILE]

Every measurement is a process of its own, so that its peak memory can be read. The two programs take turns; a row is the median over the pairs. Of each
process the first step or image is warm-up and left out. remuda is the shipped program (remuda train, remuda predict) on JPEG files: its times contain
decoding and waiting for data. torchvision gets decoded images: its times are forward, losses, backward and SGD, or one image's detections.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

RESNET, MOBILE = "fasterrcnn_resnet50_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn"
CATEGORIES = 90  # torchvision's COCO head, so that detection has a realistic number of candidates
WIDTH, HEIGHT, BOXES, BATCH, TRAINABLE = 800, 600, 6, 2, 3
LR = 1e-6  # the weights are random: the time of a step is asked for, not its use
# what, architecture, kind, remuda's precision, timed steps or images, ratio that must be reached, ratio aimed at
ROWS = (
    ("ResNet-50-FPN training step, float32", RESNET, "train", "float32", 3, 1.4, 1.8),
    ("ResNet-50-FPN training step, bfloat16", RESNET, "train", "bfloat16", 3, 2.5, 4.0),
    ("MobileNetV3-Large-320 training step, float32", MOBILE, "train", "float32", 12, 1.5, 2.0),
    ("MobileNetV3-Large-320 training step, bfloat16", MOBILE, "train", "bfloat16", 12, 2.2, 3.0),
    ("ResNet-50-FPN inference of one image, float32", RESNET, "predict", "float32", 5, 1.2, 1.5),
    ("ResNet-50-FPN inference of one image, bfloat16", RESNET, "predict", "bfloat16", 5, 2.0, 3.0),
)


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware."""
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


# --- the data that both get ---------------------------------------------------


def make_data(folder: pathlib.Path, images: int) -> None:
    """Writes images of noise with a plain rectangle for each box, and their COCO file."""
    import numpy
    from PIL import Image

    chance = random.Random(7)
    noise = numpy.random.default_rng(7)
    (folder / "images").mkdir()
    items, boxes = [], []
    for k in range(images):
        coarse = noise.integers(0, 256, (HEIGHT // 20, WIDTH // 20, 3), dtype=numpy.uint8)
        picture = numpy.array(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.BILINEAR))
        for _ in range(BOXES):
            w, h = chance.randint(40, 300), chance.randint(40, 300)
            x, y = chance.randint(0, WIDTH - w), chance.randint(0, HEIGHT - h)
            picture[y:y + h, x:x + w] = noise.integers(0, 256, 3, dtype=numpy.uint8)
            boxes.append({"id": len(boxes) + 1, "image_id": k + 1, "category_id": chance.randint(1, CATEGORIES), "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0})
        Image.fromarray(picture).save(folder / "images" / f"{k:03}.jpg", quality=95)
        items.append({"id": k + 1, "file_name": f"{k:03}.jpg", "width": WIDTH, "height": HEIGHT})
    categories = [{"id": c, "name": f"c{c}"} for c in range(1, CATEGORIES + 1)]
    (folder / "train.json").write_text(json.dumps({"images": items, "annotations": boxes, "categories": categories}))


def subset(folder: pathlib.Path, images: int) -> pathlib.Path:
    """Writes the COCO file of the first images and returns its path."""
    whole = json.loads((folder / "train.json").read_text())
    whole["images"] = whole["images"][:images]
    whole["annotations"] = [a for a in whole["annotations"] if a["image_id"] <= images]
    path = folder / f"train-{images}.json"
    path.write_text(json.dumps(whole))
    return path


# --- torchvision, in a process of its own -------------------------------------


def build(arch: str):
    """torchvision's model with frozen batch norm and TRAINABLE layers, which it otherwise gives to downloaded weights alone."""
    import torch
    import torchvision
    from torchvision.models.detection import faster_rcnn

    faster_rcnn._validate_trainable_layers = lambda *_: TRAINABLE
    torch.manual_seed(7)
    model = getattr(torchvision.models.detection, arch)(weights=None, weights_backbone=None, num_classes=CATEGORIES + 1)

    def freeze(module):
        for name, child in module.named_children():
            if isinstance(child, torch.nn.BatchNorm2d):
                frozen = torchvision.ops.FrozenBatchNorm2d(child.num_features, eps=child.eps)
                if name == "bn3":  # keeps sums over many blocks in range, as trained weights do
                    frozen.weight.fill_(0.2)
                setattr(module, name, frozen)
            else:
                freeze(child)

    freeze(model.backbone.body)
    return model


def torchvision_process(arch: str, kind: str, folder: pathlib.Path, weights: pathlib.Path, threads: int, count: int) -> None:
    """Prints the seconds of each step or image as a JSON list."""
    import torch
    from PIL import Image
    from torchvision.transforms.functional import to_tensor

    torch.set_num_threads(threads)
    model = build(arch)
    model.load_state_dict(torch.load(weights))
    data = json.loads((folder / "train.json").read_text())
    picture = lambda k: to_tensor(Image.open(folder / "images" / f"{k:03}.jpg").convert("RGB"))
    seconds = []
    if kind == "predict":
        model.eval()
        with torch.no_grad():
            for k in range(count + 1):
                image = picture(k)
                begin = time.perf_counter()
                model([image])
                seconds.append(time.perf_counter() - begin)
        print(json.dumps(seconds))
        return
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=LR, momentum=0.9, weight_decay=0.0005)
    for step in range(count + 1):
        images, targets = [], []
        for k in range(step * BATCH, (step + 1) * BATCH):
            own = [a for a in data["annotations"] if a["image_id"] == k + 1]
            boxes = [[x, y, x + w, y + h] for x, y, w, h in (a["bbox"] for a in own)]
            images.append(picture(k))
            targets.append({"boxes": torch.tensor(boxes, dtype=torch.float32), "labels": torch.tensor([a["category_id"] for a in own])})
        begin = time.perf_counter()
        loss = sum(model(images, targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - begin)
        if not torch.isfinite(loss):
            sys.exit("torchvision's loss is not finite: the bench's weights are unfit")
    print(json.dumps(seconds))


def save_weights(arch: str, path: pathlib.Path) -> None:
    import torch

    torch.save(build(arch).state_dict(), path)


# --- running and measuring ----------------------------------------------------


class Sample:
    """One process: median seconds of a step or image, peak memory in bytes, share of the time spent waiting for data."""

    def __init__(self, seconds, peak, wait=None):
        self.seconds, self.peak, self.wait = seconds, peak, wait


def run(command):
    """Runs a command; returns (lines of its output with the time each arrived, peak resident memory of it and its children in bytes)."""
    lines = []
    with tempfile.TemporaryFile("w+") as errors, subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        for line in process.stdout:
            lines.append((time.perf_counter(), line))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(str(c) for c in command)}\nended with {process.returncode}:\n{errors.read()[-2000:]}{''.join(l for _, l in lines[-3:])}")
    return lines, usage.ru_maxrss * 1024


def torchvision_sample(row, folder, weights, threads):
    _, arch, kind, _, count, _, _ = row
    lines, peak = run([sys.executable, __file__, "--process", json.dumps([arch, kind, str(folder), str(weights), threads, count])])
    return Sample(statistics.median(json.loads(lines[-1][1])[1:]), peak)


def remuda_sample(row, folder, weights, threads):
    _, arch, kind, precision, count, _, _ = row
    remuda = pathlib.Path(__file__).resolve().parents[2] / "bin" / "remuda"
    if kind == "predict":
        files = [folder / "images" / f"{k:03}.jpg" for k in range(count + 1)]
        names = ",".join(f"c{c}" for c in range(1, CATEGORIES + 1))
        lines, peak = run([remuda, "predict", "--model", weights, "--arch", arch, "--categories", names, "--precision", precision, "--threads", threads, "--device", "cpu", "--json", *files])
        arrived = [at for at, line in lines if line.startswith("{")]
        if len(arrived) != count + 1:
            sys.exit(f"remuda predict printed {len(arrived)} lines for {count + 1} images")
        return Sample(statistics.median(b - a for a, b in zip(arrived, arrived[1:])), peak)
    with tempfile.TemporaryDirectory() as out:
        lines, peak = run([remuda, "train", "--images", folder / "images", "--train", subset(folder, BATCH * (count + 1)), "--out", pathlib.Path(out) / "run", "--arch", arch, "--weights", weights,
                           "--trainable-layers", TRAINABLE, "--epochs", 1, "--batch", BATCH, "--lr", LR, "--precision", precision, "--threads", threads, "--device", "cpu", "--json"])
    steps = [event["step"] for event in (json.loads(line) for _, line in lines if line.startswith("{")) if "step" in event][1:]
    if len(steps) != count:
        sys.exit(f"remuda train reported {len(steps) + 1} steps, not {count + 1}")
    return Sample(statistics.median(s["seconds"] for s in steps), peak, sum(s["wait"] for s in steps) / sum(s["seconds"] for s in steps))


def measure(row, pairs, folder, weights, threads):
    """Takes pairs in turns, the order changing so that neither gains from being first; returns a row of the result."""
    what, _, _, _, _, must, aim = row
    theirs, ours = [], []
    for pair in range(pairs):
        for sample, into in ((torchvision_sample, theirs), (remuda_sample, ours))[::1 if pair % 2 == 0 else -1]:
            into.append(sample(row, folder, weights, threads))
            print(f"  {what}, pair {pair + 1}: {'torchvision' if into is theirs else 'remuda':11} {into[-1].seconds:7.3f} s, peak {into[-1].peak / 1e9:.2f} GB", file=sys.stderr, flush=True)
    median = lambda values: statistics.median(list(values))
    return {
        "what": what, "must": must, "aim": aim,
        "torchvision_s": median(s.seconds for s in theirs), "remuda_s": median(s.seconds for s in ours),
        "ratio": median(t.seconds / o.seconds for t, o in zip(theirs, ours)),
        "torchvision_peak": median(s.peak for s in theirs), "remuda_peak": median(s.peak for s in ours),
        "peak_ratio": median(o.peak / t.peak for t, o in zip(theirs, ours)),
        "wait": None if ours[0].wait is None else median(s.wait for s in ours),
    }


def table(results) -> str:
    lines = ["| what | torchvision | remuda | ratio | must | aim |", "|---|---|---|---|---|---|"]
    for r in results:
        lines.append(f"| {r['what']} | {r['torchvision_s']:.3f} s | {r['remuda_s']:.3f} s | **{r['ratio']:.2f} ×** | ≥ {r['must']} × | {r['aim']} × |")
    for r in results:
        lines.append(f"| peak memory, {r['what']} | {r['torchvision_peak'] / 1e9:.2f} GB | {r['remuda_peak'] / 1e9:.2f} GB | **{r['peak_ratio']:.2f} ×** | {'≤ 0.8 ×' if 'ResNet' in r['what'] and 'training' in r['what'] else ''} | {'0.5 ×' if 'ResNet' in r['what'] and 'training' in r['what'] else ''} |")
    for r in results:
        if r["wait"] is not None:
            lines.append(f"| waiting for data, {r['what']} | | {100 * r['wait']:.1f} % | | ≤ 3 % | 1 % |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--json", help="file that gets the figures")
    parser.add_argument("--process", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.process:
        arch, kind, folder, weights, threads, count = json.loads(options.process)
        torchvision_process(arch, kind, pathlib.Path(folder), pathlib.Path(weights), threads, count)
        return
    if os.getloadavg()[0] > 0.5:
        print(f"the load of this machine is {os.getloadavg()[0]:.1f}: torchvision's threads spin while they wait, so a busy machine flatters remuda", file=sys.stderr)
    results, left_out = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_data(folder, BATCH * (1 + max(row[4] for row in ROWS)))
        for row in ROWS:
            if options.only not in row[0]:
                continue
            if row[3] == "bfloat16" and not has_bfloat16():
                left_out.append(row[0])
                continue
            weights = folder / f"{row[1]}.pth"
            if not weights.exists():
                save_weights(row[1], weights)
            results.append(measure(row, options.pairs, folder, weights, options.threads))
    import torch
    import torchvision

    print(f"torchvision {torchvision.__version__} on torch {torch.__version__}; {options.threads} threads, batch {BATCH}, images {HEIGHT} × {WIDTH}, {TRAINABLE} trainable layers; medians over {options.pairs} pairs")
    print(table(results))
    for what in left_out:
        print(f"not applicable: {what} (no bfloat16 in this processor)")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


main()
