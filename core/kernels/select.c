/* The choice of kernels. */
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t vgg_kernels_runnable(const struct vgg_kernels *tables[VGG_KERNELS_MAX])
{
    size_t n = 0;

#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        tables[n++] = &vgg_kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("f16c"))
        tables[n++] = &vgg_kernels_avx2;
#endif
#ifdef __aarch64__
    tables[n++] = &vgg_kernels_neon;
#endif
    tables[n++] = &vgg_kernels_portable;
    return n;
}

const struct vgg_kernels *vgg_kernels_select(struct vgg_error *error)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    const char *name = getenv("VGG_KERNELS");
    size_t n = vgg_kernels_runnable(tables);
    char names[64] = "";

    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(names);

        if (name == NULL || name[0] == '\0' || strcmp(tables[i]->name, name) == 0)
            return tables[i];
        snprintf(names + used, sizeof names - used, "%s%s", i != 0 ? ", " : "", tables[i]->name);
    }
    vgg_fail(error, VGG_BAD_ARGUMENT, "VGG_KERNELS=%.32s: this machine runs %s", name, names);
    return NULL;
}
