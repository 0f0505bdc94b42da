"""Writes pillow/*, small image files of every kind that is read, and
pillow.json: for each the pixels that Pillow makes of it, or that it refuses it.

    python3 make_pillow.py        (Pillow >= 11 and numpy)
"""
import base64, io, json, pathlib, struct, zlib
import numpy as np
import PIL
from PIL import Image, ImageOps, ImageSequence, PngImagePlugin

HERE = pathlib.Path(__file__).parent
OUT = HERE / "pillow"
OUT.mkdir(exist_ok=True)
for old in OUT.iterdir():
    old.unlink()


def picture(w, h):
    """A smooth field with an edge and a little noise, so that upsampling, clipping and order all show."""
    y, x = np.mgrid[0:h, 0:w].astype(float)
    r = 255 * x / max(w - 1, 1)
    g = 255 * y / max(h - 1, 1)
    b = 127 + 127 * np.sin(x / 2.3 + y / 3.1)
    a = np.stack([r, g, b], -1)
    a[h // 3 : h // 2, w // 4 : w // 2] = (250, 10, 30)
    noise = np.random.default_rng(7).normal(0, 6, a.shape)
    return Image.fromarray(np.clip(a + noise, 0, 255).astype(np.uint8))


def alpha(w, h):
    y, x = np.mgrid[0:h, 0:w]
    a = (x * 255 // max(w - 1, 1)).astype(np.uint8)
    a[: h // 3] = 0
    return Image.fromarray(a)


def save(name, im, **kw):
    im.save(OUT / name, **kw)


def orientation(n):
    e = Image.Exif()
    e[274] = n
    return e


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(name, values, depth, kind, interlace=0, extra=b"", late=b""):
    """values: h x w x channels of integers below 2**depth."""
    h, w, n = values.shape

    def lines(v):
        out = b""
        for row in v:
            bits = "".join(format(int(s), f"0{depth}b") for s in row.reshape(-1))
            bits += "0" * (-len(bits) % 8)
            out += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
        return out

    if interlace:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        raw = b"".join(lines(v) for x, y, dx, dy in passes if (v := values[y::dy, x::dx]).size)
    else:
        raw = lines(values)
    (OUT / name).write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, interlace))
        + extra + chunk(b"IDAT", zlib.compress(raw)) + late + chunk(b"IEND", b"")
    )


def pack(values, order, bits):
    """Rows of samples as TIFF stores them, each row ending at a byte."""
    if bits >= 8:
        return values.astype(order + ("u2" if bits == 16 else "u1")).tobytes()
    out = b""
    for row in values.reshape(len(values), -1):
        text = "".join(format(int(v), f"0{bits}b") for v in row)
        text += "0" * (-len(text) % 8)
        out += int(text, 2).to_bytes(len(text) // 8, "big")
    return out


def tiff(name, values, order="<", photometric=2, extra=None, bits=8, orient=None, planar=False, tile=0, fill=1, colors=None):
    """An uncompressed TIFF of h x w x channels, written by hand for what Pillow doesn't write."""
    h, w, n = values.shape
    planes = [values[:, :, c : c + 1] for c in range(n)] if planar else [values]
    blocks = []
    for p in planes:
        if tile:
            p = np.pad(p, ((0, -h % tile), (0, -w % tile), (0, 0)))
            blocks += [pack(p[y : y + tile, x : x + tile], order, bits) for y in range(0, h, tile) for x in range(0, w, tile)]
        else:
            blocks += [pack(p[y : y + 5], order, bits) for y in range(0, h, 5)]
    if fill == 2:
        blocks = [bytes(int(format(v, "08b")[::-1], 2) for v in b) for b in blocks]
    sizes = [len(b) for b in blocks]
    tags = [(256, 3, [w]), (257, 3, [h]), (258, 3, [bits] * n), (259, 3, [1]), (262, 3, [photometric]), (266, 3, [fill]), (277, 3, [n]), (284, 3, [2 if planar else 1])]
    if tile:
        tags += [(322, 3, [tile]), (323, 3, [tile]), (324, 4, None), (325, 4, sizes)]
    else:
        tags += [(273, 4, None), (278, 4, [5]), (279, 4, sizes)]
    if orient:
        tags.append((274, 3, [orient]))
    if extra is not None:
        tags.append((338, 3, [extra]))
    if colors is not None:
        tags.append((320, 3, colors))
    tags.sort(key=lambda t: t[0])
    place = lambda base: [base + sum(sizes[:i]) for i in range(len(sizes))]
    fields = [(t, k, place(0) if v is None else v, v is None) for t, k, v in tags]
    start = 8 + 2 + 12 * len(tags) + 4
    room = sum(size for _, k, v, _ in fields if (size := len(v) * (2 if k == 3 else 4)) > 4)
    more, entries = b"", b""
    for tag, kind, v, offsets in fields:
        v = place(start + room) if offsets else v
        item = struct.pack(order + ("H" if kind == 3 else "I") * len(v), *v)
        if len(item) > 4:
            entries += struct.pack(order + "HHII", tag, kind, len(v), start + len(more))
            more += item
        else:
            entries += struct.pack(order + "HHI", tag, kind, len(v)) + item.ljust(4, b"\0")
    magic = b"II*\0" if order == "<" else b"MM\0*"
    head = magic + struct.pack(order + "I", 8) + struct.pack(order + "H", len(tags))
    (OUT / name).write_bytes(head + entries + b"\0" * 4 + more + b"".join(blocks))


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def jpegs():
    im = picture(37, 23)
    for name, sub in (("444", 0), ("422", 1), ("420", 2)):
        save(f"color-{name}.jpg", im, quality=90, subsampling=sub)
    save("odd-420.jpg", picture(17, 33), quality=60, subsampling=2)
    save("progressive.jpg", im, quality=80, progressive=True)
    save("grey.jpg", im.convert("L"), quality=85)
    save("one-pixel.jpg", picture(1, 1))
    save("rgb-stored.jpg", im, quality=90, keep_rgb=True)
    save("restarts.jpg", im, quality=80, restart_marker_blocks=2)
    save("cmyk.jpg", im.convert("CMYK"), quality=90)
    b = (OUT / "cmyk.jpg").read_bytes()
    i = b.index(b"Adobe")
    (OUT / "ycck.jpg").write_bytes(b[: i + 11] + b"\x02" + b[i + 12 :])
    for n in range(1, 9):
        save(f"turned-{n}.jpg", picture(21, 14), quality=90, exif=orientation(n))
    save("turned-9.jpg", picture(21, 14), quality=90, exif=orientation(9))
    save("turned-xmp.jpg", picture(21, 14), quality=90, xmp=XMP)
    save("turned-exif-wins.jpg", picture(21, 14), quality=90, xmp=XMP, exif=orientation(3))
    b = (OUT / "color-420.jpg").read_bytes()
    (OUT / "trailing.jpg").write_bytes(b + b"camera maker's leftovers")
    (OUT / "no-end.bad.jpg").write_bytes(b[:-2])
    (OUT / "cut.bad.jpg").write_bytes(b[: len(b) * 2 // 3])
    (OUT / "cut-header.bad.jpg").write_bytes(b[:100])
    p = (OUT / "progressive.jpg").read_bytes()
    (OUT / "cut-progressive.bad.jpg").write_bytes(p[: len(p) * 2 // 3])


def pngs():
    im, w, h = picture(19, 13), 19, 13
    rgb = np.asarray(im).astype(int)
    save("color.png", im)
    save("grey.png", im.convert("L"))
    save("black-white.png", im.convert("1"))
    save("palette.png", im.quantize(11))
    save("palette-clear.png", im.quantize(11), transparency=3)
    save("palette-alpha.png", im.quantize(4), transparency=bytes([0, 100, 200, 255]))
    rgba = im.copy(); rgba.putalpha(alpha(w, h)); save("alpha.png", rgba)
    la = im.convert("L"); la.putalpha(alpha(w, h)); save("grey-alpha.png", la)
    png("grey-2.png", rgb[:, :, :1] >> 6, 2, 0)
    png("grey-4.png", rgb[:, :, :1] >> 4, 4, 0)
    png("grey-16.png", np.arange(w * h).reshape(h, w, 1) * 5, 16, 0)
    png("color-16.png", rgb * 256 + 200, 16, 2)
    png("alpha-16.png", np.concatenate([rgb * 256 + 130, rgb[:, :, :1] * 256], -1), 16, 6)
    png("grey-alpha-16.png", np.concatenate([rgb[:, :, :1] * 256 + 130, rgb[:, :, :1] * 256], -1), 16, 4)
    png("color-key.png", rgb, 8, 2, extra=chunk(b"tRNS", struct.pack(">HHH", *rgb[0, 0])))
    png("grey-key.png", rgb[:, :, :1], 8, 0, extra=chunk(b"tRNS", struct.pack(">H", rgb[0, 0, 0])))
    png("interlaced.png", rgb, 8, 2, interlace=1)
    png("interlaced-1.png", rgb[:, :, :1] >> 7, 1, 0, interlace=1)
    save("one-pixel.png", picture(1, 1))
    exif = orientation(6).tobytes()[6:]
    png("turned.png", rgb, 8, 2, extra=chunk(b"eXIf", exif))
    png("turned-late.png", rgb, 8, 2, late=chunk(b"eXIf", exif))
    png("turned-xmp.png", rgb, 8, 2, extra=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))
    profile = orientation(8).tobytes()
    text = "\nexif\n%8d\n%s\n" % (len(profile), profile.hex())
    info = PngImagePlugin.PngInfo(); info.add_text("Raw profile type exif", text, zip=True); save("turned-profile.png", im, pnginfo=info)
    info = PngImagePlugin.PngInfo(); info.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True); save("turned-xmp-zip.png", im, pnginfo=info)
    save("animated.png", im, save_all=True, append_images=[ImageOps.invert(im)])
    b = (OUT / "color.png").read_bytes()
    (OUT / "cut.bad.png").write_bytes(b[: len(b) // 2])
    flipped = bytearray(b); flipped[len(b) // 2] ^= 0x40
    (OUT / "corrupt.bad.png").write_bytes(flipped)


def gifs():
    im = picture(19, 13)
    save("palette.gif", im.quantize(16))
    save("grey.gif", im.convert("L"))
    save("clear.gif", im.quantize(16), transparency=5)
    save("animated.gif", im.quantize(16), save_all=True, append_images=[ImageOps.invert(im).quantize(16)])
    b = bytearray((OUT / "clear.gif").read_bytes())
    b[6:10] = struct.pack("<HH", 30, 25)  # a screen larger than the frame, with a transparent colour
    i = b.index(b",", 13 + 3 * 16)
    b[i + 1 : i + 5] = struct.pack("<HH", 4, 7)
    (OUT / "offset-clear.gif").write_bytes(b)
    b = bytearray((OUT / "palette.gif").read_bytes())
    i = b.index(b",", 13 + 3 * 16)
    b[i + 1 : i + 5] = struct.pack("<HH", 4, 7)  # beyond the screen
    (OUT / "beyond.gif").write_bytes(b)
    b = (OUT / "palette.gif").read_bytes()
    (OUT / "cut.bad.gif").write_bytes(b[: len(b) * 2 // 3])


def webps():
    for w, h in ((19, 13), (20, 14), (1, 1), (33, 2)):
        save(f"lossy-{w}x{h}.webp", picture(w, h), quality=70)
    im = picture(19, 13)
    save("lossless.webp", im, lossless=True)
    rgba = im.copy(); rgba.putalpha(alpha(19, 13))
    save("alpha.webp", rgba, quality=70)
    save("alpha-lossless.webp", rgba, lossless=True, exact=True)
    save("turned.webp", im, quality=70, exif=orientation(6))
    save("turned-xmp.webp", im, quality=70, xmp=XMP)
    save("animated.webp", im, save_all=True, append_images=[ImageOps.invert(im)], quality=70)
    save("animated-lossless.webp", rgba, save_all=True, append_images=[ImageOps.invert(im)], lossless=True, exact=True)
    b = (OUT / "lossy-19x13.webp").read_bytes()
    (OUT / "cut.bad.webp").write_bytes(b[: len(b) // 2])


def bmps():
    im = picture(19, 13)
    save("color.bmp", im)
    save("grey.bmp", im.convert("L"))
    save("palette.bmp", im.quantize(16))
    save("black-white.bmp", im.convert("1"))
    rgba = im.copy(); rgba.putalpha(alpha(19, 13)); save("alpha.bmp", rgba)
    b = (OUT / "color.bmp").read_bytes()
    (OUT / "cut.bad.bmp").write_bytes(b[: len(b) // 2])


def tiffs():
    im = picture(19, 13)
    rgb = np.asarray(im).astype(int)
    save("color.tif", im)
    for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        save(f"color-{c}.tif", im, compression=c)
    save("grey.tif", im.convert("L"))
    save("black-white.tif", im.convert("1"))
    save("fax4.tif", im.convert("1"), compression="group4")
    save("palette.tif", im.quantize(16))
    rgba = im.copy(); rgba.putalpha(alpha(19, 13)); save("alpha.tif", rgba)
    la = im.convert("L"); la.putalpha(alpha(19, 13)); save("grey-alpha.tif", la)
    save("cmyk.tif", im.convert("CMYK"))
    save("predictor.tif", im, compression="tiff_lzw", tiffinfo={317: 2})
    tiff("grey-16.tif", np.arange(19 * 13).reshape(13, 19, 1) * 5, photometric=1, bits=16)
    tiff("color-16.tif", rgb * 256 + 200, bits=16)
    tiff("color-16-big.tif", rgb * 256 + 200, ">", bits=16)
    tiff("color-big.tif", rgb, ">")
    tiff("white-is-zero.tif", rgb[:, :, :1], photometric=0)
    a = np.asarray(alpha(19, 13)).astype(int)[:, :, None]
    tiff("premultiplied.tif", np.concatenate([rgb * a // 255, a], -1), extra=1)
    tiff("planar.tif", rgb, planar=True)
    tiff("planar-alpha.tif", np.concatenate([rgb, a], -1), planar=True, extra=2)
    tiff("tiled.tif", rgb, tile=16)
    tiff("tiled-big.tif", rgb, ">", tile=16)
    tiff("grey-2.tif", rgb[:, :, :1] >> 6, photometric=1, bits=2)
    tiff("grey-4.tif", rgb[:, :, :1] >> 4, photometric=1, bits=4)
    tiff("white-is-zero-1.tif", rgb[:, :, :1] >> 7, photometric=0, bits=1)
    tiff("white-is-zero-4.tif", rgb[:, :, :1] >> 4, photometric=0, bits=4)
    tiff("palette-4.tif", rgb[:, :, :1] >> 4, photometric=3, bits=4, colors=[int(v) for v in np.random.default_rng(3).integers(0, 65536, 48)])
    tiff("low-bit-first.tif", rgb[:, :, :1] >> 7, photometric=1, bits=1, fill=2)
    tiff("cmyk-16.tif", np.concatenate([rgb, a], -1) * 256 + 77, photometric=5, bits=16)
    save("predictor-16.tif", Image.fromarray((np.arange(19 * 13).reshape(13, 19) * 5).astype(np.uint16)), compression="tiff_lzw", tiffinfo={317: 2})
    save("fax3.tif", im.convert("1"), compression="group3")
    for n in (3, 6):
        tiff(f"turned-{n}.tif", rgb, orient=n)
    b = (OUT / "color.tif").read_bytes()
    (OUT / "cut.bad.tif").write_bytes(b[: len(b) // 2])


def reference(path):
    try:
        with Image.open(path) as im:
            stored = im.size
            up = ImageOps.exif_transpose(im).convert("RGB")
    except Exception:  # whatever it says, it refuses the file
        return None
    return {"width": up.width, "height": up.height, "rgb": base64.b64encode(up.tobytes()).decode()}


if __name__ == "__main__":
    for make in (jpegs, pngs, gifs, webps, bmps, tiffs):
        make()
    (OUT / "empty.bad.jpg").write_bytes(b"")
    (OUT / "text.bad.jpg").write_text("this is no image\n")
    files = {p.name: reference(p) for p in sorted(OUT.iterdir())}
    for name, r in files.items():
        assert (r is None) == (".bad." in name), name
    (HERE / "pillow.json").write_text(json.dumps({"pillow": PIL.__version__, "files": files}, indent=0) + "\n")
    print(len(files), "files", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")
