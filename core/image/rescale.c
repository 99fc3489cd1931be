/*
 * Rescaling a picture to a scale.
 * Path of a request: decode -> orient -> [this] -> views.
 */
#include "base/error.h"
#include "image/image.h"

/*
 * Pixels read, or written, between two polls of rescaling: some 8 ms. Neighbouring bands read the
 * rows in between twice, so they are not smaller.
 */
static const uint64_t BAND_PIXELS = 8 << 20;

/* In bands of rows, which give the same bits, so that a large picture does not take too long. */
static enum vgg_status rescale_bands(const struct vgg_image *image, struct vgg_image *scaled,
                                     const struct vgg_image_limits *limits, struct vgg_error *error)
{
    const struct vgg_image_info *in = &image->info, *out = &scaled->info;
    uint64_t pixels = (uint64_t)in->width * in->height,
             out_pixels = (uint64_t)out->width * out->height;
    uint64_t bands = (pixels > out_pixels ? pixels : out_pixels) / BAND_PIXELS + 1;
    uint32_t rows = (uint32_t)(out->height / bands + 1);
    struct vgg_rect band = {.width = out->width};
    enum vgg_status status = VGG_OK;

    for (; status == VGG_OK && band.y < out->height; band.y += band.height) {
        band.height = rows < out->height - band.y ? rows : out->height - band.y;
        status = vgg_image_poll(limits, error);
        if (status == VGG_OK)
            status = vgg_resample_part(image->pixels, in->width, in->height,
                                       scaled->pixels + (size_t)band.y * out->width * 3, out->width,
                                       out->height, &band, error);
    }
    return status;
}

void vgg_image_scaled_size(uint32_t width, uint32_t height, uint32_t scale, uint64_t *scaled_width,
                           uint64_t *scaled_height)
{
    *scaled_width = width <= height ? scale : (uint64_t)scale * width / height;
    *scaled_height = width <= height ? (uint64_t)scale * height / width : scale;
}

enum vgg_status vgg_image_rescale(const struct vgg_image *image, uint32_t scale,
                                  struct vgg_image **out, struct vgg_error *error)
{
    return vgg_image_rescale_within(image, scale, NULL, out, error);
}

enum vgg_status vgg_image_rescale_within(const struct vgg_image *image, uint32_t scale,
                                         const struct vgg_image_limits *limits,
                                         struct vgg_image **out, struct vgg_error *error)
{
    uint32_t width = image->info.width, height = image->info.height;
    uint64_t scaled_width, scaled_height;
    struct vgg_image *scaled;
    enum vgg_status status;

    if (scale == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "a scale of 0 pixels");
    vgg_image_scaled_size(width, height, scale, &scaled_width, &scaled_height);
    if (width > VGG_SIDE_MAX || height > VGG_SIDE_MAX || scaled_width > VGG_SIDE_MAX ||
        scaled_height > VGG_SIDE_MAX)
        return vgg_fail(error, VGG_TOO_LARGE,
                        "%u x %u pixels at scale %u: a side would be over %d pixels", width, height,
                        scale, VGG_SIDE_MAX);
    scaled = vgg_image_create(image->info.format, (uint32_t)scaled_width, (uint32_t)scaled_height);
    if (scaled == NULL)
        return vgg_fail_memory(error);
    status = rescale_bands(image, scaled, limits, error);
    if (status != VGG_OK) {
        vgg_image_destroy(scaled);
        return status;
    }
    *out = scaled;
    return VGG_OK;
}
