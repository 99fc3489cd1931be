/* Pictures: encoded bytes to upright RGB pixels, and to other sizes. A part of vgg.h. */
#ifndef VGG_IMAGE_H
#define VGG_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "vgg_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bounds checked before anything of the image's size is allocated, and the way out of a decode. */
struct vgg_image_limits {
    uint64_t pixels_max; /* width * height of the picture; 0: 64 Mi */
    uint32_t scans_max;  /* scans of a progressive JPEG; 0: 100 */
    /*
     * Asked every few milliseconds of a decode, on its thread; NULL: never. VGG_OK goes on,
     * CANCELLED or DEADLINE ends the decode with that status.
     */
    enum vgg_status (*poll)(void *user);
    void *user;
};

/* What the header says. width and height in pixels, after EXIF orientation. */
struct vgg_image_info {
    const char *format; /* "jpeg", "png", "webp"; static storage */
    uint32_t width;
    uint32_t height;
    uint64_t work; /* predicted, of decoding it: pixels of an ordinary baseline JPEG; else 0 */
};

/* A decoded picture: 8-bit RGB, upright. Immutable once made; any thread may read it. */
struct vgg_image;

/*
 * Read format and dimensions from the first bytes of an encoded picture, without decoding and
 * without allocating anything of its size. `bytes[size]` stays the caller's; `limits` may be NULL.
 * Errors: UNSUPPORTED_FORMAT (not JPEG, PNG or WebP), BAD_IMAGE (damaged or an unsupported kind,
 * such as 12-bit or lossless JPEG), TOO_LARGE (over pixels_max), NO_MEMORY. Thread-safe.
 */
enum vgg_status vgg_image_peek(const void *bytes, size_t size,
                               const struct vgg_image_limits *limits, struct vgg_image_info *info,
                               struct vgg_error *error);

/*
 * Decode a picture: accurate integer IDCT, fancy upsampling, CMYK and YCCK as inverted, alpha
 * dropped, the first frame of an animation, EXIF orientation applied. Colours are those of Pillow's
 * convert("RGB"). Damage is an error, never a partly grey picture. Errors as vgg_image_peek, and
 * what limits->poll says. The caller owns *image. Thread-safe.
 */
enum vgg_status vgg_image_decode(const void *bytes, size_t size,
                                 const struct vgg_image_limits *limits, struct vgg_image **image,
                                 struct vgg_error *error);

enum { VGG_SCALES_MAX = 8, VGG_SCALE_MAX = 1024, VGG_SIDE_MAX = 1 << 24 }; /* a number; pixels */

/* Sides of a picture, at least 1x1, whose shorter side is rescaled to `scale` pixels: the longer is
 * then floor(scale * long / short). Pure. */
void vgg_image_scaled_size(uint32_t width, uint32_t height, uint32_t scale, uint64_t *scaled_width,
                           uint64_t *scaled_height);

/*
 * Rescale to that size. Bit-identical to Pillow's resize(BILINEAR). Errors: BAD_ARGUMENT (scale 0),
 * TOO_LARGE (a side over VGG_SIDE_MAX), NO_MEMORY. The caller owns *out. Thread-safe.
 */
enum vgg_status vgg_image_rescale(const struct vgg_image *image, uint32_t scale,
                                  struct vgg_image **out, struct vgg_error *error);

/* Format and dimensions of a decoded image. */
struct vgg_image_info vgg_image_get_info(const struct vgg_image *image);

/* Pixels [height][width][3], R G B, rows without padding. Valid until the image is destroyed. */
const uint8_t *vgg_image_pixels(const struct vgg_image *image);

/* Free an image. NULL is allowed. */
void vgg_image_destroy(struct vgg_image *image);

#ifdef __cplusplus
}
#endif

#endif
