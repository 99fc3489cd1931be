"""PNG and WebP files of every kind, for check_pixels.py: name and bytes of each.

Pillow writes few of the kinds of PNG there are, so PNG is written here: every colour type and
depth, interlaced or not, every filter, with the chunks that matter and some that must not.
"""

import io
import random
import struct
import zlib

import numpy
from PIL import Image

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16),
          RGB_ALPHA: (8, 16)}
# Adam7: first column, first row, step of columns, step of rows.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))
SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112


def exif(orientation):
    """A TIFF structure of one entry."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)


# ---- PNG ----

def chunk(kind, data=b""):
    return (struct.pack(">I", len(data)) + kind + data +
            struct.pack(">I", zlib.crc32(kind + data)))


def packed_rows(samples, depth):
    """[height][width * channels] samples as bytes, each row from a byte of its own."""
    if depth == 16:
        return samples.astype(">u2").view(numpy.uint8).reshape(len(samples), -1)
    if depth == 8:
        return samples.astype(numpy.uint8)
    bits = numpy.unpackbits(samples.astype(numpy.uint8)[..., None], axis=2)[..., 8 - depth:]
    return numpy.packbits(bits.reshape(len(samples), -1), axis=1)


def filtered(row, before, kind, step):
    """One row by PNG's filter `kind`; step: bytes of a pixel."""
    row, before = row.astype(int), before.astype(int)
    left = numpy.concatenate([numpy.zeros(step, int), row])[:len(row)]
    corner = numpy.concatenate([numpy.zeros(step, int), before])[:len(row)]
    near = left + before - corner
    distances = numpy.abs([near - left, near - before, near - corner])
    paeth = numpy.choose(distances.argmin(axis=0), [left, before, corner])
    guess = (0, left, before, (left + before) // 2, paeth)[kind]
    return bytes([kind]) + ((row - guess) % 256).astype(numpy.uint8).tobytes()


def image_data(samples, depth, channels):
    """samples [height][width][channels] filtered row by row, each with another filter."""
    rows = packed_rows(samples.reshape(len(samples), -1), depth)
    step = max(1, depth * channels // 8)
    before, data = numpy.zeros(rows.shape[1], numpy.uint8), b""
    for y, row in enumerate(rows):
        data += filtered(row, before, y % 5, step)
        before = row
    return data


def png(samples, colour, depth, interlaced=False, before=(), after=(), idat=1 << 16):
    """samples [height][width][channels]; before, after: chunks around the pixels."""
    height, width, channels = samples.shape
    if interlaced:
        parts = [samples[y::rows, x::columns] for x, y, columns, rows in PASSES]
        data = b"".join(image_data(p, depth, channels) for p in parts if p.size)
    else:
        data = image_data(samples, depth, channels)
    data = zlib.compress(data)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"".join([SIGNATURE, chunk(b"IHDR", header), *before,
                     *(chunk(b"IDAT", data[i:i + idat]) for i in range(0, len(data), idat)),
                     *after, chunk(b"IEND")])


def soft_samples(width, height, channels, depth, seed):
    """Ramps with a little noise, over the whole range of the depth."""
    rng = numpy.random.default_rng(seed)
    y, x, c = numpy.ogrid[:height, :width, :channels]
    ramp = (x * (5 + c) / max(1, width) + y * (3 + 2 * c) / max(1, height)) % 1
    values = ramp + rng.normal(0, 0.02, (height, width, channels))
    return (numpy.clip(values, 0, 1) * (2 ** depth - 1)).astype(numpy.uint16)


def palette_chunk(entries, seed):
    return chunk(b"PLTE", random.Random(seed).randbytes(3 * entries))


def transparency(colour, depth):
    """A tRNS chunk, where the colour type has one."""
    data = {GREY: struct.pack(">H", 1), RGB: struct.pack(">HHH", 1, 2, 3),
            PALETTE: bytes(range(2 ** min(depth, 8)))}.get(colour)
    return [chunk(b"tRNS", data)] if data else []


def png_kinds():
    for colour, depths in DEPTHS.items():
        for depth in depths:
            for width, height in ((1, 1), (3, 2), (8, 8), (33, 17), (130, 71)):
                samples = soft_samples(width, height, CHANNELS[colour], depth, width)
                needed = [palette_chunk(2 ** depth, depth)] if colour == PALETTE else []
                for interlaced in (False, True):
                    name = f"png-{colour}-{depth}-{width}x{height}-{interlaced:d}"
                    yield name, png(samples, colour, depth, interlaced, needed)
                yield (f"png-{colour}-{depth}-{width}x{height}-trns",
                       png(samples, colour, depth, False, needed + transparency(colour, depth)))


def png_oddities():
    """Files that say the same in other ways, or say more than is asked."""
    samples = soft_samples(40, 30, 3, 8, 1)
    remarks = [chunk(b"gAMA", struct.pack(">I", 100000)), chunk(b"sBIT", b"\5\6\5"),
               chunk(b"bKGD", bytes(6)), chunk(b"pHYs", struct.pack(">IIB", 9, 7, 0)),
               chunk(b"tEXt", b"Comment\0something"), palette_chunk(7, 7)]
    frames = [chunk(b"acTL", struct.pack(">II", 2, 0)),
              chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 40, 30, 0, 0, 1, 10, 0, 0))]
    later = [chunk(b"fcTL", struct.pack(">IIIIIHHBB", 1, 40, 30, 0, 0, 1, 10, 0, 0)),
             chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(bytes(121 * 30)))]
    yield "png-chunks", png(samples, RGB, 8, before=remarks)
    yield "png-byte-by-byte", png(samples, RGB, 8, idat=1)
    yield "png-animated", png(samples, RGB, 8, before=frames, after=later)
    yield "png-animated-without-default", png(samples, RGB, 8, before=frames[:1],
                                              after=[frames[1], *later])
    yield "png-junk-after-the-end", png(samples, RGB, 8) + b"junk"
    yield "png-palette-full", png(soft_samples(40, 30, 1, 4, 2), PALETTE, 4,
                                  before=[palette_chunk(16, 1)])
    for orientation in range(1, 9):
        turned = [chunk(b"eXIf", exif(orientation))]
        yield f"png-orientation-{orientation}", png(samples, RGB, 8, before=turned)
        yield f"png-orientation-late-{orientation}", png(samples, RGB, 8, after=turned)


# ---- WebP ----

def soft_image(mode, width, height, seed):
    channels = len(mode)
    samples = soft_samples(width, height, channels, 8, seed).astype(numpy.uint8)
    return Image.fromarray(samples, mode)


def jpeg(image, **options):
    data = io.BytesIO()
    image.save(data, "JPEG", **{"quality": 85, **options})
    return data.getvalue()


def webp(image, **options):
    data = io.BytesIO()
    image.save(data, "WEBP", **options)
    return data.getvalue()


def riff(*chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
                              for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def uint24(value):
    return struct.pack("<I", value)[:3]


def frame_at(image, x, y, canvas, **options):
    """An animation of one frame that covers part of its canvas (x and y even)."""
    payload = webp(image, **options)[12:]
    if payload[:4] == b"VP8X":
        payload = payload[18:]
    extended = bytes([0x12, 0, 0, 0]) + uint24(canvas[0] - 1) + uint24(canvas[1] - 1)
    frame = (uint24(x // 2) + uint24(y // 2) + uint24(image.width - 1) + uint24(image.height - 1) +
             uint24(100) + b"\0" + payload)
    return riff((b"VP8X", extended), (b"ANIM", b"\xff\x80\x40\xff\0\0"), (b"ANMF", frame))


def webp_kinds():
    options = {"lossy": {"quality": 80}, "coarse": {"quality": 5}, "lossless": {"lossless": True},
               "near": {"lossless": True, "quality": 30}, "exact": {"lossless": True, "exact": True}}
    for mode in ("RGB", "RGBA"):
        for width, height in ((1, 1), (2, 3), (16, 16), (33, 17), (130, 71)):
            for name, option in options.items():
                yield (f"webp-{mode}-{width}x{height}-{name}",
                       webp(soft_image(mode, width, height, width), **option))
    few = soft_image("RGB", 64, 48, 3).quantize(7).convert("RGB")
    yield "webp-palette", webp(few, lossless=True)
    for mode in ("RGB", "RGBA"):
        for lossless in (False, True):
            frames = [soft_image(mode, 50, 40, seed) for seed in range(3)]
            yield (f"webp-animated-{mode}-{lossless:d}",
                   webp(frames[0], save_all=True, append_images=frames[1:], lossless=lossless,
                        background=(9, 99, 199, 255)))
            yield (f"webp-part-of-canvas-{mode}-{lossless:d}",
                   frame_at(soft_image(mode, 20, 10, 5), 6, 14, (40, 30), lossless=lossless))
    for orientation in range(1, 9):
        for prefix in (b"", b"Exif\0\0"):
            yield (f"webp-orientation-{orientation}-{len(prefix)}",
                   webp(soft_image("RGB", 40, 30, 1), exif=prefix + exif(orientation)))


def pictures():
    for kinds in (png_kinds, png_oddities, webp_kinds):
        yield from kinds()
