/*
 * Maps in blocks of channels (NCHW8c, NCHW16c): float [n][blocks][hp][wp][lanes]. A block has as
 * many channels as a vector has lanes, so that one vector is one pixel of one block and no kernel
 * ever transposes anything. A frame of zeros surrounds the picture: one row and column before it,
 * and after it as many as let every input tile of a Winograd convolution be read whole. Channels
 * past the last are zero too.
 */
#ifndef VGG_CORE_KERNELS_BLOCKED_H
#define VGG_CORE_KERNELS_BLOCKED_H

#include "kernels/kernels.h"

enum {
    VGG_FRAME = 1 /* zeros before the picture */
};

struct vgg_blocked {
    size_t lanes; /* channels of a block */
    size_t n, blocks, h, w;
    size_t hp, wp; /* with the frame */
};

/* Rows or columns with the frame, for output tiles of 4 and of 6. */
static inline size_t vgg_blocked_side(size_t side)
{
    size_t by_4 = vgg_ceil_div(side, 4) * 4, by_6 = vgg_ceil_div(side, 6) * 6;

    return (by_4 > by_6 ? by_4 : by_6) + 2 * VGG_FRAME;
}

static inline struct vgg_blocked vgg_blocked_of(struct vgg_shape shape, size_t lanes)
{
    return (struct vgg_blocked){
        .lanes = lanes,
        .n = shape.n,
        .blocks = vgg_ceil_div(shape.c, lanes),
        .h = shape.h,
        .w = shape.w,
        .hp = vgg_blocked_side(shape.h),
        .wp = vgg_blocked_side(shape.w),
    };
}

/* Floats of one block of one view. */
static inline size_t vgg_blocked_plane(const struct vgg_blocked *map)
{
    return map->hp * map->wp * map->lanes;
}

/* Pixel (y, x) of a block of a view, in floats from the start of the map; the frame is at -1. */
static inline size_t vgg_blocked_at(const struct vgg_blocked *map, size_t n, size_t block, size_t y,
                                    size_t x)
{
    return (n * map->blocks + block) * vgg_blocked_plane(map) +
           ((y + VGG_FRAME) * map->wp + x + VGG_FRAME) * map->lanes;
}

size_t vgg_blocked_bytes(struct vgg_shape shape, size_t lanes);

/* Write the zeros of the frame. */
void vgg_blocked_clear_frame(struct vgg_team *team, struct vgg_shape shape, size_t lanes,
                             void *map);

/*
 * Row y of a view of h x w pixels, normalised and mirrored: channel c of pixel x goes to
 * out[x * step + c], where nothing else is written.
 */
void vgg_input_row(const struct vgg_view_pixels *view, size_t h, size_t w, size_t y,
                   const struct vgg_normalisation *normalisation, size_t step, float *out);

/* The kernels that work on blocked maps and need no instruction set of their own. */
void vgg_blocked_input(struct vgg_team *team, const struct vgg_view_pixels *views,
                       struct vgg_shape shape, const struct vgg_normalisation *normalisation,
                       size_t lanes, void *out);
void vgg_blocked_spatial_mean(const void *map, struct vgg_shape shape, size_t lanes, double *mean);
void vgg_blocked_scores(const void *map, struct vgg_shape shape, size_t n, size_t lanes,
                        float *out);

/* ReLU has been done: normalise across channels, in place. */
void vgg_blocked_lrn(struct vgg_team *team, struct vgg_shape shape, size_t lanes, void *map);

/* 2x2 maximum, stride 2, of a map of `shape` into one of half its size. */
void vgg_blocked_pool(struct vgg_team *team, struct vgg_shape shape, size_t lanes, const void *in,
                      void *out);

#endif
