/*
 * Maps in blocks of eight channels (NCHW8c): float [n][c8][hp][wp][8], where c8 is the number of
 * channels over 8, rounded up. A frame of zeros surrounds the picture: one row and column before
 * it, and after it as many as let every 6x6 tile at a multiple of 4 be read whole. Channels past
 * the last are zero too. One vector of 8 floats is one pixel of one block, so that no kernel ever
 * transposes anything.
 */
#ifndef VGG_CORE_KERNELS_BLOCKED_H
#define VGG_CORE_KERNELS_BLOCKED_H

#include "kernels/kernels.h"

enum {
    VGG_BLOCK = 8, /* channels */
    VGG_TILE = 4,  /* output pixels of a Winograd tile, each way */
    VGG_FRAME = 1  /* zeros before the picture */
};

struct vgg_blocked {
    size_t n, c8, h, w;
    size_t hp, wp; /* with the frame */
};

static inline struct vgg_blocked vgg_blocked_of(struct vgg_shape shape)
{
    return (struct vgg_blocked){
        .n = shape.n,
        .c8 = vgg_ceil_div(shape.c, VGG_BLOCK),
        .h = shape.h,
        .w = shape.w,
        .hp = vgg_ceil_div(shape.h, VGG_TILE) * VGG_TILE + 2 * VGG_FRAME,
        .wp = vgg_ceil_div(shape.w, VGG_TILE) * VGG_TILE + 2 * VGG_FRAME,
    };
}

/* Floats of one block of one view. */
static inline size_t vgg_blocked_plane(const struct vgg_blocked *map)
{
    return map->hp * map->wp * VGG_BLOCK;
}

/* Pixel (y, x) of a block of a view, in floats from the start of the map; the frame is at -1. */
static inline size_t vgg_blocked_at(const struct vgg_blocked *map, size_t n, size_t block, size_t y,
                                    size_t x)
{
    return (n * map->c8 + block) * vgg_blocked_plane(map) +
           ((y + VGG_FRAME) * map->wp + x + VGG_FRAME) * VGG_BLOCK;
}

size_t vgg_blocked_bytes(struct vgg_shape shape);

/* Write the zeros of the frame. */
void vgg_blocked_clear_frame(struct vgg_pool *pool, struct vgg_shape shape, void *map);

/* The kernels that work on blocked maps and need no instruction set of their own. */
void vgg_blocked_input(struct vgg_pool *pool, const struct vgg_view_pixels *views,
                       struct vgg_shape shape, const struct vgg_normalisation *normalisation,
                       void *out);
void vgg_blocked_spatial_mean(const void *map, struct vgg_shape shape, double *mean);

/* ReLU has been done: normalise across channels, in place. */
void vgg_blocked_lrn(struct vgg_pool *pool, struct vgg_shape shape, void *map);

/* 2x2 maximum, stride 2, of a map of `shape` into one of half its size. */
void vgg_blocked_pool(struct vgg_pool *pool, struct vgg_shape shape, const void *in, void *out);

#endif
