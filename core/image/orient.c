/*
 * Turning a picture upright: the eight EXIF orientations. Those that keep width and height work in
 * place, the other four write a new image.
 * Path of a request: decode -> [this] -> rescale.
 */
#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "image/image.h"

enum {
    CHANNELS = 3,
    TILE = 32, /* pixels: a tile of source and one of destination, 3 KiB each, stay in L1 */

    /* Work of a pixel where width and height swap, and the pixels of one where they do not. */
    TRANSPOSE_WORK = 3,
    IN_PLACE_PART = 4
};

enum orientation {
    UPRIGHT = 1,
    MIRRORED = 2,           /* left and right exchanged */
    TURNED = 3,             /* by 180 degrees */
    FLIPPED = 4,            /* top and bottom exchanged */
    TRANSPOSED = 5,         /* over the main diagonal */
    NEEDS_CLOCKWISE = 6,    /* a quarter turn clockwise makes it upright */
    TRANSVERSED = 7,        /* over the other diagonal */
    NEEDS_ANTICLOCKWISE = 8 /* a quarter turn anticlockwise makes it upright */
};

static void swap_pixels(uint8_t *a, uint8_t *b)
{
    uint8_t kept[CHANNELS];

    memcpy(kept, a, CHANNELS);
    memcpy(a, b, CHANNELS);
    memcpy(b, kept, CHANNELS);
}

/* Reverse the order of `pixels` pixels. */
static void reverse(uint8_t *row, size_t pixels)
{
    uint8_t *left = row;
    uint8_t *right = row + pixels * CHANNELS;

    for (size_t i = 0; i < pixels / 2; i++, left += CHANNELS) {
        right -= CHANNELS;
        swap_pixels(left, right);
    }
}

static void mirror(struct vgg_image *image)
{
    size_t row_bytes = (size_t)image->info.width * CHANNELS;

    for (uint32_t y = 0; y < image->info.height; y++)
        reverse(image->pixels + y * row_bytes, image->info.width);
}

static void flip(struct vgg_image *image)
{
    size_t row_bytes = (size_t)image->info.width * CHANNELS;

    for (uint32_t y = 0; y < image->info.height / 2; y++) {
        uint8_t *top = image->pixels + y * row_bytes;
        uint8_t *bottom = image->pixels + (image->info.height - 1 - y) * row_bytes;

        for (size_t i = 0; i < row_bytes; i++) {
            uint8_t kept = top[i];

            top[i] = bottom[i];
            bottom[i] = kept;
        }
    }
}

/*
 * out[y][x] = in[flip_rows ? h - 1 - x : x][flip_columns ? w - 1 - y : y], where w x h is the size
 * of `in` and h x w that of `out`.
 */
struct turn {
    const struct vgg_image *in;
    struct vgg_image *out;
    bool flip_rows, flip_columns;
};

static void transpose_tile(const struct turn *turn, uint32_t tile_x, uint32_t tile_y)
{
    uint32_t width = turn->out->info.width, height = turn->out->info.height;
    uint32_t end_x = width - tile_x < TILE ? width : tile_x + TILE;
    uint32_t end_y = height - tile_y < TILE ? height : tile_y + TILE;
    size_t in_row_bytes = (size_t)height * CHANNELS, out_row_bytes = (size_t)width * CHANNELS;

    for (uint32_t y = tile_y; y < end_y; y++) {
        size_t column = turn->flip_columns ? height - 1 - y : y;

        for (uint32_t x = tile_x; x < end_x; x++) {
            size_t row = turn->flip_rows ? width - 1 - x : x;

            memcpy(turn->out->pixels + y * out_row_bytes + (size_t)x * CHANNELS,
                   turn->in->pixels + row * in_row_bytes + column * CHANNELS, CHANNELS);
        }
    }
}

/* A large picture takes a while. */
static enum vgg_status transpose(const struct turn *turn, const struct vgg_image_limits *limits,
                                 struct vgg_error *error)
{
    for (uint32_t y = 0; y < turn->out->info.height; y += TILE) {
        enum vgg_status status = vgg_image_poll(limits, error);

        if (status != VGG_OK)
            return status;
        for (uint32_t x = 0; x < turn->out->info.width; x += TILE)
            transpose_tile(turn, x, y);
    }
    return VGG_OK;
}

/* In the unit of vgg_image_info. */
static uint64_t orient_work(uint64_t pixels, unsigned orientation)
{
    if (orientation == UPRIGHT)
        return 0;
    return orientation < TRANSPOSED ? pixels / IN_PLACE_PART : pixels * TRANSPOSE_WORK;
}

struct vgg_image_info vgg_image_upright_info(const char *format, uint32_t width, uint32_t height,
                                             unsigned orientation, uint64_t work)
{
    bool swapped = orientation >= TRANSPOSED;
    uint64_t pixels = (uint64_t)width * height;

    return (struct vgg_image_info){.format = format,
                                   .width = swapped ? height : width,
                                   .height = swapped ? width : height,
                                   .work = work + orient_work(pixels, orientation)};
}

enum vgg_status vgg_image_orient(struct vgg_image **image, unsigned orientation,
                                 const struct vgg_image_limits *limits, struct vgg_error *error)
{
    struct vgg_image *in = *image;
    struct vgg_image *out;
    enum vgg_status status;
    struct turn turn;

    assert(orientation >= UPRIGHT && orientation <= NEEDS_ANTICLOCKWISE);
    switch ((enum orientation)orientation) {
    case UPRIGHT:
        return VGG_OK;
    case MIRRORED:
        mirror(in);
        return VGG_OK;
    case TURNED:
        reverse(in->pixels, (size_t)in->info.width * in->info.height);
        return VGG_OK;
    case FLIPPED:
        flip(in);
        return VGG_OK;
    case TRANSPOSED:
    case NEEDS_CLOCKWISE:
    case TRANSVERSED:
    case NEEDS_ANTICLOCKWISE:
        break;
    }
    out = vgg_image_create(in->info.format, in->info.height, in->info.width);
    if (out == NULL)
        return vgg_fail_memory(error);
    turn = (struct turn){in, out, orientation == NEEDS_CLOCKWISE || orientation == TRANSVERSED,
                         orientation == TRANSVERSED || orientation == NEEDS_ANTICLOCKWISE};
    status = transpose(&turn, limits, error);
    if (status != VGG_OK) {
        vgg_image_destroy(out);
        return status;
    }
    vgg_image_destroy(in);
    *image = out;
    return VGG_OK;
}
