/*
 * The AVX2 and FMA kernels' common ground: the matrix product that Winograd convolutions, direct
 * ones and fully-connected layers all are, and how a map is written.
 */
#ifndef VGG_CORE_KERNELS_AVX2_H
#define VGG_CORE_KERNELS_AVX2_H

#include "kernels/blocked.h"

#define VGG_AVX2 __attribute__((target("avx2,fma")))

enum {
    VGG_PANEL = 16,    /* output channels of one column of the micro-kernel */
    VGG_DEPTH_MAX = 64 /* blocks of 8 terms in one chain of FMAs; longer sums add up such chains */
};

/*
 * c[panel][row][16] = a * b over `depth8` blocks of eight terms:
 * a[depth8][a_rows][8] (rows of the product in its second dimension; the first `rows` are used),
 * b[panel][depth8 * 8][16] (panels b_stride floats apart), c_stride floats from one panel of c to
 * the next. Each element is one fixed sequence of FMAs in ascending order, whatever the other
 * arguments.
 */
void vgg_avx2_gemm(const float *a, size_t a_rows, size_t rows, const float *b, size_t b_stride,
                   size_t depth8, size_t panels, float *c, size_t c_stride);

/* A 3x3 convolution as Winograd F(4x4, 3x3). Sizes in bytes and floats as in struct vgg_kernels. */
size_t vgg_winograd_weights_bytes(const struct vgg_conv *conv);
void vgg_winograd_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                       const float *weights, float *packed);
size_t vgg_winograd_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in,
                                  unsigned threads);
void vgg_winograd_conv(struct vgg_pool *pool, const struct vgg_conv *conv, const float *packed,
                       const float *bias, const float *in, struct vgg_shape in_shape, float *out,
                       float *scratch);

/* Any convolution as an implicit matrix product over positions; conv->pool and lrn are not done. */
size_t vgg_direct_weights_bytes(const struct vgg_conv *conv);
void vgg_direct_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows, const float *weights,
                     float *packed);
size_t vgg_direct_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in, unsigned threads);
void vgg_direct_conv(struct vgg_pool *pool, const struct vgg_conv *conv, const float *packed,
                     const float *bias, const float *in, struct vgg_shape in_shape, float *out,
                     float *scratch);

/* A 3x3 convolution of fewer than 8 channels, pad 1, with the direct one's weights; no scratch. */
void vgg_first_conv(struct vgg_pool *pool, const struct vgg_conv *conv, const float *packed,
                    const float *bias, const float *in, struct vgg_shape in_shape, float *out);

#endif
