/*
 * Kernels: everything that touches an activation, behind one table of functions.
 *
 * The layers above (nn) know shapes and order, never a memory layout: activations ("maps") and
 * packed weights are opaque blocks whose size the table tells. A new instruction set is a new
 * table. The portable table is the reference and always there.
 *
 * Rules for every table: an output element is one fixed sequence of operations that depends on the
 * layer and the shape of its own view alone, never on the batch, the thread count or addresses;
 * nothing is allocated; several teams may use one table at once.
 */
#ifndef VGG_CORE_KERNELS_KERNELS_H
#define VGG_CORE_KERNELS_KERNELS_H

#include <math.h>

#include "base/team.h"

static inline size_t vgg_ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static inline size_t vgg_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * One layer as the network sees it: convolution (stride 1), bias, then what follows it, in this
 * order: ReLU, local response normalisation, 2x2 max-pool with stride 2 (floor).
 */
struct vgg_conv {
    uint32_t in, out; /* channels */
    uint32_t kernel;  /* side */
    uint32_t pad;     /* zeros on each side, 0 or 1: maps have no more around them */
    bool relu, lrn, pool;
    bool half; /* packed weights in half precision (IEEE binary16); each fits in one */
};

/* Shape of a batch of maps: n views of c channels, h rows, w columns. */
struct vgg_shape {
    uint32_t n, c, h, w;
};

/* Shape of what `conv` multiplies, before the pool; h or w is 0 where the kernel does not fit. */
static inline struct vgg_shape vgg_conv_unpooled(const struct vgg_conv *conv, struct vgg_shape in)
{
    uint32_t h = in.h + 2 * conv->pad, w = in.w + 2 * conv->pad;
    struct vgg_shape out = {in.n, conv->out, 0, 0};

    if (h < conv->kernel || w < conv->kernel)
        return out;
    out.h = h - conv->kernel + 1;
    out.w = w - conv->kernel + 1;
    return out;
}

/* Shape after all of it. */
static inline struct vgg_shape vgg_conv_output(const struct vgg_conv *conv, struct vgg_shape in)
{
    struct vgg_shape out = vgg_conv_unpooled(conv, in);

    if (conv->pool) {
        out.h /= 2;
        out.w /= 2;
    }
    return out;
}

/*
 * Local response normalisation (Krizhevsky et al., 2012, section 3.3): a / (k + alpha * sum)^beta,
 * where the sum is of the squares of the channels up to VGG_LRN_SIDE away.
 */
enum { VGG_LRN_SIDE = 2, VGG_LRN_CHANNELS = 2 * VGG_LRN_SIDE + 1 };
#define VGG_LRN_K 2.0
#define VGG_LRN_ALPHA 1e-4
#define VGG_LRN_BETA 0.75
#define VGG_LRN_SLOPE 1.5e-4 /* 2 alpha beta, rounded once */

/* What a value is divided by: a power of 3/4 is two roots. */
static inline float vgg_lrn_divisor(float sum)
{
    float root = sqrtf((float)VGG_LRN_K + (float)VGG_LRN_ALPHA * sum);

    return root * sqrtf(root);
}

/* One view: a picture of 8 bits, and whether to read its rows backwards; or the input itself. */
struct vgg_view_pixels {
    const uint8_t *rgb; /* [h][w][3] (R G B) */
    size_t stride;      /* bytes from row to row; 0: 3 * w */
    bool mirror;
    const float *input; /* NULL, or instead of all: [3][h][w], normalised, in channel order */
};

static inline const uint8_t *vgg_view_row(const struct vgg_view_pixels *view, size_t y, size_t w)
{
    return view->rgb + y * (view->stride != 0 ? view->stride : 3 * w);
}

/* Pixel value -> network input: table[c][v] for input channel c, read from RGB byte source[c]. */
struct vgg_normalisation {
    float table[3][256];
    unsigned source[3];
};

struct vgg_kernels {
    const char *name;             /* shown by /model */
    enum vgg_precision precision; /* of its products; maps are floats in any */
    size_t lanes; /* channels of one block of a map (blocked.h); 0: rows of one channel */

    /* What conv() needs once, before the first; NULL: nothing. False: out of memory. */
    bool (*start)(void);
    size_t start_bytes; /* of the address space, taken by it */

    /* How a layer is computed on maps of shape `in`: "winograd f(4x4,3x3)". Static storage. */
    const char *(*algorithm)(const struct vgg_conv *conv, struct vgg_shape in);

    /* Bytes of a batch of maps. */
    size_t (*map_bytes)(struct vgg_shape shape);

    /* Bytes of the packed weights of a layer (biases stay with the caller). */
    size_t (*weights_bytes)(const struct vgg_conv *conv);

    /*
     * Pack output channels [row, row + rows) given as weights[rows][in][kernel][kernel]. The calls
     * for one layer cover every row once, in any order and from several threads at a time; fastest
     * where they begin at multiples of pack_rows.
     */
    size_t pack_rows;
    void (*weights_pack)(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                         const float *weights, void *packed);

    /* Normalise and mirror views[shape.n] into a map; shape.c is 3. */
    void (*input)(struct vgg_team *team, const struct vgg_view_pixels *views,
                  struct vgg_shape shape, const struct vgg_normalisation *normalisation, void *out);

    /*
     * The first layer of a network: what input() and then conv() give, bit for bit, without the map
     * between them. NULL where there is no faster way.
     */
    void (*first)(struct vgg_team *team, const struct vgg_conv *conv, const void *packed,
                  const float *bias, const struct vgg_view_pixels *views, struct vgg_shape shape,
                  const struct vgg_normalisation *normalisation, void *out, void *scratch);

    /* Bytes of scratch that conv() or first() needs for a batch of shape `in`, on `threads`. */
    size_t (*conv_scratch_bytes)(const struct vgg_conv *conv, struct vgg_shape in,
                                 unsigned threads);

    /* One layer: in (of shape `in`) -> out (of vgg_conv_output). bias[out]. */
    void (*conv)(struct vgg_team *team, const struct vgg_conv *conv, const void *packed,
                 const float *bias, const void *in, struct vgg_shape in_shape, void *out,
                 void *scratch);

    /* Mean over positions, in double, row by row: mean[n][c]. */
    void (*spatial_mean)(const void *map, struct vgg_shape shape, double *mean);

    /* View n of a map as plain floats: out[c][h][w]. */
    void (*scores)(const void *map, struct vgg_shape shape, size_t n, float *out);

    /*
     * What one core can do, to set the kernels beside: `rounds` (at most 2^24) times
     * VGG_PEAK_CHAINS independent multiply-adds of vectors, and a pass over floats[n], aligned to
     * VGG_ALIGN, n a multiple of 256. The first returns how many multiply-adds of floats it did,
     * the second the sum of what it read. NULL where only the portable table runs.
     */
    double (*peak_fma)(size_t rounds);
    double (*peak_read)(const float *floats, size_t n);

    /* What training needs beside (gradients.h); NULL where there is none of its own. */
    const struct vgg_gradients *gradients;
};

enum { VGG_PEAK_CHAINS = 12 }; /* more than the latency of an FMA times those begun a cycle */

/* False: out of memory. */
static inline bool vgg_kernels_start(const struct vgg_kernels *kernels)
{
    return kernels->start == NULL || kernels->start();
}

extern const struct vgg_kernels vgg_kernels_portable;
#ifdef __x86_64__
extern const struct vgg_kernels vgg_kernels_avx2;
extern const struct vgg_kernels vgg_kernels_avx512;
extern const struct vgg_kernels vgg_kernels_avx_vnni;
extern const struct vgg_kernels vgg_kernels_avx512_vnni;
#endif
#ifdef __aarch64__
extern const struct vgg_kernels vgg_kernels_neon; /* part of every 64-bit ARM */
extern const struct vgg_kernels vgg_kernels_neon_dotprod;
#endif
extern const struct vgg_kernels vgg_kernels_generic; /* for training (generic.c) */
extern const struct vgg_kernels vgg_kernels_portable_i8;

enum { VGG_KERNELS_MAX = 4 };

/*
 * The tables of a precision (not AUTO) that this machine can run, the best first; the last is the
 * portable one, which for I8 is a model to compare with and never chosen for speed.
 */
size_t vgg_kernels_runnable(enum vgg_precision precision,
                            const struct vgg_kernels *tables[VGG_KERNELS_MAX]);

/*
 * The best table of a precision, or the one that the environment variable VGG_KERNELS names. AUTO:
 * the best of I8 where that is not the portable one, else of F32. NULL (BAD_ARGUMENT) where there
 * is none: I8 without an instruction for it, a name that is unknown here or of another precision.
 */
const struct vgg_kernels *vgg_kernels_select(enum vgg_precision precision, struct vgg_error *error);

/* "f32", "i8", "auto" */
const char *vgg_precision_name(enum vgg_precision precision);

#endif
