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
