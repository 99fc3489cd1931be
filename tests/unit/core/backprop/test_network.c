/*
 * Whole networks in training: loss and gradients against a network of the oracle's layers in
 * double, how weights begin, what a shallower net gives, that pictures can be learnt by heart, that
 * threads do not change a bit, and every allocation that fails.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backprop/network.h"
#include "blas/gemm.h"
#include "core/kernels/layer.h"
#include "core/teams.h"
#include "core/train/tables.h"
#include "fault.h"

enum { CROP = 32, FC = 9, CLASSES = 5, BATCH = 3 };

struct spec {
    const char *arch;
    uint32_t width, fc, classes, batch;
    bool batch_norm;
    double dropout;
    uint32_t crop; /* of the pictures; 0: that of the network */
    size_t frozen;
};

static enum vgg_status init(struct vgg_network *network, const struct vgg_kernels *kernels,
                            const struct spec *spec, struct vgg_error *error)
{
    const struct vgg_arch *arch = vgg_arch_find(spec->arch);
    struct vgg_net_sizes sizes =
        vgg_net_sizes_regular(arch, spec->width, spec->fc, spec->classes, CROP);
    struct vgg_network_options options = {.batch = spec->batch,
                                          .batch_norm = spec->batch_norm,
                                          .dropout = spec->dropout,
                                          .crop = spec->crop,
                                          .frozen = spec->frozen};

    return vgg_network_init(network, arch, kernels, &sizes, &options, THREADS_MAX, error);
}

/* On the heap: a network is too large for the stack of a test. */
static struct vgg_network *make(const struct vgg_kernels *kernels, const struct spec *spec)
{
    struct vgg_network *network = layer_block(1, sizeof *network);
    uint64_t seed = 11;

    assert_int_equal(init(network, kernels, spec, NULL), VGG_OK);
    vgg_network_randomise(network, VGG_TRAIN_HE, 1);
    for (size_t i = 0; i < network->parameters_n; i++) /* biases that are not all zero */
        for (size_t j = 0; !network->parameters[i]->decays && j < network->parameters[i]->n; j++)
            network->parameters[i]->value[j] += (float)(0.2 * maker_random(&seed) - 0.1);
    return network;
}

static void destroy(struct vgg_network *network)
{
    vgg_network_fini(network);
    free(network);
}

struct pictures {
    float *crops;
    uint32_t *labels;
    float *targets; /* a tenth of them on the other classes */
    double *weights;
};

static struct pictures pictures_make(const struct spec *spec)
{
    uint64_t seed = 4;
    size_t side = spec->crop;
    struct pictures pictures = {
        layer_random(spec->batch * 3 * side * side, 2, 3),
        layer_block(spec->batch, sizeof *pictures.labels),
        layer_block((size_t)spec->batch * spec->classes, sizeof *pictures.targets),
        layer_block(spec->batch, sizeof *pictures.weights),
    };

    for (size_t i = 0; i < spec->batch; i++) {
        pictures.labels[i] = (uint32_t)(maker_random(&seed) * spec->classes);
        pictures.weights[i] = 0.5 + (double)i;
        for (uint32_t c = 0; c < spec->classes; c++)
            pictures.targets[i * spec->classes + c] =
                c == pictures.labels[i] ? 0.9F : 0.1F / (float)(spec->classes - 1);
    }
    return pictures;
}

static void pictures_free(struct pictures *pictures)
{
    free(pictures->crops);
    free(pictures->labels);
    free(pictures->targets);
    free(pictures->weights);
}

static struct vgg_network_examples examples_of(const struct pictures *pictures, uint32_t n)
{
    return (struct vgg_network_examples){pictures->crops, pictures->labels, pictures->targets,
                                         pictures->weights, n};
}

/* Forward and backward for all pictures. */
static struct vgg_network_batch step_of(struct vgg_network *network, unsigned threads,
                                        const struct pictures *pictures, uint64_t seed,
                                        uint64_t step)
{
    struct vgg_network_examples examples = examples_of(pictures, network->batch);
    struct vgg_network_batch batch =
        vgg_network_forward(network, teams[threads], &examples, seed, step);

    vgg_network_backward(network, teams[threads], NULL);
    return batch;
}

/* ---------------------------------------------------------------- in double ------------------ */

/* A network's parameters in double, in its order. */
struct model {
    const struct vgg_network *network;
    const struct pictures *pictures;
    double *values[VGG_NETWORK_PARAMETERS_MAX];
};

static struct model model_make(const struct vgg_network *network, const struct pictures *pictures)
{
    struct model model = {.network = network, .pictures = pictures};

    for (size_t i = 0; i < network->parameters_n; i++)
        model.values[i] = layer_doubles(network->parameters[i]->value, network->parameters[i]->n);
    return model;
}

static void model_free(struct model *model)
{
    for (size_t i = 0; i < model->network->parameters_n; i++)
        free(model->values[i]);
}

/* Batch normalisation by the batch's own mean and variance: x[n][c][plane]. */
static void normalise(double *x, size_t n, size_t c, size_t plane, const double *gamma,
                      const double *beta)
{
    for (size_t i = 0; i < c; i++) {
        double mean = 0, variance = 0, count = (double)(n * plane);

        for (size_t j = 0; j < n * plane; j++)
            mean += x[(j / plane * c + i) * plane + j % plane] / count;
        for (size_t j = 0; j < n * plane; j++)
            variance += pow(x[(j / plane * c + i) * plane + j % plane] - mean, 2) / count;
        for (size_t j = 0; j < n; j++)
            oracle_batch_norm(x + (j * c + i) * plane, 1, plane, gamma + i, beta + i, &mean,
                              &variance);
    }
}

/* One convolution and what follows it, of a batch: in is freed. */
static double *convolve(const struct vgg_convolution *layer, double *in,
                        const double *const *values)
{
    const struct vgg_conv *conv = &layer->conv;
    size_t n = layer->in.n, h = layer->in.h, w = layer->in.w, view = conv->out * h * w;
    size_t out_view = conv->out * (size_t)layer->out.h * layer->out.w;
    double *y = layer_block(n * view, sizeof *y), *out = layer_block(n * view, sizeof *out);

    for (size_t i = 0; i < n; i++)
        oracle_conv(in + i * conv->in * h * w, conv->in, h, w, values[0],
                    layer->mean == NULL ? values[1] : NULL, conv->out, conv->kernel, conv->pad,
                    y + i * view);
    if (layer->mean != NULL)
        normalise(y, n, conv->out, h * w, values[2], values[1]);
    oracle_relu(y, n * view);
    for (size_t i = 0; i < n && conv->lrn; i++) {
        oracle_lrn(y + i * view, conv->out, h, w, out);
        memcpy(y + i * view, out, view * sizeof *y);
    }
    for (size_t i = 0; i < n; i++)
        if (conv->pool)
            oracle_maxpool(y + i * view, conv->out, h, w, out + i * out_view);
        else
            memcpy(out + i * view, y + i * view, view * sizeof *y);
    free(in);
    free(y);
    return out;
}

/* Mean loss, and how many pictures are wrong. */
static double evaluate(const struct model *model, size_t *wrong)
{
    const struct vgg_network *network = model->network;
    const double *const *values = (const double *const *)model->values;
    size_t floats = (size_t)3 * network->crop * network->crop, classes = network->net.classes;
    double *x = layer_doubles(model->pictures->crops, network->batch * floats), loss = 0;
    size_t positions = vgg_positions_count(&network->positions);
    size_t across = (size_t)sqrt((double)positions);

    for (size_t i = 0; i < network->net.arch->convs_n; i++) {
        x = convolve(&network->convs[i], x, values);
        values += network->convs[i].mean != NULL ? 3 : 2;
    }
    for (size_t i = 0; i < VGG_FCS; i++, values += 2) {
        const struct vgg_dense *dense = &network->dense[i];
        const struct vgg_conv *conv = &network->net.layers[network->net.arch->convs_n + i].conv;
        size_t rows = i == 0 ? network->last.h : across,
               columns = i == 0 ? network->last.w : across;
        size_t view = dense->out * positions;
        double *y = layer_block(network->batch * view, sizeof *y);

        for (size_t j = 0; j < network->batch; j++)
            oracle_conv(x + j * conv->in * rows * columns, conv->in, rows, columns, values[0],
                        values[1], dense->out, conv->kernel, 0, y + j * view);
        if (i != VGG_FCS - 1)
            oracle_relu(y, network->batch * view);
        free(x);
        x = y;
    }
    *wrong = 0;
    for (size_t i = 0; i < network->batch; i++) {
        double scores[CLASSES] = {0};
        size_t larger = 0;

        for (size_t j = 0; j < classes * positions; j++)
            scores[j / positions] += x[i * classes * positions + j] / (double)positions;
        for (size_t j = 0; j < classes; j++)
            larger += scores[j] > scores[model->pictures->labels[i]];
        *wrong += larger != 0;
        oracle_softmax(scores, classes, scores);
        for (size_t j = 0; j < classes; j++)
            loss -= model->pictures->weights[i] *
                    (double)model->pictures->targets[i * classes + j] * log(scores[j]) /
                    network->batch;
    }
    free(x);
    return loss;
}

/* ---------------------------------------------------------------- tests ---------------------- */

static const struct spec nets[] = {
    {"D", 4, FC, CLASSES, BATCH, true, 0, CROP, 0},
    {"C", 4, FC, CLASSES, BATCH, false, 0, CROP, 0},
    {"A-LRN", 4, FC, CLASSES, BATCH, false, 0, CROP, 0},
    {"B", 17, FC, CLASSES, 2, true, 0, CROP, 0},     /* wider than a vector */
    {"A", 4, FC, CLASSES, 2, false, 0, 3 * CROP, 0}, /* three by three positions */
};

/*
 * The slope of the loss along random signs of one array's values, by central differences, against
 * the same sum of its gradient. By chance alone it is about as large as the gradient is long. The
 * step is so small because a longer one meets kinks of the ten thousands of ReLUs.
 */
static void check_slope(struct model *model, size_t i)
{
    const struct vgg_parameter *parameter = model->network->parameters[i];
    double step = 1e-7, sum = 0, length = 0, slope, *kept = model->values[i];
    double *moved = layer_block(parameter->n, sizeof *moved);
    signed char *signs = layer_block(parameter->n, 1);
    uint64_t seed = i;
    size_t wrong;

    for (size_t j = 0; j < parameter->n; j++) {
        double gradient = (double)parameter->gradient[j];

        signs[j] = maker_random(&seed) < 0.5 ? -1 : 1;
        sum += signs[j] * gradient;
        length += gradient * gradient;
        moved[j] = kept[j] + step * signs[j];
    }
    model->values[i] = moved;
    slope = evaluate(model, &wrong);
    for (size_t j = 0; j < parameter->n; j++)
        moved[j] = kept[j] - step * signs[j];
    slope = (slope - evaluate(model, &wrong)) / (2 * step);
    model->values[i] = kept;
    if (!(fabs(slope - sum) <= 2e-3 * sqrt(length)))
        fail_msg("%s: slope %g, by the gradient %g, which is %g long", parameter->name, slope, sum,
                 sqrt(length));
    free(moved);
    free(signs);
}

static void gradients_are_slopes_of_the_loss(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(nets); i++) {
        const struct vgg_kernels *kernels = tables[i % tables_n];
        struct vgg_network *network = make(kernels, &nets[i]);
        struct pictures pictures = pictures_make(&nets[i]);
        struct model model = model_make(network, &pictures);
        struct vgg_network_batch batch = step_of(network, 2, &pictures, 0, 0);
        size_t wrong;
        double loss = evaluate(&model, &wrong);

        assert_true(fabs(batch.loss / nets[i].batch - loss) < 1e-4 * loss);
        assert_int_equal(batch.wrong, wrong);
        for (size_t j = 0; j < network->parameters_n; j++)
            check_slope(&model, j);
        model_free(&model);
        pictures_free(&pictures);
        destroy(network);
    }
}

/* Random pictures, random labels: nothing to generalise, all of it learnt. */
static void thirty_two_pictures_are_learnt_by_heart(void **state)
{
    static const struct spec spec = {"D", 4, 32, 4, 32, true, 0, CROP, 0};

    enum { STEPS = 200 };

    const struct vgg_descent descent = {0.02, 0.9, 5e-4};
    struct vgg_network *network = make(tables[0], &spec);
    struct pictures pictures = pictures_make(&spec);
    struct vgg_network_batch batch = {.wrong = spec.batch};
    unsigned step = 0;

    (void)state;
    while (step < STEPS && (batch.wrong != 0 || batch.loss > 0.5 * spec.batch)) {
        struct vgg_network_examples examples = examples_of(&pictures, spec.batch);

        examples.weights = NULL;
        batch = vgg_network_forward(network, teams[2], &examples, 0, step++);
        assert_true(step > 1 || batch.wrong > spec.batch / 2);
        vgg_network_backward(network, teams[2], &descent);
    }
    print_message("%u steps, %zu wrong, loss %g\n", step, batch.wrong, batch.loss / spec.batch);
    assert_int_equal(batch.wrong, 0);
    assert_true(step < STEPS);
    pictures_free(&pictures);
    destroy(network);
}

/* Mean and variance of n normal values lie about as near as chance has it. */
static void assert_normal(const struct vgg_parameter *parameter, double variance)
{
    double n = (double)parameter->n, sum = 0, squares = 0;

    for (size_t i = 0; i < parameter->n; i++) {
        sum += (double)parameter->value[i];
        squares += (double)parameter->value[i] * (double)parameter->value[i];
    }
    if (!(fabs(sum / n) < 4.5 * sqrt(variance / n)) ||
        !(fabs(squares / n - variance) < 4.5 * variance * sqrt(2 / n)))
        fail_msg("%s: mean %g, variance %g for %g", parameter->name, sum / n, squares / n,
                 variance);
}

static void weights_begin_with_their_variance(void **state)
{
    static const struct spec spec = {"C", 8, 40, CLASSES, 1, true, 0.5, CROP, 0};
    struct vgg_network *network = layer_block(1, sizeof *network);

    (void)state;
    assert_int_equal(init(network, tables[0], &spec, NULL), VGG_OK);
    for (enum vgg_train_init kind = VGG_TRAIN_HE; kind <= VGG_TRAIN_GAUSSIAN; kind++) {
        vgg_network_randomise(network, kind, kind);
        for (size_t i = 0; i < network->net.layers_n; i++) {
            const struct vgg_conv *conv = &network->net.layers[i].conv;
            size_t convs = network->net.arch->convs_n;
            double taps = conv->kernel * conv->kernel, in = taps * conv->in;
            const double variances[] = {2 / in, 2 / (in + taps * conv->out), 0.01};

            assert_normal(i < convs ? &network->convs[i].weight : &network->dense[i - convs].weight,
                          variances[kind]);
        }
    }
    for (size_t i = 0; i < network->parameters_n; i++) {
        const struct vgg_parameter *parameter = network->parameters[i];
        bool gamma = strstr(parameter->name, "gamma") != NULL;

        for (size_t j = 0; !parameter->decays && j < parameter->n; j++)
            assert_true(parameter->value[j] == (gamma ? 1.0F : 0.0F));
    }
    destroy(network);
}

/* A seed gives its weights again, another others; and so it is with two layers of one shape. */
static void seeds_and_layers_have_streams_of_their_own(void **state)
{
    static const struct spec spec = {"D", 4, FC, CLASSES, 1, false, 0, CROP, 0};
    struct vgg_network *one = make(tables[0], &spec), *other = make(tables[0], &spec);
    size_t bytes = (size_t)one->convs[5].weight.n * sizeof(float);

    (void)state;
    vgg_network_randomise(one, VGG_TRAIN_HE, 8);
    vgg_network_randomise(other, VGG_TRAIN_HE, 8);
    assert_memory_equal(one->convs[5].weight.value, other->convs[5].weight.value, bytes);
    vgg_network_randomise(other, VGG_TRAIN_HE, 9);
    assert_memory_not_equal(one->convs[5].weight.value, other->convs[5].weight.value, bytes);
    assert_int_equal(one->convs[5].weight.n, one->convs[6].weight.n);
    assert_memory_not_equal(one->convs[5].weight.value, one->convs[6].weight.value, bytes);
    destroy(one);
    destroy(other);
}

static void parameters_have_names(void **state)
{
    static const struct spec spec = {"D", 2, FC, CLASSES, 1, true, 0, CROP, 0};
    struct vgg_network *network = make(tables[0], &spec);

    (void)state;
    assert_int_equal(network->parameters_n, 3 * 13 + 2 * 3);
    assert_string_equal(network->parameters[0]->name, "conv1_1.weight");
    assert_string_equal(network->parameters[4]->name, "conv1_2.bias");
    assert_string_equal(network->parameters[38]->name, "conv5_3.gamma");
    assert_string_equal(network->parameters[44]->name, "fc8.bias");
    assert_int_equal(network->statistics_n, 2 * 13);
    assert_string_equal(network->statistics[0].name, "conv1_1.mean");
    assert_string_equal(network->statistics[25].name, "conv5_3.variance");
    destroy(network);
}

static void lrn_and_batch_norm_exclude_each_other(void **state)
{
    static const struct spec spec = {"A-LRN", 2, FC, CLASSES, 1, true, 0, CROP, 0};
    struct vgg_network *network = layer_block(1, sizeof *network);
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(init(network, tables[0], &spec, &error), VGG_BAD_ARGUMENT);
    assert_non_null(strstr(error.text, "A-LRN"));
    destroy(network);
}

/* ---------------------------------------------------------------- from a shallower net ------- */

static char path[] = "/tmp/vgg-network-XXXXXX";

/* All that fits of the file at `path`. */
static size_t copy_from_path(struct vgg_network *network)
{
    struct vgg_weights from;
    size_t copied;

    assert_int_equal(vgg_weights_read(path, &from, NULL), VGG_OK);
    copied = vgg_network_copy(network, &from);
    vgg_weights_fini(&from);
    return copied;
}

/* A file of configuration A with random weights and biases. */
static void write_shallow(struct maker *maker)
{
    size_t size;
    unsigned char *bytes;

    maker_make(maker, &(struct maker_spec){
                          .arch = "A", .width = 4, .fc1 = FC, .fc2 = FC, .classes = CLASSES});
    bytes = maker_bytes(maker, &size);
    maker_write(path, bytes, size);
    free(bytes);
}

/* Is this layer's array that of the file? */
static bool is_from(struct maker *maker, const char *layer, unsigned index, const char *what,
                    const struct vgg_parameter *parameter)
{
    char name[MAKER_NAME_BYTES];
    const struct maker_tensor *tensor;
    bool same = true;

    snprintf(name, sizeof name, "%s.%u.%s", layer, index, what);
    tensor = maker_find(maker, name);
    same = tensor->values_n == parameter->n;
    for (size_t i = 0; same && i < parameter->n; i++)
        same = (double)parameter->value[i] == tensor->values[i];
    return same;
}

/* `as_it_was`: a network made alike, into which nothing was copied. */
static void assert_conv(struct maker *maker, size_t source, const struct vgg_convolution *layer,
                        const struct vgg_convolution *as_it_was)
{
    size_t bytes = (size_t)layer->weight.n * sizeof(float);

    if (source == maker->convs_n) {
        assert_memory_equal(layer->weight.value, as_it_was->weight.value, bytes);
        assert_memory_equal(layer->bias.value, as_it_was->bias.value,
                            layer->bias.n * sizeof(float));
        return;
    }
    assert_true(is_from(maker, "features", maker->convs[source].feature, "weight", &layer->weight));
    assert_true(is_from(maker, "features", maker->convs[source].feature, "bias", &layer->bias));
}

/* A's two convolutions of a stage are the first two of D's; the third has none to begin with. */
static void the_first_four_convolutions_and_the_fc_layers_are_copied(void **state)
{
    static const struct spec spec = {"D", 4, FC, CLASSES, 1, true, 0, CROP, 0};
    static const size_t sources[] = {0, 8, 1, 8, 2, 3, 8, 8, 8, 8, 8, 8, 8};
    struct vgg_network *network = make(tables[0], &spec), *as_it_was = make(tables[0], &spec);
    struct maker maker;

    (void)state;
    write_shallow(&maker);
    assert_int_equal(copy_from_path(network), 4 + 3);
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        assert_conv(&maker, sources[i], &network->convs[i], &as_it_was->convs[i]);
    for (unsigned i = 0; i < VGG_FCS; i++) {
        assert_true(is_from(&maker, "classifier", 3 * i, "weight", &network->dense[i].weight));
        assert_true(is_from(&maker, "classifier", 3 * i, "bias", &network->dense[i].bias));
    }
    maker_free(&maker);
    destroy(network);
    destroy(as_it_was);
}

static void layers_of_other_shapes_are_left(void **state)
{
    static const struct spec other_classes = {"D", 4, FC, CLASSES + 1, 1, false, 0, CROP, 0};
    static const struct spec nothing_alike = {"D", 5, FC + 1, CLASSES + 1, 1, false, 0, CROP, 0};
    struct vgg_network *network = make(tables[0], &other_classes);
    struct vgg_network *other = make(tables[0], &nothing_alike);
    struct maker maker;

    (void)state;
    write_shallow(&maker);
    assert_int_equal(copy_from_path(network), 4 + 2);
    assert_false(is_from(&maker, "classifier", 6, "bias", &network->dense[2].bias));
    assert_int_equal(copy_from_path(other), 0);
    maker_free(&maker);
    destroy(network);
    destroy(other);
}

/* ---------------------------------------------------------------- the rest ------------------- */

/* Two steps with dropout, and a descent between them. */
static struct vgg_network *trained(const struct vgg_kernels *kernels, const struct spec *spec,
                                   const struct pictures *pictures, unsigned threads)
{
    struct vgg_network *network = make(kernels, spec);

    for (uint64_t step = 0; step < 2; step++) {
        (void)step_of(network, threads, pictures, 5, step);
        for (size_t i = 0; i < network->parameters_n && step == 0; i++)
            vgg_parameter_descend(network->parameters[i], teams[threads],
                                  &(struct vgg_descent){0.01, 0.9, 5e-4});
    }
    return network;
}

static void threads_do_not_change_a_bit(void **state)
{
    static const struct spec specs[] = {
        {"D", 5, 70, CLASSES, 4, true, 0.5, CROP, 0},
        {"A-LRN", 5, 70, CLASSES, 5, false, 0.5, CROP, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs) * tables_n; i++) {
        const struct spec *spec = &specs[i / tables_n];
        struct pictures pictures = pictures_make(spec);
        struct vgg_network *alone = trained(tables[i % tables_n], spec, &pictures, 1);

        for (unsigned threads = 2; threads <= THREADS_MAX; threads++) {
            struct vgg_network *network = trained(tables[i % tables_n], spec, &pictures, threads);

            for (size_t j = 0; j < network->parameters_n; j++) {
                size_t bytes = (size_t)alone->parameters[j]->n * sizeof(float);

                assert_memory_equal(network->parameters[j]->value, alone->parameters[j]->value,
                                    bytes);
                assert_memory_equal(network->parameters[j]->gradient,
                                    alone->parameters[j]->gradient, bytes);
            }
            for (size_t j = 0; j < network->statistics_n; j++)
                assert_memory_equal(network->statistics[j].value, alone->statistics[j].value,
                                    alone->statistics[j].n * sizeof(float));
            destroy(network);
        }
        pictures_free(&pictures);
        destroy(alone);
    }
}

/* Each step draws its own units, and the seed decides which. */
static void dropout_is_of_seed_and_step(void **state)
{
    static const struct spec spec = {"A", 4, 60, CLASSES, 4, false, 0.5, CROP, 0};
    static const uint64_t keys[][2] = {{1, 1}, {1, 1}, {1, 2}, {2, 1}};
    struct vgg_network *network = make(tables[0], &spec);
    struct pictures pictures = pictures_make(&spec);
    double losses[COUNT_OF(keys)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        losses[i] = step_of(network, 2, &pictures, keys[i][0], keys[i][1]).loss;
    assert_true(losses[0] == losses[1]);
    assert_true(losses[0] != losses[2] && losses[0] != losses[3] && losses[2] != losses[3]);
    pictures_free(&pictures);
    destroy(network);
}

/* ---------------------------------------------------------------- a part of it --------------- */

/* Give `part`, which begins after some convolutions, what `whole` has there. */
static void take_parameters(struct vgg_network *part, const struct vgg_network *whole)
{
    size_t first = whole->parameters_n - part->parameters_n;

    for (size_t i = 0; i < part->parameters_n; i++) {
        const struct vgg_parameter *from = whole->parameters[first + i];

        assert_string_equal(part->parameters[i]->name, from->name);
        memcpy(part->parameters[i]->value, from->value, from->n * sizeof *from->value);
    }
}

/* The map of the last frozen layer, [n][c][h][w]. */
static float *frozen_maps(const struct vgg_network *whole, struct vgg_shape shape, size_t frozen)
{
    float *maps = layer_block((size_t)shape.n * shape.c * shape.h * shape.w, sizeof *maps);

    map_read(whole->net.kernels, shape, whole->convs[frozen - 1].result, maps);
    return maps;
}

static void assert_same_gradients(const struct vgg_network *part, const struct vgg_network *whole)
{
    size_t first = whole->parameters_n - part->parameters_n;

    for (size_t i = 0; i < part->parameters_n; i++)
        assert_memory_equal(part->parameters[i]->gradient, whole->parameters[first + i]->gradient,
                            part->parameters[i]->n * sizeof(float));
}

/* On the maps of what is frozen, the rest of a network gives the bits of the whole. */
static void a_network_after_frozen_layers_is_the_rest_of_the_whole(void **state)
{
    static const struct spec specs[] = {
        {"D", 5, FC, CLASSES, 3, true, 0.5, CROP, 0},
        {"A", 4, FC, CLASSES, 2, false, 0.5, 2 * CROP, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs) * tables_n; i++) {
        struct spec spec = specs[i / tables_n];
        struct vgg_network *whole = make(tables[i % tables_n], &spec);
        struct pictures pictures = pictures_make(&spec), maps = pictures;
        struct vgg_network_batch batch = step_of(whole, 2, &pictures, 1, 2);
        const size_t ends[] = {2, whole->net.arch->convs_n - 1, whole->net.arch->convs_n};

        for (size_t j = 0; j < COUNT_OF(ends); j++) {
            struct vgg_network_batch again;
            struct vgg_network *part;

            spec.frozen = ends[j];
            part = make(tables[i % tables_n], &spec);
            maps.crops = frozen_maps(whole, part->in, spec.frozen);
            take_parameters(part, whole);
            again = step_of(part, 3, &maps, 1, 2);
            assert_true(again.loss == batch.loss && again.wrong == batch.wrong);
            assert_same_gradients(part, whole);
            free(maps.crops);
            destroy(part);
        }
        pictures_free(&pictures);
        destroy(whole);
    }
}

/*
 * A short batch is that of a network made for it, and the next may be long again. (Batch-norm takes
 * its sums about the running means, so that its bits depend on the batches before.)
 */
static void short_batches(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * tables_n; i++) {
        const struct spec few = {"D", 5, FC, CLASSES, 2, i % 2 != 0, 0.5, 2 * CROP, 0};
        const struct spec many = {"D", 5, FC, CLASSES, 5, i % 2 != 0, 0.5, 2 * CROP, 0};
        const struct vgg_kernels *kernels = tables[i / 2];
        struct vgg_network *small = make(kernels, &few), *large = make(kernels, &many);
        struct vgg_network *fresh = make(kernels, &many);
        struct pictures pictures = pictures_make(&many);
        struct vgg_network_examples examples = examples_of(&pictures, few.batch);
        struct vgg_network_batch batch = step_of(small, 2, &pictures, 3, 4);

        assert_true(vgg_network_forward(large, teams[3], &examples, 3, 4).loss == batch.loss);
        vgg_network_backward(large, teams[3], NULL);
        assert_same_gradients(large, small);
        batch = step_of(large, 2, &pictures, 3, 5);
        if (!many.batch_norm) {
            assert_true(batch.loss == step_of(fresh, 2, &pictures, 3, 5).loss);
            assert_same_gradients(large, fresh);
        }
        pictures_free(&pictures);
        destroy(small);
        destroy(large);
        destroy(fresh);
    }
}

/* A step that descends at once has the bits of one that does it afterwards. */
static void descent_within_the_step(void **state)
{
    static const struct spec spec = {"A", 4, 140, CLASSES, 3, true, 0.5, CROP, 0};
    const struct vgg_descent descent = {0.01, 0.9, 5e-4};
    struct vgg_network *after = make(tables[0], &spec), *within = make(tables[0], &spec);
    struct pictures pictures = pictures_make(&spec);
    struct vgg_network_examples examples = examples_of(&pictures, spec.batch);

    (void)state;
    for (uint64_t step = 0; step < 3; step++) {
        (void)step_of(after, 2, &pictures, 5, step);
        for (size_t i = 0; i < after->parameters_n; i++)
            vgg_parameter_descend(after->parameters[i], teams[2], &descent);
        (void)vgg_network_forward(within, teams[3], &examples, 5, step);
        vgg_network_backward(within, teams[3], &descent);
    }
    for (size_t i = 0; i < after->parameters_n; i++)
        assert_memory_equal(after->parameters[i]->value, within->parameters[i]->value,
                            after->parameters[i]->n * sizeof(float));
    pictures_free(&pictures);
    destroy(after);
    destroy(within);
}

/* In inference nothing is dropped, and batch-norm goes by what it has seen, not by the batch. */
static void scores_of_inference(void **state)
{
    static const struct spec spec = {"D", 5, FC, CLASSES, 4, true, 0.5, 2 * CROP, 0};
    struct vgg_network *network = make(tables[0], &spec);
    struct pictures pictures = pictures_make(&spec);
    size_t picture = (size_t)3 * network->crop * network->crop;
    float together[4 * CLASSES], alone[CLASSES];

    (void)state;
    for (uint64_t step = 0; step < 5; step++)
        (void)step_of(network, 2, &pictures, 1, step);
    vgg_network_evaluate(network, teams[2], pictures.crops, 4, together, NULL);
    for (size_t i = 0; i < 4; i++) {
        vgg_network_evaluate(network, teams[2], pictures.crops + i * picture, 1, alone, NULL);
        assert_memory_equal(alone, together + i * CLASSES, sizeof alone);
    }
    pictures_free(&pictures);
    destroy(network);
}

/* ---------------------------------------------------------------- files ---------------------- */

/* Tensors of the file, in pieces: folded convolutions (test_convolution.c), dense as they are. */
static void tensors_are_filled_in_pieces(void **state)
{
    struct pictures pictures = pictures_make(&nets[0]);
    struct vgg_network *network = trained(tables[0], &nets[0], &pictures, 2);
    size_t convs = network->net.arch->convs_n;

    (void)state;
    for (size_t tensor = 0; tensor < 2 * network->net.layers_n; tensor++) {
        const struct vgg_convolution *conv = &network->convs[tensor / 2];
        bool is_conv = tensor / 2 < convs, is_bias = tensor % 2 != 0;
        const struct vgg_dense *dense = &network->dense[is_conv ? 0 : tensor / 2 - convs];
        const struct vgg_parameter *parameter = is_conv   ? is_bias ? &conv->bias : &conv->weight
                                                : is_bias ? &dense->bias
                                                          : &dense->weight;
        size_t n = (size_t)parameter->n, cut = n / 3;
        float *filled = layer_block(n, sizeof *filled), *expected = layer_block(n, sizeof *filled);

        vgg_network_fill(network, tensor, cut, n - cut, filled + cut);
        vgg_network_fill(network, tensor, 0, cut, filled);
        if (is_conv)
            (is_bias ? vgg_convolution_fold_biases : vgg_convolution_fold_weights)(conv, 0, n,
                                                                                   expected);
        else
            memcpy(expected, parameter->value, n * sizeof *expected);
        assert_memory_equal(filled, expected, n * sizeof *filled);
        free(filled);
        free(expected);
    }
    pictures_free(&pictures);
    destroy(network);
}

static void without_memory(void **state)
{
    static const struct spec specs[] = {{"D", 1, 3, 2, 1, true, 0, CROP, 0},
                                        {"A-LRN", 1, 3, 2, 2, false, 0, CROP, 0}};

    (void)state;
    if (!fault_available())
        skip();
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        bool fired = true;

        for (unsigned long n = 1; fired; n++) {
            struct vgg_network *network = layer_block(1, sizeof *network);
            long before = fault_outstanding();
            struct vgg_error error = {0};
            enum vgg_status status;

            fault_arm(n);
            status = init(network, tables[0], &specs[i], &error);
            fired = fault_disarm();
            assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
            assert_true(!fired || strstr(error.text, "out of memory") != NULL);
            vgg_network_fini(network);
            assert_int_equal(fault_outstanding(), before);
            free(network);
            assert_true(n < 1000 && (fired || n > 100));
        }
    }
}

static int start(void **state)
{
    tables_list();
    return pools_start(state) != 0 ? 1 : close(mkstemp(path));
}

static int stop(void **state)
{
    (void)pools_stop(state);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_slopes_of_the_loss),
        cmocka_unit_test(thirty_two_pictures_are_learnt_by_heart),
        cmocka_unit_test(weights_begin_with_their_variance),
        cmocka_unit_test(seeds_and_layers_have_streams_of_their_own),
        cmocka_unit_test(parameters_have_names),
        cmocka_unit_test(lrn_and_batch_norm_exclude_each_other),
        cmocka_unit_test(the_first_four_convolutions_and_the_fc_layers_are_copied),
        cmocka_unit_test(layers_of_other_shapes_are_left),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(dropout_is_of_seed_and_step),
        cmocka_unit_test(a_network_after_frozen_layers_is_the_rest_of_the_whole),
        cmocka_unit_test(short_batches),
        cmocka_unit_test(descent_within_the_step),
        cmocka_unit_test(scores_of_inference),
        cmocka_unit_test(tensors_are_filled_in_pieces),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
