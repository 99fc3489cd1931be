/*
 * A PNG as its chunks: what png.c and its parts share.
 * Path of a request: bytes -> [png_file.c, png_text.c; peek ends here] -> png_rows.c -> orient.
 */
#ifndef VGG_CORE_IMAGE_PNG_FILE_H
#define VGG_CORE_IMAGE_PNG_FILE_H

#include "image/image.h"

enum { VGG_PNG_SIGNATURE = 8, VGG_PNG_CHANNELS_MAX = 4, VGG_PNG_PALETTE = 256 };

enum vgg_png_colour {
    VGG_PNG_GREY = 0,
    VGG_PNG_RGB = 2,
    VGG_PNG_INDEXED = 3,
    VGG_PNG_GREY_ALPHA = 4,
    VGG_PNG_RGB_ALPHA = 6
};

struct vgg_png_file {
    const uint8_t *bytes; /* all of the file */
    size_t size;
    const struct vgg_image_limits *limits;
    struct vgg_error *error;

    uint32_t width, height; /* as stored */
    unsigned depth, channels;
    enum vgg_png_colour colour;
    bool interlaced;
    uint8_t palette[VGG_PNG_PALETTE][3];
    size_t idat;       /* where the first IDAT chunk begins */
    size_t idat_bytes; /* in the IDAT chunks that follow each other from there */
    unsigned chunks;
    unsigned orientation;
};

struct vgg_png_chunk {
    const uint8_t *type; /* 4 letters */
    const uint8_t *data;
    size_t length; /* of the data; fewer are there where the file is cut */
    size_t there;
    size_t next; /* offset of the next one; past the file where it is cut */
};

/* The chunk at an offset; false where none begins there. */
bool vgg_png_chunk_at(const struct vgg_png_file *file, size_t at, struct vgg_png_chunk *chunk);

bool vgg_png_is(const struct vgg_png_chunk *chunk, const char *type);

/*
 * Fill the fields above from the header and the heads of all chunks, whose checksums (but the
 * header's) are left for vgg_png_check. Refuses a picture over the limits; allocates nothing of the
 * picture's size.
 */
enum vgg_status vgg_png_open(struct vgg_png_file *file);

/*
 * BAD_IMAGE where a checksum of the chunks from one offset to another is wrong; one that is cut off
 * is not.
 */
enum vgg_status vgg_png_check(const struct vgg_png_file *file, size_t from, size_t to);

/* Bytes of a row of so many pixels as stored, without its filter. */
size_t vgg_png_row_bytes(const struct vgg_png_file *file, uint32_t width);

/* One of the pictures that the pixels are stored as: all of them, or seven times some. */
struct vgg_png_pass {
    uint32_t x, y;          /* of its first pixel */
    uint32_t dx, dy;        /* to its next */
    uint32_t width, height; /* in pixels of its own; none where either is 0 */
};

/* The nth of vgg_png_passes(file). */
unsigned vgg_png_passes(const struct vgg_png_file *file);
struct vgg_png_pass vgg_png_pass_at(const struct vgg_png_file *file, unsigned n);

/* Bytes of all rows with their filters. */
uint64_t vgg_png_raw_bytes(const struct vgg_png_file *file);

/* Inflate the rows and convert them to `image`, of the size stored. */
enum vgg_status vgg_png_read_rows(const struct vgg_png_file *file, struct vgg_image *image);

/* Undo filter 0..4 of a row of n bytes, `step` of them a pixel; above: the row before, or zeros. */
void vgg_png_unfilter(unsigned filter, uint8_t *row, const uint8_t *above, size_t n, size_t step);

/* Write `width` pixels of a row to RGB ones that lie dx pixels apart. */
void vgg_png_convert(const struct vgg_png_file *file, const uint8_t *row, uint32_t width,
                     uint32_t dx, uint8_t *rgb);

#endif
