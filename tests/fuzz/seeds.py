#!/usr/bin/python3
"""Write pictures of every kind, small ones, as seeds: seeds.py DIRECTORY"""

import io
import itertools
import pathlib
import sys

import check_pixels
import damaged
import metadata
import pictures

SEED_BYTES_MAX = 4096
METADATA_STEP = 9  # they differ in little: one of so many


def jpegs():
    for name, image, options in check_pixels.generated():
        data = io.BytesIO()
        image.save(data, "JPEG", **{"quality": 60, **options})
        yield name, data.getvalue()
        if options.get("progressive"):
            yield from surplus(name, data.getvalue())


def surplus(name, data):
    """The same with more of something than it needs."""
    scan = data.rfind(b"\xff\xda")
    yield f"{name}-scans", data[:scan] + 50 * data[scan:-2] + data[-2:]
    yield f"{name}-segments", data[:2] + 200 * b"\xff\xe1\0\2" + data[2:]
    yield f"{name}-zeros", data[:-2] + 500 * b"\xff\0" + data[-2:]
    yield f"{name}-early-end", data[:scan + (len(data) - scan) // 2] + data[-2:]


def orientations():
    return itertools.islice(metadata.files(), 0, None, METADATA_STEP)


def damages():
    return ((name, data) for name, data, _ in damaged.files())


def main():
    directory = pathlib.Path(sys.argv[1])
    for kinds in (jpegs, pictures.pictures, orientations, damages):
        for name, data in kinds():
            if len(data) <= SEED_BYTES_MAX:
                (directory / name).write_bytes(data)


main()
