/*
 * The inner loops of resampling, one table of them per instruction set. They are integer
 * arithmetic, so all tables give the same bits; tests compare them and vgg_resample_part takes
 * the best.
 * Path of a request: rescale.c -> resample.c -> [this].
 */
#ifndef VGG_CORE_IMAGE_RESAMPLE_KERNELS_H
#define VGG_CORE_IMAGE_RESAMPLE_KERNELS_H

#include "vgg.h"

enum {
    VGG_RESAMPLE_CHANNELS = 3,
    VGG_RESAMPLE_STEP = 4,          /* taps that the horizontal loop takes at a time */
    VGG_RESAMPLE_OVERREAD = 13,     /* bytes that it reads past a window */
    VGG_RESAMPLE_FRACTION_BITS = 22 /* of a weight: 32 bits less 8 of the pixel, less 2 spare */
};

/* Which input pixels make one output pixel. */
struct vgg_resample_window {
    uint32_t first;
    uint32_t taps;
};

/*
 * One axis: `out` windows, and for each of them `stride` weights that sum up to about 1, zeros
 * filling up the last step. Weights are fixed-point and never negative.
 */
struct vgg_resample_axis {
    uint32_t out;
    size_t stride;
    struct vgg_resample_window *windows; /* [out] */
    int32_t *weights;                    /* [out][stride] */
};

struct vgg_resample_kernels {
    const char *name;

    /* Put weights[n], n a multiple of VGG_RESAMPLE_STEP, into horizontal's order; NULL: as is. */
    void (*order)(int32_t *weights, size_t n);

    /*
     * Two rows: dst[0..1][axis->out][3] from src[0..1]. Up to VGG_RESAMPLE_OVERREAD bytes after a
     * window are read, and multiplied by zero.
     */
    void (*horizontal)(const struct vgg_resample_axis *axis, const uint8_t *const src[2],
                       uint8_t *const dst[2]);

    /* One row: dst[row_bytes] as the weighted sum of taps rows, row_bytes apart, from src on. */
    void (*vertical)(const uint8_t *src, size_t row_bytes, const int32_t *weights, uint32_t taps,
                     uint8_t *dst);
};

#ifdef __x86_64__
extern const struct vgg_resample_kernels vgg_resample_avx2;
#endif

/* All tables that this machine can run, the best first, NULL last. */
const struct vgg_resample_kernels *const *vgg_resample_kernels(void);

/* All of what vgg_resample_part gives, with a given table. */
enum vgg_status vgg_resample_with(const struct vgg_resample_kernels *kernels, const uint8_t *src,
                                  uint32_t width, uint32_t height, uint8_t *dst, uint32_t out_width,
                                  uint32_t out_height, struct vgg_error *error);

#endif
