/*
 * EXIF orientation: tag 0x0112 of the first directory (IFD0) of a TIFF structure. Everything else
 * in there is ignored, and whatever is broken means "upright".
 * Path of a request: APP1 of a JPEG, eXIf of a PNG, EXIF of a WebP -> [this] -> orient.c.
 */
#include <string.h>

#include "image/image.h"

enum {
    EXIF_PREFIX_BYTES = 6, /* "Exif\0\0"; offsets count from the TIFF structure after it */
    TIFF_MAGIC = 42,
    TIFF_SHORT = 3,
    TIFF_LONG = 4,
    ENTRY_BYTES = 12, /* tag 2, type 2, count 4, value or offset 4 */
    TAG_ORIENTATION = 0x0112,
    UPRIGHT = 1,
    ORIENTATIONS = 8
};

struct tiff {
    const uint8_t *bytes;
    size_t size;
    bool little_endian;
};

/* The unsigned integer of `length` bytes at `offset`; false where the segment ends before it. */
static bool read_uint(const struct tiff *tiff, size_t offset, unsigned length, uint32_t *value)
{
    uint32_t result = 0;

    if (offset > tiff->size || tiff->size - offset < length)
        return false;
    for (unsigned i = 0; i < length; i++)
        result = result << 8 | tiff->bytes[offset + (tiff->little_endian ? length - 1 - i : i)];
    *value = result;
    return true;
}

static bool open_tiff(const uint8_t *payload, size_t size, struct tiff *tiff)
{
    uint32_t magic;

    *tiff = (struct tiff){.bytes = payload, .size = size};
    if (size >= EXIF_PREFIX_BYTES && memcmp(payload, "Exif\0", EXIF_PREFIX_BYTES) == 0) {
        tiff->bytes += EXIF_PREFIX_BYTES;
        tiff->size -= EXIF_PREFIX_BYTES;
    }
    if (tiff->size < 2)
        return false;
    tiff->little_endian = memcmp(tiff->bytes, "II", 2) == 0;
    if (!tiff->little_endian && memcmp(tiff->bytes, "MM", 2) != 0)
        return false;
    return read_uint(tiff, 2, 2, &magic) && magic == TIFF_MAGIC;
}

/* The value of a directory entry that holds one SHORT or LONG; 0 for anything else. */
static uint32_t entry_value(const struct tiff *tiff, size_t entry)
{
    uint32_t type;
    uint32_t count;
    uint32_t value;

    if (!read_uint(tiff, entry + 2, 2, &type) || !read_uint(tiff, entry + 4, 4, &count) ||
        count != 1 || (type != TIFF_SHORT && type != TIFF_LONG))
        return 0;
    return read_uint(tiff, entry + 8, type == TIFF_SHORT ? 2 : 4, &value) ? value : 0;
}

unsigned vgg_exif_orientation(const uint8_t *payload, size_t size)
{
    struct tiff tiff;
    uint32_t directory;
    uint32_t entries;

    if (!open_tiff(payload, size, &tiff) || !read_uint(&tiff, 4, 4, &directory) ||
        !read_uint(&tiff, directory, 2, &entries))
        return UPRIGHT;
    for (uint32_t i = 0; i < entries; i++) {
        size_t entry = (size_t)directory + 2 + (size_t)i * ENTRY_BYTES;
        uint32_t tag;
        uint32_t value;

        if (!read_uint(&tiff, entry, 2, &tag))
            break;
        if (tag != TAG_ORIENTATION)
            continue;
        value = entry_value(&tiff, entry);
        return value >= 1 && value <= ORIENTATIONS ? value : UPRIGHT;
    }
    return UPRIGHT;
}
