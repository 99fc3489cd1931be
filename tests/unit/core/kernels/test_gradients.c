/*
 * The kernels of training (kernels/gradients.h) of every table, in guarded memory, against plain
 * loops in double; and that threads do not change a bit of them.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "core/kernels/layer.h"
#include "core/teams.h"
#include "kernels/gradients.h"

static const uint32_t channels[] = {1, 3, 5, 8, 17, 33};
static const uint32_t sides[][2] = {{1, 1}, {2, 3}, {1, 9}, {7, 5}, {8, 6}, {20, 37}, {13, 2}};

/* ---------------------------------------------------------------- maps and vectors ----------- */

static float *floats_of(const struct guard *guard)
{
    return (float *)(void *)guard->block;
}

/* A map of the table, zeros around the picture. */
static void map_init(struct guard *map, const struct vgg_kernels *kernels, struct vgg_shape shape,
                     const float *plain)
{
    guard_init(map, kernels->map_bytes(shape));
    map_write(kernels, shape, plain, map->block);
}

static size_t padded(const struct vgg_kernels *kernels, uint32_t c)
{
    return vgg_ceil_div(c, kernels->lanes) * kernels->lanes;
}

/* A value for each channel, zero past the last. */
static void vector_init(struct guard *vector, const struct vgg_kernels *kernels, uint32_t c,
                        const float *plain)
{
    guard_init(vector, padded(kernels, c) * sizeof *plain);
    memset(vector->block, 0, vector->bytes);
    memcpy(vector->block, plain, c * sizeof *plain);
}

/*
 * Outside of the picture's pixels, is every byte what it was in `before` (NULL: as guard_init left
 * it)? And are the channels past the last zero within it?
 */
static bool only_pixels_written(const struct vgg_kernels *kernels, struct vgg_shape shape,
                                const struct guard *map, const unsigned char *before)
{
    struct vgg_blocked blocked = vgg_blocked_of(shape, kernels->lanes);
    size_t i = 0;

    for (size_t plane = 0; plane < blocked.n * blocked.blocks; plane++)
        for (size_t y = 0; y < blocked.hp; y++)
            for (size_t x = 0; x < blocked.wp; x++)
                for (size_t lane = 0; lane < blocked.lanes; lane++, i++) {
                    bool inside = y >= VGG_FRAME && y < VGG_FRAME + blocked.h && x >= VGG_FRAME &&
                                  x < VGG_FRAME + blocked.w;
                    size_t c = plane % blocked.blocks * blocked.lanes + lane;
                    uint32_t now, then = UINT32_MAX;

                    memcpy(&now, map->block + i * sizeof now, sizeof now);
                    if (before != NULL)
                        memcpy(&then, before + i * sizeof then, sizeof then);
                    if (inside ? c >= shape.c && floats_of(map)[i] != 0 : now != then)
                        return false;
                }
    return true;
}

/* The value at (n, c, y, x) of plain floats. */
static double at(const float *plain, struct vgg_shape shape, size_t n, size_t c, size_t y, size_t x)
{
    return (double)plain[((n * shape.c + c) * shape.h + y) * shape.w + x];
}

/* ---------------------------------------------------------------- weights -------------------- */

/* The first sizes, all channel counts by all: maps and batches take turns. */
static struct layer_case weights_case(uint32_t kernel, size_t i)
{
    uint32_t in = channels[i / COUNT_OF(channels)], out = channels[i % COUNT_OF(channels)];
    size_t size = (i * 3 + kernel) % COUNT_OF(sides);

    return (struct layer_case){{in, out, kernel, kernel / 2, false, false, false, false},
                               {(uint32_t)(1 + i * 2 % 5), in, sides[size][0], sides[size][1]}};
}

/* The gradient's definition: each weight meets the pixels it is moved to. */
static double *expect_weights(const struct layer_case *layer, const float *in, const float *grad)
{
    const struct vgg_conv *conv = &layer->conv;
    struct vgg_shape shape = layer->in, out = vgg_conv_output(conv, shape);
    double *sums = layer_block(layer_weights(conv), sizeof *sums), *sum = sums;
    size_t k = conv->kernel, pad = conv->pad;

    for (size_t o = 0; o < conv->out; o++)
        for (size_t c = 0; c < conv->in; c++)
            for (size_t tap = 0; tap < k * k; tap++, sum++)
                for (size_t n = 0; n < shape.n; n++)
                    for (size_t y = 0; y < out.h; y++)
                        for (size_t x = 0; x < out.w; x++) {
                            size_t from_y = y + tap / k - pad, from_x = x + tap % k - pad;

                            if (from_y < shape.h && from_x < shape.w)
                                *sum +=
                                    at(grad, out, n, o, y, x) * at(in, shape, n, c, from_y, from_x);
                        }
    return sums;
}

/* sum(G * conv(X, W)) by the oracle. */
static double objective(const struct layer_case *layer, const double *in, const double *weights,
                        const double *grad)
{
    const struct vgg_conv *conv = &layer->conv;
    size_t view = (size_t)layer->in.c * layer->in.h * layer->in.w;
    size_t out_view = (size_t)conv->out * layer->in.h * layer->in.w;
    double *out = layer_block(out_view, sizeof *out), sum = 0;

    for (size_t n = 0; n < layer->in.n; n++) {
        oracle_conv(in + n * view, conv->in, layer->in.h, layer->in.w, weights, NULL, conv->out,
                    conv->kernel, conv->pad, out);
        for (size_t i = 0; i < out_view; i++)
            sum += grad[n * out_view + i] * out[i];
    }
    free(out);
    return sum;
}

/* The same gradient by central differences, weight by weight. */
static double *differences(const struct layer_case *layer, const float *in, const float *grad)
{
    size_t n = layer_weights(&layer->conv);
    double *wide_in = layer_doubles(in, shape_floats(layer->in));
    double *wide_grad = layer_doubles(grad, shape_floats(vgg_conv_output(&layer->conv, layer->in)));
    double *weights = layer_block(n, sizeof *weights), *slopes = layer_block(n, sizeof *slopes);

    for (size_t i = 0; i < n; i++) {
        weights[i] = 0.5;
        slopes[i] = objective(layer, wide_in, weights, wide_grad);
        weights[i] = -0.5;
        slopes[i] -= objective(layer, wide_in, weights, wide_grad);
        weights[i] = 0;
    }
    free(wide_in);
    free(wide_grad);
    free(weights);
    return slopes;
}

/* By the table, malloc'ed; everything but gradient and scratch must stay as it is. */
static float *run_weights(unsigned threads, const struct vgg_kernels *kernels,
                          const struct layer_case *layer, const float *in, const float *grad)
{
    const struct vgg_conv *conv = &layer->conv;
    struct vgg_shape out = vgg_conv_output(conv, layer->in);
    size_t bytes = layer_weights(conv) * sizeof(float);
    struct guard in_map, grad_map, gradient, scratch;
    float *result = layer_block(layer_weights(conv), sizeof *result);
    float *in_after = layer_block(shape_floats(layer->in), sizeof *in_after);
    float *grad_after = layer_block(shape_floats(out), sizeof *grad_after);

    map_init(&in_map, kernels, layer->in, in);
    map_init(&grad_map, kernels, out, grad);
    guard_init(&gradient, bytes);
    guard_init(&scratch, kernels->gradients->scratch_floats(conv, layer->in) * sizeof(float));
    kernels->gradients->weights(teams[threads], conv, floats_of(&in_map), layer->in,
                                floats_of(&grad_map), floats_of(&gradient), floats_of(&scratch));
    memcpy(result, gradient.block, bytes);
    map_read(kernels, layer->in, in_map.block, in_after);
    map_read(kernels, out, grad_map.block, grad_after);
    assert_memory_equal(in_after, in, shape_floats(layer->in) * sizeof *in);
    assert_memory_equal(grad_after, grad, shape_floats(out) * sizeof *grad);
    assert_true(guard_fini(&in_map) & guard_fini(&grad_map) & guard_fini(&gradient) &
                guard_fini(&scratch));
    free(in_after);
    free(grad_after);
    return result;
}

static void check_weights(const struct vgg_kernels *kernels, const struct layer_case *layer,
                          double *(*expect)(const struct layer_case *, const float *,
                                            const float *))
{
    const struct vgg_conv *conv = &layer->conv;
    size_t n = layer_weights(conv);
    float *in = layer_random(shape_floats(layer->in), 1, n);
    float *grad = layer_random(shape_floats(vgg_conv_output(conv, layer->in)), 1, n + 1);
    float *alone = run_weights(1, kernels, layer, in, grad);
    double *expected = expect(layer, in, grad), l2, largest;

    layer_errors(alone, expected, n, &l2, &largest);
    if (!(l2 <= DIRECT_L2 && largest <= DIRECT_MAX))
        fail_msg("%u to %u channels, kernel %u, %u of %ux%u: relative L2 error %g, max error / rms "
                 "%g",
                 conv->in, conv->out, conv->kernel, layer->in.n, layer->in.h, layer->in.w, l2,
                 largest);
    for (unsigned threads = 2; threads <= THREADS_MAX; threads++) {
        float *result = run_weights(threads, kernels, layer, in, grad);

        assert_memory_equal(result, alone, n * sizeof *alone);
        free(result);
    }
    free(in);
    free(grad);
    free(alone);
    free(expected);
}

static void weights_are_the_sums_of_their_definition(void **state)
{
    for (uint32_t kernel = 1; kernel <= 3; kernel += 2)
        for (size_t i = 0; i < COUNT_OF(channels) * COUNT_OF(channels); i++) {
            struct layer_case layer = weights_case(kernel, i);

            check_weights(*state, &layer, expect_weights);
        }
}

static void weights_are_the_slopes_of_the_oracle(void **state)
{
    static const struct layer_case cases[] = {
        {{1, 1, 3, 1, false, false, false, false}, {1, 1, 1, 1}},
        {{3, 5, 3, 1, false, false, false, false}, {2, 3, 5, 7}},
        {{17, 3, 3, 1, false, false, false, false}, {3, 17, 3, 4}},
        {{5, 33, 1, 0, false, false, false, false}, {2, 5, 6, 3}},
        {{33, 1, 1, 0, false, false, false, false}, {5, 33, 1, 2}},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_weights(*state, &cases[i], differences);
}

/* ---------------------------------------------------------------- what follows --------------- */

/* A layer's output and all that is done to it. Sums and values of the data below are exact. */
struct after {
    const struct vgg_kernels *kernels;
    struct vgg_shape shape, out;
    bool relu, pool;
    float *y, *grad, *scale, *shift, *centre; /* plain */
};

/* Random multiples of `unit`, at most `steps` of it: equal values are frequent. */
static float *grid(size_t n, double unit, int steps, uint64_t seed)
{
    float *values = layer_block(n, sizeof *values);

    for (size_t i = 0; i < n; i++)
        values[i] = (float)(unit * (int)(maker_random(&seed) * (2 * steps + 1)) - unit * steps);
    return values;
}

static struct after after_make(const struct vgg_kernels *kernels, size_t i, bool relu, bool pool)
{
    struct after after = {.kernels = kernels, .relu = relu, .pool = pool};
    size_t size = (i * 5 + 3) % COUNT_OF(sides);

    after.shape = (struct vgg_shape){(uint32_t)(1 + i % 4), channels[i % COUNT_OF(channels)],
                                     sides[size][0], sides[size][1]};
    after.out = after.shape;
    after.out.h /= pool ? 2 : 1;
    after.out.w /= pool ? 2 : 1;
    after.y = grid(shape_floats(after.shape), 0.5, 4, i);
    after.grad = grid(shape_floats(after.out), 0.125, 40, i + 1);
    after.scale = grid(after.shape.c, 0.5, 3, i + 2);
    after.shift = grid(after.shape.c, 0.25, 3, i + 3);
    after.centre = grid(after.shape.c, 0.25, 3, i + 4);
    return after;
}

static void after_free(struct after *after)
{
    free(after->y);
    free(after->grad);
    free(after->scale);
    free(after->shift);
    free(after->centre);
}

static double activation(const struct after *after, size_t n, size_t c, size_t y, size_t x)
{
    double u =
        at(after->y, after->shape, n, c, y, x) * (double)after->scale[c] + (double)after->shift[c];

    return after->relu && u < 0 ? 0 : u;
}

/* Position in a 2x2 window of its first maximum. */
static size_t first_maximum(const struct after *after, size_t n, size_t c, size_t y, size_t x)
{
    size_t best = 0;

    for (size_t i = 1; i < 4; i++)
        if (activation(after, n, c, 2 * y + i / 2, 2 * x + i % 2) >
            activation(after, n, c, 2 * y + best / 2, 2 * x + best % 2))
            best = i;
    return best;
}

static double expect_post(const struct after *after, size_t n, size_t c, size_t y, size_t x)
{
    size_t best;

    if (!after->pool)
        return activation(after, n, c, y, x);
    best = first_maximum(after, n, c, y, x);
    return activation(after, n, c, 2 * y + best / 2, 2 * x + best % 2);
}

static double expect_post_back(const struct after *after, size_t n, size_t c, size_t y, size_t x)
{
    if (after->relu && !(activation(after, n, c, y, x) > 0))
        return 0;
    if (!after->pool)
        return at(after->grad, after->out, n, c, y, x);
    if (y / 2 >= after->out.h || x / 2 >= after->out.w ||
        first_maximum(after, n, c, y / 2, x / 2) != y % 2 * 2 + x % 2)
        return 0;
    return at(after->grad, after->out, n, c, y / 2, x / 2);
}

/* Every value of a map is exactly what `expect` says. */
static void assert_map(const struct after *after, struct vgg_shape shape, const struct guard *map,
                       double (*expect)(const struct after *, size_t, size_t, size_t, size_t))
{
    float *plain = layer_block(shape_floats(shape), sizeof *plain);

    map_read(after->kernels, shape, map->block, plain);
    for (size_t n = 0; n < shape.n; n++)
        for (size_t c = 0; c < shape.c; c++)
            for (size_t y = 0; y < shape.h; y++)
                for (size_t x = 0; x < shape.w; x++)
                    if (at(plain, shape, n, c, y, x) != expect(after, n, c, y, x))
                        fail_msg("%ux%u, view %zu, channel %zu, (%zu, %zu): %g for %g", shape.h,
                                 shape.w, n, c, y, x, at(plain, shape, n, c, y, x),
                                 expect(after, n, c, y, x));
    free(plain);
}

static void run_post(unsigned threads, const struct after *after)
{
    const struct vgg_kernels *kernels = after->kernels;
    struct guard y, scale, shift, out;
    struct vgg_post post = {.relu = after->relu, .pool = after->pool};

    map_init(&y, kernels, after->shape, after->y);
    vector_init(&scale, kernels, after->shape.c, after->scale);
    vector_init(&shift, kernels, after->shape.c, after->shift);
    guard_init(&out, kernels->map_bytes(after->out));
    post.scale = floats_of(&scale);
    post.shift = floats_of(&shift);
    kernels->gradients->post(teams[threads], &post, floats_of(&y), after->shape, floats_of(&out));
    assert_map(after, after->out, &out, expect_post);
    assert_true(only_pixels_written(kernels, after->out, &out, NULL));
    assert_true(guard_fini(&y) & guard_fini(&scale) & guard_fini(&shift) & guard_fini(&out));
}

/* Sums over the map of a channel's u_grad, and of that times y - centre. */
static void assert_back_sums(const struct after *after, const double *sums)
{
    size_t lanes = padded(after->kernels, after->shape.c);

    for (size_t c = 0; c < lanes; c++) {
        double sum = 0, product = 0;

        for (size_t n = 0; n < after->shape.n && c < after->shape.c; n++)
            for (size_t y = 0; y < after->shape.h; y++)
                for (size_t x = 0; x < after->shape.w; x++) {
                    double gradient = expect_post_back(after, n, c, y, x);

                    sum += gradient;
                    product += gradient *
                               (at(after->y, after->shape, n, c, y, x) - (double)after->centre[c]);
                }
        if (sums[c] != sum || sums[lanes + c] != product)
            fail_msg("channel %zu: sums %g, %g for %g, %g", c, sums[c], sums[lanes + c], sum,
                     product);
    }
}

/* `in_place`: u_grad is out_grad, which is allowed where there is no pool. */
static void run_post_back(unsigned threads, const struct after *after, bool in_place)
{
    const struct vgg_kernels *kernels = after->kernels;
    struct vgg_conv conv = {after->shape.c, after->shape.c, 3, 1, false, false, false, false};
    struct guard y, grad, scale, shift, centre, u_grad, sums, scratch, *result;
    struct vgg_post post = {.relu = after->relu, .pool = after->pool};
    unsigned char *before = layer_block(kernels->map_bytes(after->out), 1);

    map_init(&y, kernels, after->shape, after->y);
    map_init(&grad, kernels, after->out, after->grad);
    memcpy(before, grad.block, grad.bytes);
    vector_init(&scale, kernels, after->shape.c, after->scale);
    vector_init(&shift, kernels, after->shape.c, after->shift);
    vector_init(&centre, kernels, after->shape.c, after->centre);
    guard_init(&u_grad, kernels->map_bytes(after->shape));
    guard_init(&sums, 2 * padded(kernels, after->shape.c) * sizeof(double));
    guard_init(&scratch, kernels->gradients->scratch_floats(&conv, after->shape) * sizeof(float));
    post.scale = floats_of(&scale);
    post.shift = floats_of(&shift);
    result = in_place ? &grad : &u_grad;
    kernels->gradients->post_back(teams[threads], &post, floats_of(&grad), floats_of(&y),
                                  after->shape, floats_of(&centre), floats_of(result),
                                  (double *)(void *)sums.block, floats_of(&scratch));
    assert_map(after, after->shape, result, expect_post_back);
    assert_true(only_pixels_written(kernels, after->shape, result, in_place ? before : NULL));
    assert_back_sums(after, (double *)(void *)sums.block);
    if (!in_place)
        assert_memory_equal(grad.block, before, grad.bytes);
    free(before);
    assert_true(guard_fini(&y) & guard_fini(&grad) & guard_fini(&scale) & guard_fini(&shift) &
                guard_fini(&centre) & guard_fini(&u_grad) & guard_fini(&sums) &
                guard_fini(&scratch));
}

/* The data are such that nothing is ever rounded: any number of threads gives exactly this. */
static void what_follows_and_its_gradient(void **state)
{
    for (size_t i = 0; i < 2 * COUNT_OF(channels) * COUNT_OF(sides); i++)
        for (unsigned kind = 0; kind < 4; kind++) {
            struct after after = after_make(*state, i, kind % 2 != 0, kind / 2 != 0);
            unsigned threads = (unsigned)(1 + i % THREADS_MAX);

            run_post(threads, &after);
            run_post_back(threads, &after, false);
            if (!after.pool)
                run_post_back(threads, &after, true);
            after_free(&after);
        }
}

/* Windows of equal values: all of the gradient at the first, none where ReLU holds it back. */
static void the_first_of_equals_takes_the_gradient(void **state)
{
    static const float levels[] = {0.5, 0, -0.5};

    for (size_t i = 0; i < COUNT_OF(channels); i++)
        for (unsigned kind = 0; kind < 2 * COUNT_OF(levels); kind++) {
            struct after after = after_make(*state, i, kind % 2 != 0, true);

            for (size_t j = 0; j < shape_floats(after.shape); j++)
                after.y[j] = levels[kind / 2];
            for (size_t c = 0; c < after.shape.c; c++) {
                after.scale[c] = 1;
                after.shift[c] = 0;
            }
            run_post_back(2, &after, false);
            after_free(&after);
        }
}

/* ---------------------------------------------------------------- sums, blends --------------- */

struct moments {
    double sums[2][64], sizes[2][64]; /* of the terms, and of their absolute values */
};

static void expect_moments(const float *y, struct vgg_shape shape, const float *centre,
                           struct moments *moments)
{
    memset(moments, 0, sizeof *moments);
    for (size_t n = 0; n < shape.n; n++)
        for (size_t c = 0; c < shape.c; c++)
            for (size_t i = 0; i < (size_t)shape.h * shape.w; i++) {
                double value = at(y, shape, n, c, 0, i) - (double)centre[c];

                moments->sums[0][c] += value;
                moments->sizes[0][c] += fabs(value);
                moments->sums[1][c] += value * value;
                moments->sizes[1][c] += value * value;
            }
}

/* The sums by the table: [2][padded], malloc'ed. */
static double *run_moments(unsigned threads, const struct vgg_kernels *kernels,
                           struct vgg_shape shape, const float *y, const float *centre)
{
    struct vgg_conv conv = {shape.c, shape.c, 1, 0, false, false, false, false};
    struct guard map, vector, sums, scratch;
    double *result = layer_block(2 * padded(kernels, shape.c), sizeof *result);

    map_init(&map, kernels, shape, y);
    vector_init(&vector, kernels, shape.c, centre);
    guard_init(&sums, 2 * padded(kernels, shape.c) * sizeof *result);
    guard_init(&scratch, kernels->gradients->scratch_floats(&conv, shape) * sizeof(float));
    kernels->gradients->moments(teams[threads], floats_of(&map), shape, floats_of(&vector),
                                (double *)(void *)sums.block, floats_of(&scratch));
    memcpy(result, sums.block, sums.bytes);
    assert_true(guard_fini(&map) & guard_fini(&vector) & guard_fini(&sums) & guard_fini(&scratch));
    return result;
}

static void moments_of_each_channel(void **state)
{
    const struct vgg_kernels *kernels = *state;

    for (size_t i = 0; i < COUNT_OF(channels) * COUNT_OF(sides); i++) {
        const uint32_t *side = sides[i / COUNT_OF(channels)];
        uint32_t views =
            side[0] == 1 ? 80 : (uint32_t)(1 + i % 5); /* 80: sums are most of scratch */
        struct vgg_shape shape = {views, channels[i % COUNT_OF(channels)], side[0], side[1]};
        size_t lanes = padded(kernels, shape.c);
        float *y = layer_random(shape_floats(shape), 3, i);
        float *centre = layer_random(shape.c, 1, i + 1);
        double *alone = run_moments(1, kernels, shape, y, centre);
        struct moments expected;

        expect_moments(y, shape, centre, &expected);
        for (size_t j = 0; j < 2 * lanes; j++)
            if (!(fabs(alone[j] - expected.sums[j / lanes][j % lanes]) <=
                  1e-6 * expected.sizes[j / lanes][j % lanes]))
                fail_msg("sum %zu of channel %zu: %.9g for %.9g", j / lanes, j % lanes, alone[j],
                         expected.sums[j / lanes][j % lanes]);
        for (unsigned threads = 2; threads <= THREADS_MAX; threads++) {
            double *sums = run_moments(threads, kernels, shape, y, centre);

            assert_memory_equal(sums, alone, 2 * lanes * sizeof *sums);
            free(sums);
        }
        free(y);
        free(centre);
        free(alone);
    }
}

/* Of one map with another: within a rounding or two. */
static void check_blend(unsigned threads, const struct vgg_kernels *kernels, struct vgg_shape shape)
{
    size_t n = shape_floats(shape), plane = (size_t)shape.h * shape.w;
    float *map = layer_random(n, 1, n), *y = layer_random(n, 1, n + 1);
    float *factors[3], *result = layer_block(n, sizeof *result);
    unsigned char *before = layer_block(kernels->map_bytes(shape), 1);
    struct guard map_guard, y_guard, vectors[3];

    map_init(&map_guard, kernels, shape, map);
    memcpy(before, map_guard.block, map_guard.bytes);
    map_init(&y_guard, kernels, shape, y);
    for (size_t i = 0; i < 3; i++) {
        factors[i] = layer_random(shape.c, 2, n + 2 + i);
        vector_init(&vectors[i], kernels, shape.c, factors[i]);
    }
    kernels->gradients->blend(teams[threads], floats_of(&map_guard), floats_of(&y_guard), shape,
                              floats_of(&vectors[0]), floats_of(&vectors[1]),
                              floats_of(&vectors[2]));
    map_read(kernels, shape, map_guard.block, result);
    assert_true(only_pixels_written(kernels, shape, &map_guard, before));
    for (size_t i = 0; i < n; i++) {
        size_t c = i / plane % shape.c;
        double a = (double)factors[0][c] * (double)map[i], b = (double)factors[1][c] * (double)y[i];
        double sum = a + b + (double)factors[2][c];

        if (!(fabs((double)result[i] - sum) <=
              2e-7 * (fabs(a) + fabs(b) + fabs((double)factors[2][c]))))
            fail_msg("value %zu: %.9g for %.9g", i, (double)result[i], sum);
    }
    assert_true(guard_fini(&map_guard) & guard_fini(&y_guard));
    for (size_t i = 0; i < 3; i++) {
        assert_true(guard_fini(&vectors[i]));
        free(factors[i]);
    }
    free(map);
    free(y);
    free(result);
    free(before);
}

static void blends_of_each_channel(void **state)
{
    for (size_t i = 0; i < COUNT_OF(channels) * COUNT_OF(sides); i++) {
        const uint32_t *side = sides[i / COUNT_OF(channels)];

        check_blend((unsigned)(1 + i % THREADS_MAX), *state,
                    (struct vgg_shape){(uint32_t)(1 + i % 5), channels[i % COUNT_OF(channels)],
                                       side[0], side[1]});
    }
}

/* test_gradients [TABLE]: only one table of kernels. */
int main(int argc, char **argv)
{
    const struct vgg_kernels *tables[TABLES_MAX];
    size_t tables_n = tables_asked(argc > 1 ? argv[1] : NULL, tables), run = 0;
    int failed = 0;

    for (size_t i = 0; i < tables_n; i++) {
        void *table = (void *)(uintptr_t)tables[i];
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_prestate(weights_are_the_sums_of_their_definition, table),
            cmocka_unit_test_prestate(weights_are_the_slopes_of_the_oracle, table),
            cmocka_unit_test_prestate(what_follows_and_its_gradient, table),
            cmocka_unit_test_prestate(the_first_of_equals_takes_the_gradient, table),
            cmocka_unit_test_prestate(moments_of_each_channel, table),
            cmocka_unit_test_prestate(blends_of_each_channel, table),
        };

        if (tables[i]->gradients == NULL)
            continue;
        print_message("kernels: %s\n", tables[i]->name);
        failed += cmocka_run_group_tests(tests, pools_start, pools_stop);
        run++;
    }
    return run == 0 ? 1 : failed;
}
