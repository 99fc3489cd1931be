/*
 * Pixels of a PNG: where they are stored, undoing filters, conversion to RGB.
 * Path of a request: png_rows.c -> [this] -> png_rows.c.
 *
 * Colours are those of Pillow's convert("RGB"): alpha and tRNS are dropped, 16 bits are cut to the
 * upper 8, but 16-bit grey is clipped at 255.
 */
#include <stdlib.h>
#include <string.h>

#include "image/png_file.h"

enum { RGB_CHANNELS = 3, ADAM7_PASSES = 7 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* ---- where they are ---- */

size_t vgg_png_row_bytes(const struct vgg_png_file *file, uint32_t width)
{
    return ((size_t)width * file->channels * file->depth + 7) / 8;
}

unsigned vgg_png_passes(const struct vgg_png_file *file)
{
    return file->interlaced ? ADAM7_PASSES : 1;
}

/* Of `size` pixels every `step`-th from `first` on. */
static uint32_t count(uint32_t size, uint32_t first, uint32_t step)
{
    return size > first ? (size - first + step - 1) / step : 0;
}

struct vgg_png_pass vgg_png_pass_at(const struct vgg_png_file *file, unsigned n)
{
    static const struct vgg_png_pass adam7[ADAM7_PASSES] = {
        {0, 0, 8, 8, 0, 0}, {4, 0, 8, 8, 0, 0}, {0, 4, 4, 8, 0, 0}, {2, 0, 4, 4, 0, 0},
        {0, 2, 2, 4, 0, 0}, {1, 0, 2, 2, 0, 0}, {0, 1, 1, 2, 0, 0},
    };
    struct vgg_png_pass pass = {0, 0, 1, 1, 0, 0};

    if (file->interlaced)
        pass = adam7[n];
    pass.width = count(file->width, pass.x, pass.dx);
    pass.height = count(file->height, pass.y, pass.dy);
    return pass;
}

uint64_t vgg_png_raw_bytes(const struct vgg_png_file *file)
{
    uint64_t bytes = 0;

    for (unsigned n = 0; n < vgg_png_passes(file); n++) {
        struct vgg_png_pass pass = vgg_png_pass_at(file, n);

        if (pass.width != 0)
            bytes += (uint64_t)pass.height * (1 + vgg_png_row_bytes(file, pass.width));
    }
    return bytes;
}

/* ---- filters; inlined for every step, so that the pixel before stays in registers ---- */

ALWAYS_INLINE void add_left(uint8_t *row, size_t n, const size_t step)
{
    for (size_t i = step; i < n; i++)
        row[i] = (uint8_t)(row[i] + row[i - step]);
}

static void add_above(uint8_t *row, const uint8_t *above, size_t n)
{
    for (size_t i = 0; i < n; i++)
        row[i] = (uint8_t)(row[i] + above[i]);
}

ALWAYS_INLINE void add_mean(uint8_t *row, const uint8_t *above, size_t n, const size_t step)
{
    uint8_t left[8] = {0};

    for (size_t i = 0; i < n; i += step)
        for (size_t c = 0; c < step; c++)
            left[c] = row[i + c] = (uint8_t)(row[i + c] + (left[c] + above[i + c]) / 2);
}

/* That of left, above and corner which is nearest to left + above - corner. */
ALWAYS_INLINE int nearest(int left, int above, int corner)
{
    int to_left = above - corner, to_above = left - corner, to_corner = abs(to_left + to_above);
    int best = left;

    to_left = abs(to_left);
    to_above = abs(to_above);
    best = to_above < to_left ? above : best;
    to_left = to_above < to_left ? to_above : to_left;
    return to_corner < to_left ? corner : best;
}

ALWAYS_INLINE void add_nearest(uint8_t *row, const uint8_t *above, size_t n, const size_t step)
{
    int left[8] = {0}, corner[8] = {0};

    for (size_t i = 0; i < n; i += step)
        for (size_t c = 0; c < step; c++) {
            left[c] = (uint8_t)(row[i + c] + nearest(left[c], above[i + c], corner[c]));
            corner[c] = above[i + c];
            row[i + c] = (uint8_t)left[c];
        }
}

ALWAYS_INLINE void unfilter(unsigned filter, uint8_t *row, const uint8_t *above, size_t n,
                            const size_t step)
{
    switch (filter) {
    case 1:
        add_left(row, n, step);
        return;
    case 2:
        add_above(row, above, n);
        return;
    case 3:
        add_mean(row, above, n, step);
        return;
    case 4:
        add_nearest(row, above, n, step);
        return;
    default:
        return;
    }
}

void vgg_png_unfilter(unsigned filter, uint8_t *row, const uint8_t *above, size_t n, size_t step)
{
    switch (step) {
    case 1:
        unfilter(filter, row, above, n, 1);
        return;
    case 2:
        unfilter(filter, row, above, n, 2);
        return;
    case 3:
        unfilter(filter, row, above, n, 3);
        return;
    case 4:
        unfilter(filter, row, above, n, 4);
        return;
    case 6:
        unfilter(filter, row, above, n, 6);
        return;
    default:
        unfilter(filter, row, above, n, 8);
        return;
    }
}

/* ---- colours; every loop writes pixels that lie `gap` bytes apart ---- */

/* Three bytes of each pixel of `bytes`, `apart` bytes from each other. */
static void copy_colours(const uint8_t *row, uint32_t width, size_t gap, uint8_t *rgb, size_t bytes,
                         size_t apart)
{
    for (uint32_t x = 0; x < width; x++, row += bytes, rgb += gap) {
        rgb[0] = row[0];
        rgb[1] = row[apart];
        rgb[2] = row[2 * apart];
    }
}

static void clip_grey(const uint8_t *row, uint32_t width, size_t gap, uint8_t *rgb)
{
    for (uint32_t x = 0; x < width; x++, rgb += gap)
        memset(rgb, row[2 * x] != 0 ? UINT8_MAX : row[2 * x + 1], RGB_CHANNELS);
}

/* Samples of 1, 2, 4 or 8 bits by a table of their colours. */
static void look_up(const uint8_t (*colours)[RGB_CHANNELS], unsigned depth, const uint8_t *row,
                    uint32_t width, size_t gap, uint8_t *rgb)
{
    unsigned mask = (1u << depth) - 1;

    for (size_t x = 0; x < width; x++, rgb += gap) {
        size_t bit = x * depth;
        unsigned sample = (unsigned)row[bit / 8] >> (8 - depth - bit % 8) & mask;

        memcpy(rgb, colours[sample], RGB_CHANNELS);
    }
}

/* Grey of up to 4 bits: over the whole range. */
static void spread_grey(unsigned depth, const uint8_t *row, uint32_t width, size_t gap,
                        uint8_t *rgb)
{
    uint8_t greys[1 << 4][RGB_CHANNELS];
    unsigned most = (1u << depth) - 1;

    for (unsigned i = 0; i <= most; i++)
        memset(greys[i], (int)(i * UINT8_MAX / most), RGB_CHANNELS);
    look_up(greys, depth, row, width, gap, rgb);
}

void vgg_png_convert(const struct vgg_png_file *file, const uint8_t *row, uint32_t width,
                     uint32_t dx, uint8_t *rgb)
{
    size_t sample = file->depth / 8, pixel = sample * file->channels;
    size_t gap = (size_t)dx * RGB_CHANNELS;

    switch (file->colour) {
    case VGG_PNG_INDEXED:
        look_up(file->palette, file->depth, row, width, gap, rgb);
        return;
    case VGG_PNG_GREY:
        if (file->depth < 8)
            spread_grey(file->depth, row, width, gap, rgb);
        else if (file->depth > 8)
            clip_grey(row, width, gap, rgb);
        else
            copy_colours(row, width, gap, rgb, 1, 0);
        return;
    case VGG_PNG_GREY_ALPHA:
        copy_colours(row, width, gap, rgb, pixel, 0);
        return;
    case VGG_PNG_RGB:
        if (pixel == RGB_CHANNELS && dx == 1) {
            memcpy(rgb, row, (size_t)width * RGB_CHANNELS);
            return;
        }
        break;
    case VGG_PNG_RGB_ALPHA:
        break;
    }
    copy_colours(row, width, gap, rgb, pixel, sample);
}
