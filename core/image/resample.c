/*
 * Resizing by a triangle filter, bit for bit what Pillow's BILINEAR gives: the filter is as wide as
 * the reduction asks for, weights are normalised in double precision and rounded to 22 fractional
 * bits, columns are done first, and each pass rounds to 8 bits. An axis that keeps its size is left
 * alone.
 * Path of a request: decode -> orient -> rescale.c -> [this] -> views.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "image/image.h"
#include "image/resample_kernels.h"

enum {
    CHANNELS = VGG_RESAMPLE_CHANNELS,
    STEP = VGG_RESAMPLE_STEP,
    OVERREAD_BYTES = VGG_RESAMPLE_OVERREAD
};

/* ---- weights ---- */

/*
 * The window and the weights of output pixel `index`. The order of these operations, and that none
 * are fused, decides the last bit of a weight; it has to stay.
 */
static struct vgg_resample_window weigh(uint32_t in, uint32_t out, uint32_t index, double *weights)
{
    double scale = (double)in / out;
    double reduction = scale < 1.0 ? 1.0 : scale;
    double center = (index + 0.5) * scale;
    double sharpness = 1.0 / reduction;
    double first = center - reduction + 0.5;
    double end = center + reduction + 0.5;
    double sum = 0.0;
    struct vgg_resample_window window;

    window.first = first < 0.0 ? 0 : (uint32_t)first;
    window.taps = (end > in ? in : (uint32_t)end) - window.first;
    for (uint32_t i = 0; i < window.taps; i++) {
        double distance = fabs((i + window.first - center + 0.5) * sharpness);

        weights[i] = distance < 1.0 ? 1.0 - distance : 0.0;
        sum += weights[i];
    }
    if (sum != 0.0)
        for (uint32_t i = 0; i < window.taps; i++)
            weights[i] /= sum;
    return window;
}

static int32_t to_fixed(double weight)
{
    return (int32_t)(0.5 + weight * (1 << VGG_RESAMPLE_FRACTION_BITS));
}

static void axis_fini(struct vgg_resample_axis *axis)
{
    free(axis->windows);
    free(axis->weights);
    *axis = (struct vgg_resample_axis){0};
}

/* The outputs first .. first + n - 1 of an axis. */
static enum vgg_status axis_init(struct vgg_resample_axis *axis, uint32_t in, uint32_t out,
                                 uint32_t first, uint32_t n, struct vgg_error *error)
{
    double scale = (double)in / out;
    size_t taps_max = (size_t)ceil(scale < 1.0 ? 1.0 : scale) * 2 + 1;
    double *exact = vgg_alloc(taps_max, sizeof *exact);
    size_t count;

    *axis = (struct vgg_resample_axis){.out = n};
    axis->stride = (taps_max + STEP - 1) / STEP * STEP;
    axis->windows = vgg_alloc(n, sizeof *axis->windows);
    if (vgg_size_mul(n, axis->stride, &count))
        axis->weights = vgg_calloc(count, sizeof *axis->weights);
    if (exact == NULL || axis->windows == NULL || axis->weights == NULL)
        goto fail;
    for (uint32_t i = 0; i < n; i++) {
        int32_t *weights = axis->weights + i * axis->stride;

        axis->windows[i] = weigh(in, out, first + i, exact);
        for (uint32_t tap = 0; tap < axis->windows[i].taps; tap++)
            weights[tap] = to_fixed(exact[tap]);
    }
    free(exact);
    return VGG_OK;

fail:
    free(exact);
    axis_fini(axis);
    return vgg_fail_memory(error);
}

/* ---- passes ---- */

/*
 * The rows first .. first + rows - 1 of a picture. Rows in pairs; those so near the end of src that
 * reading on would leave it go through a copy.
 */
static enum vgg_status pass_horizontal(const struct vgg_resample_kernels *kernels,
                                       const struct vgg_resample_axis *axis, const uint8_t *src,
                                       uint32_t width, uint32_t height, uint32_t first,
                                       uint32_t rows, uint8_t *dst, struct vgg_error *error)
{
    size_t in_bytes = (size_t)width * CHANNELS;
    size_t out_bytes = (size_t)axis->out * CHANNELS;
    size_t src_bytes = in_bytes * height;
    uint8_t *copies = vgg_calloc(2, in_bytes + OVERREAD_BYTES);

    if (copies == NULL)
        return vgg_fail_memory(error);
    for (uint32_t y = 0; y < rows; y += 2) {
        const uint8_t *in[2];
        uint8_t *out[2];

        for (unsigned i = 0; i < 2; i++) {
            uint32_t row = y + i < rows ? y + i : y; /* an odd last row is its own partner */
            size_t begin = ((size_t)first + row) * in_bytes;

            in[i] = src + begin;
            out[i] = dst + row * out_bytes;
            if (begin + in_bytes + OVERREAD_BYTES > src_bytes)
                in[i] = memcpy(copies + i * (in_bytes + OVERREAD_BYTES), in[i], in_bytes);
        }
        kernels->horizontal(axis, in, out);
    }
    free(copies);
    return VGG_OK;
}

/* src begins at row `first` of the picture. */
static void pass_vertical(const struct vgg_resample_kernels *kernels,
                          const struct vgg_resample_axis *axis, const uint8_t *src,
                          size_t row_bytes, uint32_t first, uint8_t *dst)
{
    for (uint32_t y = 0; y < axis->out; y++)
        kernels->vertical(src + (axis->windows[y].first - first) * row_bytes, row_bytes,
                          axis->weights + y * axis->stride, axis->windows[y].taps,
                          dst + y * row_bytes);
}

/* Input rows that the windows of an axis cover: both their ends ascend. */
static uint32_t axis_rows(const struct vgg_resample_axis *axis)
{
    const struct vgg_resample_window *last = &axis->windows[axis->out - 1];

    return last->first + last->taps - axis->windows[0].first;
}

/*
 * An axis that keeps its size has weights 1 and 0 and would give the same bits: it is left out,
 * except where only some of its columns are wanted.
 */
static enum vgg_status resample(const struct vgg_resample_kernels *kernels, const uint8_t *src,
                                uint32_t width, uint32_t height, uint8_t *dst, uint32_t out_width,
                                uint32_t out_height, const struct vgg_rect *part,
                                struct vgg_error *error)
{
    bool across = width != out_width || part->width != out_width, down = height != out_height;
    size_t row_bytes = (size_t)part->width * CHANNELS;
    uint32_t first = part->y, rows = part->height;
    struct vgg_resample_axis horizontal = {0}, vertical = {0};
    uint8_t *between = dst;
    enum vgg_status status = VGG_OK;

    if (down) {
        status = axis_init(&vertical, height, out_height, part->y, part->height, error);
        if (status != VGG_OK)
            return status;
        first = vertical.windows[0].first;
        rows = axis_rows(&vertical);
        between = NULL;
    }
    if (across) {
        status = axis_init(&horizontal, width, out_width, part->x, part->width, error);
        if (status == VGG_OK && kernels->order != NULL)
            kernels->order(horizontal.weights, horizontal.out * horizontal.stride);
        if (status == VGG_OK && down && (between = vgg_alloc_aligned(rows, row_bytes)) == NULL)
            status = vgg_fail_memory(error);
        if (status == VGG_OK)
            status = pass_horizontal(kernels, &horizontal, src, width, height, first, rows, between,
                                     error);
    }
    if (status == VGG_OK && down)
        pass_vertical(kernels, &vertical, across ? between : src + first * row_bytes, row_bytes,
                      first, dst);
    else if (status == VGG_OK && !across)
        memcpy(dst, src + first * row_bytes, row_bytes * rows);
    if (down)
        free(between);
    axis_fini(&horizontal);
    axis_fini(&vertical);
    return status;
}

static enum vgg_status check_sizes(uint32_t width, uint32_t height, uint32_t out_width,
                                   uint32_t out_height, struct vgg_error *error)
{
    if (width == 0 || height == 0 || out_width == 0 || out_height == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "cannot resize %u x %u to %u x %u pixels", width,
                        height, out_width, out_height);
    if (width > VGG_SIDE_MAX || height > VGG_SIDE_MAX || out_width > VGG_SIDE_MAX ||
        out_height > VGG_SIDE_MAX)
        return vgg_fail(error, VGG_TOO_LARGE, "resizing %u x %u to %u x %u: a side is over %d",
                        width, height, out_width, out_height, VGG_SIDE_MAX);
    return VGG_OK;
}

enum vgg_status vgg_resample_with(const struct vgg_resample_kernels *kernels, const uint8_t *src,
                                  uint32_t width, uint32_t height, uint8_t *dst, uint32_t out_width,
                                  uint32_t out_height, struct vgg_error *error)
{
    struct vgg_rect whole = {0, 0, out_width, out_height};
    enum vgg_status status = check_sizes(width, height, out_width, out_height, error);

    if (status != VGG_OK)
        return status;
    return resample(kernels, src, width, height, dst, out_width, out_height, &whole, error);
}

enum vgg_status vgg_resample_part(const uint8_t *src, uint32_t width, uint32_t height, uint8_t *dst,
                                  uint32_t out_width, uint32_t out_height,
                                  const struct vgg_rect *part, struct vgg_error *error)
{
    enum vgg_status status = check_sizes(width, height, out_width, out_height, error);

    if (status != VGG_OK)
        return status;
    assert(part->width >= 1 && part->x <= out_width && part->width <= out_width - part->x);
    assert(part->height >= 1 && part->y <= out_height && part->height <= out_height - part->y);
    return resample(vgg_resample_kernels()[0], src, width, height, dst, out_width, out_height, part,
                    error);
}
