/* Batches: none is left out or small, targets are labels smoothed and taught, rare classes weigh.
 */
#include "core/data/album.h"

#include <math.h>

#include "data/statistics.h"
#include "feed/examples.h"
#include "feed/mixup.h"

enum { CLASSES = 2, CROP = 32 };

static struct vgg_dataset dataset; /* 5 of "a", 10 of "b" */
static struct vgg_network network;

static int start(void **state)
{
    if (album_start(state) != 0)
        return 1;
    album_fill(5);
    album_open(&(struct vgg_dataset_options){.cache_bytes = 1 << 30}, teams[0], &dataset);
    vgg_dataset_statistics(&dataset);
    network = (struct vgg_network){.in = {1, 3, CROP, CROP}};
    return 0;
}

static int stop(void **state)
{
    vgg_dataset_fini(&dataset);
    return album_stop(state);
}

static struct vgg_train_options usual(uint32_t batch)
{
    return (struct vgg_train_options){
        .batch = batch, .crop = CROP, .scale_min = 32, .scale_max = 40, .seed = 3};
}

static struct vgg_network_examples draw(struct vgg_examples *examples, uint32_t step)
{
    struct vgg_network_examples batch;
    struct vgg_error error = {0};

    if (vgg_examples_draw(examples, teams[1], 1, step, &batch, &error) != VGG_OK)
        fail_msg("%s", error.text);
    return batch;
}

/* Every picture once, whatever the batch; sizes differ by one at most. */
static void every_picture_is_drawn(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= dataset.examples_n; size++) {
        const struct vgg_train_options settings = usual(size);
        struct vgg_examples examples;
        size_t seen = 0, of_a = 0;

        assert_int_equal(vgg_examples_init(&examples, &dataset, &network, &settings, NULL, NULL),
                         VGG_OK);
        assert_int_equal(examples.steps, (dataset.examples_n + size - 1) / size);
        vgg_examples_shuffle(&examples, 1);
        for (uint32_t step = 0; step < examples.steps; step++) {
            struct vgg_network_examples batch = draw(&examples, step);

            assert_int_equal(vgg_examples_before(&examples, step), seen);
            assert_true(batch.n <= size && batch.n + 1 >= examples.batch);
            for (uint32_t i = 0; i < batch.n; i++)
                of_a += batch.labels[i] == 0;
            seen += batch.n;
        }
        assert_int_equal(seen, dataset.examples_n);
        assert_int_equal(of_a, 5);
        vgg_examples_fini(&examples);
    }
}

/* The labels, a part of them spread, and a teacher's word on each picture. */
static void targets_sum_to_one(void **state)
{
    struct vgg_train_options settings = usual(4);
    struct vgg_examples examples;
    float taught[15][CLASSES];
    struct vgg_teacher teacher = {.classes_n = CLASSES, .views = 1};

    (void)state;
    settings.smoothing = 0.1;
    assert_int_equal(vgg_examples_init(&examples, &dataset, &network, &settings, &teacher, NULL),
                     VGG_OK);
    vgg_examples_shuffle(&examples, 1);
    for (size_t i = 0; i < 15; i++) {
        taught[i][0] = (float)i / 16;
        taught[i][1] = 1 - taught[i][0];
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        const struct vgg_network_examples batch = draw(&examples, 2);
        size_t first = vgg_examples_before(&examples, 2);

        assert_null(batch.weights);
        for (uint32_t i = 0; i < batch.n; i++) {
            double label = batch.labels[i] == 0 ? 0.95 : 0.05;
            double expected =
                pass == 0 ? label
                          : 0.3 * label + 0.7 * (double)taught[examples.order[first + i]][0];

            assert_true(fabs((double)batch.targets[i * CLASSES] - expected) < 1e-6);
            assert_true(fabs((double)batch.targets[i * CLASSES] +
                             (double)batch.targets[i * CLASSES + 1] - 1) < 1e-6);
        }
        teacher.targets = taught[0];
    }
    vgg_examples_fini(&examples);
}

/* Inputs and targets of a pair by the same share, which a third draw of the share tells. */
static void pairs_are_mixed(void **state)
{
    struct vgg_train_options settings = usual(5);
    struct vgg_examples plain, mixed;
    struct vgg_network_examples batch, mix;
    size_t floats = 3 * CROP * CROP;

    (void)state;
    assert_int_equal(vgg_examples_init(&plain, &dataset, &network, &settings, NULL, NULL), VGG_OK);
    settings.mixup = 0.5;
    assert_int_equal(vgg_examples_init(&mixed, &dataset, &network, &settings, NULL, NULL), VGG_OK);
    vgg_examples_shuffle(&plain, 1);
    vgg_examples_shuffle(&mixed, 1);
    batch = draw(&plain, 2);
    mix = draw(&mixed, 2);
    assert_int_equal(batch.n, 5);
    for (size_t i = 0; i < 4; i++) {
        double share = vgg_mixup_share(3, 1, 2, i / 2, 0.5);

        assert_true(share >= 0.5 && share < 1);
        for (size_t j = 0; j < floats; j++)
            assert_true(fabs((double)mix.inputs[i * floats + j] -
                             share * (double)batch.inputs[i * floats + j] -
                             (1 - share) * (double)batch.inputs[(i ^ 1) * floats + j]) < 1e-5);
        for (size_t j = 0; j < CLASSES; j++)
            assert_true(fabs((double)mix.targets[i * CLASSES + j] -
                             share * (double)batch.targets[i * CLASSES + j] -
                             (1 - share) * (double)batch.targets[(i ^ 1) * CLASSES + j]) < 1e-6);
        assert_int_equal(mix.labels[i], batch.labels[i]);
    }
    assert_memory_equal(mix.inputs + 4 * floats, batch.inputs + 4 * floats, floats * sizeof(float));
    vgg_examples_fini(&plain);
    vgg_examples_fini(&mixed);
}

/* As the larger of x and 1 - x with x from Beta(alpha, alpha), whose variance is 1 / (8 alpha + 4).
 */
static void shares_are_betas(void **state)
{
    static const double alphas[] = {1, 0.4, 0.1, 1e-9};
    enum { DRAWS = 20000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(alphas); i++) {
        double squares = 0, expected = 1 / (8 * alphas[i] + 4);

        for (uint64_t pair = 0; pair < DRAWS; pair++) {
            double share = vgg_mixup_share(7, 0, 0, pair, alphas[i]);

            assert_true(share >= 0.5 && share <= 1);
            squares += (share - 0.5) * (share - 0.5) / DRAWS;
        }
        assert_true(fabs(squares - expected) < 0.02 * expected);
    }
}

/* Both classes weigh alike, and all pictures as much as without. */
static void rare_classes_weigh_more(void **state)
{
    struct vgg_train_options settings = usual(15);
    struct vgg_examples examples;
    struct vgg_network_examples batch;
    double sums[CLASSES] = {0};

    (void)state;
    settings.balance = true;
    assert_int_equal(vgg_examples_init(&examples, &dataset, &network, &settings, NULL, NULL),
                     VGG_OK);
    vgg_examples_shuffle(&examples, 1);
    batch = draw(&examples, 0);
    for (uint32_t i = 0; i < batch.n; i++)
        sums[batch.labels[i]] += batch.weights[i];
    assert_true(fabs(sums[0] - 7.5) < 1e-9 && fabs(sums[1] - 7.5) < 1e-9);
    vgg_examples_fini(&examples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_picture_is_drawn),  cmocka_unit_test(targets_sum_to_one),
        cmocka_unit_test(rare_classes_weigh_more), cmocka_unit_test(pairs_are_mixed),
        cmocka_unit_test(shares_are_betas),
    };

    return cmocka_run_group_tests_name("examples", tests, start, stop);
}
