"""Records what torchvision's Faster R-CNN computes, for the tests of package detect.

usage: make_reference.py [--full] [--arch NAME] OUT

Weights and images come from a counter-based generator that reference_test.go has too, so OUT/NAME.json.gz holds results
alone: of each tensor its norm and its projections on 16 fixed vectors of signs. With --full the tensors
themselves are written beside it, as float32 in row-major order: OUT/NAME/KEY.f32.

Needs torch, torchvision and numpy; the committed files are those of torch 1.13.1 and torchvision 0.14.1.
"""
import argparse, gzip, json, os

import numpy as np
import torch, torchvision
from torchvision.models.detection import _utils as det_utils
from torchvision.ops import FrozenBatchNorm2d

CATEGORIES = 3
STEPS = 10
IMAGES = [(150, 200), (117, 161)]  # height, width
MIN_SIZE, MAX_SIZE = 128, 192
BOXES = [[(20.0, 30.0, 90.5, 120.25, 1), (100.0, 40.5, 190.0, 140.0, 2), (60.0, 10.0, 110.0, 60.0, 3)], [(20.0, 10.5, 150.0, 80.0, 2), (60.0, 50.0, 100.0, 110.0, 1)]]
ARCHS = ["fasterrcnn_resnet50_fpn", "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn"]
SIZES = [(600, 800), (480, 640), (427, 640), (333, 500), (1080, 1920), (375, 500), (799, 801), (200, 1000), (31, 47), (1333, 800), (3024, 4032), (100, 100), (683, 1024), (427, 641), (1, 1), (768, 1366)]
GAINS = {"rpn.head.cls_logits.weight": 3.0, "rpn.head.bbox_pred.weight": 0.3, "roi_heads.box_predictor.cls_score.weight": 4.0, "roi_heads.box_predictor.bbox_pred.weight": 2.0}
RATES = {"fasterrcnn_resnet50_fpn": 0.0001}
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(z):
    """SplitMix64's output function, over an array of uint64."""
    with np.errstate(over="ignore"):
        z = z + GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def bits(name, n):
    """The first n numbers of the stream of that name: FNV-1a of the name, then SplitMix64 by counter."""
    h = 0xCBF29CE484222325
    for c in name.encode(): h = ((h ^ c) * 0x100000001B3) % 2**64
    key = mix(np.array([0], np.uint64))[0] ^ np.uint64(h)
    with np.errstate(over="ignore"): return mix(key + np.arange(n, dtype=np.uint64) * GOLDEN)


def uniform(name, n):
    """n numbers in (-1, 1)."""
    return 2 * (((bits(name, n) >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53) - 1


def image(name, height, width):
    """Coarse blocks with fine noise on top, 8 bits a channel: height, width, RGB."""
    coarse = bits(name + "/coarse", 64 * 64 * 3).reshape(64, 64, 3)
    y, x = np.arange(height) // 12 % 64, np.arange(width) // 12 % 64
    noise = bits(name + "/noise", height * width * 3).reshape(height, width, 3)
    return (coarse[y][:, x] % np.uint64(200) + noise % np.uint64(56)).astype(np.uint8)


def tensor_of(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1).float().div(255)


def fill(name, shape):
    """Values that keep activations of order 1 and let scores spread."""
    u = uniform(name, int(np.prod(shape)) if shape else 1).reshape(shape)
    leaf = name.rsplit(".", 1)[1]
    if leaf == "running_var": return 1 + 0.3 * u
    if leaf == "running_mean": return 0.1 * u
    if len(shape) == 1:
        if leaf == "weight": return (0.2 if ".bn3." in name else 1) * (1 + 0.2 * u)
        return 0.1 * u
    return np.sqrt(3 * GAINS.get(name, gain(name, shape)) / np.prod(shape[1:])) * u


def gain(name, shape):
    """Factor of the variance from one layer to the next."""
    if ".block." in name and shape[0] < shape[1]: return 0.7
    if ".inner_blocks." in name: return 1.0 if shape[1] in (160, 960) else 0.04
    return 1.0 if ".layer_blocks." in name else 2.0


def freeze(module):
    for name, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm2d): setattr(module, name, FrozenBatchNorm2d(child.num_features, eps=child.eps))
        else: freeze(child)


def build(arch):
    model = getattr(torchvision.models.detection, arch)(weights=None, weights_backbone=None, num_classes=CATEGORIES + 1, min_size=MIN_SIZE, max_size=MAX_SIZE)
    freeze(model.backbone.body)
    with torch.no_grad():
        for name, value in model.state_dict().items(): value.copy_(torch.from_numpy(np.asarray(fill(name, tuple(value.shape)))))
    return model


class Recorder:
    """Collects results under keys; tensors as norm and projections, and whole where asked."""

    def __init__(self, arch, folder): self.arch, self.folder, self.values, self.lists, self.tensors = arch, folder, {}, {}, {}

    def tensor(self, key, t):
        a = t.detach().contiguous().numpy().astype(np.float64).reshape(-1)
        h = bits("signs", a.size)
        signs = [float(np.where((h >> np.uint64(k)) & np.uint64(1), a, -a).sum()) for k in range(16)]
        self.tensors[key] = {"shape": list(t.shape), "norm": float(np.sqrt((a * a).sum())), "signs": signs}
        if self.folder:
            path = f"{self.folder}/{key}.f32"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            a.astype("<f4").tofile(path)

    def list(self, key, t): self.lists[key] = flat(t)


chosen = []  # indices in order of the calls: for each image its positives, then its negatives


def sample(self, matched):
    """BalancedPositiveNegativeSampler whose choice is written down."""
    masks = []
    for labels in matched:
        positive, negative = torch.where(labels >= 1)[0], torch.where(labels == 0)[0]
        n = min(positive.numel(), int(self.batch_size_per_image * self.positive_fraction))
        for candidates, count in ((positive, n), (negative, min(negative.numel(), self.batch_size_per_image - n))):
            order = np.argsort(bits(f"sample/{len(chosen)}", candidates.numel()), kind="stable")[:count]
            picked = candidates[torch.from_numpy(order.astype(np.int64))]
            chosen.append(sorted(picked.tolist()))
            mask = torch.zeros_like(labels, dtype=torch.uint8); mask[picked] = 1
            masks.append(mask)
    return masks[0::2], masks[1::2]


def targets():
    return [{"boxes": torch.tensor([b[:4] for b in boxes]), "labels": torch.tensor([b[4] for b in boxes])} for boxes in BOXES]


def losses(model, images, goal):
    """A step's losses, the anchors that were sampled and the boxes of the RoIs that were, x0 y0 x1 y1, and all proposals."""
    chosen.clear()
    seen = {}
    hooks = [model.roi_heads.box_roi_pool.register_forward_pre_hook(lambda m, i: seen.update(rois=i[1])), model.rpn.register_forward_hook(lambda m, i, o: seen.update(proposals=[p.clone() for p in o[0]]))]
    out = model(images, [dict(t) for t in goal])
    for h in hooks: h.remove()
    return out, {"anchors": [[int(i) for i in c] for c in chosen[: 2 * len(images)]], "rois": [flat(r) for r in seen["rois"]]}, seen["proposals"]


def flat(t):
    """The numbers of a float32 tensor, short but exact."""
    return [float(str(x)) for x in t.detach().numpy().reshape(-1)]


def record_forward(r, model, images):
    """Inference, with what the stages hand on."""
    model.eval()
    seen = {}
    hooks = [
        model.backbone.register_forward_hook(lambda m, i, o: seen.update(levels=list(o.values()))),
        model.rpn.head.register_forward_hook(lambda m, i, o: seen.update(head=o)),
        model.rpn.anchor_generator.register_forward_hook(lambda m, i, o: seen.update(anchors=o)),
        model.rpn.register_forward_hook(lambda m, i, o: seen.update(proposals=o[0])),
        model.roi_heads.box_roi_pool.register_forward_hook(lambda m, i, o: seen.update(pooled=o)),
        model.roi_heads.box_predictor.register_forward_hook(lambda m, i, o: seen.update(predicted=o)),
    ]
    with torch.no_grad(): detections = model(images)
    for h in hooks: h.remove()
    batch = model.transform(images)[0]
    r.tensor("input", batch.tensors)
    r.values["sizes"] = [list(s) for s in batch.image_sizes]
    for i, level in enumerate(seen["levels"]):
        r.tensor(f"level/{i}", level)
        r.tensor(f"objectness/{i}", seen["head"][0][i])
        r.tensor(f"offsets/{i}", seen["head"][1][i])
    r.tensor("anchors", seen["anchors"][0])
    r.tensor("pooled", seen["pooled"])
    r.tensor("logits", seen["predicted"][0])
    r.tensor("regression", seen["predicted"][1])
    for i, (p, d) in enumerate(zip(seen["proposals"], detections)):
        r.list(f"proposals/{i}", p)
        r.list(f"boxes/{i}", d["boxes"]); r.list(f"scores/{i}", d["scores"]); r.list(f"labels/{i}", d["labels"])
    spread(seen, detections)


def spread(seen, detections):
    """Says how far apart the scores are that decide an order."""
    gap = lambda s: float((s[:-1] - s[1:]).min()) if len(s) > 1 else 1
    print("  proposals", [len(p) for p in seen["proposals"]], "detections", [len(d["scores"]) for d in detections], "least gap of scores", [f"{gap(d['scores']):.1e}" for d in detections],
          "levels", [f"{float(l.std()):.2f}" for l in seen["levels"]], "objectness", [f"{float(o.std()):.2f}" for o in seen["head"][0]], flush=True)


def record_training(r, model, images, goal):
    """Losses and gradients of one step, then the losses of ten and where they lead."""
    model.train()
    first = {n: p.detach().clone() for n, p in model.named_parameters()}
    r.values["rate"] = RATES.get(r.arch, 0.002)
    optimizer = torch.optim.SGD(model.parameters(), lr=r.values["rate"], momentum=0.9, weight_decay=0.0005)
    r.values["losses"], r.values["chosen"] = [], []
    for step in range(STEPS):
        out, picked, proposals = losses(model, images, goal)
        optimizer.zero_grad(); sum(out.values()).backward()
        r.values["chosen"].append(picked)
        r.values["losses"].append([float(out[k].detach()) for k in ("loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg")])
        if step == 0:
            for i, p in enumerate(proposals): r.list(f"training_proposals/{i}", p)
            for n, p in model.named_parameters(): r.tensor(f"gradient/{n}", p.grad)
        optimizer.step()
    for n, p in model.named_parameters(): r.tensor(f"change/{n}", p.detach() - first[n])
    print("  losses", r.values["losses"][0], "...", r.values["losses"][-1], flush=True)


def record_background(r, model, images):
    """A batch of which one image shows nothing."""
    model.train(); model.zero_grad()
    goal = targets(); goal[1] = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    out, picked, _ = losses(model, images, goal)
    r.values["background"] = {"losses": [float(out[k].detach()) for k in ("loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg")], "chosen": picked}


def record_transform(r):
    """The input transform at its default sizes."""
    model = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_fpn(weights=None, weights_backbone=None, num_classes=2)
    model.eval()
    r.values["resized"] = []
    for h, w in SIZES:
        if h * w > 4_000_000: continue
        t, _ = model.transform.resize(torch.zeros(3, h, w))
        r.values["resized"].append([h, w, *t.shape[-2:]])
    for h, w in [(427, 640), (900, 1210)]:
        r.tensor(f"transform/{h}x{w}", model.transform([tensor_of(image(f"transform/{h}x{w}", h, w))])[0].tensors)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out"); p.add_argument("--full", action="store_true"); p.add_argument("--arch")
    a = p.parse_args()
    torch.set_num_threads(2)
    det_utils.BalancedPositiveNegativeSampler.__call__ = sample
    images = [tensor_of(image(f"image/{i}", h, w)) for i, (h, w) in enumerate(IMAGES)]
    for arch in [a.arch] if a.arch else ARCHS:
        print(arch, flush=True)
        r = Recorder(arch, f"{a.out}/{arch}" if a.full else None)
        r.values["torch"], r.values["torchvision"] = torch.__version__, torchvision.__version__
        if arch == ARCHS[0]: record_transform(r)
        model = build(arch)
        record_forward(r, model, images)
        record_background(r, model, images)
        record_training(r, model, images, targets())
        with open(f"{a.out}/{arch}.json.gz", "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
            z.write(json.dumps({"values": r.values, "lists": r.lists, "tensors": r.tensors}).encode())


main()
