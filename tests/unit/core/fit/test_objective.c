/* Loss and gradient against differences: all numbers are sixteenths, so scores are exact. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/teams.h"
#include "fit/objective.h"
#include "model_maker.h"

enum { PICTURES = 150, VIEWS = 2, DIMS = 19, CLASSES = 3, LAYERS = 3, N = CLASSES * (DIMS + 1) };

static float rows[PICTURES * VIEWS * DIMS];
static uint32_t labels[PICTURES];
static double weights[LAYERS][PICTURES], x[LAYERS][N], gradients[LAYERS][N];
static struct vgg_layer layers[LAYERS];
static struct vgg_layer *pointers[LAYERS];
static const struct vgg_fit_set set = {.rows = rows,
                                       .pictures = PICTURES,
                                       .views = VIEWS,
                                       .dims = DIMS,
                                       .labels = labels,
                                       .classes = CLASSES};

static double sixteenth(uint64_t *seed, double range)
{
    return floor((2 * maker_random(seed) - 1) * range * 16) / 16;
}

/* Layer i leaves out every third picture from i on. */
static void make(void)
{
    uint64_t seed = 3;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        rows[i] = (float)sixteenth(&seed, 1);
    for (size_t i = 0; i < PICTURES; i++)
        labels[i] = (uint32_t)(maker_random(&seed) * CLASSES);
    for (size_t k = 0; k < LAYERS; k++) {
        for (size_t i = 0; i < PICTURES; i++)
            weights[k][i] = i % LAYERS == k ? 0 : (double)(1 + i % 5) / 300;
        for (size_t i = 0; i < N; i++)
            x[k][i] = sixteenth(&seed, 1);
        layers[k] = (struct vgg_layer){.x = x[k],
                                       .gradient = gradients[k],
                                       .strength = 0.1 * (double)k,
                                       .weights = weights[k]};
        pointers[k] = &layers[k];
    }
}

static struct vgg_objective start(unsigned threads)
{
    struct vgg_objective objective = {
        .set = &set, .rows = rows, .dims = DIMS, .team = teams[threads]};

    assert_int_equal(vgg_objective_init(&objective, LAYERS, NULL), VGG_OK);
    return objective;
}

/* As it reads. */
static double definition(const struct vgg_layer *layer)
{
    double loss = 0;

    for (size_t i = 0; i < CLASSES * DIMS; i++)
        loss += layer->strength / 2 * layer->x[i] * layer->x[i];
    for (size_t row = 0; row < PICTURES * VIEWS; row++) {
        double scores[CLASSES], sum = 0;

        for (size_t c = 0; c < CLASSES; c++) {
            scores[c] = layer->x[CLASSES * DIMS + c];
            for (size_t d = 0; d < DIMS; d++)
                scores[c] += layer->x[c * DIMS + d] * (double)rows[row * DIMS + d];
            sum += exp(scores[c]);
        }
        loss += layer->weights[row / VIEWS] / VIEWS * (log(sum) - scores[labels[row / VIEWS]]);
    }
    return loss;
}

static double slope(struct vgg_layer *layer, double *number)
{
    const double step = 1.0 / 64;
    double kept = *number, sum = 0;

    for (int i = -2; i <= 2; i++) {
        *number = kept + i * step;
        if (i != 0)
            sum += (i < 0 ? -1 : 1) * (i * i == 1 ? 8 : -1) * definition(layer);
    }
    *number = kept;
    return sum / (12 * step);
}

static void gradients_are_differences(void **state)
{
    struct vgg_objective objective = start(2);

    (void)state;
    make();
    assert_int_equal(vgg_objective_evaluate(&objective, pointers, LAYERS, NULL), VGG_OK);
    for (size_t k = 0; k < LAYERS; k++) {
        assert_true(fabs(layers[k].loss - definition(&layers[k])) < 1e-9);
        for (size_t i = 0; i < N; i++)
            assert_true(fabs(gradients[k][i] - slope(&layers[k], &x[k][i])) < 2e-6);
    }
    vgg_objective_fini(&objective);
}

/* What a layer leaves out does not touch it, nor do other layers, nor the threads a bit. */
static void layers_are_alone(void **state)
{
    double all[LAYERS][N], losses[LAYERS];

    (void)state;
    make();
    for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
        struct vgg_objective objective = start(threads);

        assert_int_equal(vgg_objective_evaluate(&objective, pointers, LAYERS, NULL), VGG_OK);
        for (size_t k = 0; k < LAYERS; k++) {
            if (threads > 1) {
                assert_memory_equal(all[k], gradients[k], sizeof all[k]);
                assert_true(losses[k] == layers[k].loss);
            }
            memcpy(all[k], gradients[k], sizeof all[k]);
            losses[k] = layers[k].loss;
        }
        assert_int_equal(vgg_objective_evaluate(&objective, pointers + 1, 1, NULL), VGG_OK);
        for (size_t i = 0; i < N; i++)
            assert_true(fabs(all[1][i] - gradients[1][i]) < 1e-6);
        for (size_t i = 1; i < PICTURES; i += LAYERS)
            memset(rows + i * VIEWS * DIMS, 0, VIEWS * DIMS * sizeof *rows);
        assert_int_equal(vgg_objective_evaluate(&objective, pointers, LAYERS, NULL), VGG_OK);
        assert_memory_equal(all[1], gradients[1], sizeof all[1]);
        assert_true(memcmp(all[0], gradients[0], sizeof all[0]) != 0);
        vgg_objective_fini(&objective);
        make();
    }
}

static bool always(void *user)
{
    (void)user;
    return true;
}

static void it_can_be_stopped(void **state)
{
    struct vgg_objective objective = start(1);

    (void)state;
    make();
    objective.stop = always;
    assert_int_equal(vgg_objective_evaluate(&objective, pointers, 1, NULL), VGG_CANCELLED);
    vgg_objective_fini(&objective);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(layers_are_alone),
        cmocka_unit_test(it_can_be_stopped),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
