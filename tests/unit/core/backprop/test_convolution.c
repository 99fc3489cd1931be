/*
 * Whole convolution layers in training, of every table: forward against the oracle's layers with
 * the statistics of the batch, gradients against central differences of that in double; running
 * statistics and what is folded; and that threads do not change a bit.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "backprop/convolution.h"
#include "core/kernels/layer.h"
#include "core/teams.h"
#include "core/train/tables.h"

#define STEP 1e-5   /* of the differences */
#define MARGIN 5e-5 /* from every kink: far more than single precision errs here */

enum {
    SAMPLES = 250 /* values of an array whose slopes are taken */
};

struct train_case {
    struct vgg_conv conv;
    struct vgg_shape in;
    bool batch_norm;
};

/* relu is always there. */
static const struct train_case cases[] = {
    {{3, 5, 3, 1, true, false, false, false}, {2, 3, 5, 7}, false},
    {{3, 5, 3, 1, true, false, true, false}, {3, 3, 5, 6}, false},
    {{3, 6, 3, 1, true, true, false, false}, {2, 3, 4, 5}, false},
    {{3, 9, 3, 1, true, true, true, false}, {2, 3, 7, 6}, false},
    {{3, 5, 3, 1, true, false, false, false}, {3, 3, 6, 5}, true},
    {{4, 7, 3, 1, true, false, true, false}, {3, 4, 7, 6}, true},
    {{5, 3, 1, 0, true, false, false, false}, {2, 5, 4, 3}, false},
    {{5, 9, 1, 0, true, false, true, false}, {3, 5, 5, 6}, true},
    /* Winograd both ways, on every table. */
    {{17, 18, 3, 1, true, false, true, false}, {2, 17, 8, 6}, false},
    {{18, 17, 3, 1, true, false, true, false}, {3, 18, 4, 6}, true},
    {{16, 33, 3, 1, true, false, false, false}, {1, 16, 6, 5}, true},
    /* One pixel: the batch alone has statistics. */
    {{4, 5, 3, 1, true, false, false, false}, {5, 4, 1, 1}, true},
};

/* ---------------------------------------------------------------- in double ------------------ */

enum array { INPUT, WEIGHT, BIAS, GAMMA, ARRAYS };

/* A layer and its data in double; `kinks` says which way each ReLU and pool went. */
struct model {
    const struct train_case *layer;
    struct vgg_shape unpooled, out;
    double *arrays[ARRAYS];
    size_t sizes[ARRAYS];
    double *grad; /* of the result */
    double *y, *result;
    double *mean, *variance; /* of the batch */
    unsigned char *kinks;
    double margin; /* least distance from a kink */
};

/* Views of the convolution alone. */
static void convolve(struct model *model)
{
    const struct train_case *layer = model->layer;
    size_t in = (size_t)layer->in.c * layer->in.h * layer->in.w;
    size_t out = shape_floats(model->unpooled) / layer->in.n;

    for (size_t n = 0; n < layer->in.n; n++)
        oracle_conv(model->arrays[INPUT] + n * in, layer->in.c, layer->in.h, layer->in.w,
                    model->arrays[WEIGHT], NULL, layer->conv.out, layer->conv.kernel,
                    layer->conv.pad, model->y + n * out);
}

/* Bias, or batch normalisation by the definition, of channel c. */
static void shift_channel(struct model *model, size_t c)
{
    size_t plane = (size_t)model->unpooled.h * model->unpooled.w, n = model->unpooled.n;
    double count = (double)(n * plane), mean = 0, variance = 0;

    for (size_t i = 0; i < n * plane; i++)
        mean += model->y[(i / plane * model->unpooled.c + c) * plane + i % plane] / count;
    for (size_t i = 0; i < n * plane; i++) {
        double y = model->y[(i / plane * model->unpooled.c + c) * plane + i % plane] - mean;

        variance += y * y / count;
    }
    model->mean[c] = mean;
    model->variance[c] = variance;
    for (size_t i = 0; i < n * plane; i++) {
        double *y = &model->y[(i / plane * model->unpooled.c + c) * plane + i % plane];

        if (model->layer->batch_norm)
            *y = (*y - mean) / sqrt(variance + 1e-5) * model->arrays[GAMMA][c];
        *y += model->arrays[BIAS][c];
    }
}

/* Note the way of each ReLU, and how near the other was. */
static void note_signs(struct model *model)
{
    for (size_t i = 0; i < shape_floats(model->unpooled); i++) {
        model->kinks[i] = model->y[i] > 0;
        model->margin = fmin(model->margin, fabs(model->y[i]));
    }
}

/* The same of each pool whose maximum lets a gradient through. */
static void note_maxima(struct model *model, const double *map)
{
    size_t w = model->unpooled.w, i = shape_floats(model->unpooled);

    for (size_t plane = 0; plane < (size_t)model->out.n * model->out.c; plane++)
        for (size_t y = 0; y < model->out.h; y++)
            for (size_t x = 0; x < model->out.w; x++, i++) {
                const double *top = map + (plane * model->unpooled.h + 2 * y) * w + 2 * x;
                const double values[4] = {top[0], top[1], top[w], top[w + 1]};
                size_t best = 0;

                for (size_t j = 1; j < 4; j++)
                    if (values[j] > values[best])
                        best = j;
                model->kinks[i] = (unsigned char)best;
                for (size_t j = 0; j < 4 && values[best] > 0; j++)
                    if (j != best)
                        model->margin = fmin(model->margin, values[best] - values[j]);
            }
}

static void forward(struct model *model)
{
    size_t n = model->unpooled.n, c = model->unpooled.c;
    size_t h = model->unpooled.h, w = model->unpooled.w, view = c * h * w;
    double *map = layer_block(n * view, sizeof *map);

    model->margin = (double)INFINITY;
    convolve(model);
    for (size_t i = 0; i < c; i++)
        shift_channel(model, i);
    note_signs(model);
    memcpy(map, model->y, n * view * sizeof *map);
    oracle_relu(map, n * view);
    if (model->layer->conv.lrn) {
        double *rectified = map;

        map = layer_block(n * view, sizeof *map);
        for (size_t i = 0; i < n; i++)
            oracle_lrn(rectified + i * view, c, h, w, map + i * view);
        free(rectified);
    }
    memcpy(model->result, map, shape_floats(model->out) * sizeof *map);
    if (model->layer->conv.pool) {
        note_maxima(model, map);
        for (size_t i = 0; i < n; i++)
            oracle_maxpool(map + i * view, c, h, w,
                           model->result + i * shape_floats(model->out) / n);
    }
    free(map);
}

/* sum(G * result). */
static double objective(struct model *model)
{
    double sum = 0;

    forward(model);
    for (size_t i = 0; i < shape_floats(model->out); i++)
        sum += model->grad[i] * model->result[i];
    return sum;
}

/* Every how many values of an array the slope is taken. */
static size_t stride_of(size_t n)
{
    return 1 + n / SAMPLES;
}

/*
 * The slope at one value; false where a kink lies within the step. The step is exact in double and
 * the same for every value.
 */
static bool slope(struct model *model, enum array array, size_t i, double *result)
{
    size_t kinks = shape_floats(model->unpooled) + shape_floats(model->out);
    unsigned char *above = layer_block(kinks, 1);
    double *value = &model->arrays[array][i], kept = *value, sum;
    bool smooth;

    *value = kept + STEP;
    sum = objective(model);
    memcpy(above, model->kinks, kinks);
    *value = kept - STEP;
    *result = (sum - objective(model)) / (2 * STEP);
    *value = kept;
    smooth = memcmp(above, model->kinks, kinks) == 0;
    free(above);
    return smooth;
}

/* Data of a layer in single precision: what the model has exactly. */
struct data {
    float *arrays[ARRAYS], *grad;
};

static void model_free(struct model *model, struct data *data)
{
    for (size_t i = 0; i < ARRAYS; i++) {
        free(model->arrays[i]);
        free(data->arrays[i]);
    }
    free(data->grad);
    free(model->grad);
    free(model->y);
    free(model->result);
    free(model->mean);
    free(model->variance);
    free(model->kinks);
}

static void model_fill(struct model *model, struct data *data, uint64_t seed)
{
    const struct vgg_conv *conv = &model->layer->conv;
    const double scales[ARRAYS] = {conv->lrn ? 30 : 1,
                                   sqrt(3.0 / (conv->in * conv->kernel * conv->kernel)), 0.3, 0.5};

    for (size_t i = 0; i < ARRAYS; i++) {
        data->arrays[i] = layer_random(model->sizes[i], scales[i], seed + i);
        for (size_t j = 0; i == GAMMA && j < model->sizes[i]; j++)
            data->arrays[i][j] += data->arrays[i][j] < 0 ? -0.5F : 0.5F;
        model->arrays[i] = layer_doubles(data->arrays[i], model->sizes[i]);
    }
    data->grad = layer_random(shape_floats(model->out), 1, seed + ARRAYS);
    model->grad = layer_doubles(data->grad, shape_floats(model->out));
}

/* A model of random data, all of it MARGIN away from any kink; and its forward pass. */
static struct model model_make(const struct train_case *layer, struct data *data)
{
    for (uint64_t seed = 0;; seed += 10) {
        struct model model = {.layer = layer};
        size_t floats;

        model.unpooled = vgg_conv_unpooled(&layer->conv, layer->in);
        model.out = vgg_conv_output(&layer->conv, layer->in);
        floats = shape_floats(model.unpooled);
        model.sizes[INPUT] = shape_floats(layer->in);
        model.sizes[WEIGHT] = layer_weights(&layer->conv);
        model.sizes[BIAS] = model.sizes[GAMMA] = layer->conv.out;
        model.y = layer_block(floats, sizeof *model.y);
        model.result = layer_block(floats, sizeof *model.result);
        model.mean = layer_block(layer->conv.out, sizeof *model.mean);
        model.variance = layer_block(layer->conv.out, sizeof *model.variance);
        model.kinks = layer_block(2 * floats, 1);
        model_fill(&model, data, seed);
        forward(&model);
        if (model.margin > MARGIN)
            return model;
        model_free(&model, data);
    }
}

/* ---------------------------------------------------------------- by the library ------------- */

/* A layer with the memory that a network lends it, to the byte. */
struct fixture {
    struct vgg_convolution layer;
    struct guard in, map, between, scratch, sums_scratch, flipped, sums;
    struct vgg_convolution_work work;
};

static void fixture_init(struct fixture *fixture, const struct vgg_kernels *kernels,
                         const struct train_case *layer, const struct data *data, unsigned threads)
{
    struct vgg_convolution_needs needs;
    struct vgg_convolution *it = &fixture->layer;
    size_t in_bytes = kernels->map_bytes(layer->in), out_bytes;

    assert_int_equal(vgg_convolution_init(it, kernels, "conv1_1", &layer->conv, layer->in,
                                          layer->batch_norm, false, NULL),
                     VGG_OK);
    needs = vgg_convolution_needs(it, threads);
    out_bytes = kernels->map_bytes(it->out);
    guard_init(&fixture->in, in_bytes);
    guard_init(&fixture->map, in_bytes > out_bytes ? in_bytes : out_bytes);
    guard_init(&fixture->between, kernels->map_bytes(it->unpooled));
    guard_init(&fixture->scratch, needs.scratch_bytes);
    guard_init(&fixture->sums_scratch, needs.sums_scratch * sizeof(float));
    guard_init(&fixture->flipped, needs.flipped * sizeof(float));
    guard_init(&fixture->sums, needs.sums * sizeof(double));
    fixture->work = (struct vgg_convolution_work){
        .scratch = fixture->scratch.block,
        .sums_scratch = (float *)(void *)fixture->sums_scratch.block,
        .flipped = (float *)(void *)fixture->flipped.block,
        .sums = (double *)(void *)fixture->sums.block,
    };
    map_write(kernels, layer->in, data->arrays[INPUT], fixture->in.block);
    memcpy(it->weight.value, data->arrays[WEIGHT], it->weight.n * sizeof(float));
    memcpy(it->bias.value, data->arrays[BIAS], it->bias.n * sizeof(float));
    if (layer->batch_norm)
        memcpy(it->gamma.value, data->arrays[GAMMA], it->gamma.n * sizeof(float));
}

static void fixture_fini(struct fixture *fixture)
{
    assert_true(guard_fini(&fixture->in) & guard_fini(&fixture->map) &
                guard_fini(&fixture->between) & guard_fini(&fixture->scratch) &
                guard_fini(&fixture->sums_scratch) & guard_fini(&fixture->flipped) &
                guard_fini(&fixture->sums));
    vgg_convolution_fini(&fixture->layer);
}

static void fixture_forward(struct fixture *fixture, unsigned threads)
{
    vgg_convolution_forward(&fixture->layer, teams[threads],
                            (const float *)(void *)fixture->in.block, true, &fixture->work);
}

/* The gradient of the input takes the place of that of the output, as in a network. */
static void fixture_backward(struct fixture *fixture, const struct data *data, unsigned threads)
{
    float *map = (float *)(void *)fixture->map.block;

    map_write(fixture->layer.kernels, fixture->layer.out, data->grad, map);
    vgg_convolution_backward(&fixture->layer, teams[threads],
                             (const float *)(void *)fixture->in.block, map,
                             (float *)(void *)fixture->between.block, map, &fixture->work);
}

/* The gradient of an array, malloc'ed. */
static float *gradient_of(const struct fixture *fixture, enum array array)
{
    const struct vgg_convolution *layer = &fixture->layer;
    const struct vgg_parameter *const parameters[ARRAYS] = {NULL, &layer->weight, &layer->bias,
                                                            &layer->gamma};
    float *plain;

    if (array != INPUT) {
        plain = layer_block(parameters[array]->n, sizeof *plain);
        for (size_t i = 0; i < parameters[array]->n; i++)
            plain[i] = parameters[array]->gradient[i];
        return plain;
    }
    plain = layer_block(shape_floats(layer->in), sizeof *plain);
    map_read(layer->kernels, layer->in, fixture->map.block, plain);
    return plain;
}

static bool winograd(const struct vgg_convolution *layer)
{
    return strstr(layer->kernels->algorithm(&layer->forward, layer->in), "winograd") != NULL ||
           strstr(layer->kernels->algorithm(&layer->backward, layer->unpooled), "winograd") != NULL;
}

/* ---------------------------------------------------------------- tests ---------------------- */

static void assert_close(const struct vgg_convolution *layer, size_t i, const char *what,
                         const float *values, const double *expected, size_t n)
{
    double l2, largest, times = winograd(layer) ? 20 : 1;

    layer_errors(values, expected, n, &l2, &largest);
    if (!(l2 <= times * DIRECT_L2 && largest <= times * DIRECT_MAX))
        fail_msg("case %zu, %s, %s: relative L2 error %g, max error / rms %g", i,
                 layer->kernels->name, what, l2, largest);
}

static void forward_agrees_with_the_oracle(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct data data;
        struct model model = model_make(&cases[i], &data);
        size_t n = shape_floats(model.out);

        for (size_t t = 0; t < tables_n; t++) {
            struct fixture fixture;
            float *plain = layer_block(n, sizeof *plain);

            fixture_init(&fixture, tables[t], &cases[i], &data, 2);
            fixture_forward(&fixture, 2);
            map_read(tables[t], model.out, fixture.layer.result, plain);
            assert_close(&fixture.layer, i, "result", plain, model.result, n);
            fixture_fini(&fixture);
            free(plain);
        }
        model_free(&model, &data);
    }
}

/* Slopes of an array, where they are taken, and which values those are. */
struct slopes {
    size_t n, skipped, at[2 * SAMPLES];
    double values[2 * SAMPLES];
};

static void take_slopes(struct model *model, enum array array, struct slopes *slopes)
{
    slopes->n = slopes->skipped = 0;
    for (size_t i = 0; i < model->sizes[array]; i += stride_of(model->sizes[array])) {
        slopes->at[slopes->n] = i;
        if (slope(model, array, i, &slopes->values[slopes->n]))
            slopes->n++;
        else
            slopes->skipped++;
    }
}

static void assert_gradient(const struct fixture *fixture, size_t i, enum array array,
                            const struct slopes *slopes)
{
    static const char *const names[ARRAYS] = {"input", "weight", "bias", "gamma"};
    float *gradient = gradient_of(fixture, array), picked[2 * SAMPLES];

    for (size_t j = 0; j < slopes->n; j++)
        picked[j] = gradient[slopes->at[j]];
    assert_close(&fixture->layer, i, names[array], picked, slopes->values, slopes->n);
    free(gradient);
}

static void gradients_are_the_slopes_of_the_oracle(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct data data;
        struct model model = model_make(&cases[i], &data);
        struct slopes slopes[ARRAYS];
        size_t arrays = cases[i].batch_norm ? ARRAYS : ARRAYS - 1;

        for (enum array array = 0; array < arrays; array++) {
            take_slopes(&model, array, &slopes[array]);
            assert_true(slopes[array].n > 0);
            assert_true(slopes[array].skipped <= slopes[array].n / 20);
        }
        for (size_t t = 0; t < tables_n; t++) {
            struct fixture fixture;

            fixture_init(&fixture, tables[t], &cases[i], &data, 2);
            fixture_forward(&fixture, 2);
            fixture_backward(&fixture, &data, 2);
            for (enum array array = 0; array < arrays; array++)
                assert_gradient(&fixture, i, array, &slopes[array]);
            fixture_fini(&fixture);
        }
        model_free(&model, &data);
    }
}

/* The layer of the picture has no gradient of its input; the others stay the same bits. */
static void the_first_layer_gives_no_gradient_of_its_input(void **state)
{
    const struct train_case *layer = &cases[5];
    struct fixture whole, first;
    struct data data;
    struct model model = model_make(layer, &data);

    (void)state;
    fixture_init(&whole, tables[0], layer, &data, 1);
    fixture_init(&first, tables[0], layer, &data, 1);
    vgg_convolution_fini(&first.layer);
    assert_int_equal(vgg_convolution_init(&first.layer, tables[0], "conv1_1", &layer->conv,
                                          layer->in, true, true, NULL),
                     VGG_OK);
    assert_null(first.layer.packed_back);
    memcpy(first.layer.weight.value, data.arrays[WEIGHT], first.layer.weight.n * sizeof(float));
    memcpy(first.layer.bias.value, data.arrays[BIAS], first.layer.bias.n * sizeof(float));
    memcpy(first.layer.gamma.value, data.arrays[GAMMA], first.layer.gamma.n * sizeof(float));
    fixture_forward(&whole, 1);
    fixture_backward(&whole, &data, 1);
    fixture_forward(&first, 1);
    map_write(tables[0], model.out, data.grad, first.map.block);
    vgg_convolution_backward(&first.layer, teams[1], (float *)(void *)first.in.block,
                             (float *)(void *)first.map.block, (float *)(void *)first.between.block,
                             NULL, &first.work);
    assert_memory_equal(first.layer.weight.gradient, whole.layer.weight.gradient,
                        first.layer.weight.n * sizeof(float));
    fixture_fini(&whole);
    fixture_fini(&first);
    model_free(&model, &data);
}

static void assert_same(const struct fixture *fixture, const struct fixture *alone, size_t i)
{
    const struct vgg_convolution *a = &fixture->layer, *b = &alone->layer;
    bool same = memcmp(a->result, b->result, a->kernels->map_bytes(a->out)) == 0;

    for (enum array array = 0; array < ARRAYS; array++) {
        float *mine = gradient_of(fixture, array), *other = gradient_of(alone, array);
        const size_t sizes[ARRAYS] = {shape_floats(a->in), a->weight.n, a->bias.n, a->gamma.n};

        same = same && memcmp(mine, other, sizes[array] * sizeof *mine) == 0;
        free(mine);
        free(other);
    }
    if (a->mean != NULL)
        same = same && memcmp(a->mean, b->mean, a->conv.out * sizeof *a->mean) == 0 &&
               memcmp(a->variance, b->variance, a->conv.out * sizeof *a->mean) == 0;
    if (!same)
        fail_msg("case %zu, %s: other bits", i, a->kernels->name);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct data data;
        struct model model = model_make(&cases[i], &data);

        for (size_t t = 0; t < tables_n; t++) {
            struct fixture fixtures[THREADS_MAX];

            for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
                struct fixture *fixture = &fixtures[threads - 1];

                fixture_init(fixture, tables[t], &cases[i], &data, threads);
                fixture_forward(fixture, threads);
                fixture_backward(fixture, &data, threads);
                assert_same(fixture, &fixtures[0], i);
            }
            for (unsigned threads = 1; threads <= THREADS_MAX; threads++)
                fixture_fini(&fixtures[threads - 1]);
        }
        model_free(&model, &data);
    }
}

/* A tenth of each batch: its mean, and the variance that its values are a sample of. */
static void running_statistics_follow_the_batches(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct data data;
        struct model model = model_make(&cases[i], &data);
        double n = (double)(shape_floats(model.unpooled) / model.unpooled.c);

        for (size_t t = 0; t < tables_n && cases[i].batch_norm; t++) {
            struct fixture fixture;

            fixture_init(&fixture, tables[t], &cases[i], &data, 2);
            for (unsigned batches = 1; batches <= 3; batches++) {
                fixture_forward(&fixture, 2);
                for (size_t c = 0; c < model.unpooled.c; c++) {
                    double old = pow(0.9, (double)batches),
                           sample = model.variance[c] * n / (n - 1);

                    assert_true(fabs((double)fixture.layer.mean[c] - (1 - old) * model.mean[c]) <
                                1e-4);
                    assert_true(fabs((double)fixture.layer.variance[c] - old - (1 - old) * sample) <
                                1e-4);
                }
            }
            fixture_fini(&fixture);
        }
        model_free(&model, &data);
    }
}

/* Values far from zero: the running mean, which is near by then, keeps the variance exact. */
static void values_far_from_zero_are_normalised(void **state)
{
    const struct train_case *layer = &cases[7];
    struct data data;
    struct model model = model_make(layer, &data);
    size_t n = shape_floats(model.out);
    float *plain = layer_block(n, sizeof *plain);

    (void)state;
    for (size_t i = 0; i < model.sizes[INPUT]; i++) {
        data.arrays[INPUT][i] += 100;
        model.arrays[INPUT][i] = (double)data.arrays[INPUT][i];
    }
    forward(&model);
    for (size_t t = 0; t < tables_n; t++) {
        struct fixture fixture;
        double l2, largest;

        fixture_init(&fixture, tables[t], layer, &data, 2);
        for (unsigned batch = 0; batch < 100; batch++)
            fixture_forward(&fixture, 2);
        map_read(tables[t], model.out, fixture.layer.result, plain);
        layer_errors(plain, model.result, n, &l2, &largest);
        assert_true(l2 < 1e-4);
        fixture_fini(&fixture);
    }
    free(plain);
    model_free(&model, &data);
}

/* The layer as it is after training, by the oracle: batch-norm by the running statistics. */
static double *expect_inference(const struct train_case *layer, const struct vgg_convolution *it,
                                const struct data *data)
{
    const struct vgg_conv *conv = &layer->conv;
    size_t plane = (size_t)layer->in.h * layer->in.w, n = conv->out * plane;
    double *in = layer_doubles(data->arrays[INPUT], layer->in.c * plane);
    double *weight = layer_doubles(it->weight.value, it->weight.n);
    double *bias = layer_doubles(it->bias.value, it->bias.n);
    double *y = layer_block(n, sizeof *y), *pooled = layer_block(n, sizeof *pooled);

    oracle_conv(in, conv->in, layer->in.h, layer->in.w, weight, it->mean == NULL ? bias : NULL,
                conv->out, conv->kernel, conv->pad, y);
    if (it->mean != NULL) {
        double *gamma = layer_doubles(it->gamma.value, it->gamma.n);
        double *mean = layer_doubles(it->mean, conv->out);
        double *variance = layer_doubles(it->variance, conv->out);

        oracle_batch_norm(y, conv->out, plane, gamma, bias, mean, variance);
        free(gamma);
        free(mean);
        free(variance);
    }
    oracle_relu(y, n);
    if (conv->pool)
        oracle_maxpool(y, conv->out, layer->in.h, layer->in.w, pooled);
    else
        memcpy(pooled, y, n * sizeof *y);
    free(in);
    free(weight);
    free(bias);
    free(y);
    return pooled;
}

static void folded_layers_infer_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct train_case layer = cases[i];
        struct data data;
        struct model model = model_make(&cases[i], &data);
        struct fixture fixture;
        struct vgg_convolution *it = &fixture.layer;
        size_t half = model.sizes[WEIGHT] / 2 + 1;
        float *weights = layer_block(model.sizes[WEIGHT], sizeof *weights);
        float *biases = layer_block(model.sizes[BIAS], sizeof *biases), *out;
        double *expected;
        bool intact = true;

        fixture_init(&fixture, tables[0], &cases[i], &data, 2);
        for (unsigned batch = 0; batch < 5; batch++)
            fixture_forward(&fixture, 2);
        vgg_convolution_fold_weights(it, 0, half, weights);
        vgg_convolution_fold_weights(it, half, model.sizes[WEIGHT] - half, weights + half);
        vgg_convolution_fold_biases(it, 0, 1, biases);
        vgg_convolution_fold_biases(it, 1, model.sizes[BIAS] - 1, biases + 1);
        layer.conv.lrn = false;
        layer.in.n = 1;
        expected = expect_inference(&layer, it, &data);
        out = layer_run(teams[2], tables[0], &(struct layer_case){layer.conv, layer.in},
                        data.arrays[INPUT], weights, biases, &intact);
        assert_true(intact);
        assert_close(it, i, "folded", out, expected,
                     shape_floats(vgg_conv_output(&layer.conv, layer.in)));
        free(out);
        free(expected);
        free(weights);
        free(biases);
        fixture_fini(&fixture);
        model_free(&model, &data);
    }
}

static int start(void **state)
{
    tables_list();
    return pools_start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_agrees_with_the_oracle),
        cmocka_unit_test(gradients_are_the_slopes_of_the_oracle),
        cmocka_unit_test(the_first_layer_gives_no_gradient_of_its_input),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(running_statistics_follow_the_batches),
        cmocka_unit_test(values_far_from_zero_are_normalised),
        cmocka_unit_test(folded_layers_infer_the_same),
    };

    return cmocka_run_group_tests(tests, start, pools_stop);
}
