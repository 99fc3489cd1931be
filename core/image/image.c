/* Decoded pictures, and what decoders and rescaling share: limits, a way out. */
#include "image/image.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"

/* No camera makes more, and a decoder may hold a few rows of 8 bytes a pixel. */
static const uint32_t STORED_SIDE_MAX = 1u << 20;

enum vgg_status vgg_image_check_size(uint32_t width, uint32_t height,
                                     const struct vgg_image_limits *limits, struct vgg_error *error)
{
    uint64_t pixels = (uint64_t)width * height;

    if (pixels > limits->pixels_max)
        return vgg_fail(error, VGG_TOO_LARGE, "%u x %u are %llu pixels, over the limit of %llu",
                        width, height, (unsigned long long)pixels,
                        (unsigned long long)limits->pixels_max);
    if (width > STORED_SIDE_MAX || height > STORED_SIDE_MAX)
        return vgg_fail(error, VGG_TOO_LARGE, "%u x %u: a side is over the limit of %u pixels",
                        width, height, STORED_SIDE_MAX);
    return VGG_OK;
}

enum vgg_status vgg_image_poll(const struct vgg_image_limits *limits, struct vgg_error *error)
{
    enum vgg_status status =
        limits != NULL && limits->poll != NULL ? limits->poll(limits->user) : VGG_OK;

    return status == VGG_OK ? VGG_OK : vgg_fail(error, status, "%s", vgg_status_text(status));
}

struct vgg_image *vgg_image_create(const char *format, uint32_t width, uint32_t height)
{
    struct vgg_image *image;
    size_t pixels;

    assert(width >= 1 && height >= 1);
    if (!vgg_size_mul(width, height, &pixels))
        return NULL;
    image = vgg_calloc(1, sizeof *image);
    if (image == NULL)
        return NULL;
    image->info = (struct vgg_image_info){.format = format, .width = width, .height = height};
    image->pixels = vgg_alloc_aligned(pixels, 3);
    if (image->pixels == NULL) {
        vgg_image_destroy(image);
        return NULL;
    }
    return image;
}

struct vgg_image_info vgg_image_get_info(const struct vgg_image *image)
{
    return image->info;
}

const uint8_t *vgg_image_pixels(const struct vgg_image *image)
{
    return image->pixels;
}

void vgg_image_destroy(struct vgg_image *image)
{
    if (image == NULL)
        return;
    free(image->pixels);
    free(image);
}
