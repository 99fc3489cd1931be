/* Choice of kernels, and the shape arithmetic that all of them share. */
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

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

/* The tables this machine can run, the best first. */
static size_t runnable(const struct vgg_kernels *tables[])
{
    size_t n = 0;

#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        tables[n++] = &vgg_kernels_avx2;
#endif
    tables[n++] = &vgg_kernels_portable;
    return n;
}

const struct vgg_kernels *vgg_kernels_select(void)
{
    const struct vgg_kernels *tables[2];
    const char *name = getenv("VGG_KERNELS");
    size_t n = runnable(tables);

    for (size_t i = 0; name != NULL && i < n; i++)
        if (strcmp(tables[i]->name, name) == 0)
            return tables[i];
    return tables[0];
}
