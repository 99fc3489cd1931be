"""PNG, JPEG and WebP files whose metadata say an orientation in every way, for check_pixels.py."""

import itertools
import struct
import zlib

import pictures
from pictures import RGB, chunk, png, soft_samples

PROFILE, XMP = b"Raw profile type exif", b"XML:com.adobe.xmp"
BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE, IFD = \
    range(1, 14)
LONG8 = 16
PICTURE = soft_samples(40, 30, 3, 8, 1)


# ---- TIFF structures ----

def tiff(entries, order=">", head=None, next_directory=b"\0\0\0\0"):
    """entries: of tag, type, count and the bytes of the values, which follow where they are long."""
    data, tail = b"", b""
    begin = 8 + 2 + 12 * len(entries) + len(next_directory)
    for tag, kind, count, values in entries:
        if len(values) > 4:
            data += struct.pack(order + "HHII", tag, kind, count, begin + len(tail))
            tail += values
        else:
            data += struct.pack(order + "HHI", tag, kind, count) + values.ljust(4, b"\0")
    head = head or (b"MM\0*" if order == ">" else b"II*\0")
    return (head + struct.pack(order + "IH", 8, len(entries)) + data + next_directory + tail)


def orientation(kind, count, values, **options):
    return tiff([(0x0112, kind, count, values)], **options)


def values_of_every_type(order):
    """Name and TIFF structure."""
    formats = {SHORT: "H", LONG: "I", SBYTE: "b", SSHORT: "h", SLONG: "i", FLOAT: "f", DOUBLE: "d",
               IFD: "I", LONG8: "Q"}
    for (kind, code), value in itertools.product(formats.items(), (6, 8, 1, 0, 9, 3)):
        for count in (1, 2, 3, 5):
            packed = struct.pack(f"{order}{count}{code}", value, *[2] * (count - 1))
            yield f"{kind}-{value}-{count}", orientation(kind, count, packed, order=order)
    for kind, code in ((SBYTE, "b"), (SSHORT, "h"), (SLONG, "i")):
        yield f"{kind}-negative", orientation(kind, 1, struct.pack(order + code, -6), order=order)
    yield "float-half", orientation(FLOAT, 1, struct.pack(order + "f", 6.5), order=order)
    yield "float-nan", orientation(FLOAT, 1, struct.pack(order + "f", float("nan")), order=order)
    for kind, code in ((RATIONAL, "II"), (SRATIONAL, "ii")):
        for value in ((6, 1), (12, 2), (13, 2), (6, 0), (0, 6), (8, 1)):
            packed = struct.pack(order + code, *value)
            yield f"{kind}-{value[0]}/{value[1]}", orientation(kind, 1, packed, order=order)
    yield "10--6/-1", orientation(SRATIONAL, 1, struct.pack(order + "ii", -6, -1), order=order)
    for kind in (BYTE, ASCII, UNDEFINED):
        yield f"{kind}-text", orientation(kind, 1, b"\6", order=order)
        yield f"{kind}-digit", orientation(kind, 2, b"6\0", order=order)
    for kind in (0, 14, 15, 17, 99, 65535):
        yield f"{kind}-unknown", orientation(kind, 1, b"\0\6\0\6", order=order)
    for kind in (SHORT, LONG, DOUBLE):
        yield f"{kind}-none", orientation(kind, 0, b"\0\6\0\6", order=order)


def directories():
    """Of several entries, cut and damaged ones."""
    six, three = (0x0112, SHORT, 1, b"\0\6"), (0x0112, SHORT, 1, b"\0\3")
    text = (0x010f, ASCII, 9, b"a camera\0")
    yield "others-first", tiff([text, six])
    yield "twice", tiff([three, six])
    yield "twice-other-type", tiff([three, (0x0112, 99, 1, b"\0\6")])
    yield "twice-empty", tiff([three, (0x0112, SHORT, 0, b"\0\6")])
    whole = tiff([six])
    for size in range(8, len(whole)):
        yield f"cut-{size}", whole[:size]
    beyond = struct.pack(">HHII", 0x010f, ASCII, 99, 0xfffffff0)
    yield "beyond-first", b"MM\0*" + struct.pack(">IH", 8, 2) + beyond + whole[10:]
    yield "beyond-last", b"MM\0*" + struct.pack(">IH", 8, 2) + whole[10:22] + beyond + bytes(4)
    huge = struct.pack(">HHII", 0x010f, DOUBLE, 0xffffffff, 8)
    yield "huge-first", b"MM\0*" + struct.pack(">IH", 8, 2) + huge + whole[10:]
    strange = struct.pack(">HHII", 0x010f, 77, 0xffffffff, 0xffffffff)
    yield "strange-first", b"MM\0*" + struct.pack(">IH", 8, 2) + strange + whole[10:]
    yield "count-too-large", b"MM\0*" + struct.pack(">IH", 8, 65535) + whole[10:]
    yield "count-0", b"MM\0*" + struct.pack(">IH", 8, 0) + whole[10:]
    yield "directory-nowhere", b"MM\0*" + struct.pack(">I", 0xffffffff) + whole[8:]
    yield "directory-later", b"MM\0*" + struct.pack(">I", 12) + b"junk" + whole[8:]
    yield "directory-in-header", b"MM\0*" + struct.pack(">I", 0) + whole[8:]
    for head, order in ((b"MM*\0", ">"), (b"II\0*", "<"), (b"MM\0+", ">")):
        yield f"head-{head.hex()}", orientation(SHORT, 1, struct.pack(order + "H", 6), order=order,
                                                head=head)
    yield "empty", b""
    yield "prefix-alone", b"Exif\0\0"


def tiffs():
    for order in "<>":
        for name, data in values_of_every_type(order):
            yield f"{'little' if order == '<' else 'big'}-{name}", data
    yield from directories()


# ---- texts of PNG ----

def profile(data, head=b"\nexif\n    %8d\n", width=72, newline=b"\n"):
    """As ImageMagick writes it."""
    digits = data.hex().encode()
    lines = [digits[i:i + width] for i in range(0, len(digits), width)]
    return (head % len(data) if b"%" in head else head) + newline.join(lines) + b"\n"


def text(key, value):
    return chunk(b"tEXt", key + b"\0" + value)


def ztxt(key, value):
    return chunk(b"zTXt", key + b"\0\0" + zlib.compress(value))


def itxt(key, value, zipped=False, language=b"", translated=b""):
    return chunk(b"iTXt", key + (b"\0\1\0" if zipped else b"\0\0\0") + language + b"\0" + translated +
                 b"\0" + (zlib.compress(value) if zipped else value))


def all_texts(key, value):
    yield "text", text(key, value)
    yield "ztxt", ztxt(key, value)
    yield "itxt", itxt(key, value)
    yield "itxt-zipped", itxt(key, value, True)


def exif(value):
    return pictures.exif(value)


def profiles():
    """Name and text of a raw profile."""
    six = b"Exif\0\0" + exif(6)
    yield "plain", profile(six)
    yield "without-prefix", profile(exif(6))
    yield "upper-case", profile(six).replace(b"a", b"A").replace(b"e", b"E") \
        .replace(b"\nExif\n", b"\nexif\n")
    yield "wrong-length", profile(six, b"\nexif\n    3\n")
    yield "odd-lines", profile(six, width=7)
    yield "one-digit-lines", profile(six, width=1)
    yield "blanks", profile(six, newline=b" \t\r\n\v\f ")
    yield "two-newlines", profile(six, b"exif\n 1\n")
    yield "four-newlines", profile(six, b"\n\nexif\n 1\n")
    yield "cut", profile(six)[:60]
    yield "other-name", profile(six, b"\niptc\n    12\n")
    yield "no-digits", b"\nexif\n 0\n"
    yield "no-lines", b"exif"
    yield "empty", b""
    for value in (0, 1, 3, 5, 8, 9):
        yield f"value-{value}", profile(exif(value))
    yield "sshort", profile(orientation(SSHORT, 1, b"\0\6"))
    yield "count-2", profile(orientation(SHORT, 2, b"\0\6\0\3"))
    yield "without-orientation", profile(tiff([(0x0100, SHORT, 1, b"\0\6")]))


def xmps():
    """Name and text of XMP."""
    for value in "0123456789":
        yield f"attribute-{value}", f'<x:xmpmeta tiff:Orientation="{value}"/>'.encode()
        yield f"element-{value}", f"<tiff:Orientation>{value}</tiff:Orientation>".encode()
    yield "two-digits", b'tiff:Orientation="61"'
    yield "quote", b"tiff:Orientation='6'"
    yield "blank", b'tiff:Orientation ="6"'
    yield "word", b'tiff:Orientation="six"'
    yield "later", b'tiff:Orientation="x" tiff:Orientation= tiff:Orientation>6'
    yield "first-of-two", b'tiff:Orientation="3" tiff:Orientation="6"'
    yield "other-prefix", b'exif:Orientation="6"'
    yield "joined", b'xtiff:Orientation="6"'
    yield "cut-quote", b'tiff:Orientation="'
    yield "cut-equals", b"tiff:Orientation="
    yield "cut-name", b"tiff:Orientation"
    yield "cut-greater", b"tiff:Orientation>"
    yield "wide", "\u00fc\u4e00\U0001f600 tiff:Orientation=\"6\"".encode()
    yield "nul", b'\0\0tiff:Orientation="6"'
    yield "long", b"<!-- " + b"-" * 300000 + b' --> tiff:Orientation="6"'
    yield "empty", b""


def texts():
    for name, value in profiles():
        for kind, data in all_texts(PROFILE, value):
            yield f"profile-{name}-{kind}", [data]
    for name, value in xmps():
        for kind, data in all_texts(XMP, value):
            yield f"xmp-{name}-{kind}", [data]


def untidy_texts():
    """What Pillow makes of chunks that are not quite in order."""
    six, three = b'tiff:Orientation="6"', b'tiff:Orientation="3"'
    good = text(XMP, three)
    broken = XMP + b"\0\1\0\0\0" + zlib.compress(six)[:-6] + b"broken"
    yield "itxt-broken", [good, chunk(b"iTXt", broken)]
    yield "itxt-cut", [good, chunk(b"iTXt", XMP + b"\0\1\0\0\0" + zlib.compress(six)[:-3])]
    yield "itxt-other-method", [good, chunk(b"iTXt", XMP + b"\0\1\1\0\0" + zlib.compress(six))]
    yield "itxt-method-unused", [good, chunk(b"iTXt", XMP + b"\0\0\7\0\0" + six)]
    yield "itxt-flag-7", [good, chunk(b"iTXt", XMP + b"\0\7\0\0\0" + zlib.compress(six))]
    yield "itxt-one-nul", [good, chunk(b"iTXt", XMP + b"\0\0\0en" + six)]
    yield "itxt-two-nuls", [good, chunk(b"iTXt", XMP + b"\0\0\0en\0" + six)]
    yield "itxt-short", [good, chunk(b"iTXt", XMP + b"\0\0")]
    for name, bad in (("latin", b"\xfc"), ("overlong", b"\xc0\xaf"), ("surrogate", b"\xed\xa0\x80"),
                      ("beyond", b"\xf4\x90\x80\x80"), ("cut", b"\xe4\xb8"), ("five", b"\xf8\x88")):
        yield f"itxt-{name}", [good, itxt(XMP, bad + six)]
        yield f"itxt-{name}-zipped", [good, itxt(XMP, six + bad, True)]
        yield f"itxt-{name}-language", [good, itxt(XMP, six, language=bad)]
        yield f"itxt-{name}-keyword", [good, itxt(XMP, six, translated=bad)]
        yield f"text-{name}", [good, text(XMP, bad + six)]
    yield "ztxt-broken", [good, chunk(b"zTXt", XMP + b"\0\0" + b"not zlib")]
    yield "ztxt-checksum", [good, chunk(b"zTXt", XMP + b"\0\0" + zlib.compress(six)[:-1] + b"!")]
    yield "ztxt-cut", [good, chunk(b"zTXt", XMP + b"\0\0" + zlib.compress(six)[:-5])]
    yield "ztxt-more", [good, chunk(b"zTXt", XMP + b"\0\0" + zlib.compress(six) + b"more")]
    yield "other-case", [text(b"xml:com.adobe.xmp", six), text(b"raw profile type exif",
                                                              profile(exif(6)))]
    yield "longer-key", [text(XMP + b" ", six), text(PROFILE + b"s", profile(exif(6)))]
    yield "app1", [text(b"Raw profile type APP1", profile(b"Exif\0\0" + exif(6)))]
    yield "large", [ztxt(XMP, six + b" " * ((1 << 20) - len(six)))]
    yield "text-exif", [text(b"exif", exif(6))]
    yield "text-exif-prefixed", [text(b"exif", b"Exif\0\0" + exif(6))]


def precedence():
    """Name, chunks before and chunks after the pixels."""
    sources = {"exif": chunk(b"eXIf", exif(6)), "profile": text(PROFILE, profile(exif(3))),
               "xmp": text(XMP, b'tiff:Orientation="8"'), "exif-5": chunk(b"eXIf", exif(5)),
               "exif-none": chunk(b"eXIf", tiff([(0x0100, SHORT, 1, b"\0\6")])),
               "exif-9": chunk(b"eXIf", exif(9)), "exif-empty": chunk(b"eXIf"),
               "profile-2": ztxt(PROFILE, profile(exif(2))),
               "profile-none": itxt(PROFILE, profile(tiff([(0x0100, SHORT, 1, b"\0\6")]))),
               "xmp-4": itxt(XMP, b"tiff:Orientation>4")}
    for first, second in itertools.product(sources, repeat=2):
        chunks = [sources[first], sources[second]]
        yield f"{first}+{second}", chunks, []
        yield f"{first}+{second}-around", chunks[:1], chunks[1:]
        yield f"{first}+{second}-late", [], chunks
    yield "all", [sources[s] for s in ("profile", "xmp", "exif")], [sources["exif-5"]]
    control = chunk(b"acTL", struct.pack(">II", 2, 0))
    frames = [chunk(b"fcTL", struct.pack(">IIIIIHHBB", i, 40, 30, 0, 0, 1, 10, 0, 0))
              for i in range(2)]
    data = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(bytes(121 * 30)))
    for name in ("exif", "xmp"):
        yield f"{name}-animated", [control, frames[0], sources[name]], [frames[1], data]
        yield f"{name}-animated-late", [control, frames[0]], [sources[name], frames[1], data]
        yield f"{name}-animated-later", [control, frames[0]], [frames[1], data, sources[name]]
        single = chunk(b"acTL", struct.pack(">II", 1, 0))
        yield f"{name}-single", [single, frames[0]], [frames[1], sources[name]]
        yield f"{name}-default", [single], [frames[0], sources[name]]


def pngs():
    for name, data in tiffs():
        yield f"exif-{name}", png(PICTURE, RGB, 8, before=[chunk(b"eXIf", data)])
    for name, chunks in itertools.chain(texts(), untidy_texts()):
        yield f"{name}", png(PICTURE, RGB, 8, before=chunks)
    for name, before, after in precedence():
        yield f"{name}", png(PICTURE, RGB, 8, before=before, after=after)


def others():
    """JPEG and WebP: EXIF alone counts there."""
    image = pictures.soft_image("RGB", 40, 30, 1)
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    for name, data in tiffs():
        if len(data) >= 8:
            yield f"jpeg-exif-{name}", pictures.jpeg(image, exif=b"Exif\0\0" + data)
            yield f"webp-exif-{name}", pictures.webp(image, exif=data)
    plain = pictures.jpeg(image)
    yield "jpeg-xmp", plain[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + plain[2:]
    yield "webp-xmp", pictures.webp(image, xmp=b'<x tiff:Orientation="6"/>')


def files():
    for name, data in pngs():
        yield "png-" + name.replace("/", "|"), data
    for name, data in others():
        yield name.replace("/", "|"), data
