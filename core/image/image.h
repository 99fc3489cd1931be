/*
 * Decoded pictures, and the decoder interface behind vgg_image_peek and vgg_image_decode.
 * Path of a request: bytes -> [this] -> views.
 */
#ifndef VGG_CORE_IMAGE_IMAGE_H
#define VGG_CORE_IMAGE_IMAGE_H

#include "vgg.h"

struct vgg_image {
    struct vgg_image_info info; /* upright dimensions */
    uint8_t *pixels;            /* [height][width][3] RGB, owned */
};

/*
 * One image format. `matches` looks at the first bytes only. `peek` fills dimensions after
 * orientation; `decode` gives upright RGB. Both get limits without zero fields, and both must
 * refuse a picture over limits->pixels_max before they allocate anything of its size.
 */
struct vgg_decoder {
    const char *format;
    bool (*matches)(const uint8_t *bytes, size_t size);
    enum vgg_status (*peek)(const uint8_t *bytes, size_t size,
                            const struct vgg_image_limits *limits, struct vgg_image_info *info,
                            struct vgg_error *error);
    enum vgg_status (*decode)(const uint8_t *bytes, size_t size,
                              const struct vgg_image_limits *limits, struct vgg_image **image,
                              struct vgg_error *error);
};

extern const struct vgg_decoder vgg_decoder_jpeg;
extern const struct vgg_decoder vgg_decoder_png;
extern const struct vgg_decoder vgg_decoder_webp;

/* TOO_LARGE where a picture of this size is over limits->pixels_max or has too long a side. */
enum vgg_status vgg_image_check_size(uint32_t width, uint32_t height,
                                     const struct vgg_image_limits *limits,
                                     struct vgg_error *error);

/* Ask limits->poll whether the work goes on: VGG_OK, or the status to end it with. NULL: it does.
 */
enum vgg_status vgg_image_poll(const struct vgg_image_limits *limits, struct vgg_error *error);

/*
 * What peek tells of a picture stored as width x height with an EXIF orientation (1..8), to decode
 * which takes `work`: turning it is added here.
 */
struct vgg_image_info vgg_image_upright_info(const char *format, uint32_t width, uint32_t height,
                                             unsigned orientation, uint64_t work);

/* An image with room for its pixels; width and height at least 1. NULL when out of memory. */
struct vgg_image *vgg_image_create(const char *format, uint32_t width, uint32_t height);

/*
 * EXIF orientation (1..8) from a TIFF structure, with or without "Exif\0\0" before it; 1 where
 * there is none or it is broken.
 */
unsigned vgg_exif_orientation(const uint8_t *payload, size_t size);

/* The same; false where there is no such tag. */
bool vgg_exif_find_orientation(const uint8_t *payload, size_t size, unsigned *orientation);

/*
 * Turn `image` upright for an EXIF orientation (1..8), replacing *image where width and height
 * swap. On VGG_NO_MEMORY, or where limits->poll ends it, *image is unchanged.
 */
enum vgg_status vgg_image_orient(struct vgg_image **image, unsigned orientation,
                                 const struct vgg_image_limits *limits, struct vgg_error *error);

/* vgg_image_rescale with a way out: only limits->poll counts. NULL is allowed. */
enum vgg_status vgg_image_rescale_within(const struct vgg_image *image, uint32_t scale,
                                         const struct vgg_image_limits *limits,
                                         struct vgg_image **out, struct vgg_error *error);

struct vgg_rect {
    uint32_t x, y, width, height;
};

/*
 * Triangle-filter resize of src[h][w][3] to exactly out_w x out_h, as Pillow's BILINEAR, of which
 * only `part` is computed: dst[part->height][part->width][3].
 */
enum vgg_status vgg_resample_part(const uint8_t *src, uint32_t width, uint32_t height, uint8_t *dst,
                                  uint32_t out_width, uint32_t out_height,
                                  const struct vgg_rect *part, struct vgg_error *error);

#endif
