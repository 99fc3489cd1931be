/* Making WebP files. */
#include "webp_maker.h"

#include <stdlib.h>
#include <string.h>

#include <webp/encode.h>

enum { RIFF_BYTES = 12, CHUNK_BYTES = 8, VP8X_BYTES = 10, ANIM_BYTES = 6, ANMF_BYTES = 16 };

uint8_t webp_sample(uint32_t x, uint32_t y, unsigned c)
{
    switch (c) {
    case 0:
        return (uint8_t)(40 + x * 3);
    case 1:
        return (uint8_t)(200 - y * 4);
    case 2:
        return (uint8_t)(60 + x + 2 * y);
    default:
        return (uint8_t)(255 - 2 * x);
    }
}

/* The file that libwebp makes of the picture. */
static size_t encode(const struct webp_spec *spec, uint8_t **bytes)
{
    size_t pixels = (size_t)spec->width * spec->height;
    int width = (int)spec->width, height = (int)spec->height;
    unsigned channels = spec->alpha ? 4 : 3;
    uint8_t *samples = malloc(pixels * channels);
    size_t size;

    if (samples == NULL)
        return 0;
    for (size_t i = 0; i < pixels; i++)
        for (unsigned c = 0; c < channels; c++)
            samples[i * channels + c] =
                webp_sample((uint32_t)i % spec->width, (uint32_t)i / spec->width, c);
    if (spec->lossless)
        size = spec->alpha ? WebPEncodeLosslessRGBA(samples, width, height, 4 * width, bytes)
                           : WebPEncodeLosslessRGB(samples, width, height, 3 * width, bytes);
    else
        size = spec->alpha ? WebPEncodeRGBA(samples, width, height, 4 * width, 95, bytes)
                           : WebPEncodeRGB(samples, width, height, 3 * width, 95, bytes);
    free(samples);
    return size;
}

static uint8_t *put(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *to++ = (uint8_t)(value >> 8 * i);
    return to;
}

static uint8_t *put_chunk(uint8_t *to, const char *type, size_t length)
{
    memcpy(to, type, 4);
    return put(to + 4, (uint32_t)length, 4);
}

static uint8_t *put_exif(uint8_t *to, const struct webp_spec *spec)
{
    uint8_t tiff[26] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1};
    size_t prefix = spec->exif_prefix ? 6 : 0;

    tiff[19] = (uint8_t)spec->orientation;
    to = put_chunk(to, "EXIF", prefix + sizeof tiff);
    memcpy(to, "Exif\0", prefix);
    memcpy(to + prefix, tiff, sizeof tiff);
    return to + prefix + sizeof tiff;
}

/* The extended container around the chunks of one picture. */
static size_t wrap(const struct webp_spec *spec, const uint8_t *picture, size_t size, uint8_t *to)
{
    uint32_t width = spec->canvas_width != 0 ? spec->canvas_width : spec->width;
    uint32_t height = spec->canvas_height != 0 ? spec->canvas_height : spec->height;
    unsigned flags = (spec->frames != 0 ? 0x02u : 0) | (spec->orientation != 0 ? 0x08u : 0) |
                     (spec->alpha ? 0x10u : 0);
    uint8_t *at = put_chunk(to + RIFF_BYTES, "VP8X", VP8X_BYTES);

    at = put(put(put(at, flags, 4), width - 1, 3), height - 1, 3);
    if (spec->frames != 0)
        at = put(put_chunk(at, "ANIM", ANIM_BYTES), 0x80ff40ffu, ANIM_BYTES);
    for (unsigned i = 0; i < (spec->frames != 0 ? spec->frames : 1); i++) {
        if (spec->frames != 0) {
            at = put_chunk(at, "ANMF", ANMF_BYTES + size);
            at = put(put(at, spec->x / 2, 3), spec->y / 2, 3);
            at = put(put(at, spec->width - 1, 3), spec->height - 1, 3);
            at = put(at, 100, 4);
        }
        memcpy(at, picture, size);
        at += size;
    }
    if (spec->orientation != 0)
        at = put_exif(at, spec);
    memcpy(to, "RIFF", 4);
    put(to + 4, (uint32_t)(at - to - 8), 4);
    memcpy(to + 8, "WEBP", 4);
    return (size_t)(at - to);
}

bool webp_make(const struct webp_spec *spec, uint8_t **bytes, size_t *size)
{
    uint8_t *encoded = NULL, *wrapped;
    size_t encoded_size = encode(spec, &encoded), skipped = RIFF_BYTES;

    if (encoded_size == 0)
        return false;
    if (memcmp(encoded + RIFF_BYTES, "VP8X", 4) == 0)
        skipped += CHUNK_BYTES + VP8X_BYTES;
    wrapped = malloc((encoded_size + 64) * (spec->frames + 1) + 256);
    if (wrapped != NULL && (spec->frames != 0 || spec->orientation != 0))
        *size = wrap(spec, encoded + skipped, encoded_size - skipped, wrapped);
    else if (wrapped != NULL)
        memcpy(wrapped, encoded, *size = encoded_size);
    WebPFree(encoded);
    *bytes = wrapped;
    return wrapped != NULL;
}

/* ---- a bomb, bit by bit (RFC 9649, section 3) ---- */

struct bits {
    uint8_t *bytes; /* zeroed */
    size_t n;       /* bits written */
};

static void put_bits(struct bits *bits, unsigned value, unsigned n)
{
    for (unsigned i = 0; i < n; i++, bits->n++)
        bits->bytes[bits->n / 8] |= (uint8_t)((value >> i & 1) << bits->n % 8);
}

/* A code of the one symbol 0, which takes no bits. */
static void put_zero_code(struct bits *bits)
{
    put_bits(bits, 1, 1); /* simple, of one symbol, of one bit: 0 */
    put_bits(bits, 0, 3);
}

/* A code of 8 bits for each of the symbols 0..255. */
static void put_byte_code(struct bits *bits, bool first_256_only)
{
    put_bits(bits, 0, 1);      /* not simple */
    put_bits(bits, 12 - 4, 4); /* lengths of code lengths up to that of 8, the 12th */
    for (unsigned i = 0; i < 11; i++)
        put_bits(bits, 0, 3);
    put_bits(bits, 1, 3);
    put_bits(bits, first_256_only, 1);
    if (first_256_only) {
        put_bits(bits, 3, 3); /* the number in 2 + 2 * 3 bits, less 2 */
        put_bits(bits, 256 - 2, 8);
    }
}

static void put_byte(struct bits *bits, unsigned value)
{
    for (unsigned i = 8; i-- > 0;)
        put_bits(bits, value >> i & 1, 1);
}

/* Tile i has the codes i, or where `idle` the first, and the last tile the last. */
static bool make_tiles(uint32_t side, bool idle, uint8_t **bytes, size_t *size)
{
    size_t tiles = (size_t)(side / 4) * (side / 4), length;
    uint8_t *file = calloc(1, 1024 + 5 * tiles), *payload = file + RIFF_BYTES + CHUNK_BYTES;
    struct bits bits = {.bytes = payload};

    if (file == NULL)
        return false;
    put_bits(&bits, 0x2f, 8);
    put_bits(&bits, side - 1, 14);
    put_bits(&bits, side - 1, 14);
    put_bits(&bits, 0, 1 + 3); /* no alpha, version 0 */
    put_bits(&bits, 0, 1);     /* no transform */
    put_bits(&bits, idle, 1);  /* a colour cache makes codes longer: 2^11 */
    if (idle)
        put_bits(&bits, 11, 4);
    put_bits(&bits, 1, 1); /* a picture of the tiles' codes: tiles of 4 x 4, no colour cache */
    put_bits(&bits, 0, 3 + 1);
    put_byte_code(&bits, true); /* its green and red are the number of a group of codes */
    put_byte_code(&bits, false);
    for (unsigned i = 0; i < 3; i++)
        put_zero_code(&bits);
    for (unsigned i = 0; i < tiles; i++) {
        unsigned group = idle && i + 1 < tiles ? 0 : i;

        put_byte(&bits, group & 0xff);
        put_byte(&bits, group >> 8);
    }
    for (size_t i = 0; i < 5 * tiles; i++)
        put_zero_code(&bits);
    length = (bits.n + 7) / 8;
    length += length % 2;
    put_chunk(file + RIFF_BYTES, "VP8L", length);
    put_chunk(file, "RIFF", 4 + CHUNK_BYTES + length);
    memcpy(file + 8, "WEBP", 4);
    *bytes = file;
    *size = RIFF_BYTES + CHUNK_BYTES + length;
    return true;
}

bool webp_make_bomb(uint32_t side, uint8_t **bytes, size_t *size)
{
    return make_tiles(side, false, bytes, size);
}

bool webp_make_idle_bomb(uint8_t **bytes, size_t *size)
{
    return make_tiles(1024, true, bytes, size);
}

size_t webp_find_chunk(const uint8_t *bytes, size_t size, const char *type, unsigned nth)
{
    size_t at = RIFF_BYTES;

    while (at + CHUNK_BYTES <= size) {
        uint32_t length = 0;

        for (unsigned i = 4; i > 0; i--)
            length = length << 8 | bytes[at + 3 + i];
        if (memcmp(bytes + at, type, 4) == 0 && nth-- == 0)
            return at;
        at += CHUNK_BYTES;
        at += memcmp(bytes + at - CHUNK_BYTES, "ANMF", 4) == 0 ? ANMF_BYTES : length + length % 2;
    }
    return 0;
}
