#!/usr/bin/python3
"""Write pictures of every kind, small ones, as seeds: seeds.py DIRECTORY"""

import io
import pathlib
import sys

import check_pixels
import pictures

SEED_BYTES_MAX = 4096


def jpegs():
    for name, image, options in check_pixels.generated():
        data = io.BytesIO()
        image.save(data, "JPEG", **{"quality": 60, **options})
        yield name, data.getvalue()


def main():
    directory = pathlib.Path(sys.argv[1])
    for kinds in (jpegs, pictures.pictures):
        for name, data in kinds():
            if len(data) <= SEED_BYTES_MAX:
                (directory / name).write_bytes(data)


main()
