/* A small copy of a picture. Sums are integers: their order changes nothing. */
#include "data/fingerprint.h"

/* The part of 0 .. size that belongs to a cell: at least one pixel. */
static void set_range(uint32_t cell, uint32_t size, uint32_t *from, uint32_t *to)
{
    *from = (uint32_t)((uint64_t)cell * size / VGG_FINGERPRINT_SIDE);
    *to = (uint32_t)((uint64_t)(cell + 1) * size / VGG_FINGERPRINT_SIDE);
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

struct vgg_fingerprint vgg_fingerprint_of(const struct vgg_image *image)
{
    struct vgg_fingerprint fingerprint;

    for (uint32_t row = 0; row < VGG_FINGERPRINT_SIDE; row++)
        for (uint32_t column = 0; column < VGG_FINGERPRINT_SIDE; column++)
            fingerprint.luminance[row][column] = mean_luminance(image, column, row);
    return fingerprint;
}
