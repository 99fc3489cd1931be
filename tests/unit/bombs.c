/* Making bombs. */
#include "bombs.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "jpeg_maker.h"
#include "png_maker.h"
#include "webp_maker.h"

enum { SCANS = 100, MANY = 60000, SURPLUS = 1 << 20, SOI_BYTES = 2, EOI_BYTES = 2 };

/* ---- JPEG ---- */

/* As many as are read. */
static bool jpeg_refinements(uint32_t side, uint8_t **bytes, size_t *size)
{
    return jpeg_make_refinements(side, side, 21, bytes, size);
}

static bool jpeg_scans(uint32_t side, uint8_t **bytes, size_t *size)
{
    return jpeg_make_bomb(side, side, SCANS, false, bytes, size);
}

static bool jpeg_too_many_refinements(uint32_t side, uint8_t **bytes, size_t *size)
{
    return jpeg_make_refinements(side, side, SCANS, bytes, size);
}

static bool jpeg_cmyk(uint32_t side, uint8_t **bytes, size_t *size)
{
    return jpeg_make(
        &(struct jpeg_spec){
            .width = side, .height = side, .color = JPEG_CMYK, .quality = 100, .progressive = true},
        bytes, size);
}

static bool jpeg_baseline(uint32_t side, uint8_t **bytes, size_t *size)
{
    return jpeg_make(&(struct jpeg_spec){.width = side, .height = side, .quality = 100}, bytes,
                     size);
}

static bool jpeg_turned(uint32_t side, uint8_t **bytes, size_t *size)
{
    return jpeg_make(
        &(struct jpeg_spec){
            .width = side, .height = side, .luma_h = 2, .luma_v = 2, .orientation = 7},
        bytes, size);
}

static bool jpeg_restarts(uint32_t side, uint8_t **bytes, size_t *size)
{
    return jpeg_make(
        &(struct jpeg_spec){
            .width = side, .height = side, .color = JPEG_GREY, .flat = true, .restart_interval = 1},
        bytes, size);
}

/* The data end early: an arithmetic decoder goes on with zeros. */
static bool jpeg_arithmetic(uint32_t side, uint8_t **bytes, size_t *size)
{
    const struct jpeg_spec spec = {
        .width = side / 4, .height = side / 4, .quality = 100, .arithmetic = true};

    if (!jpeg_make(&spec, bytes, size))
        return false;
    *size /= 4;
    while ((*bytes)[*size - 1] == 0xff)
        --*size;
    memcpy(*bytes + *size, "\xff\xd9", EOI_BYTES);
    *size += EOI_BYTES;
    return true;
}

/* A small picture with `count` times `piece` before its tables, or before its last `tail` bytes. */
static bool jpeg_stuffed(bool early, size_t tail, const char *piece, size_t length, size_t count,
                         uint8_t **bytes, size_t *size)
{
    uint8_t *pieces = malloc(length * count), *plain;
    bool made =
        pieces != NULL && jpeg_make(&(struct jpeg_spec){.width = 32, .height = 32}, &plain, size);

    for (size_t i = 0; made && i < count; i++)
        memcpy(pieces + i * length, piece, length);
    if (made) {
        *bytes =
            jpeg_insert(plain, *size, early ? SOI_BYTES : *size - tail, pieces, length * count);
        *size += length * count;
        made = *bytes != NULL;
        free(plain);
    }
    free(pieces);
    return made;
}

static bool jpeg_segments(uint32_t side, uint8_t **bytes, size_t *size)
{
    (void)side;
    return jpeg_stuffed(true, 0,
                        "\xff\xe1\0\x08"
                        "Exif\0\0",
                        10, MANY, bytes, size);
}

static bool jpeg_empty_tables(uint32_t side, uint8_t **bytes, size_t *size)
{
    (void)side;
    return jpeg_stuffed(true, 0, "\xff\xc4\0\x02", 4, SURPLUS, bytes, size);
}

static bool jpeg_zeros_before_the_end(uint32_t side, uint8_t **bytes, size_t *size)
{
    (void)side;
    return jpeg_stuffed(false, EOI_BYTES, "\xff\0", 2, SURPLUS, bytes, size);
}

static bool jpeg_bytes_after_the_end(uint32_t side, uint8_t **bytes, size_t *size)
{
    (void)side;
    return jpeg_stuffed(false, 0, "\xff\xda", 2, SURPLUS, bytes, size);
}

/* ---- WebP ---- */

static bool webp_idle_tables(uint32_t side, uint8_t **bytes, size_t *size)
{
    (void)side;
    return webp_make_idle_bomb(bytes, size);
}

static bool webp_tables(uint32_t side, uint8_t **bytes, size_t *size)
{
    (void)side;
    return webp_make_bomb(256, bytes, size);
}

static bool webp_frames(uint32_t side, uint8_t **bytes, size_t *size)
{
    (void)side;
    return webp_make(
        &(struct webp_spec){.width = 1, .height = 1, .lossless = true, .frames = MANY / 4}, bytes,
        size);
}

static bool webp_lossy(uint32_t side, uint8_t **bytes, size_t *size)
{
    return webp_make(&(struct webp_spec){.width = side, .height = side}, bytes, size);
}

static bool webp_alpha(uint32_t side, uint8_t **bytes, size_t *size)
{
    return webp_make(&(struct webp_spec){.width = side, .height = side, .alpha = true}, bytes,
                     size);
}

static bool webp_lossless(uint32_t side, uint8_t **bytes, size_t *size)
{
    return webp_make(&(struct webp_spec){.width = side, .height = side, .lossless = true}, bytes,
                     size);
}

/* ---- PNG ---- */

static uint8_t *put_uint32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        *to++ = (uint8_t)(value >> (24 - 8 * i));
    return to;
}

static uint8_t *put_png_chunk(uint8_t *to, const char *type, const uint8_t *data, size_t length)
{
    uint8_t *begin = put_uint32(to, (uint32_t)length);

    memcpy(begin, type, 4);
    if (length != 0)
        memmove(begin + 4, data, length);
    return put_uint32(begin + 4 + length, (uint32_t)crc32(0, begin, (uInt)(4 + length)));
}

/* Deflate's form of so many zeros, ending on a whole byte: such pieces may follow one another. */
static size_t deflate_zeros(size_t zeros, uint8_t *to, size_t room)
{
    static uint8_t block[1 << 16];
    z_stream stream = {.next_out = to, .avail_out = (uInt)room};

    if (deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    for (; zeros > 0; zeros -= zeros < sizeof block ? zeros : sizeof block) {
        stream.next_in = block;
        stream.avail_in = (uInt)(zeros < sizeof block ? zeros : sizeof block);
        (void)deflate(&stream, zeros <= sizeof block ? Z_FULL_FLUSH : Z_NO_FLUSH);
    }
    room -= stream.avail_out;
    (void)deflateEnd(&stream);
    return room;
}

/* One pixel, and a stream that goes on for 6 GB behind its row. */
static bool png_tail(uint32_t side, uint8_t **bytes, size_t *size)
{
    enum { PIECE_ZEROS = 16 << 20, PIECES = 400 };
    const uint8_t header[13] = {0, 0, 0, 1, 0, 0, 0, 1, 8, 2};
    uint8_t *piece = malloc(PIECE_ZEROS / 256), *file = NULL, *to;
    size_t length = piece != NULL ? deflate_zeros(PIECE_ZEROS, piece, PIECE_ZEROS / 256) : 0;

    (void)side;
    if (length != 0)
        file = malloc(length * PIECES + 100);
    if (file == NULL) {
        free(piece);
        return false;
    }
    memcpy(file, "\x89PNG\r\n\x1a\n", 8);
    to = put_png_chunk(file + 8, "IHDR", header, sizeof header);
    memcpy(to + 8, "\x78\xda", 2);
    for (size_t i = 0; i < PIECES; i++)
        memcpy(to + 10 + i * length, piece, length);
    to = put_png_chunk(to, "IDAT", to + 8, 2 + length * PIECES);
    to = put_png_chunk(to, "IEND", NULL, 0);
    *bytes = file;
    *size = (size_t)(to - file);
    free(piece);
    return true;
}

static bool png_chunks(uint32_t side, uint8_t **bytes, size_t *size)
{
    uint8_t *plain;

    (void)side;
    if (!png_make(&(struct png_spec){.width = 4, .height = 4}, &plain, size))
        return false;
    *bytes =
        png_insert_chunk(plain, size, png_find_chunk(plain, *size, "IDAT", 0), "teSt", "", 0, MANY);
    free(plain);
    return *bytes != NULL;
}

const struct bomb bombs[] = {
    {"jpeg", "scans that refine", jpeg_refinements},
    {"jpeg", "more of them", jpeg_too_many_refinements},
    {"jpeg", "a scan again and again", jpeg_scans},
    {"jpeg", "CMYK, 18 scans", jpeg_cmyk},
    {"jpeg", "baseline, 4:4:4", jpeg_baseline},
    {"jpeg", "baseline, 4:2:0, transversed", jpeg_turned},
    {"jpeg", "a restart for each block", jpeg_restarts},
    {"jpeg", "arithmetic data that end early", jpeg_arithmetic},
    {"jpeg", "APP1 again and again", jpeg_segments},
    {"jpeg", "empty tables", jpeg_empty_tables},
    {"jpeg", "stuffed zeros before EOI", jpeg_zeros_before_the_end},
    {"jpeg", "a file behind EOI", jpeg_bytes_after_the_end},
    {"webp", "Huffman tables for nothing", webp_idle_tables},
    {"webp", "Huffman tables for each tile", webp_tables},
    {"webp", "frames", webp_frames},
    {"webp", "lossy", webp_lossy},
    {"webp", "lossy with alpha", webp_alpha},
    {"webp", "lossless", webp_lossless},
    {"png", "data behind the last row", png_tail},
    {"png", "chunks", png_chunks},
};

const size_t bombs_n = sizeof bombs / sizeof *bombs;

const struct bomb *bomb_find(const char *format)
{
    for (size_t i = 0; i < bombs_n; i++)
        if (strcmp(bombs[i].format, format) == 0)
            return &bombs[i];
    return NULL;
}
