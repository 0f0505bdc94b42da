"""Makes demo/raccoon: a shrunk part of the raccoon dataset (Dat Tran, 2017, MIT), small enough to live in the repository.

usage: make_raccoon.py SOURCE OUT
SOURCE holds images/ and COCO files train.json (160 images, shuffled) and test.json (40). Needs Pillow.

The first 40 and the first 100 images of train.json become train-small.json and train.json, the 20 after them val.json; test.json keeps all its
images. A long side over 320 pixels is shrunk to 320 and the boxes with it, rounded to a hundredth of a pixel.
"""
import json
import sys
from pathlib import Path

from PIL import Image, ImageOps

LONG_SIDE, QUALITY = 320, 85


def shrink(source: Path, out: Path) -> tuple[int, int, float, float]:
    """Writes the upright image without metadata; returns its size and the factors of x and y."""
    with Image.open(source) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    width, height = image.size
    factor = min(1, LONG_SIDE / max(width, height))
    size = (round(width * factor), round(height * factor))
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    image.save(out, "JPEG", quality=QUALITY, optimize=True)
    return *size, size[0] / width, size[1] / height


def subset(data: dict, images: list, source: Path, out: Path, name: str) -> None:
    kept_images, kept_boxes = [], []
    for image in images:
        width, height, fx, fy = shrink(source / "images" / image["file_name"], out / "images" / image["file_name"])
        kept_images.append({"id": image["id"], "file_name": image["file_name"], "width": width, "height": height})
        for box in data["annotations"]:
            if box["image_id"] != image["id"]:
                continue
            x, y, w, h = (round(v * f, 2) for v, f in zip(box["bbox"], (fx, fy, fx, fy)))
            kept_boxes.append({"id": box["id"], "image_id": image["id"], "category_id": box["category_id"],
                               "bbox": [x, y, w, h], "area": round(w * h, 2), "iscrowd": box["iscrowd"]})
    whole = {
        "info": {"description": "a shrunk part of the raccoon dataset, Copyright (c) 2017 Dat Tran, MIT license; see NOTICE"},
        "images": kept_images, "annotations": kept_boxes, "categories": data["categories"],
    }
    (out / name).write_text(json.dumps(whole, separators=(",", ":")) + "\n")
    print(f"{name}: {len(kept_images)} images, {len(kept_boxes)} boxes")


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    (out / "images").mkdir(parents=True, exist_ok=True)
    train, test = (json.loads((source / name).read_text()) for name in ("train.json", "test.json"))
    subset(train, train["images"][:40], source, out, "train-small.json")
    subset(train, train["images"][:100], source, out, "train.json")
    subset(train, train["images"][100:120], source, out, "val.json")
    subset(test, test["images"], source, out, "test.json")


main()
