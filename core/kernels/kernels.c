/* Choice of kernels, and the shape arithmetic that all of them share. */
#include "kernels/kernels.h"

struct vgg_shape vgg_conv_output(const struct vgg_conv *conv, struct vgg_shape in)
{
    uint32_t h = in.h + 2 * conv->pad, w = in.w + 2 * conv->pad;
    struct vgg_shape out = {in.n, conv->out, 0, 0};

    if (h < conv->kernel || w < conv->kernel)
        return out;
    out.h = h - conv->kernel + 1;
    out.w = w - conv->kernel + 1;
    if (conv->pool) {
        out.h /= 2;
        out.w /= 2;
    }
    return out;
}

const struct vgg_kernels *vgg_kernels_select(void)
{
    return &vgg_kernels_portable;
}
