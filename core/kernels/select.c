/* The choice of kernels. */
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

const char *vgg_precision_name(enum vgg_precision precision)
{
    static const char *const names[] = {"f32", "i8", "auto"};

    return names[precision];
}

static size_t runnable_f32(const struct vgg_kernels *tables[VGG_KERNELS_MAX])
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

static size_t runnable_i8(const struct vgg_kernels *tables[VGG_KERNELS_MAX])
{
    size_t n = 0;

#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vnni"))
        tables[n++] = &vgg_kernels_avx512_vnni;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("f16c") &&
        (__builtin_cpu_supports("avxvnni") ||
         (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))))
        tables[n++] = &vgg_kernels_avx_vnni;
#endif
#ifdef __aarch64__
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP)
        tables[n++] = &vgg_kernels_neon_dotprod;
#endif
    tables[n++] = &vgg_kernels_portable_i8;
    return n;
}

size_t vgg_kernels_runnable(enum vgg_precision precision,
                            const struct vgg_kernels *tables[VGG_KERNELS_MAX])
{
    return precision == VGG_PRECISION_I8 ? runnable_i8(tables) : runnable_f32(tables);
}

/* ---------------------------------------------------------------- the choice ----------------- */

/* The table of that name, of any precision asked for. */
static const struct vgg_kernels *named(const char *name, enum vgg_precision precision,
                                       struct vgg_error *error)
{
    char names[128] = "";

    for (int p = VGG_PRECISION_F32; p <= VGG_PRECISION_I8; p++) {
        const struct vgg_kernels *tables[VGG_KERNELS_MAX];
        size_t n = vgg_kernels_runnable((enum vgg_precision)p, tables);

        for (size_t i = 0; i < n; i++) {
            size_t used = strlen(names);

            if (strcmp(tables[i]->name, name) == 0) {
                if (precision == (enum vgg_precision)p || precision == VGG_PRECISION_AUTO)
                    return tables[i];
                vgg_fail(error, VGG_BAD_ARGUMENT, "VGG_KERNELS=%s: computes in %s, not in %s", name,
                         vgg_precision_name((enum vgg_precision)p), vgg_precision_name(precision));
                return NULL;
            }
            snprintf(names + used, sizeof names - used, "%s%s", used != 0 ? ", " : "",
                     tables[i]->name);
        }
    }
    vgg_fail(error, VGG_BAD_ARGUMENT, "VGG_KERNELS=%.32s: this machine runs %s", name, names);
    return NULL;
}

const struct vgg_kernels *vgg_kernels_select(enum vgg_precision precision, struct vgg_error *error)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    const char *name = getenv("VGG_KERNELS");

    if (name != NULL && name[0] != '\0')
        return named(name, precision, error);
    if (precision != VGG_PRECISION_F32 && vgg_kernels_runnable(VGG_PRECISION_I8, tables) > 1)
        return tables[0];
    if (precision == VGG_PRECISION_I8) {
        vgg_fail(error, VGG_BAD_ARGUMENT, "precision i8: this machine has no instruction for it");
        return NULL;
    }
    vgg_kernels_runnable(VGG_PRECISION_F32, tables);
    return tables[0];
}
