/*
 * The choice of a decoder.
 * Path of a request: bytes -> [peek, on a network thread or a parser] -> queue -> [decode] ->
 * rescale.
 */
#include "base/error.h"
#include "image/image.h"
#include "image/strangers.h"

#define READABLE "JPEG, PNG, WebP" /* what decoders[] reads, for people */

static const struct vgg_decoder *const decoders[] = {&vgg_decoder_jpeg, &vgg_decoder_png,
                                                     &vgg_decoder_webp};

static const uint64_t PIXELS_MAX_DEFAULT = UINT64_C(64) << 20;
static const uint32_t SCANS_MAX_DEFAULT = 100; /* encoders make 18 at most, for CMYK */

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
