/*
 * The convolution of every table of kernels against the oracle, and its independence of threads and
 * neighbours.
 */
#include "check.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "blas/gemm.h"
#include "core/kernels/layer.h"
#include "core/teams.h"

#define CONV3(in, out, h, w)                                                                       \
    {                                                                                              \
        {in, out, 3, 1, true, false, false, false},                                                \
        {                                                                                          \
            1, in, h, w                                                                            \
        }                                                                                          \
    }
#define POOL3(in, out, h, w)                                                                       \
    {                                                                                              \
        {in, out, 3, 1, true, false, true, false},                                                 \
        {                                                                                          \
            1, in, h, w                                                                            \
        }                                                                                          \
    }
#define FULL(in, out, kernel, h, w)                                                                \
    {                                                                                              \
        {in, out, kernel, 0, false, false, false, false},                                          \
        {                                                                                          \
            1, in, h, w                                                                            \
        }                                                                                          \
    }

/* clang-format off */
static const struct layer_case cases[] = {
    /* Small maps: every border at once. */
    CONV3(1, 1, 1, 1), CONV3(3, 4, 1, 2), CONV3(3, 4, 2, 1), CONV3(2, 3, 2, 2), CONV3(3, 8, 3, 3),
    CONV3(4, 5, 1, 40), CONV3(4, 5, 40, 1), CONV3(3, 64, 5, 7), CONV3(7, 9, 8, 16),
    /* Blocks of 128 output channels and 512 pixels, and what is left of them. */
    CONV3(5, 127, 6, 5), CONV3(5, 128, 6, 5), CONV3(5, 129, 6, 5), CONV3(3, 300, 4, 9),
    CONV3(6, 7, 16, 32), CONV3(6, 7, 19, 27), CONV3(3, 130, 23, 45),
    /* Several bands of pixels (2^21 / depth of them), not cut at the ends of rows. */
    CONV3(64, 9, 64, 64), CONV3(512, 3, 23, 21), CONV3(128, 6, 37, 53),
    /* Tall and wide. */
    CONV3(16, 2, 2, 8000), CONV3(16, 2, 8000, 2), CONV3(8, 3, 1, 3000), CONV3(8, 3, 3000, 1),
    /* With the pool: even, odd, and the smallest. */
    POOL3(3, 4, 2, 2), POOL3(3, 4, 3, 3), POOL3(5, 6, 7, 12), POOL3(5, 6, 12, 7),
    POOL3(4, 130, 9, 31), POOL3(64, 5, 65, 63), POOL3(8, 3, 2, 2001),
    /* 1x1, as configuration C and the later FC layers have it. */
    {{7, 9, 1, 0, true, false, false, false}, {1, 7, 13, 11}},
    {{7, 9, 1, 0, true, false, true, false}, {1, 7, 13, 11}},
    {{300, 260, 1, 0, true, false, false, false}, {1, 300, 20, 30}},
    FULL(50, 10, 1, 1, 1), FULL(600, 140, 1, 1, 1), FULL(40, 1, 1, 5, 4),
    /* The first FC layer: kernels of any side, one position or many, several bands. */
    FULL(6, 5, 2, 2, 2), FULL(6, 5, 2, 5, 9), FULL(16, 30, 7, 7, 7), FULL(16, 30, 7, 7, 20),
    FULL(16, 30, 7, 20, 7), FULL(512, 5, 7, 16, 17), FULL(8, 3, 32, 33, 35), FULL(9, 131, 5, 6, 8),
    /* So deep that a band has its least number of pixels. */
    FULL(4096, 2, 6, 10, 9),
    /* Padding other than half a kernel, and a kernel of even side. */
    {{3, 4, 5, 1, true, false, false, false}, {1, 3, 6, 9}},
    {{60, 4, 5, 1, false, false, true, false}, {1, 60, 8, 9}},
    {{3, 4, 3, 0, false, false, false, false}, {1, 3, 3, 4}},
    {{3, 4, 1, 1, false, false, false, false}, {1, 3, 4, 3}},
    {{3, 4, 2, 1, true, false, true, false}, {1, 3, 8, 7}},
    /* Winograd tiles: whole, cut on every side, pooled; several blocks of them. */
    CONV3(8, 16, 4, 4), CONV3(8, 16, 5, 6), CONV3(16, 24, 7, 9), CONV3(13, 37, 11, 10),
    POOL3(8, 16, 5, 6), POOL3(24, 40, 11, 9), CONV3(64, 64, 40, 50), POOL3(64, 64, 41, 51),
    /* Threads share the weights (over 12 MiB of them), in one block of tiles and in several. */
    CONV3(512, 512, 14, 14), POOL3(512, 176, 44, 45),
    /* Sums of more than 512 channels are cut. */
    CONV3(530, 20, 9, 9), FULL(1100, 40, 1, 3, 5), FULL(512, 64, 7, 8, 9), FULL(1040, 1010, 1, 11, 12),
    /* Winograd's small tiles, where there are many channels. */
    CONV3(264, 264, 5, 6), POOL3(300, 240, 7, 9), CONV3(272, 250, 1, 3),
    /* The first FC layer by Winograd: whole and cut tiles, several blocks of them. */
    FULL(64, 40, 7, 12, 15), FULL(128, 33, 7, 11, 20), FULL(64, 17, 7, 24, 40),
    /* LRN after the ReLU and before the pool. */
    {{3, 8, 3, 1, true, true, false, false}, {1, 3, 17, 16}},
    {{3, 64, 3, 1, true, true, true, false}, {1, 3, 33, 21}},
};
/* clang-format on */

enum { CASES = COUNT_OF(cases) };

/*
 * MACs of a case; larger ones are left out, for emulators. ThreadSanitizer takes its time, and
 * looks for what threads do to each other: only where they are compared it gets all cases.
 */
static size_t macs_max;
#if defined(__SANITIZE_THREAD__)
static const size_t numbers_macs_max = 4 << 20;
#else
static const size_t numbers_macs_max = SIZE_MAX;
#endif

static bool left_out(size_t i, size_t max)
{
    struct vgg_shape out = vgg_conv_unpooled(&cases[i].conv, cases[i].in);
    size_t macs = layer_weights(&cases[i].conv) * out.h * out.w;

    return macs > macs_max || macs > max;
}

/* The first case from `i` on that is not left out, or CASES. */
static size_t next_of(size_t i, size_t max)
{
    while (i < CASES && left_out(i, max))
        i++;
    return i;
}

static size_t next_case(size_t i)
{
    return next_of(i, numbers_macs_max);
}

struct data {
    float *in, *weights, *bias;
};

/* Inputs of `views` views; weights of variance 1 / fan-in. */
static struct data make(const struct vgg_kernels *kernels, const struct layer_case *layer,
                        uint32_t views, uint64_t seed)
{
    const struct vgg_conv *conv = &layer->conv;
    struct vgg_shape in = layer->in;
    size_t weights = layer_weights(conv);
    struct data data;

    in.n = views;
    data = (struct data){
        layer_random(shape_floats(in), conv->lrn ? 100 : 1, seed),
        layer_random(weights, sqrt(3.0 * conv->out / (double)weights), seed + 1),
        layer_random(conv->out, 0.5, seed + 2),
    };
    layer_coarse(kernels, layer, data.in, shape_floats(in));
    return data;
}

static void data_free(struct data *data)
{
    free(data->in);
    free(data->weights);
    free(data->bias);
}

static void agrees_with_the_oracle(void **state)
{
    const struct vgg_kernels *kernels = *state;

    for (size_t i = next_case(0); i < CASES; i = next_case(i + 1)) {
        const struct vgg_conv *conv = &cases[i].conv;
        struct data data = make(kernels, &cases[i], 1, i * 10);
        size_t n = shape_floats(vgg_conv_output(conv, cases[i].in));
        struct gate gate = layer_gate(kernels, conv, cases[i].in);
        bool intact = true;
        float *out =
            layer_run(teams[2], kernels, &cases[i], data.in, data.weights, data.bias, &intact);
        double *expected =
            layer_expect(kernels, conv, cases[i].in, data.in, data.weights, data.bias);
        double l2, largest;

        assert_true(n > 0);
        layer_errors(out, expected, n, &l2, &largest);
        if (!(l2 <= gate.l2 && largest <= gate.max))
            fail_msg(
                "case %zu (%u to %u channels, kernel %u, %ux%u): relative L2 error %g, max error "
                "/ rms %g",
                i, conv->in, conv->out, conv->kernel, cases[i].in.h, cases[i].in.w, l2, largest);
        if (!intact)
            fail_msg("case %zu: memory around the blocks changed", i);
        free(out);
        free(expected);
        data_free(&data);
    }
}

static void threads_do_not_change_a_bit(void **state)
{
    const struct vgg_kernels *kernels = *state;

    for (size_t i = next_of(0, SIZE_MAX); i < CASES; i = next_of(i + 1, SIZE_MAX)) {
        struct data data = make(kernels, &cases[i], 1, i * 10 + 5);
        size_t bytes = shape_floats(vgg_conv_output(&cases[i].conv, cases[i].in)) * sizeof(float);
        bool intact = true;
        float *alone =
            layer_run(teams[1], kernels, &cases[i], data.in, data.weights, data.bias, &intact);

        for (unsigned threads = 2; threads <= THREADS_MAX; threads++) {
            float *out = layer_run(teams[threads], kernels, &cases[i], data.in, data.weights,
                                   data.bias, &intact);

            if (memcmp(out, alone, bytes) != 0)
                fail_msg("case %zu: %u threads give other bits", i, threads);
            free(out);
        }
        assert_true(intact);
        free(alone);
        data_free(&data);
    }
}

static void neighbours_do_not_change_a_bit(void **state)
{
    const struct vgg_kernels *kernels = *state;

    enum { VIEWS = 3 };

    for (size_t i = next_case(0); i < CASES; i = next_case(i + 1)) {
        struct layer_case batch = cases[i];
        struct data data = make(kernels, &cases[i], VIEWS, i * 10 + 7);
        size_t in_floats = shape_floats(cases[i].in);
        size_t out_floats = shape_floats(vgg_conv_output(&cases[i].conv, cases[i].in));
        bool intact = true;
        float *together;

        batch.in.n = VIEWS;
        together = layer_run(teams[2], kernels, &batch, data.in, data.weights, data.bias, &intact);
        for (size_t view = 0; view < VIEWS; view++) {
            float *alone = layer_run(teams[2], kernels, &cases[i], data.in + view * in_floats,
                                     data.weights, data.bias, &intact);

            if (memcmp(together + view * out_floats, alone, out_floats * sizeof *alone) != 0)
                fail_msg("case %zu: view %zu has other bits in a batch", i, view);
            free(alone);
        }
        assert_true(intact);
        free(together);
        data_free(&data);
    }
}

/* Weights held in half precision, with floats: the oracle's are rounded alike, so the gates stay.
 */
static void half_weights(void **state)
{
    const struct vgg_kernels *kernels = *state;

    if (kernels->precision != VGG_PRECISION_F32)
        return;
    for (size_t i = next_case(0); i < CASES; i = next_case(i + 1)) {
        struct layer_case half = cases[i];
        struct data data = make(kernels, &cases[i], 1, i * 10 + 9);
        struct vgg_shape shape = vgg_conv_output(&half.conv, half.in);
        size_t n = shape_floats(shape);
        bool intact = true;
        double l2, largest, *expected;
        float *out, *again;

        half.conv.half = true;
        assert_true(kernels->weights_bytes(&half.conv) < kernels->weights_bytes(&cases[i].conv));
        for (size_t j = 0; j < layer_weights(&half.conv); j++)
            data.weights[j] = vgg_half_to_float(vgg_half_from_float(data.weights[j]));
        out = layer_run(teams[1], kernels, &half, data.in, data.weights, data.bias, &intact);
        again = layer_run(teams[3], kernels, &half, data.in, data.weights, data.bias, &intact);
        expected = layer_expect(kernels, &half.conv, half.in, data.in, data.weights, data.bias);
        layer_errors(out, expected, n, &l2, &largest);
        if (!(l2 <= layer_gate(kernels, &half.conv, half.in).l2 &&
              largest <= layer_gate(kernels, &half.conv, half.in).max))
            fail_msg("case %zu: relative L2 error %g, max error / rms %g", i, l2, largest);
        if (memcmp(out, again, n * sizeof *out) != 0)
            fail_msg("case %zu: 3 threads give other bits", i);
        assert_true(intact);
        free(out);
        free(again);
        free(expected);
        data_free(&data);
    }
}

struct worker {
    pthread_t thread;
    const struct vgg_kernels *kernels;
    const struct data *data;
    const float *expected;
    bool same;
};

/* The cases from 10 on have more than one block of channels. */
static const struct layer_case *const shared_case = &cases[11];

static void *work(void *argument)
{
    struct worker *worker = argument;
    size_t bytes =
        shape_floats(vgg_conv_output(&shared_case->conv, shared_case->in)) * sizeof(float);
    struct vgg_team *team = NULL;

    worker->same = vgg_team_create(2, &team, NULL) == VGG_OK;
    for (unsigned round = 0; worker->same && round < 100; round++) {
        bool intact = true;
        float *out = layer_run(team, worker->kernels, shared_case, worker->data->in,
                               worker->data->weights, worker->data->bias, &intact);

        worker->same = intact && memcmp(out, worker->expected, bytes) == 0;
        free(out);
    }
    vgg_team_destroy(team);
    return NULL;
}

static void several_pools_at_once(void **state)
{
    const struct vgg_kernels *kernels = *state;

    struct data data = make(kernels, shared_case, 1, 3);
    struct worker workers[3];
    bool intact = true;
    float *expected =
        layer_run(teams[1], kernels, shared_case, data.in, data.weights, data.bias, &intact);

    for (size_t i = 0; i < 3; i++) {
        workers[i] = (struct worker){.kernels = kernels, .data = &data, .expected = expected};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_true(workers[i].same);
    }
    free(expected);
    data_free(&data);
}

/* test_conv [TABLE [MACS]]: only one table of kernels, only cases of at most so many MACs. */
int main(int argc, char **argv)
{
    const struct vgg_kernels *tables[TABLES_MAX];
    size_t tables_n = tables_asked(argc > 1 ? argv[1] : NULL, tables), run = 0;
    int failed = 0;

    macs_max = argc > 2 ? strtoull(argv[2], NULL, 10) : SIZE_MAX;
    for (size_t i = 0; i < tables_n; i++) {
        void *table = (void *)(uintptr_t)tables[i];
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_prestate(agrees_with_the_oracle, table),
            cmocka_unit_test_prestate(threads_do_not_change_a_bit, table),
            cmocka_unit_test_prestate(neighbours_do_not_change_a_bit, table),
            cmocka_unit_test_prestate(half_weights, table),
            cmocka_unit_test_prestate(several_pools_at_once, table),
        };

        print_message("kernels: %s\n", tables[i]->name);
        failed += cmocka_run_group_tests(tests, pools_start, pools_stop);
        run++;
    }
    return run == 0 ? 1 : failed;
}
