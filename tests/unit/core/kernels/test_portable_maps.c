/* The portable kernels apart from the product: input, ReLU, LRN, pool and spatial mean. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "blas/gemm.h"
#include "core/kernels/layer.h"

static struct vgg_team *team;

/* A 1x1 convolution that passes every channel on as it is, and what follows it. */
static float *identity(struct vgg_shape in, bool relu, bool lrn, bool pooled, const float *values)
{
    struct layer_case layer = {{in.c, in.c, 1, 0, relu, lrn, pooled, false}, in};
    float *weights = layer_block((size_t)in.c * in.c, sizeof *weights);
    float *bias = layer_block(in.c, sizeof *bias), *out;
    bool intact = true;

    for (size_t c = 0; c < in.c; c++)
        weights[c * in.c + c] = 1;
    out = layer_run(team, &vgg_kernels_portable, &layer, values, weights, bias, &intact);
    assert_true(intact);
    free(weights);
    free(bias);
    return out;
}

/* ---------------------------------------------------------------- input ---------------------- */

static void input_is_exact(void **state)
{
    static const uint32_t sides[][2] = {{1, 1}, {1, 9}, {9, 1}, {5, 7}, {32, 33}};
    struct vgg_normalisation normalisation;

    (void)state;
    for (unsigned c = 0; c < 3; c++)
        for (unsigned v = 0; v < 256; v++)
            normalisation.table[c][v] = (float)(c * 1000 + v) / 7.0F;
    for (size_t i = 0; i < 2 * COUNT_OF(sides); i++) {
        struct vgg_shape shape = {3, 3, sides[i / 2][0], sides[i / 2][1]};
        struct vgg_view_pixels views[3];
        size_t w = shape.w, h = shape.h;
        struct guard out;
        const float *at;

        for (unsigned c = 0; c < 3; c++)
            normalisation.source[c] = i % 2 == 0 ? c : 2 - c;
        for (size_t n = 0; n < 3; n++) {
            views[n] = (struct vgg_view_pixels){.rgb = maker_picture(w, h, n + 10 * i),
                                                .mirror = n % 2 == 1};
        }
        guard_init(&out, vgg_kernels_portable.map_bytes(shape));
        vgg_kernels_portable.input(team, views, shape, &normalisation, out.block);
        at = (const float *)(const void *)out.block;
        for (size_t n = 0; n < 3; n++)
            for (unsigned c = 0; c < 3; c++)
                for (size_t p = 0; p < h * w; p++, at++) {
                    size_t x = n % 2 == 1 ? w - 1 - p % w : p % w;
                    uint8_t pixel = views[n].rgb[(p / w * w + x) * 3 + (i % 2 == 0 ? c : 2 - c)];

                    assert_true(*at == (float)(c * 1000 + pixel) / 7.0F);
                }
        assert_true(guard_fini(&out));
        for (size_t n = 0; n < 3; n++)
            free((void *)views[n].rgb);
    }
}

/* ---------------------------------------------------------------- ReLU ----------------------- */

static void relu_is_exact(void **state)
{
    struct vgg_shape shape = {2, 5, 9, 11};
    size_t n = shape_floats(shape);
    float *values = layer_random(n, 10, 1), *out;

    (void)state;
    values[0] = 0;
    out = identity(shape, true, false, false, values);
    for (size_t i = 0; i < n; i++)
        assert_true(out[i] == (values[i] > 0 ? values[i] : 0));
    free(out);
    out = identity(shape, false, false, false, values);
    for (size_t i = 0; i < n; i++)
        assert_true(out[i] == values[i]);
    free(out);
    free(values);
}

/* What overflowed further up must not come out as a plain zero. */
static void relu_keeps_nan(void **state)
{
    struct vgg_shape shape = {1, 1, 1, 3};
    float values[3] = {NAN, INFINITY, 1}, *out;

    (void)state;
    out = identity(shape, true, false, false, values);
    assert_true(isnan(out[0]));
    assert_true(isinf(out[1]));
    assert_true(out[2] == 1);
    free(out);
}

/* ---------------------------------------------------------------- LRN ------------------------ */

static void check_lrn(struct vgg_shape shape, double scale)
{
    size_t n = shape_floats(shape), view = n / shape.n;
    float *values = layer_random(n, scale, n), *out = identity(shape, false, true, false, values);
    double *wide = layer_doubles(values, n), *expected = layer_block(n, sizeof *expected);
    double l2, largest;

    for (size_t i = 0; i < shape.n; i++)
        oracle_lrn(wide + i * view, shape.c, shape.h, shape.w, expected + i * view);
    layer_errors(out, expected, n, &l2, &largest);
    if (!(l2 <= DIRECT_L2 && largest <= DIRECT_MAX))
        fail_msg("%u channels, %ux%u, up to %g: relative L2 error %g, max error / rms %g", shape.c,
                 shape.h, shape.w, scale, l2, largest);
    free(values);
    free(out);
    free(wide);
    free(expected);
}

static void lrn_agrees_with_the_oracle(void **state)
{
    static const uint32_t channels[] = {1, 2, 3, 4, 5, 6, 7, 64, 130};
    /* Around the 256 pixels of one item. */
    static const uint32_t sides[][2] = {{1, 1}, {5, 51}, {16, 16}, {1, 257}, {23, 45}};
    static const double scales[] = {1, 30, 1000};

    (void)state;
    for (size_t c = 0; c < COUNT_OF(channels); c++)
        for (size_t i = 0; i < COUNT_OF(sides); i++)
            for (size_t s = 0; s < COUNT_OF(scales); s++)
                check_lrn((struct vgg_shape){2, channels[c], sides[i][0], sides[i][1]}, scales[s]);
}

/* By hand: seven channels of 1000 at one pixel, so that windows hold 3, 4, 5, 5, 5, 4, 3. */
static void lrn_by_hand(void **state)
{
    static const double windows[7] = {3, 4, 5, 5, 5, 4, 3};
    struct vgg_shape shape = {1, 7, 1, 1};
    float values[7], *out;

    (void)state;
    for (size_t c = 0; c < 7; c++)
        values[c] = 1000;
    out = identity(shape, true, true, false, values);
    for (size_t c = 0; c < 7; c++) {
        double expected = 1000 / pow(2 + 1e-4 * windows[c] * 1e6, 0.75);

        assert_true(fabs((double)out[c] - expected) < 1e-5 * expected);
    }
    free(out);
}

/* ---------------------------------------------------------------- pool and mean -------------- */

static void pool_is_exact(void **state)
{
    static const uint32_t sides[][2] = {{2, 2}, {2, 3}, {3, 2}, {5, 5}, {4, 7}, {31, 64}, {2, 999}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        struct vgg_shape shape = {2, 3, sides[i][0], sides[i][1]};
        size_t n = shape_floats(shape), oh = shape.h / 2, ow = shape.w / 2, view = 3 * oh * ow;
        float *values = layer_random(n, 5, i), *out = identity(shape, false, false, true, values);
        double *wide = layer_doubles(values, n),
               *expected = layer_block(2 * view, sizeof *expected);

        for (size_t v = 0; v < 2; v++)
            oracle_maxpool(wide + v * n / 2, 3, shape.h, shape.w, expected + v * view);
        for (size_t p = 0; p < 2 * view; p++)
            assert_true((double)out[p] == expected[p]);
        free(values);
        free(out);
        free(wide);
        free(expected);
    }
}

/* In double: floats that would cancel or vanish in a float sum. */
static void mean_is_in_double(void **state)
{
    static const uint32_t sides[][2] = {{1, 1}, {1, 3}, {7, 5}, {40, 30}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        struct vgg_shape shape = {2, 4, sides[i][0], sides[i][1]};
        size_t pixels = (size_t)shape.h * shape.w;
        float *values = layer_random(shape_floats(shape), 1, i);
        double mean[9], expected[8];
        double *wide;

        values[0] += 16777216;
        wide = layer_doubles(values, shape_floats(shape));
        oracle_mean(wide, 8, pixels, expected);
        mean[8] = 12345;
        vgg_kernels_portable.spatial_mean(values, shape, mean);
        for (size_t plane = 0; plane < 8; plane++)
            assert_true(fabs(mean[plane] - expected[plane]) <= 1e-12 * fabs(expected[plane]));
        assert_true(mean[8] == 12345);
        free(wide);
        free(values);
    }
}

static int start(void **state)
{
    (void)state;
    if (!vgg_gemm_start())
        return 1;
    return vgg_team_create(2, &team, NULL) == VGG_OK ? 0 : 1;
}

static int stop(void **state)
{
    (void)state;
    vgg_team_destroy(team);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_is_exact),    cmocka_unit_test(relu_is_exact),
        cmocka_unit_test(relu_keeps_nan),    cmocka_unit_test(lrn_agrees_with_the_oracle),
        cmocka_unit_test(lrn_by_hand),       cmocka_unit_test(pool_is_exact),
        cmocka_unit_test(mean_is_in_double),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
