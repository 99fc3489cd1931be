"""Damaged files, for check_pixels.py: name, bytes, and who reads them.

SAME: whatever Pillow does with it, and its pixels. STRICTER: Pillow reads it and we refuse it.
KINDER: Pillow refuses it although all pixels are there, and we read it.
"""

import struct
import zlib

import pictures
from pictures import GREY, PALETTE, RGB, SIGNATURE, chunk, palette_chunk, png, soft_samples

SAME, STRICTER, KINDER = "same", "stricter", "kinder"
TEXT = chunk(b"tEXt", b"Comment\0something")


def wrong(data):
    """A chunk whose checksum is wrong."""
    return data[:-1] + bytes([data[-1] ^ 1])


def parts(width=40, height=30):
    """Header, pixels as zlib's stream, and the raw rows of a picture."""
    whole = png(soft_samples(width, height, 3, 8, 1), RGB, 8)
    at = whole.index(b"IDAT") - 4
    length = struct.unpack(">I", whole[at:at + 4])[0]
    stream = whole[at + 8:at + 8 + length]
    return whole[8:at], stream, zlib.decompress(stream)


def idat(data):
    return chunk(b"IDAT", data)


END = chunk(b"IEND")


def palettes():
    for depth in (1, 2, 4, 8):
        samples = soft_samples(37, 23, 1, depth, 2)
        for entries in (0, 1, 2, 3, 5, 15, 16, 17, 100, 255, 256):
            for interlaced in (False, True):
                yield (f"palette-{depth}-{entries}-{interlaced:d}",
                       png(samples, PALETTE, depth, interlaced, [palette_chunk(entries, 1)]), SAME)
    samples = soft_samples(37, 23, 1, 8, 2)
    for name, before, after in (
            ("none", [], []), ("late", [], [palette_chunk(9, 1)]),
            ("twice", [palette_chunk(99, 1), palette_chunk(9, 2)], []),
            ("odd", [chunk(b"PLTE", bytes(range(100, 110)))], []),
            ("many", [palette_chunk(257, 1)], []), ("more", [palette_chunk(400, 1)], []),
            ("checksum", [wrong(palette_chunk(256, 1))], []),
            ("transparent", [palette_chunk(9, 1), chunk(b"tRNS", bytes(range(200)))], [])):
        yield f"palette-{name}", png(samples, PALETTE, 8, before=before, after=after), SAME
    yield "palette-of-grey", png(samples, GREY, 8, before=[palette_chunk(9, 1)]), SAME


def checksums():
    header, stream, _ = parts()
    begin = SIGNATURE + header
    yield "checksum-header", SIGNATURE + wrong(header) + idat(stream) + END, SAME
    yield "checksum-text", begin + wrong(TEXT) + idat(stream) + END, SAME
    yield "checksum-unknown", begin + wrong(chunk(b"abCd", b"x")) + idat(stream) + END, SAME
    yield "checksum-exif", begin + wrong(chunk(b"eXIf", pictures.exif(6))) + idat(stream) + END, SAME
    yield "checksum-late-text", begin + idat(stream) + wrong(TEXT) + END, SAME
    yield ("checksum-late-exif",
           begin + idat(stream) + wrong(chunk(b"eXIf", pictures.exif(6))) + END, SAME)
    yield "checksum-end", begin + idat(stream) + wrong(END), SAME
    yield "checksum-idat", begin + wrong(idat(stream)) + END, SAME
    yield ("checksum-idats", begin + wrong(idat(stream[:99])) + wrong(idat(stream[99:])) + END, SAME)
    adler = stream[:-1] + bytes([stream[-1] ^ 1])
    yield "checksum-stream", begin + idat(adler) + END, SAME
    yield "checksum-stream-apart", begin + idat(adler[:-4]) + idat(adler[-4:]) + END, STRICTER
    yield "checksum-both", begin + wrong(idat(adler)) + END, SAME
    yield "stream-cut-checksum", begin + wrong(idat(stream[:-4])) + END, STRICTER


def ends():
    header, stream, rows = parts()
    begin = SIGNATURE + header
    whole = begin + idat(stream) + END
    for cut in range(1, 33):
        yield f"cut-{cut}", whole[:-cut], SAME
    late = begin + idat(stream) + TEXT + END
    for cut in range(1, 12 + len(TEXT) + 6):
        yield f"cut-late-{cut}", late[:-cut], SAME
    for cut in (len(stream) // 2, len(stream) + 9, len(whole) - 40):
        yield f"cut-{cut}", whole[:-cut], SAME
    for name, tail in (("nothing", b""), ("zeros", bytes(99)), ("junk", b"\xff" * 99),
                       ("text", b"hello, world! " * 9), ("letters", b"A" * 99),
                       ("lower-end", chunk(b"iend")), ("end-with-data", chunk(b"IEND", b"data")),
                       ("second-end", END + END), ("second-picture", END + whole),
                       ("header", header + END), ("idat", TEXT + idat(stream) + END),
                       ("unknown", chunk(b"ABCD", b"x") + END), ("digits", chunk(b"1234") + END),
                       ("underscores", chunk(b"____") + END), ("blank", chunk(b"ab d") + END),
                       ("long", struct.pack(">I", 9999) + b"tEXt" + bytes(99)),
                       ("huge", struct.pack(">I", 0xfffffff0) + b"abCd" + bytes(99)),
                       ("huge-end", struct.pack(">I", 0xfffffff0) + b"IEND" + bytes(99))):
        yield f"end-{name}", begin + idat(stream) + tail, SAME
    for left in range(len(stream) - 12, len(stream)):
        yield f"stream-{left}", begin + idat(stream[:left]) + END, SAME
    yield "stream-half", begin + idat(stream[:len(stream) // 2]) + END, SAME
    yield "stream-more", begin + idat(stream + b"more") + END, SAME
    yield "stream-twice", begin + idat(stream + stream) + END, SAME
    yield "idat-more", begin + idat(stream) + idat(b"more") + END, SAME
    yield "rows-more", begin + idat(zlib.compress(rows + bytes(99999))) + END, SAME
    yield "rows-more-apart", begin + idat(zlib.compress(rows + bytes(1 << 24))) + END, SAME
    yield "rows-fewer", begin + idat(zlib.compress(rows[:-1])) + END, SAME
    yield "rows-fewer-by-one", begin + idat(zlib.compress(rows[:-121])) + END, STRICTER
    yield "rows-none", begin + idat(zlib.compress(b"")) + END, SAME
    yield "no-idat", begin + END, SAME
    yield "empty-idat", begin + idat(b"") + END, SAME
    yield "empty-idats", begin + idat(b"") * 9 + idat(stream) + idat(b"") * 9 + END, SAME
    yield "idats-apart", begin + idat(stream[:99]) + TEXT + idat(stream[99:]) + END, SAME
    for size in (1, 2, 3, 5):
        pieces = [idat(stream[i:i + size]) for i in range(0, len(stream), size)]
        yield f"idat-{size}", begin + b"".join(pieces) + END, SAME


def heads():
    header, stream, _ = parts()

    def with_header(*fields):
        return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", *fields)) + idat(stream) + END

    yield "filter-type-1", with_header(40, 30, 8, 2, 0, 1, 0), SAME
    yield "compression-1", with_header(40, 30, 8, 2, 1, 0, 0), SAME
    yield "interlace-2", with_header(40, 30, 8, 2, 0, 0, 2), SAME
    for depth, colour in ((3, 0), (16, 3), (4, 2), (8, 1), (8, 5), (8, 7), (0, 0), (32, 2)):
        yield f"depth-{depth}-of-{colour}", with_header(40, 30, depth, colour, 0, 0, 0), SAME
    yield "width-0", with_header(0, 30, 8, 2, 0, 0, 0), SAME
    yield "height-0", with_header(40, 0, 8, 2, 0, 0, 0), SAME
    yield "height-more", with_header(40, 31, 8, 2, 0, 0, 0), STRICTER
    yield "height-less", with_header(40, 29, 8, 2, 0, 0, 0), SAME
    yield "header-short", SIGNATURE + chunk(b"IHDR", header[8:20]) + idat(stream) + END, SAME
    yield "header-long", SIGNATURE + chunk(b"IHDR", header[8:21] + b"x") + idat(stream) + END, SAME
    yield "header-late", SIGNATURE + TEXT + header + idat(stream) + END, STRICTER
    yield "header-twice", SIGNATURE + header + header + idat(stream) + END, STRICTER
    yield "header-missing", SIGNATURE + idat(stream) + END, SAME
    yield "unknown-needed", SIGNATURE + header + chunk(b"ABCD", b"x") + idat(stream) + END, STRICTER
    yield "unknown-spare", SIGNATURE + header + chunk(b"aBCD", b"x") + idat(stream) + END, SAME
    yield "name-digits", SIGNATURE + header + chunk(b"a1_9", b"x") + idat(stream) + END, SAME
    yield "name-blank", SIGNATURE + header + chunk(b"ab d", b"x") + idat(stream) + END, SAME
    for name in (b"pHYs", b"gAMA", b"sRGB", b"acTL", b"iCCP", b"tRNS"):
        yield f"short-{name.decode()}", SIGNATURE + header + chunk(name) + idat(stream) + END, KINDER
    large = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 << 20)))
    yield "large-text", SIGNATURE + header + large + idat(stream) + END, KINDER
    yield "large-text-late", SIGNATURE + header + idat(stream) + large + END, KINDER
    yield "text-method", SIGNATURE + header + chunk(b"zTXt", b"x\0\1x") + idat(stream) + END, KINDER
    yield "unknown-filter", SIGNATURE + header + idat(zlib.compress(b"\5" * 3630)) + END, SAME
    yield "signature", b"\x89PNG\n\x1a\n\0" + header + idat(stream) + END, SAME




def pngs():
    for kinds in (palettes, checksums, ends, heads):
        yield from kinds()


def jpegs():
    image = pictures.soft_image("RGB", 97, 64, 3)
    exif = b"Exif\0\0" + pictures.exif(6)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    for name, options in (("baseline", {}), ("progressive", {"progressive": True}),
                          ("grey", {"mode": "L"})):
        whole = pictures.jpeg(image.convert(options.pop("mode", "RGB")), **options)
        pixels = whole[:-2]
        scan = whole.index(b"\xff\xda")
        single = name != "progressive"
        for tail in (b"\0\0", b"\xff\0", b"\xff\xff", b"ab", b"\xff\xd8"):
            # Pillow reads some bytes ahead: so few at the end are too few for it.
            yield f"{name}-end-{tail.hex()}", pixels + tail, KINDER if single else SAME
        for tail in (b"\xff\xd0", bytes(99), b"junk" * 9, b"\xff\xd0" + bytes(9), bytes(99) + b"\xff\xd9",
                     b"\xff\xfe\0\5abc\xff\xd9"):
            yield f"{name}-end-{len(tail)}-{tail[:2].hex()}", pixels + tail, SAME
        for cut in (1, 2, 3, 4, 5, 8, 20, 99, len(whole) - scan, len(whole) - scan + 2):
            yield f"{name}-cut-{cut}", whole[:-cut], SAME
        for marker in (0xe0, 0xe1, 0xe2, 0xed, 0xee, 0xfe):
            for length in (0, 1, 2):
                empty = b"\xff" + bytes([marker]) + struct.pack(">H", length)
                yield f"{name}-{marker:02x}-{length}", whole[:2] + empty + whole[2:], SAME
                yield f"{name}-{marker:02x}-{length}-late", whole[:scan] + empty + whole[scan:], SAME
                yield (f"{name}-{marker:02x}-{length}-exif",
                       whole[:2] + empty + segment + whole[2:], SAME)
        for interval in (0, 0xffff):
            restarts = b"\xff\xdd\0\4" + struct.pack(">H", interval)
            yield f"{name}-restarts-{interval}", whole[:scan] + restarts + whole[scan:], SAME
        for interval in (1, 4):
            restarts = b"\xff\xdd\0\4" + struct.pack(">H", interval)
            yield f"{name}-restarts-{interval}", whole[:scan] + restarts + whole[scan:], STRICTER


def files():
    for name, data, verdict in pngs():
        yield f"damaged-png-{name}", data, verdict
    for name, data, verdict in jpegs():
        yield f"damaged-jpeg-{name}", data, verdict
