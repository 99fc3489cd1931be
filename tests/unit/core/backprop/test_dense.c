/*
 * Fully-connected layers in training: products and their gradients against double, dropout by what
 * it leaves, and that threads do not change a bit.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "backprop/dense.h"
#include "blas/gemm.h"
#include "core/kernels/layer.h"
#include "core/teams.h"
#include "fault.h"

static const uint64_t some_key[3] = {3, 5, 7};

/* Below and above a million multiply-adds, where OpenBLAS takes over. */
static const struct sizes {
    size_t rows, in, out;
} sizes[] = {
    {1, 1, 1},   {3, 5, 7},     {4, 64, 64},    {5, 70, 130},
    {2, 257, 3}, {16, 300, 10}, {33, 260, 190}, {3, 600, 150},
};

struct fixture {
    struct vgg_dense layer;
    float *x, *grad; /* of the result */
};

static void fixture_init_as(struct fixture *fixture, const struct vgg_dense_options *size)
{
    struct vgg_dense *layer = &fixture->layer;
    float *weights = layer_random(size->in * size->out, sqrt(3.0 / (double)size->in), 1);
    float *biases = layer_random(size->out, 0.3, 2);

    assert_int_equal(vgg_dense_init(layer, "fc6", size, NULL), VGG_OK);
    assert_string_equal(layer->weight.name, "fc6.weight");
    assert_true(layer->weight.decays && !layer->bias.decays);
    memcpy(layer->weight.value, weights, size->in * size->out * sizeof *weights);
    memcpy(layer->bias.value, biases, size->out * sizeof *biases);
    fixture->x = layer_random(size->rows * size->in, 1, 3);
    fixture->grad = layer_random(size->rows * size->out, 1, 4);
    free(weights);
    free(biases);
}

static void fixture_init(struct fixture *fixture, const struct sizes *size, bool relu,
                         double dropout)
{
    const struct vgg_dense_options options = {
        .rows = size->rows, .in = size->in, .out = size->out, .relu = relu, .dropout = dropout};

    fixture_init_as(fixture, &options);
}

static void fixture_fini(struct fixture *fixture)
{
    vgg_dense_fini(&fixture->layer);
    free(fixture->x);
    free(fixture->grad);
}

/* x W^T + bias in double, malloc'ed. */
static double *affine(const struct fixture *fixture)
{
    const struct vgg_dense *layer = &fixture->layer;
    double *y = layer_block(layer->rows * layer->out, sizeof *y);

    for (size_t i = 0; i < layer->rows; i++)
        for (size_t o = 0; o < layer->out; o++) {
            double *sum = &y[i * layer->out + o];

            *sum = (double)layer->bias.value[o];
            for (size_t j = 0; j < layer->in; j++)
                *sum += (double)fixture->x[i * layer->in + j] *
                        (double)layer->weight.value[o * layer->in + j];
        }
    return y;
}

static void assert_close(const float *values, const double *expected, size_t n, const char *what)
{
    double l2, largest;

    layer_errors(values, expected, n, &l2, &largest);
    if (!(l2 <= DIRECT_L2 && largest <= DIRECT_MAX))
        fail_msg("%s: relative L2 error %g, max error / rms %g", what, l2, largest);
}

static void affine_maps(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(sizes); i++) {
        struct fixture fixture;
        size_t n = sizes[i / 2].rows * sizes[i / 2].out;
        double *expected;

        fixture_init(&fixture, &sizes[i / 2], i % 2 != 0, 0);
        expected = affine(&fixture);
        if (i % 2 != 0)
            oracle_relu(expected, n);
        vgg_dense_forward(&fixture.layer, teams[2], fixture.x, some_key);
        assert_close(fixture.layer.y, expected, n, "y");
        fixture_fini(&fixture);
        free(expected);
    }
}

/* Only the last layer, which has no ReLU, has no dropout whatever is asked. */
static void the_scores_are_never_dropped(void **state)
{
    struct fixture fixture;
    double *expected;

    (void)state;
    fixture_init(&fixture, &sizes[3], false, 0.5);
    expected = affine(&fixture);
    vgg_dense_forward(&fixture.layer, teams[2], fixture.x, some_key);
    assert_close(fixture.layer.y, expected, sizes[3].rows * sizes[3].out, "y");
    fixture_fini(&fixture);
    free(expected);
}

/*
 * sum(G * out) in double, where each unit's slope is 0 or that which `slopes` says: the ReLU and
 * dropout of the forward pass that was.
 */
static double objective(const struct fixture *fixture, const double *x, const double *weight,
                        const double *bias, const double *slopes)
{
    const struct vgg_dense *layer = &fixture->layer;
    double total = 0;

    for (size_t i = 0; i < layer->rows; i++)
        for (size_t o = 0; o < layer->out; o++) {
            double sum = bias[o];

            for (size_t j = 0; j < layer->in; j++)
                sum += x[i * layer->in + j] * weight[o * layer->in + j];
            total += (double)fixture->grad[i * layer->out + o] * slopes[i * layer->out + o] * sum;
        }
    return total;
}

/* By central differences, in the place of array[0 .. n). */
static double *differences(const struct fixture *fixture, double *arrays[3], size_t array, size_t n,
                           const double *slopes)
{
    double *result = layer_block(n, sizeof *result);

    for (size_t i = 0; i < n; i++) {
        double kept = arrays[array][i];

        arrays[array][i] = kept + 0.5;
        result[i] = objective(fixture, arrays[0], arrays[1], arrays[2], slopes);
        arrays[array][i] = kept - 0.5;
        result[i] -= objective(fixture, arrays[0], arrays[1], arrays[2], slopes);
        arrays[array][i] = kept;
    }
    return result;
}

static void check_gradients(const struct sizes *size, bool relu, double dropout)
{
    struct fixture fixture;
    struct vgg_dense *layer = &fixture.layer;
    const size_t counts[3] = {size->rows * size->in, size->in * size->out, size->out};
    size_t outputs = size->rows * size->out;
    double *arrays[3], *slopes = layer_block(outputs, sizeof *slopes);
    float *x_grad = layer_random(counts[0], 1, 9), *grad = layer_block(outputs, sizeof *grad);
    const float *gradients[3];

    fixture_init(&fixture, size, relu, dropout);
    gradients[0] = x_grad;
    gradients[1] = layer->weight.gradient;
    gradients[2] = layer->bias.gradient;
    arrays[0] = layer_doubles(fixture.x, counts[0]);
    arrays[1] = layer_doubles(layer->weight.value, counts[1]);
    arrays[2] = layer_doubles(layer->bias.value, counts[2]);
    memcpy(grad, fixture.grad, outputs * sizeof *grad);
    for (unsigned pass = 0; pass < 2; pass++) { /* the second must not add to the first */
        vgg_dense_forward(layer, teams[2], fixture.x, some_key);
        memcpy(grad, fixture.grad, outputs * sizeof *grad);
        vgg_dense_backward(layer, teams[2], fixture.x, grad, x_grad, NULL);
    }
    for (size_t i = 0; i < outputs; i++)
        slopes[i] = !relu ? 1 : layer->y[i] > 0 ? 1 / (1 - dropout) : 0;
    for (size_t array = 0; array < 3; array++) {
        double *expected = differences(&fixture, arrays, array, counts[array], slopes);

        assert_close(gradients[array], expected, counts[array], "gradient");
        free(expected);
    }
    for (size_t array = 0; array < 3; array++)
        free(arrays[array]);
    free(slopes);
    free(x_grad);
    free(grad);
    fixture_fini(&fixture);
}

static void gradients_are_slopes(void **state)
{
    static const struct sizes small[] = {{1, 1, 1}, {3, 5, 7}, {4, 9, 70}, {2, 66, 3}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(small); i++) {
        check_gradients(&small[i], false, 0);
        check_gradients(&small[i], true, 0);
        check_gradients(&small[i], true, 0.5);
        check_gradients(&small[i], true, 0.2);
    }
}

/* The gradients of layers too large for that, by their definition. */
static void gradients_are_sums(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        const struct sizes *size = &sizes[s];
        struct fixture fixture;
        double *weight = layer_block(size->in * size->out, sizeof *weight);
        double *x = layer_block(size->rows * size->in, sizeof *x);
        float *x_grad = layer_random(size->rows * size->in, 1, 9);

        fixture_init(&fixture, size, false, 0);
        for (size_t i = 0; i < size->rows; i++)
            for (size_t o = 0; o < size->out; o++)
                for (size_t j = 0; j < size->in; j++) {
                    double gradient = (double)fixture.grad[i * size->out + o];

                    weight[o * size->in + j] += gradient * (double)fixture.x[i * size->in + j];
                    x[i * size->in + j] +=
                        gradient * (double)fixture.layer.weight.value[o * size->in + j];
                }
        vgg_dense_forward(&fixture.layer, teams[3], fixture.x, some_key);
        vgg_dense_backward(&fixture.layer, teams[3], fixture.x, fixture.grad, x_grad, NULL);
        assert_close(fixture.layer.weight.gradient, weight, size->in * size->out, "weight");
        assert_close(x_grad, x, size->rows * size->in, "x");
        free(weight);
        free(x);
        free(x_grad);
        fixture_fini(&fixture);
    }
}

/* All units positive, so that one that is zero was left out: true where it was kept. */
static bool *mask(double dropout, const uint64_t key[3], size_t batch, size_t positions, size_t out,
                  unsigned threads)
{
    bool *kept = layer_block(batch * out, sizeof *kept);
    struct vgg_dense layer;
    float *x = layer_block(batch, sizeof *x);

    assert_int_equal(vgg_dense_init(&layer, "fc6",
                                    &(struct vgg_dense_options){.rows = batch,
                                                                .in = 1,
                                                                .out = out,
                                                                .positions = positions,
                                                                .relu = true,
                                                                .dropout = dropout},
                                    NULL),
                     VGG_OK);
    for (size_t o = 0; o < out; o++)
        layer.bias.value[o] = (float)(1 + o % 3);
    vgg_dense_forward(&layer, teams[threads], x, key);
    for (size_t i = 0; i < batch * out; i++) {
        double whole = (double)layer.bias.value[i % out] / (1 - dropout);

        kept[i] = layer.y[i] != 0;
        assert_true(!kept[i] || fabs((double)layer.y[i] - whole) < 1e-6 * whole);
    }
    vgg_dense_fini(&layer);
    free(x);
    return kept;
}

static void dropout_leaves_out_its_part(void **state)
{
    static const double parts[] = {0, 0.1, 0.5, 0.9};

    enum { BATCH = 20, OUT = 1000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        bool *kept = mask(parts[i], some_key, BATCH, 1, OUT, 2);
        double deviation = sqrt(parts[i] * (1 - parts[i]) / (BATCH * OUT)), dropped = 0;

        for (size_t j = 0; j < BATCH * OUT; j++)
            dropped += kept[j] ? 0 : 1.0 / (BATCH * OUT);
        assert_true(fabs(dropped - parts[i]) <= 4 * deviation);
        free(kept);
    }
}

/* How many units two masks of 4 examples by 500 units treat alike. */
static size_t alike(const uint64_t a[3], const uint64_t b[3])
{
    bool *first = mask(0.5, a, 4, 1, 500, 1), *second = mask(0.5, b, 4, 1, 500, 3);
    size_t same = 0;

    for (size_t i = 0; i < 2000; i++)
        same += first[i] == second[i];
    free(first);
    free(second);
    return same;
}

static void the_key_decides_who_is_dropped(void **state)
{
    bool *kept = mask(0.5, some_key, 4, 2, 1000, 1);
    size_t same = 0;

    (void)state;
    assert_int_equal(alike(some_key, some_key), 2000);
    for (size_t i = 0; i < 3; i++) {
        uint64_t other[3] = {some_key[0], some_key[1], some_key[2]};
        size_t n;

        other[i]++;
        n = alike(some_key, other);
        assert_true(n > 850 && n < 1150);
    }
    for (size_t i = 0; i < 1000; i++) /* and every example has its own */
        same += kept[i] == kept[2000 + i];
    assert_true(same > 400 && same < 600);
    assert_memory_equal(kept, kept + 1000, 1000 * sizeof *kept); /* in all of its positions */
    assert_memory_equal(kept + 2000, kept + 3000, 1000 * sizeof *kept);
    free(kept);
}

/* Without a key it is inference: ReLU alone. */
static void nothing_is_dropped_in_inference(void **state)
{
    struct fixture fixture;
    double *expected;

    (void)state;
    fixture_init(&fixture, &sizes[3], true, 0.5);
    expected = affine(&fixture);
    oracle_relu(expected, sizes[3].rows * sizes[3].out);
    vgg_dense_forward(&fixture.layer, teams[2], fixture.x, NULL);
    assert_close(fixture.layer.y, expected, sizes[3].rows * sizes[3].out, "y");
    fixture_fini(&fixture);
    free(expected);
}

/* A layer that descends piece by piece has the bits of one whose gradient is there as a whole. */
static void fused_descent_has_the_same_bits(void **state)
{
    const struct vgg_descent descent = {0.1, 0.9, 0.01};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct vgg_dense_options options = {
            .rows = sizes[i].rows, .in = sizes[i].in, .out = sizes[i].out, .relu = true};
        struct fixture whole, fused;
        float *tiles =
            layer_block(3, vgg_dense_tile_floats(options.in, options.out) * sizeof *tiles);

        fixture_init_as(&whole, &options);
        options.fused = true;
        fixture_init_as(&fused, &options);
        assert_null(fused.layer.weight.gradient);
        fused.layer.tiles = tiles;
        for (unsigned step = 0; step < 2; step++) {
            struct fixture *both[] = {&whole, &fused};

            for (size_t j = 0; j < 2; j++) {
                struct vgg_dense *layer = &both[j]->layer;
                float *grad = layer_random(layer->rows * layer->out, 1, step);

                vgg_dense_forward(layer, teams[3], both[j]->x, some_key);
                vgg_dense_backward(layer, teams[3], both[j]->x, grad, NULL,
                                   j == 0 ? NULL : &descent);
                free(grad);
            }
            vgg_parameter_descend(&whole.layer.weight, teams[2], &descent);
            vgg_parameter_descend(&whole.layer.bias, teams[2], &descent);
        }
        assert_memory_equal(whole.layer.weight.value, fused.layer.weight.value,
                            options.in * options.out * sizeof(float));
        assert_memory_equal(whole.layer.weight.velocity, fused.layer.weight.velocity,
                            options.in * options.out * sizeof(float));
        assert_memory_equal(whole.layer.bias.value, fused.layer.bias.value,
                            options.out * sizeof(float));
        fixture_fini(&whole);
        fixture_fini(&fused);
        free(tiles);
    }
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        const struct sizes *size = &sizes[s];
        struct fixture fixtures[THREADS_MAX];
        float *x_grads[THREADS_MAX];

        for (unsigned i = 0; i < THREADS_MAX; i++) {
            struct vgg_dense *layer = &fixtures[i].layer, *alone = &fixtures[0].layer;

            fixture_init(&fixtures[i], size, true, 0.5);
            x_grads[i] = layer_random(size->rows * size->in, 1, i);
            vgg_dense_forward(layer, teams[i + 1], fixtures[i].x, some_key);
            vgg_dense_backward(layer, teams[i + 1], fixtures[i].x, fixtures[i].grad, x_grads[i],
                               NULL);
            assert_memory_equal(layer->y, alone->y, size->rows * size->out * sizeof(float));
            assert_memory_equal(layer->weight.gradient, alone->weight.gradient,
                                size->in * size->out * sizeof(float));
            assert_memory_equal(layer->bias.gradient, alone->bias.gradient,
                                size->out * sizeof(float));
            assert_memory_equal(x_grads[i], x_grads[0], size->rows * size->in * sizeof(float));
        }
        for (unsigned i = 0; i < THREADS_MAX; i++) {
            fixture_fini(&fixtures[i]);
            free(x_grads[i]);
        }
    }
}

static void without_memory(void **state)
{
    long before = fault_outstanding();
    bool fired = true;

    (void)state;
    if (!fault_available())
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct vgg_dense layer;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_dense_init(&layer, "fc6",
                                &(struct vgg_dense_options){.rows = 3, .in = 10, .out = 20}, NULL);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        vgg_dense_fini(&layer);
        assert_int_equal(fault_outstanding(), before);
        assert_true(n < 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(affine_maps),
        cmocka_unit_test(the_scores_are_never_dropped),
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(gradients_are_sums),
        cmocka_unit_test(dropout_leaves_out_its_part),
        cmocka_unit_test(the_key_decides_who_is_dropped),
        cmocka_unit_test(nothing_is_dropped_in_inference),
        cmocka_unit_test(fused_descent_has_the_same_bits),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
