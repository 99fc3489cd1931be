/* Fingerprints. Sums of pixels are integers, those of the transform have one order. */
#include "data/fingerprint.h"

#include <math.h>

enum { SIDE = VGG_FINGERPRINT_SIDE, BITS = 64, FREQUENCIES = 11 };

/* ---------------------------------------------------------------- small copy ----------------- */

/* The part of 0 .. size that belongs to a cell: at least one pixel. */
static void set_range(uint32_t cell, uint32_t size, uint32_t *from, uint32_t *to)
{
    *from = (uint32_t)((uint64_t)cell * size / SIDE);
    *to = (uint32_t)((uint64_t)(cell + 1) * size / SIDE);
    if (*to == *from)
        ++*to;
}

/* BT.601 in 256ths, the mean of the cell's pixels. */
static uint8_t mean_luminance(const struct vgg_image *image, uint32_t column, uint32_t row)
{
    uint32_t x0, x1, y0, y1;
    uint64_t sum = 0, n;

    set_range(column, image->info.width, &x0, &x1);
    set_range(row, image->info.height, &y0, &y1);
    for (uint32_t y = y0; y < y1; y++) {
        const uint8_t *pixel = image->pixels + 3 * ((size_t)y * image->info.width + x0);

        for (uint32_t x = x0; x < x1; x++, pixel += 3)
            sum += 77U * pixel[0] + 150U * pixel[1] + 29U * pixel[2];
    }
    n = 256 * (uint64_t)(x1 - x0) * (y1 - y0);
    return (uint8_t)((sum + n / 2) / n);
}

/* ---------------------------------------------------------------- hash ----------------------- */

/* Bits are in ascending order of the two frequencies' sum; their places. */
struct frequency {
    unsigned vertical, horizontal;
};

static struct frequency next_frequency(struct frequency f)
{
    if (f.horizontal == 0)
        return (struct frequency){0, f.vertical + 1};
    return (struct frequency){f.vertical + 1, f.horizontal - 1};
}

static void fill_cosines(double cosines[FREQUENCIES][SIDE])
{
    const double pi = 3.14159265358979323846;

    for (unsigned k = 0; k < FREQUENCIES; k++)
        for (unsigned i = 0; i < SIDE; i++)
            cosines[k][i] = cos(pi * (2 * i + 1) * k / (2 * SIDE));
}

static uint64_t hash_of(const struct vgg_fingerprint *fingerprint)
{
    double cosines[FREQUENCIES][SIDE], columns[FREQUENCIES][SIDE] = {{0}};
    struct frequency f = {0, 1};
    uint64_t hash = 0;

    fill_cosines(cosines);
    for (unsigned k = 0; k < FREQUENCIES; k++)
        for (unsigned y = 0; y < SIDE; y++)
            for (unsigned x = 0; x < SIDE; x++)
                columns[k][x] += cosines[k][y] * fingerprint->luminance[y][x];
    for (unsigned bit = 0; bit < BITS; bit++, f = next_frequency(f)) {
        double sum = 0;

        for (unsigned x = 0; x < SIDE; x++)
            sum += columns[f.vertical][x] * cosines[f.horizontal][x];
        hash |= (uint64_t)(sum > 0) << bit;
    }
    return hash;
}

/* Odd frequencies change their sign. */
uint64_t vgg_fingerprint_mirror_hash(uint64_t hash)
{
    struct frequency f = {0, 1};

    for (unsigned bit = 0; bit < BITS; bit++, f = next_frequency(f))
        hash ^= (uint64_t)(f.horizontal % 2) << bit;
    return hash;
}

struct vgg_fingerprint vgg_fingerprint_of(const struct vgg_image *image)
{
    struct vgg_fingerprint fingerprint;

    for (uint32_t row = 0; row < SIDE; row++)
        for (uint32_t column = 0; column < SIDE; column++)
            fingerprint.luminance[row][column] = mean_luminance(image, column, row);
    fingerprint.hash = hash_of(&fingerprint);
    return fingerprint;
}

struct vgg_fingerprint vgg_fingerprint_mirror(const struct vgg_fingerprint *fingerprint)
{
    struct vgg_fingerprint mirror = {.hash = vgg_fingerprint_mirror_hash(fingerprint->hash)};

    for (unsigned y = 0; y < SIDE; y++)
        for (unsigned x = 0; x < SIDE; x++)
            mirror.luminance[y][x] = fingerprint->luminance[y][SIDE - 1 - x];
    return mirror;
}
