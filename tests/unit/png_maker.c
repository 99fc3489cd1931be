/* Making PNGs, by libpng and zlib. */
#include "png_maker.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

enum { CHUNK_OVERHEAD = 12, ROW_BYTES_MAX = 1 << 16, EXIF_BYTES = 26 };

struct buffer {
    uint8_t *bytes;
    size_t size;
};

static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_PALETTE,
                            PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB_ALPHA};
static const unsigned channels[] = {1, 3, 1, 2, 4};

static int depth_of(const struct png_spec *spec)
{
    return spec->depth != 0 ? spec->depth : 8;
}

uint16_t png_sample(const struct png_spec *spec, uint32_t x, uint32_t y, unsigned c)
{
    uint32_t value = x * 2654435761u + y * 40503u + c * 9973u;

    return (uint16_t)((value >> 7) & ((1u << depth_of(spec)) - 1));
}

uint8_t png_palette(unsigned index, unsigned c)
{
    return (uint8_t)(index * 37 + c * 101 + 11);
}

static void on_write(png_structp png, png_bytep bytes, size_t length)
{
    struct buffer *buffer = png_get_io_ptr(png);
    uint8_t *grown = realloc(buffer->bytes, buffer->size + length);

    if (grown == NULL)
        png_error(png, "out of memory");
    memcpy(grown + buffer->size, bytes, length);
    buffer->bytes = grown;
    buffer->size += length;
}

static void put_sample(uint8_t *row, size_t index, int depth, uint16_t value)
{
    size_t bit = index * (size_t)depth;

    if (depth == 16) {
        row[2 * index] = (uint8_t)(value >> 8);
        row[2 * index + 1] = (uint8_t)value;
    } else
        row[bit / 8] |= (uint8_t)(value << (8 - (size_t)depth - bit % 8));
}

static void write_header(png_structp png, png_infop info, const struct png_spec *spec)
{
    uint8_t exif[EXIF_BYTES] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1};
    png_color palette[256];

    png_set_IHDR(png, info, spec->width, spec->height, depth_of(spec), types[spec->colour],
                 spec->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (unsigned i = 0; i < 256; i++)
        palette[i] = (png_color){png_palette(i, 0), png_palette(i, 1), png_palette(i, 2)};
    if (spec->colour == PNG_INDEXED)
        png_set_PLTE(png, info, palette, 1 << depth_of(spec));
    exif[19] = (uint8_t)spec->orientation;
    if (spec->orientation != 0)
        png_set_eXIf_1(png, info, EXIF_BYTES, exif);
    png_write_info(png, info);
}

static void write_rows(png_structp png, const struct png_spec *spec, uint8_t *row)
{
    int passes = png_set_interlace_handling(png);

    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < spec->height; y++) {
            memset(row, 0, ROW_BYTES_MAX);
            for (uint32_t x = 0; x < spec->width; x++)
                for (unsigned c = 0; c < channels[spec->colour]; c++)
                    put_sample(row, (size_t)x * channels[spec->colour] + c, depth_of(spec),
                               png_sample(spec, x, y, c));
            png_write_row(png, row);
        }
}

bool png_make(const struct png_spec *spec, uint8_t **bytes, size_t *size)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    uint8_t *row = malloc(ROW_BYTES_MAX);
    struct buffer buffer = {0};
    bool made = false;

    if (info == NULL || row == NULL || setjmp(png_jmpbuf(png)) != 0)
        goto end;
    png_set_write_fn(png, &buffer, on_write, NULL);
    write_header(png, info, spec);
    write_rows(png, spec, row);
    png_write_end(png, NULL);
    *bytes = buffer.bytes;
    *size = buffer.size;
    buffer.bytes = NULL;
    made = true;

end:
    png_destroy_write_struct(&png, &info);
    free(row);
    free(buffer.bytes);
    return made;
}

/* ---- damage ---- */

static uint32_t get_uint32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put_uint32(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

size_t png_find_chunk(const uint8_t *bytes, size_t size, const char *type, unsigned nth)
{
    for (size_t at = 8; at + CHUNK_OVERHEAD <= size; at += CHUNK_OVERHEAD + get_uint32(bytes + at))
        if (memcmp(bytes + at + 4, type, 4) == 0 && nth-- == 0)
            return at;
    return 0;
}

void png_fix_crc(uint8_t *bytes, size_t offset)
{
    uint32_t length = get_uint32(bytes + offset);

    put_uint32(bytes + offset + 8 + length,
               (uint32_t)crc32(0, bytes + offset + 4, (uInt)(4 + length)));
}

uint8_t *png_insert_chunk(const uint8_t *bytes, size_t *size, size_t offset, const char *type,
                          const void *data, uint32_t length, size_t count)
{
    size_t each = CHUNK_OVERHEAD + (size_t)length;
    uint8_t *longer = malloc(*size + count * each);

    if (longer == NULL)
        return NULL;
    memcpy(longer, bytes, offset);
    for (size_t i = 0; i < count; i++) {
        uint8_t *chunk = longer + offset + i * each;

        put_uint32(chunk, length);
        memcpy(chunk + 4, type, 4);
        if (length != 0)
            memcpy(chunk + 8, data, length);
        png_fix_crc(longer, offset + i * each);
    }
    memcpy(longer + offset + count * each, bytes + offset, *size - offset);
    *size += count * each;
    return longer;
}
