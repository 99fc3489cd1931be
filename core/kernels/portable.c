/*
 * The portable kernels: im2col in bands of pixels, then OpenBLAS SGEMM. The reference for every
 * other table, and what runs where there is none.
 *
 * Maps are float [n][c][h][w]; packed weights are float or half [out][in * kernel * kernel], the
 * latter widened before each SGEMM call.
 *
 * A layer is computed view by view and band by band. A band is as many output pixels, counted row
 * by row, as keep the im2col matrix within COLUMNS_BYTES, so that memory does not follow the
 * picture. Bands, and the blocks of one SGEMM call within them, depend on the layer and on the
 * view's shape alone: OpenBLAS gives other bits for another block, so this is what makes a view's
 * result independent of its neighbours and of the number of threads.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "blas/gemm.h"
#include "kernels/kernels.h"

enum {
    COLUMNS_BYTES = 8 << 20, /* im2col matrix: in L3, and long enough rows for SGEMM */
    BAND_MIN = 16,           /* pixels */
    BLOCK_ROWS = 128,        /* output channels of one SGEMM call */
    BLOCK_PIXELS = 512,      /* pixels of one SGEMM call */
    LRN_PIXELS = 256         /* pixels of one LRN item: its squares stay in L1 */
};

static float max_float(float a, float b)
{
    return a < b ? b : a; /* unlike fmaxf one instruction, and a NaN in `a` stays one */
}

static size_t pixels_of(struct vgg_shape shape)
{
    return (size_t)shape.h * shape.w;
}

/* Rows of the im2col matrix: the length of one dot product. */
static size_t depth_of(const struct vgg_conv *conv)
{
    return (size_t)conv->in * conv->kernel * conv->kernel;
}

/* A 1x1 convolution multiplies the map as it lies in memory. */
static bool needs_columns(const struct vgg_conv *conv)
{
    return conv->kernel != 1 || conv->pad != 0;
}

static size_t band_pixels(const struct vgg_conv *conv, size_t pixels)
{
    size_t band = COLUMNS_BYTES / sizeof(float) / depth_of(conv);

    if (!needs_columns(conv))
        return pixels;
    if (band >= BLOCK_PIXELS)
        band = band / BLOCK_PIXELS * BLOCK_PIXELS;
    if (band < BAND_MIN)
        band = BAND_MIN;
    return vgg_min_size(band, pixels);
}

static size_t columns_floats(const struct vgg_conv *conv, struct vgg_shape in)
{
    struct vgg_shape out = vgg_conv_unpooled(conv, in);

    return needs_columns(conv) ? depth_of(conv) * band_pixels(conv, pixels_of(out)) : 0;
}

/* ---------------------------------------------------------------- sizes and packing ---------- */

static const char *algorithm(const struct vgg_conv *conv, struct vgg_shape in)
{
    (void)in;
    if (conv->half)
        return needs_columns(conv) ? "im2col sgemm f16" : "sgemm f16";
    return needs_columns(conv) ? "im2col sgemm" : "sgemm";
}

static size_t map_bytes(struct vgg_shape shape)
{
    return (size_t)shape.n * shape.c * pixels_of(shape) * sizeof(float);
}

static size_t weights_bytes(const struct vgg_conv *conv)
{
    return conv->out * depth_of(conv) * (conv->half ? sizeof(uint16_t) : sizeof(float));
}

static void weights_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                         const float *weights, void *packed)
{
    size_t depth = depth_of(conv);

    assert(row + rows <= conv->out);
    if (!conv->half)
        memcpy((float *)packed + row * depth, weights, rows * depth * sizeof(float));
    else
        for (size_t i = 0; i < rows * depth; i++)
            ((uint16_t *)packed)[row * depth + i] = vgg_half_from_float(weights[i]);
}

/* Floats of one block's weights, widened; each thread has its own. */
static size_t wide_floats(const struct vgg_conv *conv)
{
    return conv->half ? vgg_min_size(conv->out, BLOCK_ROWS) * depth_of(conv) : 0;
}

static size_t conv_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in, unsigned threads)
{
    size_t bytes = (columns_floats(conv, in) + threads * wide_floats(conv)) * sizeof(float);

    /* One view at a time passes through the full-resolution map between convolution and pool. */
    if (conv->pool) {
        struct vgg_shape full = vgg_conv_unpooled(conv, in);

        full.n = 1;
        bytes += map_bytes(full);
    }
    return bytes;
}

/* ---------------------------------------------------------------- input ---------------------- */

struct input_loop {
    const struct vgg_view_pixels *views;
    struct vgg_shape shape;
    const struct vgg_normalisation *normalisation;
    float *out;
};

static void normalise_row(const struct vgg_normalisation *normalisation, size_t c,
                          const uint8_t *row, size_t w, bool mirror, float *out)
{
    const float *table = normalisation->table[c];
    const uint8_t *source = row + normalisation->source[c];

    for (size_t x = 0; x < w; x++)
        out[x] = table[source[3 * (mirror ? w - 1 - x : x)]];
}

/* Item: one row of one view. */
static void input_row(void *context, size_t item, unsigned thread)
{
    const struct input_loop *loop = context;
    size_t w = loop->shape.w, h = loop->shape.h;
    size_t n = item / h, y = item % h;
    const struct vgg_view_pixels *view = &loop->views[n];

    (void)thread;
    for (size_t c = 0; c < 3; c++) {
        float *out = loop->out + ((n * 3 + c) * h + y) * w;

        if (view->input != NULL)
            memcpy(out, view->input + (c * h + y) * w, w * sizeof *out);
        else
            normalise_row(loop->normalisation, c, vgg_view_row(view, y, w), w, view->mirror, out);
    }
}

static void input(struct vgg_team *team, const struct vgg_view_pixels *views,
                  struct vgg_shape shape, const struct vgg_normalisation *normalisation, void *out)
{
    struct input_loop loop = {views, shape, normalisation, out};

    assert(shape.c == 3);
    vgg_team_run(team, input_row, &loop, (size_t)shape.n * shape.h);
}

/* ---------------------------------------------------------------- convolution ---------------- */

/* One band of one view. */
struct band {
    const struct vgg_conv *conv;
    const void *weights;
    float *wide; /* [threads][wide_floats] */
    const float *bias;
    const float *in; /* [in][in_h][in_w] */
    size_t in_h, in_w;
    size_t out_w, out_pixels;
    size_t first, count; /* output pixels of this band */
    float *columns;      /* [depth][count]; for 1x1 the input itself, row stride out_pixels */
    size_t columns_stride;
    float *out; /* [out][out_pixels] */
};

/* Copy `count` input pixels from x onwards, with zeros outside [0, width). */
static void copy_padded(const float *row, ptrdiff_t x, size_t width, size_t count, float *out)
{
    size_t left = x < 0 ? vgg_min_size((size_t)-x, count) : 0;
    size_t start = (size_t)(x + (ptrdiff_t)left);
    size_t inside = start < width ? vgg_min_size(width - start, count - left) : 0;

    memset(out, 0, left * sizeof *out);
    memcpy(out + left, row + (inside != 0 ? start : 0), inside * sizeof *out);
    memset(out + left + inside, 0, (count - left - inside) * sizeof *out);
}

/* One row of the im2col matrix: input channel c seen through kernel element (ky, kx). */
static void fill_column_row(const struct band *band, size_t c, size_t ky, size_t kx, float *out)
{
    const float *plane = band->in + c * band->in_h * band->in_w;
    ptrdiff_t pad = (ptrdiff_t)band->conv->pad;
    size_t done = 0;

    while (done < band->count) {
        size_t pixel = band->first + done;
        size_t x = pixel % band->out_w;
        size_t run = vgg_min_size(band->out_w - x, band->count - done);
        ptrdiff_t in_y = (ptrdiff_t)(pixel / band->out_w + ky) - pad;

        if (in_y < 0 || in_y >= (ptrdiff_t)band->in_h)
            memset(out + done, 0, run * sizeof *out);
        else
            copy_padded(plane + (size_t)in_y * band->in_w, (ptrdiff_t)(x + kx) - pad, band->in_w,
                        run, out + done);
        done += run;
    }
}

/* Item: one input channel and kernel row. */
static void fill_columns(void *context, size_t item, unsigned thread)
{
    const struct band *band = context;
    size_t kernel = band->conv->kernel;
    size_t c = item / kernel, ky = item % kernel;

    (void)thread;
    for (size_t kx = 0; kx < kernel; kx++)
        fill_column_row(band, c, ky, kx,
                        band->columns + (item * kernel + kx) * band->columns_stride);
}

static size_t row_blocks(const struct vgg_conv *conv)
{
    return vgg_ceil_div(conv->out, BLOCK_ROWS);
}

/* Weights of rows [row, row + rows). */
static const float *block_weights(const struct band *band, size_t row, size_t rows, unsigned thread)
{
    size_t depth = depth_of(band->conv);
    float *wide = band->wide + thread * wide_floats(band->conv);

    if (!band->conv->half)
        return (const float *)band->weights + row * depth;
    for (size_t i = 0; i < rows * depth; i++)
        wide[i] = vgg_half_to_float(((const uint16_t *)band->weights)[row * depth + i]);
    return wide;
}

/* Item: one block of output channels by pixels; bias first, then the product, then ReLU. */
static void multiply_block(void *context, size_t item, unsigned thread)
{
    const struct band *band = context;
    const struct vgg_conv *conv = band->conv;
    size_t row = item % row_blocks(conv) * BLOCK_ROWS;
    size_t rows = vgg_min_size(conv->out - row, BLOCK_ROWS);
    size_t pixel = item / row_blocks(conv) * BLOCK_PIXELS;
    size_t pixels = vgg_min_size(band->count - pixel, BLOCK_PIXELS);
    size_t depth = depth_of(conv);
    float *out = band->out + row * band->out_pixels + band->first + pixel;

    for (size_t r = 0; r < rows; r++)
        for (size_t p = 0; p < pixels; p++)
            out[r * band->out_pixels + p] = band->bias[row + r];
    vgg_gemm_add(rows, pixels, depth, block_weights(band, row, rows, thread), depth,
                 band->columns + pixel, band->columns_stride, out, band->out_pixels);
    if (!conv->relu)
        return;
    for (size_t r = 0; r < rows; r++)
        for (size_t p = 0; p < pixels; p++)
            out[r * band->out_pixels + p] = max_float(out[r * band->out_pixels + p], 0.0F);
}

static void convolve_view(struct vgg_team *team, struct band *band, float *columns)
{
    const struct vgg_conv *conv = band->conv;
    size_t step = band_pixels(conv, band->out_pixels);

    for (band->first = 0; band->first < band->out_pixels; band->first += step) {
        band->count = vgg_min_size(step, band->out_pixels - band->first);
        if (needs_columns(conv)) {
            band->columns = columns;
            band->columns_stride = band->count;
            vgg_team_run(team, fill_columns, band, (size_t)conv->in * conv->kernel);
        }
        vgg_team_run(team, multiply_block, band,
                     row_blocks(conv) * vgg_ceil_div(band->count, BLOCK_PIXELS));
    }
}

/* ---------------------------------------------------------------- LRN and pool --------------- */

struct plane_loop {
    const float *in;
    struct vgg_shape shape; /* of one view */
    float *out;
};

/* Squares of channel c over `count` pixels from `first`; zeros past the last channel. */
static void lrn_squares(const struct plane_loop *loop, size_t c, size_t first, size_t count,
                        float *squares)
{
    const float *a = loop->in + c * pixels_of(loop->shape) + first;

    for (size_t p = 0; p < count; p++)
        squares[p] = c < loop->shape.c ? a[p] * a[p] : 0.0F;
}

/*
 * Item: LRN_PIXELS pixels of all channels, in place. A ring of squares holds the window, so that
 * overwriting channel c harms no later sum.
 */
static void lrn_pixels(void *context, size_t item, unsigned thread)
{
    const struct plane_loop *loop = context;
    size_t pixels = pixels_of(loop->shape);
    size_t first = item * LRN_PIXELS, count = vgg_min_size(LRN_PIXELS, pixels - first);
    float squares[VGG_LRN_CHANNELS][LRN_PIXELS] = {{0}};

    (void)thread;
    for (size_t c = 0; c < VGG_LRN_SIDE; c++)
        lrn_squares(loop, c, first, count, squares[c]);
    for (size_t c = 0; c < loop->shape.c; c++) {
        float *b = loop->out + c * pixels + first;
        size_t ahead = c + VGG_LRN_SIDE;

        lrn_squares(loop, ahead, first, count, squares[ahead % VGG_LRN_CHANNELS]);
        for (size_t p = 0; p < count; p++) {
            float sum = 0;

            for (size_t i = 0; i < VGG_LRN_CHANNELS; i++)
                sum += squares[i][p];
            b[p] /= vgg_lrn_divisor(sum);
        }
    }
}

static void lrn(struct vgg_team *team, float *map, struct vgg_shape shape)
{
    struct plane_loop loop = {map, shape, map};

    vgg_team_run(team, lrn_pixels, &loop, vgg_ceil_div(pixels_of(shape), LRN_PIXELS));
}

/* Item: one channel; 2x2 maximum, stride 2, an odd last row or column is dropped. */
static void pool_plane(void *context, size_t item, unsigned thread)
{
    const struct plane_loop *loop = context;
    size_t w = loop->shape.w, out_h = loop->shape.h / 2, out_w = w / 2;
    const float *in = loop->in + item * pixels_of(loop->shape);
    float *out = loop->out + item * out_h * out_w;

    (void)thread;
    for (size_t y = 0; y < out_h; y++) {
        const float *top = in + 2 * y * w, *bottom = top + w;

        for (size_t x = 0; x < out_w; x++)
            out[y * out_w + x] = max_float(max_float(top[2 * x], top[2 * x + 1]),
                                           max_float(bottom[2 * x], bottom[2 * x + 1]));
    }
}

static void conv(struct vgg_team *team, const struct vgg_conv *conv, const void *packed,
                 const float *bias, const void *in, struct vgg_shape in_shape, void *out,
                 void *scratch)
{
    struct vgg_shape full = vgg_conv_unpooled(conv, in_shape);
    size_t in_floats = (size_t)in_shape.c * pixels_of(in_shape);
    size_t out_floats = map_bytes(vgg_conv_output(conv, in_shape)) / sizeof(float) / in_shape.n;
    float *columns = scratch;
    float *wide = columns + columns_floats(conv, in_shape);
    float *unpooled = wide + vgg_team_threads(team) * wide_floats(conv);

    full.n = 1;
    for (size_t n = 0; n < in_shape.n; n++) {
        const float *view = (const float *)in + n * in_floats;
        float *result = (float *)out + n * out_floats;
        struct band band = {
            .conv = conv,
            .weights = packed,
            .wide = wide,
            .bias = bias,
            .in = view,
            .in_h = in_shape.h,
            .in_w = in_shape.w,
            .out_w = full.w,
            .out_pixels = pixels_of(full),
            .columns = (float *)view, /* 1x1 reads the map itself */
            .columns_stride = pixels_of(full),
            .out = conv->pool ? unpooled : result,
        };

        convolve_view(team, &band, columns);
        if (conv->lrn)
            lrn(team, band.out, full);
        if (conv->pool) {
            struct plane_loop loop = {unpooled, full, result};

            vgg_team_run(team, pool_plane, &loop, full.c);
        }
    }
}

/* ---------------------------------------------------------------- output --------------------- */

static void spatial_mean(const void *map, struct vgg_shape shape, double *mean)
{
    const float *scores = map;
    size_t pixels = pixels_of(shape);

    for (size_t plane = 0; plane < (size_t)shape.n * shape.c; plane++) {
        double sum = 0;

        for (size_t p = 0; p < pixels; p++)
            sum += (double)scores[plane * pixels + p];
        mean[plane] = sum / (double)pixels;
    }
}

static void scores(const void *map, struct vgg_shape shape, size_t n, float *out)
{
    size_t floats = shape.c * pixels_of(shape);

    memcpy(out, (const float *)map + n * floats, floats * sizeof *out);
}

const struct vgg_kernels vgg_kernels_portable = {
    .name = "portable",
    .start = vgg_gemm_start,
    .start_bytes = VGG_GEMM_BYTES,
    .algorithm = algorithm,
    .map_bytes = map_bytes,
    .weights_bytes = weights_bytes,
    .pack_rows = 1,
    .weights_pack = weights_pack,
    .input = input,
    .conv_scratch_bytes = conv_scratch_bytes,
    .conv = conv,
    .spatial_mean = spatial_mean,
    .scores = scores,
};
