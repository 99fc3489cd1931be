/* Colour statistics against direct computations. */
#include "album.h"

#include <math.h>

#include "base/random.h"
#include "data/split.h"
#include "data/statistics.h"

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* Mean and covariance of all pixels in two passes, each picture weighing 1 / n. */
static void compute(const struct vgg_dataset *dataset, double mean[3], double covariance[3][3])
{
    memset(mean, 0, 3 * sizeof *mean);
    memset(covariance, 0, 9 * sizeof **covariance);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < dataset->examples_n; i++) {
            const struct vgg_image *image = dataset->examples[i].image;
            size_t n = (size_t)image->info.width * image->info.height;
            double weight = 1.0 / ((double)n * (double)dataset->examples_n);

            for (size_t p = 0; p < n; p++)
                for (unsigned c = 0; c < 3; c++) {
                    double value = image->pixels[3 * p + c] / 255.0;

                    if (pass == 0)
                        mean[c] += weight * value;
                    for (unsigned d = 0; d < 3 && pass == 1; d++)
                        covariance[c][d] += weight * (value - mean[c]) *
                                            (image->pixels[3 * p + d] / 255.0 - mean[d]);
                }
        }
}

static void check(const struct vgg_dataset *dataset)
{
    double mean[3], covariance[3][3];

    compute(dataset, mean, covariance);
    for (unsigned c = 0; c < 3; c++) {
        assert_near(dataset->mean[c], mean[c], 1e-12);
        assert_near(dataset->std[c], fmax(sqrt(covariance[c][c]), 1.0 / 255), 1e-12);
        /* Shifts by independent numbers of variance 1 vary as the colours do. */
        for (unsigned d = 0; d < 3; d++) {
            double sum = 0;

            for (unsigned k = 0; k < 3; k++)
                sum += dataset->shift[c][k] * dataset->shift[d][k];
            assert_near(sum, covariance[c][d], 1e-12);
        }
    }
    /* Components are at right angles, the strongest first. */
    for (unsigned k = 0; k < 3; k++)
        for (unsigned l = 0; l < k; l++) {
            double dot = 0, first = 0, second = 0;

            for (unsigned c = 0; c < 3; c++) {
                dot += dataset->shift[c][k] * dataset->shift[c][l];
                first += dataset->shift[c][l] * dataset->shift[c][l];
                second += dataset->shift[c][k] * dataset->shift[c][k];
            }
            assert_near(dot, 0, 1e-12);
            assert_true(first >= second);
        }
}

static void equal_a_direct_computation(void **state)
{
    struct vgg_dataset_options options = {.cache_bytes = 1 << 30};
    struct vgg_dataset dataset, rest, again;

    (void)state;
    album_fill(10);
    album_open(&options, teams[1], &dataset);
    vgg_dataset_statistics(&dataset);
    check(&dataset);
    /* Of a part, after the other one has gone. */
    assert_int_equal(vgg_dataset_split(&dataset, 0.3, 1, NULL, &rest, NULL), VGG_OK);
    vgg_dataset_statistics(&rest);
    check(&rest);
    vgg_dataset_fini(&rest);
    /* The same bits from one thread and without a cache. */
    options.cache_bytes = 0;
    album_open(&options, teams[0], &again);
    assert_int_equal(vgg_dataset_split(&again, 0.3, 1, NULL, &rest, NULL), VGG_OK);
    vgg_dataset_statistics(&dataset);
    vgg_dataset_statistics(&again);
    assert_memory_equal(again.mean, dataset.mean, sizeof dataset.mean);
    assert_memory_equal(again.std, dataset.std, sizeof dataset.std);
    assert_memory_equal(again.shift, dataset.shift, sizeof dataset.shift);
    check(&dataset);
    vgg_dataset_fini(&dataset);
    vgg_dataset_fini(&again);
    vgg_dataset_fini(&rest);
}

/* A picture of width x 1 from pixels (R, G, B). */
static struct vgg_example example_of(const uint8_t *rgb, uint32_t width)
{
    struct vgg_example example = {.image = vgg_image_create("test", width, 1)};

    assert_non_null(example.image);
    memcpy(example.image->pixels, rgb, 3 * (size_t)width);
    example.moments = vgg_moments_of(example.image);
    return example;
}

/* A small picture counts as much as a large one: 0 and 255, of sizes 1 and 3. */
static void pictures_weigh_the_same(void **state)
{
    uint8_t dark[3] = {0}, bright[9];
    struct vgg_example examples[2];
    struct vgg_dataset dataset = {.examples = examples, .examples_n = 2};

    (void)state;
    memset(bright, 255, sizeof bright);
    examples[0] = example_of(dark, 1);
    examples[1] = example_of(bright, 3);
    vgg_dataset_statistics(&dataset);
    for (unsigned c = 0; c < 3; c++) {
        assert_near(dataset.mean[c], 0.5, 1e-15);
        assert_near(dataset.std[c], 0.5, 1e-15);
        assert_near(fabs(dataset.shift[c][0]), 0.5, 1e-9); /* grey is the only direction */
        assert_near(dataset.shift[c][1], 0, 1e-7);
        assert_near(dataset.shift[c][2], 0, 1e-7);
    }
    for (size_t i = 0; i < 2; i++)
        vgg_image_destroy(examples[i].image);
}

/* Nothing varies: deviations that can be divided by, and no shift. */
static void one_colour(void **state)
{
    static const uint8_t colour[3] = {17, 130, 255};
    struct vgg_example example = example_of(colour, 1);
    struct vgg_dataset dataset = {.examples = &example, .examples_n = 1};

    (void)state;
    vgg_dataset_statistics(&dataset);
    for (unsigned c = 0; c < 3; c++) {
        assert_near(dataset.mean[c], colour[c] / 255.0, 1e-15);
        assert_near(dataset.std[c], 1.0 / 255, 1e-15);
        for (unsigned k = 0; k < 3; k++)
            assert_near(dataset.shift[c][k], 0, 1e-7);
    }
    vgg_image_destroy(example.image);
}

/* Sums do not overflow: the brightest picture of more than 2^32 / 255^2 pixels. */
static void large_sums(void **state)
{
    uint32_t width = 1 << 18;
    uint8_t *rgb = malloc(3 * (size_t)width);
    struct vgg_example example;

    (void)state;
    assert_non_null(rgb);
    memset(rgb, 255, 3 * (size_t)width);
    example = example_of(rgb, width);
    for (unsigned i = 0; i < 3; i++)
        assert_near(example.moments.mean[i], 1, 0);
    for (unsigned i = 0; i < 6; i++)
        assert_near(example.moments.product[i], 1, 0);
    vgg_image_destroy(example.image);
    free(rgb);
}

/* ---------------------------------------------------------------- eigenvectors --------------- */

/* matrix = V diag(values) V^T from a rotation by three angles. */
static void construct(const double values[3], const double angles[3], double matrix[3][3])
{
    double v[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};

    for (unsigned axis = 0; axis < 3; axis++) {
        unsigned p = (axis + 1) % 3, q = (axis + 2) % 3;

        for (unsigned i = 0; i < 3; i++) {
            double vp = v[i][p], vq = v[i][q];

            v[i][p] = cos(angles[axis]) * vp - sin(angles[axis]) * vq;
            v[i][q] = sin(angles[axis]) * vp + cos(angles[axis]) * vq;
        }
    }
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 3; j++) {
            matrix[i][j] = 0;
            for (unsigned k = 0; k < 3; k++)
                matrix[i][j] += v[i][k] * values[k] * v[j][k];
        }
}

static void check_eigen(const double matrix[3][3], const double values[3])
{
    double vectors[3][3], found[3], largest = fabs(values[0]);

    vgg_eigen3(matrix, vectors, found);
    for (unsigned k = 0; k < 3; k++) {
        assert_near(found[k], values[k], 1e-14 * largest);
        for (unsigned i = 0; i < 3; i++) {
            double product = 0, dot = 0;

            for (unsigned j = 0; j < 3; j++) {
                product += matrix[i][j] * vectors[j][k];
                dot += vectors[j][i] * vectors[j][k];
            }
            assert_near(product, found[k] * vectors[i][k], 1e-14 * largest);
            assert_near(dot, i == k, 1e-14);
        }
    }
}

static void eigenvectors_of_constructed_matrices(void **state)
{
    static const double spectra[][3] = {{3, 2, 1},         {1, 1, 1},    {5, 5, 1},
                                        {2, 0, 0},         {0, 0, 0},    {1, 1e-9, 1e-16},
                                        {1e-20, 1e-21, 0}, {4, 4, 4e-3}, {0.13, 0.004, 0.001}};
    struct vgg_random random;

    (void)state;
    vgg_random_init(&random, 1);
    for (size_t i = 0; i < COUNT_OF(spectra); i++)
        for (unsigned round = 0; round < 200; round++) {
            double angles[3], matrix[3][3];

            for (unsigned a = 0; a < 3; a++) /* quarter turns and none among them */
                angles[a] = round < 64 ? acos(-1) / 2 * (round >> 2 * a & 3)
                                       : 6.3 * vgg_random_uniform(&random);
            construct(spectra[i], angles, matrix);
            check_eigen(matrix, spectra[i]);
        }
}

/* The rarer, the heavier; a class without pictures does not count. */
static void class_weights(void **state)
{
    struct vgg_example examples[9] = {{0}};
    struct vgg_dataset dataset = {.examples = examples, .examples_n = 9, .classes_n = 4};
    double weights[4], sum = 0;

    (void)state;
    for (size_t i = 0; i < 9; i++)
        examples[i].label = i < 1 ? 0 : i < 3 ? 1 : 3;
    vgg_dataset_class_weights(&dataset, weights);
    assert_float_equal(weights[0], 3, 1e-15);
    assert_float_equal(weights[1], 1.5, 1e-15);
    assert_float_equal(weights[2], 0, 0);
    assert_float_equal(weights[3], 0.5, 1e-15);
    for (size_t i = 0; i < 9; i++)
        sum += weights[examples[i].label];
    assert_float_equal(sum, 9, 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_a_direct_computation, album_start, album_stop),
        cmocka_unit_test(pictures_weigh_the_same),
        cmocka_unit_test(one_colour),
        cmocka_unit_test(large_sums),
        cmocka_unit_test(eigenvectors_of_constructed_matrices),
        cmocka_unit_test(class_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
