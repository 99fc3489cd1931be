#!/usr/bin/python3
"""Compare decoded and rescaled pixels with Pillow's, bit for bit.

    check_pixels.py --dump PROGRAM [--sample N] [FILE|DIRECTORY ...]

PROGRAM is dump_pixels. Pictures made here (JPEG), by pictures.py (PNG and WebP of every kind), by
metadata.py (orientations, which may say nothing to Pillow but must decode) and by damaged.py (of
which it says who reads them) are always checked, all but the first as decoded; those given as
arguments as well. A file that is named has to decode.
Of a directory all .jpg and .jpeg below it are taken, at most N of them evenly spread; there, a
picture that the program refuses is counted as refused (it is stricter than Pillow about damage),
and one that only Pillow refuses as without reference.

The exit status is 1 where any pixel differs, any picture that must decode is refused, or nothing
was compared.
"""

import argparse
import io
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

from PIL import Image, ImageOps

import damaged
import metadata
import pictures

SCALES = (32, 224, 256, 384, 512)
PIXELS_MAX = 1 << 24  # of a rescaled picture: panoramas at 512 are left out
ORIENTATION = 0x0112


def reference(path):
    """The upright RGB picture, as Pillow reads it."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def size_at(size, scale):
    width, height = size
    if width < height:
        return scale, scale * height // width
    return scale * width // height, scale


def dump(program, path, scale=None):
    """The program's pixels, or None and its complaint."""
    arguments = [program, str(path)] + ([str(scale)] if scale else [])
    result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if result.returncode == 0:
        return result.stdout, ""
    if result.returncode == 1:
        return None, result.stderr.decode(errors="replace").strip()
    raise RuntimeError(f"{path}: exit status {result.returncode}: {result.stderr.decode()}")


def difference(expected, actual):
    if len(expected) != len(actual):
        return f"{len(actual)} bytes instead of {len(expected)}"
    wrong = sum(a != b for a, b in zip(expected, actual))
    return f"{wrong} of {len(expected)} samples differ"


class Tally:
    def __init__(self):
        self.passed = self.failed = self.refused = self.unreferenced = 0

    def fail(self, message):
        self.failed += 1
        print("FAILED", message)

    def compare(self, name, expected, actual):
        if expected == actual:
            self.passed += 1
        else:
            self.fail(f"{name}: {difference(expected, actual)}")

    def check(self, program, path, must_decode, scales=SCALES, reference_may_fail=False):
        """Compare one file, as decoded and at each scale."""
        actual, complaint = dump(program, path)
        if actual is None:
            if must_decode:
                self.fail(complaint)
            else:
                self.refused += 1
            return
        try:
            image = reference(path)
        except Exception as error:  # whatever Pillow raises: there is nothing to compare with
            if must_decode and not reference_may_fail:
                self.fail(f"{path}: Pillow: {error}")
            else:
                self.unreferenced += 1
            return
        self.compare(path, image.tobytes(), actual)
        for scale in scales:
            size = size_at(image.size, scale)
            if size[0] * size[1] > PIXELS_MAX:
                continue
            actual, complaint = dump(program, path, scale)
            if actual is None:
                self.fail(complaint)
                continue
            expected = image.resize(size, Image.Resampling.BILINEAR).tobytes()
            self.compare(f"{path} at {scale}", expected, actual)

    def check_verdict(self, program, path, verdict):
        """A damaged file: who reads it, and that both give the same where both do."""
        actual, complaint = dump(program, path)
        try:
            expected, refusal = reference(path).tobytes(), ""
        except Exception as error:
            expected, refusal = None, error
        if verdict != damaged.SAME:
            reads, refuses = (actual, expected) if verdict == damaged.KINDER else (expected, actual)
            if reads is not None and refuses is None:
                self.passed += 1
            else:
                self.fail(f"{path}: not {verdict}: we {complaint!r}, Pillow {refusal!r}")
        elif actual is None or expected is None:
            if actual is expected:
                self.passed += 1
            else:
                self.fail(f"{path}: we {complaint!r}, Pillow {refusal!r}")
        else:
            self.compare(path, expected, actual)


def picture(mode, width, height, seed):
    """A small random picture blown up: soft edges, and every part of it different."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    side = (max(1, width // 7), max(1, height // 7))
    noise = random.Random(seed).randbytes(side[0] * side[1] * channels)
    return Image.frombytes(mode, side, noise).resize((width, height), Image.Resampling.BICUBIC)


def generated():
    """Name and bytes of pictures of every kind that is read."""
    sizes = [(1, 1), (2, 3), (8, 8), (33, 17), (97, 64), (500, 375), (641, 479), (700, 3), (3, 700)]
    options = {
        "444": {"subsampling": 0},
        "422": {"subsampling": 1},
        "420": {"subsampling": 2},
        "progressive": {"progressive": True},
        "coarse": {"quality": 10},
        "fine": {"quality": 100, "optimize": True},
    }
    for mode in ("L", "RGB", "CMYK"):
        for number, (width, height) in enumerate(sizes):
            for name, option in options.items():
                if mode == "L" and name in ("422", "420"):
                    continue
                yield f"{mode}-{width}x{height}-{name}", picture(mode, width, height, number), option
    for orientation in range(0, 10):
        for size in ((61, 40), (40, 61)):
            exif = Image.Exif()
            exif[ORIENTATION] = orientation
            name = f"orientation-{orientation}-{size[0]}x{size[1]}"
            yield name, picture("RGB", *size, orientation), {"exif": exif.tobytes()}


def check_generated(program, tally):
    with tempfile.TemporaryDirectory() as directory:
        for name, image, options in generated():
            data = io.BytesIO()
            image.save(data, "JPEG", **{"quality": 85, **options})
            path = pathlib.Path(directory, name + ".jpg")
            path.write_bytes(data.getvalue())
            tally.check(program, path, must_decode=True)
        for name, data in pictures.pictures():
            path = pathlib.Path(directory, name)
            path.write_bytes(data)
            tally.check(program, path, must_decode=True, scales=())
        for name, data in metadata.files():
            path = pathlib.Path(directory, name)
            path.write_bytes(data)
            tally.check(program, path, must_decode=True, scales=(), reference_may_fail=True)
        for name, data, verdict in damaged.files():
            path = pathlib.Path(directory, name)
            path.write_bytes(data)
            tally.check_verdict(program, path, verdict)


def pictures_below(directory, sample):
    paths = sorted(p for p in directory.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    if sample and len(paths) > sample:
        paths = [paths[i * len(paths) // sample] for i in range(sample)]
    return paths


def main():
    parser = argparse.ArgumentParser(description="compare pixels with Pillow's, bit for bit")
    parser.add_argument("--dump", required=True, metavar="PROGRAM")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="of each directory")
    parser.add_argument("paths", nargs="*", type=pathlib.Path, metavar="FILE|DIRECTORY")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow's remarks about odd metadata

    tally = Tally()
    check_generated(arguments.dump, tally)
    for path in arguments.paths:
        if path.is_dir():
            for child in pictures_below(path, arguments.sample):
                tally.check(arguments.dump, child, must_decode=False)
        else:
            tally.check(arguments.dump, path, must_decode=True)
    if tally.refused or tally.unreferenced:
        print(f"{tally.refused} files refused, {tally.unreferenced} without reference")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
