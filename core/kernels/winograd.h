/*
 * Winograd's minimal filtering: the points, and the packing of transformed filters, which every
 * instruction set shares. Transforms of filters are computed in double.
 *
 * Points of F(4x4, 3x3): 0, +-3/4, +-3/2 and infinity, a relative error of 1.4e-6 where the usual
 * 0, +-1, +-2 give 3.3e-6.
 */
#ifndef VGG_CORE_KERNELS_WINOGRAD_H
#define VGG_CORE_KERNELS_WINOGRAD_H

#include "kernels/kernels.h"

#define VGG_F4_A 0.75
#define VGG_F4_B 1.5
#define VGG_F6_A 0.5
#define VGG_F6_B 1.0
#define VGG_F6_C 1.5

enum { VGG_WINOGRAD_TILE_MAX = 6 };

/* How an instruction set lays transformed filters out: u[point][panel][in, rounded up][panel]. */
struct vgg_winograd_layout {
    size_t tile;  /* outputs of a tile, each way: 4 or 6 */
    size_t lanes; /* input channels are rounded up to a multiple of it */
    size_t panel; /* output channels */
};

/* Transform and pack output channels [row, row + rows): weights[rows][in][3][3]. */
void vgg_winograd_pack(const struct vgg_conv *conv, const struct vgg_winograd_layout *layout,
                       uint32_t row, uint32_t rows, const float *weights, float *packed);

#endif
