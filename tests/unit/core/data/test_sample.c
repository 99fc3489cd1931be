/* Samples: where they come from in the picture, and that nothing but the keys decides. */
#include "album.h"

#include <math.h>

#include "data/sample.h"
#include "data/statistics.h"
#include "fault.h"
#include "model_maker.h"

enum { SIDE = 32, FLOATS = 3 * SIDE * SIDE };

/* Values of 0 to 255 come out as they are. */
static const struct vgg_dataset plain = {.std = {1 / 255.0, 1 / 255.0, 1 / 255.0}};

/* The crop is the whole of a picture of SIDE. */
static const struct vgg_sampling whole = {
    .seed = 1, .crop = SIDE, .scale_min = SIDE, .scale_max = SIDE};

static struct vgg_example make_example(uint32_t width, uint32_t height, uint64_t seed)
{
    struct vgg_example example = {.path = (char *)"made",
                                  .image = vgg_image_create("test", width, height),
                                  .width = width,
                                  .height = height};
    uint8_t *rgb = maker_picture(width, height, seed);

    assert_non_null(example.image);
    memcpy(example.image->pixels, rgb, 3 * (size_t)width * height);
    free(rgb);
    return example;
}

static void sample(const struct vgg_dataset *dataset, const struct vgg_sampling *sampling,
                   size_t index, uint64_t epoch, float *out)
{
    struct vgg_error error = {0};

    if (vgg_sample(dataset, sampling, index, epoch, out, &error) != VGG_OK)
        fail_msg("%s", error.text);
}

/* ---------------------------------------------------------------- crops ---------------------- */

static bool is_crop(const float *out, const struct vgg_image *image, uint32_t x, uint32_t y)
{
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        size_t pixel = (size_t)(y + i / SIDE) * image->info.width + x + i % SIDE;

        for (unsigned c = 0; c < 3; c++)
            if (out[c * SIDE * SIDE + i] != (float)image->pixels[3 * pixel + c])
                return false;
    }
    return true;
}

enum { SCALE_MIN = 32, SCALE_MAX = 36, SCALES = SCALE_MAX - SCALE_MIN + 1, PLACES = 16 };

/* How often each scale, and each offset across and down at a scale, has been seen. */
struct tally {
    unsigned scale[SCALES], x[SCALES][PLACES], y[SCALES][PLACES];
};

static void find(const float *out, struct vgg_image *const scaled[SCALES], struct tally *tally)
{
    unsigned found = 0;

    for (unsigned s = 0; s < SCALES; s++)
        for (uint32_t y = 0; y + SIDE <= scaled[s]->info.height; y++)
            for (uint32_t x = 0; x + SIDE <= scaled[s]->info.width; x++)
                if (is_crop(out, scaled[s], x, y)) {
                    tally->scale[s]++;
                    tally->x[s][x]++;
                    tally->y[s][y]++;
                    found++;
                }
    assert_int_equal(found, 1);
}

/*
 * Each sample is one crop of the picture rescaled whole, and all scales and all places, the
 * extremes among them, come up as often as each other.
 */
static void every_crop_of_every_scale(void **state)
{
    static const uint32_t sizes[][2] = {{50, 40}, {40, 50}, {20, 20}, {35, 33}};
    struct vgg_sampling sampling = {
        .seed = 1, .crop = SIDE, .scale_min = SCALE_MIN, .scale_max = SCALE_MAX};
    enum { EPOCHS = 3000 };
    float out[FLOATS];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct vgg_example example = make_example(sizes[i][0], sizes[i][1], i);
        struct vgg_dataset dataset = plain;
        struct vgg_image *scaled[SCALES];
        struct tally tally = {0};

        dataset.examples = &example;
        dataset.examples_n = 1;
        for (unsigned s = 0; s < SCALES; s++)
            assert_int_equal(vgg_image_rescale(example.image, SCALE_MIN + s, &scaled[s], NULL),
                             VGG_OK);
        for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
            sample(&dataset, &sampling, 0, epoch, out);
            find(out, scaled, &tally);
        }
        for (unsigned s = 0; s < SCALES; s++) {
            uint32_t across = scaled[s]->info.width - SIDE + 1;
            uint32_t down = scaled[s]->info.height - SIDE + 1;

            assert_true(fabs(tally.scale[s] - EPOCHS / (double)SCALES) <
                        5 * sqrt(EPOCHS / (double)SCALES));
            for (uint32_t x = 0; x < across; x++)
                assert_true(fabs(tally.x[s][x] - tally.scale[s] / (double)across) <=
                            5 * sqrt(tally.scale[s] / (double)across));
            for (uint32_t y = 0; y < down; y++)
                assert_true(fabs(tally.y[s][y] - tally.scale[s] / (double)down) <=
                            5 * sqrt(tally.scale[s] / (double)down));
            vgg_image_destroy(scaled[s]);
        }
        vgg_image_destroy(example.image);
    }
}

/* With mirroring half of the samples are the mirror images of what they were, the rest as before.
 */
static void mirrors(void **state)
{
    struct vgg_example example = make_example(61, 47, 1);
    struct vgg_dataset dataset = plain;
    struct vgg_sampling sampling = {
        .seed = 1, .crop = SIDE, .scale_min = 32, .scale_max = 60, .colour = 0.1};
    enum { EPOCHS = 400 };
    float out[FLOATS], mirror[FLOATS];
    unsigned mirrored = 0;

    (void)state;
    dataset.examples = &example;
    dataset.examples_n = 1;
    dataset.shift[1][0] = 3;
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        sampling.mirror = false;
        sample(&dataset, &sampling, 0, epoch, out);
        sampling.mirror = true;
        sample(&dataset, &sampling, 0, epoch, mirror);
        if (memcmp(out, mirror, sizeof out) == 0)
            continue;
        mirrored++;
        for (size_t i = 0; i < FLOATS; i++)
            assert_true(out[i] == mirror[i - i % SIDE + SIDE - 1 - i % SIDE]);
    }
    assert_true(fabs(mirrored - EPOCHS / 2.0) < 5 * sqrt(EPOCHS / 4.0));
    vgg_image_destroy(example.image);
}

/* ---------------------------------------------------------------- beyond the paper ----------- */

/* The pixel shown at (x, y) of a picture turned clockwise. */
static float turned_pixel(const struct vgg_image *image, unsigned quarters, uint32_t x, uint32_t y,
                          unsigned channel)
{
    for (; quarters > 0; quarters--) {
        uint32_t before = x;

        x = y;
        y = SIDE - 1 - before;
    }
    return (float)image->pixels[3 * ((size_t)y * SIDE + x) + channel];
}

static bool is_turned(const float *out, const struct vgg_image *image, unsigned quarters)
{
    for (uint32_t i = 0; i < FLOATS; i++)
        if (out[i] != turned_pixel(image, quarters, i % SIDE, i / SIDE % SIDE, i / (SIDE * SIDE)))
            return false;
    return true;
}

/* Each sample is the picture turned by 0 to 3 quarters, all as often as each other. */
static void turns(void **state)
{
    struct vgg_example example = make_example(SIDE, SIDE, 1);
    struct vgg_dataset dataset = plain;
    struct vgg_sampling sampling = whole;
    enum { EPOCHS = 1000 };
    unsigned times[4] = {0};
    float out[FLOATS];

    (void)state;
    dataset.examples = &example;
    dataset.examples_n = 1;
    sampling.turn = true;
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        unsigned found = 0;

        sample(&dataset, &sampling, 0, epoch, out);
        for (unsigned quarters = 0; quarters < 4; quarters++)
            if (is_turned(out, example.image, quarters)) {
                times[quarters]++;
                found++;
            }
        assert_int_equal(found, 1);
    }
    for (unsigned quarters = 0; quarters < 4; quarters++)
        assert_true(fabs(times[quarters] - EPOCHS / 4.0) < 5 * sqrt(EPOCHS / 4.0));
    vgg_image_destroy(example.image);
}

/* Columns as wide as their number: what a crop shows of them tells how far it is squeezed. */
static struct vgg_example make_ramp(uint32_t side, bool across)
{
    struct vgg_example example = make_example(side, side, 1);

    for (uint32_t i = 0; i < side * side; i++)
        memset(example.image->pixels + 3 * (size_t)i, (int)(across ? i % side : i / side), 3);
    return example;
}

/* Levels that pass from one end of the crop's middle row or column to the other. */
static double ramp_of(const float *out, bool across)
{
    size_t middle = SIDE / 2, from = across ? middle * SIDE + 8 : 8 * SIDE + middle;
    size_t step = across ? 1 : SIDE;

    return ((double)out[from + 16 * step] - (double)out[from]) / 16;
}

/* One side at a time loses up to a quarter, so that what is seen gets up to a third denser. */
static void squeezes(void **state)
{
    enum { EPOCHS = 400, RAMP = 200 };
    struct vgg_sampling sampling = {
        .seed = 1, .crop = SIDE, .scale_min = RAMP, .scale_max = RAMP, .squeeze = 0.25};
    double most[2] = {0};

    (void)state;
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        double ramp[2];

        for (unsigned across = 0; across < 2; across++) {
            struct vgg_example example = make_ramp(RAMP, across);
            struct vgg_dataset dataset = plain;
            float out[FLOATS];

            dataset.examples = &example;
            dataset.examples_n = 1;
            sample(&dataset, &sampling, 0, epoch, out);
            ramp[across] = ramp_of(out, across);
            assert_true(ramp[across] > 0.9 && ramp[across] < 1.45);
            most[across] = fmax(most[across], ramp[across]);
            vgg_image_destroy(example.image);
        }
        assert_true(fmin(ramp[0], ramp[1]) < 1.1);
    }
    assert_true(most[0] > 1.25 && most[1] > 1.25);
}

/* A rectangle of zeros in so many of the samples; beside it the sample is what it was. */
static void erases(void **state)
{
    struct vgg_example example = make_example(61, 47, 1);
    struct vgg_dataset dataset = plain;
    struct vgg_sampling sampling = {.seed = 1,
                                    .crop = SIDE,
                                    .scale_min = 32,
                                    .scale_max = 60,
                                    .mirror = true,
                                    .squeeze = 0.2,
                                    .turn = true};
    enum { EPOCHS = 1000 };
    unsigned erased = 0;
    float before[FLOATS], out[FLOATS];

    (void)state;
    dataset.examples = &example;
    dataset.examples_n = 1;
    for (unsigned c = 0; c < 3; c++)
        dataset.mean[c] = -1; /* no pixel is zero by itself */
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        uint32_t left = SIDE, right = 0, top = SIDE, bottom = 0, n = 0;

        sampling.erase = 0;
        sample(&dataset, &sampling, 0, epoch, before);
        sampling.erase = 0.3;
        sample(&dataset, &sampling, 0, epoch, out);
        for (uint32_t i = 0; i < FLOATS; i++) {
            uint32_t x = i % SIDE, y = i / SIDE % SIDE;

            if (out[i] == before[i])
                continue;
            assert_true(out[i] == 0);
            left = x < left ? x : left;
            right = x > right ? x : right;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
            n++;
        }
        if (n == 0)
            continue;
        erased++;
        assert_int_equal(n, 3 * (right - left + 1) * (bottom - top + 1));
        assert_in_range(n / 3, 0.01 * SIDE * SIDE, 0.25 * SIDE * SIDE);
    }
    assert_true(fabs(erased - 0.3 * EPOCHS) < 5 * sqrt(0.21 * EPOCHS));
    vgg_image_destroy(example.image);
}

/* The same crop at twice the size: its levels, in fours, are those of the small one. */
static void other_sizes(void **state)
{
    enum { EPOCHS = 200, RAMP = 200, TWICE = 2 * SIDE };
    struct vgg_sampling sampling = {.seed = 1,
                                    .crop = SIDE,
                                    .scale_min = 100,
                                    .scale_max = RAMP,
                                    .mirror = true,
                                    .squeeze = 0.25,
                                    .turn = true,
                                    .erase = 0.3};
    static float large[3 * TWICE * TWICE];

    (void)state;
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        struct vgg_example example = make_ramp(RAMP, epoch % 2 == 0);
        struct vgg_dataset dataset = plain;
        float small[FLOATS];
        unsigned off = 0;

        dataset.examples = &example;
        dataset.examples_n = 1;
        sampling.side = 0;
        sample(&dataset, &sampling, 0, epoch, small);
        sampling.side = TWICE;
        sample(&dataset, &sampling, 0, epoch, large);
        for (uint32_t y = 0; y < SIDE; y++)
            for (uint32_t x = 0; x < SIDE; x++) {
                const float *four = large + 2 * y * TWICE + 2 * x;
                float mean = (four[0] + four[1] + four[TWICE] + four[TWICE + 1]) / 4;

                off += fabsf(mean - small[y * SIDE + x]) > 2;
            }
        assert_in_range(off, 0, 2 * SIDE); /* where what was erased begins and ends */
        vgg_image_destroy(example.image);
    }
}

/* ---------------------------------------------------------------- colours -------------------- */

static void normalised(void **state)
{
    struct vgg_example example = make_example(SIDE, SIDE, 1);
    struct vgg_dataset dataset = {.examples = &example,
                                  .examples_n = 1,
                                  .mean = {0.4, 0.5, 0.6},
                                  .std = {0.1, 0.2, 0.3},
                                  .shift = {{9, 9, 9}, {9, 9, 9}, {9, 9, 9}}};
    struct vgg_sampling sampling = whole;
    float out[FLOATS];

    (void)state;
    sample(&dataset, &sampling, 0, 0, out);
    for (unsigned c = 0; c < 3; c++)
        for (size_t i = 0; i < SIDE * SIDE; i++) {
            double value = example.image->pixels[3 * i + c] / 255.0;

            assert_true(fabs((double)out[c * SIDE * SIDE + i] -
                             (value - dataset.mean[c]) / dataset.std[c]) < 1e-6);
        }
    vgg_image_destroy(example.image);
}

/*
 * A shift is the same for all pixels of a sample; over epochs its coordinates along the components
 * are independent normals of the deviation asked for.
 */
static void colours_shift(void **state)
{
    struct vgg_example example = make_example(SIDE, SIDE, 1);
    struct vgg_dataset dataset = {.examples = &example,
                                  .examples_n = 1,
                                  .std = {0.5, 0.25, 0.125},
                                  .shift = {{0.3, 0.1, 0}, {0, 0.2, 0}, {0, 0, 0.05}}};
    struct vgg_sampling sampling = whole;
    double products[3][3] = {{0}};
    enum { EPOCHS = 4000 };
    float before[FLOATS], out[FLOATS];

    (void)state;
    sample(&dataset, &sampling, 0, 0, before);
    sampling.colour = 0.1;
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        double shift[3], alpha[3];

        sample(&dataset, &sampling, 0, epoch, out);
        for (unsigned c = 0; c < 3; c++) {
            size_t first = c * SIDE * SIDE;

            shift[c] = ((double)out[first] - (double)before[first]) * dataset.std[c];
            for (size_t i = first; i < first + SIDE * SIDE; i++)
                assert_true(fabs(((double)out[i] - (double)before[i]) * dataset.std[c] - shift[c]) <
                            1e-6);
        }
        alpha[2] = shift[2] / 0.05;
        alpha[1] = shift[1] / 0.2;
        alpha[0] = (shift[0] - 0.1 * alpha[1]) / 0.3;
        for (unsigned k = 0; k < 3; k++)
            for (unsigned l = 0; l < 3; l++)
                products[k][l] += alpha[k] * alpha[l] / EPOCHS;
    }
    for (unsigned k = 0; k < 3; k++)
        for (unsigned l = 0; l < 3; l++)
            assert_true(fabs(products[k][l] - (k == l ? 0.01 : 0)) < 5 * 0.01 * sqrt(2.0 / EPOCHS));
    vgg_image_destroy(example.image);
}

/* ---------------------------------------------------------------- keys ----------------------- */

static const struct vgg_sampling usual = {.seed = 7,
                                          .crop = SIDE,
                                          .scale_min = 32,
                                          .scale_max = 64,
                                          .mirror = true,
                                          .colour = 0.1,
                                          .squeeze = 0.3,
                                          .turn = true,
                                          .erase = 0.5};

struct batch {
    const struct vgg_dataset *dataset;
    float *out;
};

static void sample_item(void *context, size_t item, unsigned thread)
{
    struct batch *batch = context;
    size_t n = batch->dataset->examples_n;

    (void)thread;
    if (vgg_sample(batch->dataset, &usual, item % n, item / n, batch->out + item * FLOATS, NULL) !=
        VGG_OK)
        abort();
}

/* Two epochs, with and without the cache, by one thread and by three: the same bits. */
static void threads_and_cache(void **state)
{
    static const uint64_t caches[] = {0, 100000, 1 << 30};
    float *first = NULL;
    size_t bytes = 0;

    (void)state;
    album_fill(8);
    for (size_t i = 0; i < 6; i++) {
        struct vgg_dataset_options options = {.cache_bytes = caches[i / 2]};
        struct vgg_dataset dataset;
        struct batch batch = {.dataset = &dataset};

        album_open(&options, teams[i % 2], &dataset);
        vgg_dataset_statistics(&dataset);
        bytes = 2 * dataset.examples_n * FLOATS * sizeof *first;
        batch.out = malloc(bytes);
        assert_non_null(batch.out);
        vgg_team_run(teams[i % 2], sample_item, &batch, 2 * dataset.examples_n);
        if (i == 0)
            first = batch.out;
        else
            assert_memory_equal(batch.out, first, bytes);
        if (i != 0)
            free(batch.out);
        vgg_dataset_fini(&dataset);
    }
    for (size_t i = 0; i < bytes / sizeof *first; i++)
        assert_true(isfinite(first[i]));
    free(first);
}

/* Another seed, epoch or index is another draw. */
static void keys_differ(void **state)
{
    struct vgg_example examples[2];
    struct vgg_dataset dataset = plain;
    float out[4][FLOATS];
    struct vgg_sampling sampling = usual;

    (void)state;
    examples[0] = make_example(64, 64, 1);
    examples[1] = make_example(64, 64, 1);
    dataset.examples = examples;
    dataset.examples_n = 2;
    sample(&dataset, &sampling, 0, 0, out[0]);
    sample(&dataset, &sampling, 1, 0, out[1]);
    sample(&dataset, &sampling, 0, 1, out[2]);
    sampling.seed++;
    sample(&dataset, &sampling, 0, 0, out[3]);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(out[i], out[j], sizeof *out);
    vgg_image_destroy(examples[0].image);
    vgg_image_destroy(examples[1].image);
}

static void orders(void **state)
{
    enum { N = 5, EPOCHS = 12000 };
    unsigned times[N][N] = {{0}};
    uint32_t order[1000], again[1000];

    (void)state;
    vgg_sample_order(1, 0, order, 0);
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        unsigned seen = 0;

        vgg_sample_order(1, epoch, order, N);
        for (uint32_t i = 0; i < N; i++) {
            seen |= 1u << order[i];
            times[i][order[i]]++;
        }
        assert_int_equal(seen, (1u << N) - 1);
    }
    for (unsigned i = 0; i < N; i++)
        for (unsigned j = 0; j < N; j++)
            assert_true(fabs(times[i][j] - EPOCHS / (double)N) < 5 * sqrt(EPOCHS / (double)N));
    vgg_sample_order(1, 3, order, 1000);
    vgg_sample_order(1, 3, again, 1000);
    assert_memory_equal(order, again, sizeof order);
    vgg_sample_order(1, 4, again, 1000);
    assert_memory_not_equal(order, again, sizeof order);
    vgg_sample_order(2, 3, again, 1000);
    assert_memory_not_equal(order, again, sizeof order);
}

/* ---------------------------------------------------------------- failures ------------------- */

static void check_failure(const struct vgg_dataset *dataset, enum vgg_status expected,
                          const char *text)
{
    float out[FLOATS];
    struct vgg_error error = {0};

    assert_int_equal(vgg_sample(dataset, &usual, 0, 0, out, &error), expected);
    assert_int_equal(error.status, expected);
    assert_non_null(strstr(error.text, album_path("a/000.jpg")));
    if (strstr(error.text, text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.text, text);
}

/* Files that were not kept and are not what they were. */
static void files_that_change(void **state)
{
    struct vgg_dataset_options options = {0};
    struct vgg_dataset dataset;
    float out[FLOATS];

    (void)state;
    album_fill(1);
    album_open(&options, teams[0], &dataset);
    vgg_dataset_statistics(&dataset);
    sample(&dataset, &usual, 0, 0, out);
    album_jpeg("a/000.jpg", 71, 40, 1);
    check_failure(&dataset, VGG_BAD_IMAGE, "another picture than when training began");
    album_text("a/000.jpg", "broken");
    check_failure(&dataset, VGG_UNSUPPORTED_FORMAT, "not an image format");
    assert_int_equal(remove(album_path("a/000.jpg")), 0);
    check_failure(&dataset, VGG_IO, "No such file or directory");
    assert_int_equal(mkfifo(album_path("a/000.jpg"), 0600), 0);
    check_failure(&dataset, VGG_IO, "not a regular file");
    vgg_dataset_fini(&dataset);
}

static void without_memory(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    album_fill(1);
    for (unsigned cached = 0; cached < 2; cached++) {
        struct vgg_dataset_options options = {.cache_bytes = cached << 20};
        struct vgg_dataset dataset;
        bool fired = true;

        album_open(&options, teams[0], &dataset);
        vgg_dataset_statistics(&dataset);
        for (unsigned long n = 1; fired; n++) {
            struct vgg_error error = {0};
            long before = fault_outstanding();
            enum vgg_status status;
            float out[FLOATS];

            fault_arm(n);
            status = vgg_sample(&dataset, &usual, 1, 0, out, &error);
            fired = fault_disarm();
            assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
            assert_int_equal(error.status, status);
            assert_int_equal(fault_outstanding(), before);
        }
        vgg_dataset_fini(&dataset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_crop_of_every_scale),
        cmocka_unit_test(mirrors),
        cmocka_unit_test(turns),
        cmocka_unit_test(squeezes),
        cmocka_unit_test(erases),
        cmocka_unit_test(other_sizes),
        cmocka_unit_test(normalised),
        cmocka_unit_test(colours_shift),
        cmocka_unit_test_setup_teardown(threads_and_cache, album_start, album_stop),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(orders),
        cmocka_unit_test_setup_teardown(files_that_change, album_start, album_stop),
        cmocka_unit_test_setup_teardown(without_memory, album_start, album_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
