/* The table of AVX2 kernels: which algorithm a layer takes. */
#ifdef __x86_64__

#include "kernels/avx2.h"

#include <stddef.h>

/* Winograd wants whole blocks of channels; LRN follows a first layer, which is direct. */
static bool is_winograd(const struct vgg_conv *conv)
{
    return conv->kernel == 3 && conv->pad == 1 && conv->in >= VGG_BLOCK && !conv->lrn;
}

static bool is_first(const struct vgg_conv *conv)
{
    return conv->kernel == 3 && conv->pad == 1 && conv->in < VGG_BLOCK;
}

/* A direct layer that pools writes its full map first. */
static bool needs_full_map(const struct vgg_conv *conv)
{
    return !is_winograd(conv) && conv->pool;
}

static struct vgg_shape full_shape(const struct vgg_conv *conv, struct vgg_shape in)
{
    struct vgg_conv plain = *conv;

    plain.pool = false;
    return vgg_conv_output(&plain, in);
}

static const char *algorithm(const struct vgg_conv *conv)
{
    return is_winograd(conv) ? "winograd f(4x4,3x3)" : "direct";
}

static size_t weights_bytes(const struct vgg_conv *conv)
{
    return is_winograd(conv) ? vgg_winograd_weights_bytes(conv) : vgg_direct_weights_bytes(conv);
}

static void weights_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                         const float *weights, void *packed)
{
    if (is_winograd(conv))
        vgg_winograd_pack(conv, row, rows, weights, packed);
    else
        vgg_direct_pack(conv, row, rows, weights, packed);
}

static size_t scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in, unsigned threads)
{
    if (is_winograd(conv))
        return vgg_winograd_scratch_bytes(conv, in, threads);
    return (is_first(conv) ? 0 : vgg_direct_scratch_bytes(conv, in, threads)) +
           (needs_full_map(conv) ? vgg_blocked_bytes(full_shape(conv, in)) : 0);
}

static void conv(struct vgg_pool *pool, const struct vgg_conv *conv, const void *packed,
                 const float *bias, const void *in, struct vgg_shape in_shape, void *out,
                 void *scratch)
{
    struct vgg_shape full = full_shape(conv, in_shape);
    float *map = needs_full_map(conv) ? scratch : out;

    if (is_winograd(conv)) {
        vgg_winograd_conv(pool, conv, packed, bias, in, in_shape, out, scratch);
        return;
    }
    if (needs_full_map(conv))
        scratch = (char *)scratch + vgg_blocked_bytes(full);
    if (is_first(conv))
        vgg_first_conv(pool, conv, packed, bias, in, in_shape, map);
    else
        vgg_direct_conv(pool, conv, packed, bias, in, in_shape, map, scratch);
    if (conv->lrn)
        vgg_blocked_lrn(pool, full, map);
    if (conv->pool) {
        vgg_blocked_clear_frame(pool, vgg_conv_output(conv, in_shape), out);
        vgg_blocked_pool(pool, full, map, out);
    }
}

const struct vgg_kernels vgg_kernels_avx2 = {
    .name = "avx2",
    .algorithm = algorithm,
    .map_bytes = vgg_blocked_bytes,
    .weights_bytes = weights_bytes,
    .weights_pack = weights_pack,
    .input = vgg_blocked_input,
    .conv_scratch_bytes = scratch_bytes,
    .conv = conv,
    .spatial_mean = vgg_blocked_spatial_mean,
};

#endif
