/*
 * EXIF orientation: tag 0x0112 of the first directory (IFD0) of a TIFF structure, read as Pillow
 * reads it. Everything else in there is ignored, and whatever is broken means "upright".
 * Path of a request: APP1 of a JPEG, eXIf of a PNG, EXIF of a WebP -> [this] -> orient.c.
 */
#include <string.h>

#include "image/image.h"

enum {
    EXIF_PREFIX_BYTES = 6, /* "Exif\0\0"; offsets count from the TIFF structure after it */
    TIFF_HEADER_BYTES = 8,
    ENTRY_BYTES = 12, /* tag 2, type 2, count 4, value or offset 4 */
    INLINE_BYTES = 4,
    TAG_ORIENTATION = 0x0112,
    UPRIGHT = 1,
    ORIENTATIONS = 8
};

enum type {
    BYTE = 1,
    ASCII,
    SHORT,
    LONG,
    RATIONAL,
    SBYTE,
    UNDEFINED,
    SSHORT,
    SLONG,
    SRATIONAL,
    FLOAT,
    DOUBLE,
    IFD,
    LONG8 = 16
};

/* Bytes of one value of a type; 0: there is no such type. */
static const uint8_t type_bytes[] = {
    [BYTE] = 1,  [ASCII] = 1,     [SHORT] = 2,  [LONG] = 4,  [RATIONAL] = 8,
    [SBYTE] = 1, [UNDEFINED] = 1, [SSHORT] = 2, [SLONG] = 4, [SRATIONAL] = 8,
    [FLOAT] = 4, [DOUBLE] = 8,    [IFD] = 4,    [LONG8] = 8,
};

struct tiff {
    const uint8_t *bytes;
    size_t size;
    bool little_endian;
};

/* Where the values of an entry are, and what they are. */
struct values {
    enum type type;
    size_t offset;
};

/* The unsigned integer of `length` bytes at `offset`, all of which are there. */
static uint64_t read_uint(const struct tiff *tiff, size_t offset, unsigned length)
{
    uint64_t result = 0;

    for (unsigned i = 0; i < length; i++)
        result = result << 8 | tiff->bytes[offset + (tiff->little_endian ? length - 1 - i : i)];
    return result;
}

static bool has(const struct tiff *tiff, uint64_t offset, uint64_t length)
{
    return offset <= tiff->size && length <= tiff->size - offset;
}

static bool open_tiff(const uint8_t *payload, size_t size, struct tiff *tiff)
{
    /* The two after the first have the wrong order of bytes; the last is BigTIFF's. */
    static const char heads[][INLINE_BYTES + 1] = {"MM\0*", "II*\0", "MM*\0", "II\0*", "MM\0+"};

    *tiff = (struct tiff){.bytes = payload, .size = size};
    if (size >= EXIF_PREFIX_BYTES && memcmp(payload, "Exif\0", EXIF_PREFIX_BYTES) == 0) {
        tiff->bytes += EXIF_PREFIX_BYTES;
        tiff->size -= EXIF_PREFIX_BYTES;
    }
    if (tiff->size < TIFF_HEADER_BYTES)
        return false;
    tiff->little_endian = tiff->bytes[0] == 'I';
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (memcmp(tiff->bytes, heads[i], INLINE_BYTES) == 0)
            return true;
    return false;
}

/* The values of the directory's last entry for the tag that has any; false where none has. */
static bool find_values(const struct tiff *tiff, struct values *found)
{
    uint64_t entry = read_uint(tiff, 4, 4), entries;

    *found = (struct values){0};
    if (!has(tiff, entry, 2))
        return false;
    entries = read_uint(tiff, entry, 2);
    entry += 2;
    for (; entries != 0 && has(tiff, entry, ENTRY_BYTES); entries--, entry += ENTRY_BYTES) {
        uint64_t type = read_uint(tiff, entry + 2, 2), offset = entry + 8, bytes;

        if (type >= sizeof type_bytes)
            continue;
        bytes = type_bytes[type] * read_uint(tiff, entry + 4, 4);
        if (bytes > INLINE_BYTES)
            offset = read_uint(tiff, offset, 4);
        if (!has(tiff, offset, bytes)) /* whatever the tag: the directory ends here for Pillow */
            break;
        if (bytes != 0 && read_uint(tiff, entry, 2) == TAG_ORIENTATION)
            *found = (struct values){(enum type)type, offset};
    }
    return found->type != 0;
}

/* numerator / denominator where that is a whole number, else 0. */
static int64_t divide(int64_t numerator, int64_t denominator)
{
    return denominator != 0 && numerator % denominator == 0 ? numerator / denominator : 0;
}

/* A number that is one of the orientations, else 0. */
static int64_t whole(double value)
{
    for (int orientation = 1; orientation <= ORIENTATIONS; orientation++)
        if (value == orientation)
            return orientation;
    return 0;
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static double double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The first of the values as a whole number; 0 for anything else. */
static int64_t first_value(const struct tiff *tiff, const struct values *values)
{
    uint64_t raw = read_uint(tiff, values->offset, type_bytes[values->type]);
    uint32_t high = (uint32_t)(raw >> 32), low = (uint32_t)raw;
    uint32_t numerator = tiff->little_endian ? low : high;
    uint32_t denominator = tiff->little_endian ? high : low;

    switch (values->type) {
    case SHORT:
    case LONG:
    case IFD:
        return low;
    case LONG8:
        return raw <= ORIENTATIONS ? low : 0;
    case SBYTE:
        return (int8_t)raw;
    case SSHORT:
        return (int16_t)raw;
    case SLONG:
        return (int32_t)raw;
    case RATIONAL:
        return divide(numerator, denominator);
    case SRATIONAL:
        return divide((int32_t)numerator, (int32_t)denominator);
    case FLOAT:
        return whole(float_of(low));
    case DOUBLE:
        return whole(double_of(raw));
    case BYTE:
    case ASCII:
    case UNDEFINED: /* text, not a number */
        return 0;
    }
    return 0;
}

bool vgg_exif_find_orientation(const uint8_t *payload, size_t size, unsigned *orientation)
{
    struct tiff tiff;
    struct values values;
    int64_t value;

    *orientation = UPRIGHT;
    if (!open_tiff(payload, size, &tiff) || !find_values(&tiff, &values))
        return false;
    value = first_value(&tiff, &values);
    if (value >= 1 && value <= ORIENTATIONS)
        *orientation = (unsigned)value;
    return true;
}

unsigned vgg_exif_orientation(const uint8_t *payload, size_t size)
{
    unsigned orientation;

    (void)vgg_exif_find_orientation(payload, size, &orientation);
    return orientation;
}
