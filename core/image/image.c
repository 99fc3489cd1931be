/*
 * Images: creation, the choice of a decoder, rescaling to a scale.
 * Path of a request: bytes -> [peek, on the network thread] -> queue -> [decode, rescale] -> views.
 */
#include "image/image.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "image/strangers.h"

#define READABLE "JPEG, PNG, WebP" /* what decoders[] reads, for people */

static const struct vgg_decoder *const decoders[] = {&vgg_decoder_jpeg, &vgg_decoder_png,
                                                     &vgg_decoder_webp};

static const uint64_t PIXELS_MAX_DEFAULT = UINT64_C(64) << 20;
static const uint32_t SCANS_MAX_DEFAULT = 100; /* encoders make 18 at most, for CMYK */

/* Sides beyond this are not exact as a float, which is how Pillow hands them to its filter. */
static const uint32_t SIDE_MAX = 1u << 24;

/* No camera makes more, and a decoder may hold a few rows of 8 bytes a pixel. */
static const uint32_t STORED_SIDE_MAX = 1u << 20;

/*
 * Pixels read, or written, between two polls of rescaling: some 8 ms. Neighbouring bands read the
 * rows in between twice, so they are not smaller.
 */
static const uint64_t BAND_PIXELS = 8 << 20;

static enum vgg_status find_decoder(const uint8_t *bytes, size_t size,
                                    const struct vgg_decoder **decoder, struct vgg_error *error)
{
    struct vgg_stranger stranger;

    if (size == 0)
        return vgg_fail(error, VGG_UNSUPPORTED_FORMAT,
                        "no bytes at all: expected an image (" READABLE ")");
    for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++) {
        if (decoders[i]->matches(bytes, size)) {
            *decoder = decoders[i];
            return VGG_OK;
        }
    }
    if (vgg_stranger_find(bytes, size, &stranger))
        return vgg_fail(error, VGG_UNSUPPORTED_FORMAT,
                        "not an image format we read (" READABLE "); the bytes look like %s%s: %s",
                        stranger.name, stranger.of, stranger.advice);
    return vgg_fail(error, VGG_UNSUPPORTED_FORMAT,
                    "not an image format we read (" READABLE "); the first byte is 0x%02x",
                    (unsigned)bytes[0]);
}

static struct vgg_image_limits fill_limits(const struct vgg_image_limits *limits)
{
    struct vgg_image_limits filled = {0};

    if (limits != NULL)
        filled = *limits;
    if (filled.pixels_max == 0)
        filled.pixels_max = PIXELS_MAX_DEFAULT;
    if (filled.scans_max == 0)
        filled.scans_max = SCANS_MAX_DEFAULT;
    return filled;
}

enum vgg_status vgg_image_peek(const void *bytes, size_t size,
                               const struct vgg_image_limits *limits, struct vgg_image_info *info,
                               struct vgg_error *error)
{
    struct vgg_image_limits filled = fill_limits(limits);
    const struct vgg_decoder *decoder;
    enum vgg_status status = find_decoder(bytes, size, &decoder, error);

    if (status != VGG_OK)
        return status;
    return decoder->peek(bytes, size, &filled, info, error);
}

enum vgg_status vgg_image_decode(const void *bytes, size_t size,
                                 const struct vgg_image_limits *limits, struct vgg_image **image,
                                 struct vgg_error *error)
{
    struct vgg_image_limits filled = fill_limits(limits);
    const struct vgg_decoder *decoder;
    enum vgg_status status = find_decoder(bytes, size, &decoder, error);

    if (status != VGG_OK)
        return status;
    return decoder->decode(bytes, size, &filled, image, error);
}

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

enum vgg_status vgg_image_rescale(const struct vgg_image *image, uint32_t scale,
                                  struct vgg_image **out, struct vgg_error *error)
{
    return vgg_image_rescale_within(image, scale, NULL, out, error);
}

enum vgg_status vgg_image_rescale_within(const struct vgg_image *image, uint32_t scale,
                                         const struct vgg_image_limits *limits,
                                         struct vgg_image **out, struct vgg_error *error)
{
    uint32_t width = image->info.width;
    uint32_t height = image->info.height;
    uint32_t shorter = width < height ? width : height;
    uint32_t longer = width < height ? height : width;
    uint64_t side = (uint64_t)scale * longer / shorter;
    struct vgg_image *scaled;
    enum vgg_status status;

    if (scale == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "a scale of 0 pixels");
    if (side > SIDE_MAX || longer > SIDE_MAX)
        return vgg_fail(error, VGG_TOO_LARGE,
                        "%u x %u pixels at scale %u: a side would be over %u pixels", width, height,
                        scale, SIDE_MAX);
    scaled = vgg_image_create(image->info.format, width < height ? scale : (uint32_t)side,
                              width < height ? (uint32_t)side : scale);
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

struct vgg_image_info vgg_image_upright_info(const char *format, uint32_t width, uint32_t height,
                                             unsigned orientation, uint64_t work)
{
    bool swapped = orientation >= 5;
    uint64_t pixels = (uint64_t)width * height;

    return (struct vgg_image_info){.format = format,
                                   .width = swapped ? height : width,
                                   .height = swapped ? width : height,
                                   .work = work + vgg_image_orient_work(pixels, orientation)};
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
