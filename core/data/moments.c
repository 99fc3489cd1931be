/* Moments of a picture's colours. Sums are integers: their order changes nothing. */
#include "data/moments.h"

struct vgg_moments vgg_moments_of(const struct vgg_image *image)
{
    const uint8_t *pixel = image->pixels;
    size_t n = (size_t)image->info.width * image->info.height;
    uint64_t sums[3] = {0}, sums2[6] = {0}; /* below 2^26 pixels * 2^16 */
    struct vgg_moments moments;

    for (size_t i = 0; i < n; i++, pixel += 3) {
        uint32_t r = pixel[0], g = pixel[1], b = pixel[2];

        sums[0] += r;
        sums[1] += g;
        sums[2] += b;
        sums2[0] += r * r;
        sums2[1] += r * g;
        sums2[2] += r * b;
        sums2[3] += g * g;
        sums2[4] += g * b;
        sums2[5] += b * b;
    }
    for (unsigned i = 0; i < 3; i++)
        moments.mean[i] = (double)sums[i] / (255.0 * (double)n);
    for (unsigned i = 0; i < 6; i++)
        moments.product[i] = (double)sums2[i] / (255.0 * 255.0 * (double)n);
    return moments;
}
