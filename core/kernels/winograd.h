/*
 * Winograd's minimal filtering: the points, and the matrix of filters. Transforms of filters are
 * computed in double.
 *
 * Points of F(4x4, 3x3): 0, +-3/4, +-3/2 and infinity, a relative error of 1.4e-6 where the usual
 * 0, +-1, +-2 give 3.3e-6.
 */
#ifndef VGG_CORE_KERNELS_WINOGRAD_H
#define VGG_CORE_KERNELS_WINOGRAD_H

#include <stddef.h>

#define VGG_F4_A 0.75
#define VGG_F4_B 1.5
#define VGG_F6_A 0.5
#define VGG_F6_B 1.0
#define VGG_F6_C 1.75

enum { VGG_WINOGRAD_TILE_MAX = 6, VGG_WINOGRAD_SIDE_MAX = VGG_WINOGRAD_TILE_MAX + 2 };

/*
 * Rows of G for tiles of `tile` (4 or 6) outputs a side, in double: (1, p, p^2) over the product of
 * p - q for all other finite points q.
 */
void vgg_winograd_filter_matrix(size_t tile, double g[VGG_WINOGRAD_SIDE_MAX][3]);

#endif
