/* What frozen layers compute of pictures: the engine's values, whatever the cache holds. */
#include "core/data/album.h"

#include <math.h>

#include "core/engine/jobs.h"
#include "core/nn/reference.h"
#include "engine/job.h"
#include "frozen/cache.h"
#include "frozen/frozen.h"

enum { PICTURES = 12, FEATURES = 6, PARTS = 2, VIEWS = 2 * PARTS };

static const struct vgg_frozen_part both[PARTS] = {{.scale = 32}, {.scale = 48}};

static struct vgg_dataset dataset;
static const struct vgg_example *pictures[PICTURES];
static struct vgg_model *model;
static char cache[1024];

/* ---------------------------------------------------------------- the pictures --------------- */

static void open_album(uint64_t cache_bytes)
{
    const struct vgg_dataset_options options = {.cache_bytes = cache_bytes};

    album_open(&options, teams[1], &dataset);
    assert_int_equal(dataset.examples_n, PICTURES);
    for (size_t i = 0; i < PICTURES; i++)
        pictures[i] = &dataset.examples[i];
}

static int start(void **state)
{
    if (album_start(state) != 0)
        return 1;
    album_fill(PICTURES / 3);
    open_album(1 << 30);
    model = make_model(&(struct maker_spec){.seed = 1});
    snprintf(cache, sizeof cache, "%s", album_path("cache"));
    return vgg_cache_open(cache, NULL) != VGG_OK;
}

static int stop(void **state)
{
    vgg_dataset_fini(&dataset);
    vgg_model_release(model);
    return album_stop(state);
}

static struct vgg_frozen_options usual(const char *dir)
{
    return (struct vgg_frozen_options){.model = model,
                                       .engine = engine,
                                       .team = teams[1],
                                       .parts = both,
                                       .parts_n = PARTS,
                                       .cache = dir};
}

static void begin(struct vgg_frozen *frozen, const struct vgg_frozen_options *options, size_t n)
{
    struct vgg_error error = {0};

    if (vgg_frozen_init(frozen, options, pictures, n, &error) != VGG_OK)
        fail_msg("%s", error.text);
}

static void compute(struct vgg_frozen *frozen, size_t n)
{
    struct vgg_error error = {0};

    if (vgg_frozen_compute(frozen, n, &error) != VGG_OK)
        fail_msg("%s", error.text);
}

/* All of it at once; vgg_frozen_fini is due. */
static void run(struct vgg_frozen *frozen, const struct vgg_frozen_options *options)
{
    begin(frozen, options, PICTURES);
    compute(frozen, SIZE_MAX);
    assert_int_equal(frozen->done, PICTURES * frozen->views);
    assert_int_equal(frozen->macs, 0);
}

static void assert_same(const struct vgg_frozen *a, const struct vgg_frozen *b)
{
    assert_int_equal(a->views * a->floats, b->views * b->floats);
    assert_memory_equal(a->values, b->values,
                        a->pictures_n * a->views * a->floats * sizeof *a->values);
}

/* ---------------------------------------------------------------- values --------------------- */

static void check_picture(const struct vgg_frozen *frozen, size_t picture)
{
    const struct vgg_request request = {.scales = {32, 48}, .scales_n = 2, .flip = true};
    const float *values = frozen->values + picture * VIEWS * FEATURES;
    struct vgg_views *views = NULL;
    float mean[FEATURES];
    struct vgg_job *job;

    assert_int_equal(vgg_views_create(pictures[picture]->image, &request, &views, NULL), VGG_OK);
    job = evaluate(model, views, &(struct vgg_job_options){.features = true});
    for (size_t k = 0; k < VIEWS * FEATURES; k++)
        assert_true(values[k] == (float)vgg_job_view_features(job, k / FEATURES)[k % FEATURES]);
    assert_null(vgg_job_view_features(job, VIEWS));
    vgg_frozen_mean(frozen, picture, mean);
    for (size_t k = 0; k < FEATURES; k++)
        assert_true(fabs((double)mean[k] - (double)vgg_job_features(job)[k]) <=
                    1e-6 * (double)mean[k]);
    vgg_job_destroy(job);
}

static void features_are_the_engines(void **state)
{
    const struct vgg_frozen_options options = usual(NULL);
    struct vgg_frozen frozen;

    (void)state;
    run(&frozen, &options);
    assert_int_equal(frozen.views, VIEWS);
    assert_int_equal(frozen.floats, FEATURES);
    for (size_t i = 0; i < PICTURES; i++)
        check_picture(&frozen, i);
    vgg_frozen_fini(&frozen);
}

/* Whatever the team and whether pictures are in memory. */
static void same_bits(void **state)
{
    struct vgg_frozen_options options = usual(NULL);
    struct vgg_frozen first, second;

    (void)state;
    run(&first, &options);
    options.team = teams[0];
    options.cache = cache;
    vgg_dataset_fini(&dataset);
    open_album(0);
    assert_null(pictures[0]->image);
    run(&second, &options);
    assert_same(&first, &second);
    vgg_frozen_fini(&first);
    vgg_frozen_fini(&second);
}

/* ---------------------------------------------------------------- the cache ------------------ */

static void check_cached(const struct vgg_frozen_options *options, size_t cached)
{
    struct vgg_frozen frozen;

    begin(&frozen, options, PICTURES);
    assert_int_equal(frozen.cached, cached);
    assert_int_equal(frozen.done, cached);
    vgg_frozen_fini(&frozen);
}

static void only_what_is_new_is_computed(void **state)
{
    struct vgg_frozen_options options = usual(cache), small = options;
    struct vgg_frozen first, second;

    (void)state;
    small.parts_n = 1;
    begin(&first, &small, PICTURES - 1);
    assert_int_equal(first.cached, 0);
    compute(&first, 2);
    assert_int_equal(first.done, 2 * 2);
    compute(&first, SIZE_MAX);
    assert_int_equal(first.done, 2 * (PICTURES - 1));
    vgg_frozen_fini(&first);
    check_cached(&options, 2 * (PICTURES - 1)); /* one picture more, and a scale */
    run(&first, &options);
    run(&second, &options);
    assert_int_equal(second.cached, PICTURES * VIEWS);
    assert_same(&first, &second);
    vgg_frozen_fini(&first);
    vgg_frozen_fini(&second);
}

static void another_base_has_others(void **state)
{
    struct vgg_frozen_options options = usual(cache);
    struct vgg_frozen frozen;

    (void)state;
    run(&frozen, &options);
    vgg_frozen_fini(&frozen);
    check_cached(&options, PICTURES * VIEWS);
    options.model = make_model(&(struct maker_spec){.seed = 2});
    check_cached(&options, 0);
    vgg_model_release(options.model);
}

/* So does the same base in another precision, whatever its kernels are called. */
static void another_precision_has_others(void **state)
{
    struct vgg_frozen_options options = usual(cache);
    const char *precision = model->info.precision;
    struct vgg_frozen frozen;

    (void)state;
    run(&frozen, &options);
    vgg_frozen_fini(&frozen);
    model->info.precision = "i8";
    check_cached(&options, 0);
    model->info.precision = precision;
    check_cached(&options, PICTURES * VIEWS);
}

static void damage_everything(void)
{
    char command[2048];

    snprintf(command, sizeof command,
             "find %s -type f -exec sh -c 'printf x | dd of=\"$0\" bs=1 seek=300 conv=notrunc "
             "2>/dev/null' {} \\;",
             cache);
    assert_int_equal(system(command), 0);
}

static void damaged_entries_are_computed_again(void **state)
{
    const struct vgg_frozen_options options = usual(cache);
    struct vgg_frozen first, second;

    (void)state;
    run(&first, &options);
    damage_everything();
    check_cached(&options, 0);
    run(&second, &options);
    assert_same(&first, &second);
    check_cached(&options, PICTURES * VIEWS);
    vgg_frozen_fini(&first);
    vgg_frozen_fini(&second);
}

static void count_reasons(void *user, const char *reason)
{
    size_t *reasons = user;

    assert_non_null(strstr(reason, cache));
    ++*reasons;
}

/* What cannot be kept is told of once, and lost; but where it is the only place, it is an error. */
static void unwritable_cache(void **state)
{
    size_t reasons = 0;
    struct vgg_frozen_options options = usual(cache);
    struct vgg_frozen first, second;
    struct vgg_error error = {0};

    (void)state;
    options.on_unwritten = count_reasons;
    options.user = &reasons;
    run(&first, &options);
    assert_int_equal(nftw(cache, album_forget, 8, FTW_DEPTH | FTW_PHYS), 0);
    run(&second, &options);
    assert_int_equal(reasons, 1);
    assert_same(&first, &second);
    vgg_frozen_fini(&second);
    options.in_files = true;
    begin(&second, &options, PICTURES);
    assert_int_equal(vgg_frozen_compute(&second, SIZE_MAX, &error), VGG_IO);
    assert_non_null(strstr(error.text, cache));
    vgg_frozen_fini(&first);
    vgg_frozen_fini(&second);
}

/* ---------------------------------------------------------------- ends ----------------------- */

struct stopping {
    size_t asked, after, views;
};

static bool stop_after(void *user)
{
    struct stopping *stopping = user;

    return ++stopping->asked > stopping->after;
}

static void count_views(void *user, size_t done, size_t views)
{
    struct stopping *stopping = user;

    assert_int_equal(done, stopping->views + VIEWS);
    assert_int_equal(views, PICTURES * VIEWS);
    stopping->views = done;
}

/* What was computed until then is kept. */
static void stopped(void **state)
{
    struct stopping stopping = {.after = 4};
    struct vgg_frozen_options options = usual(cache);
    struct vgg_frozen frozen;

    (void)state;
    options.stop = stop_after;
    options.on_views = count_views;
    options.user = &stopping;
    begin(&frozen, &options, PICTURES);
    assert_int_equal(vgg_frozen_compute(&frozen, SIZE_MAX, NULL), VGG_CANCELLED);
    vgg_frozen_fini(&frozen);
    assert_int_equal(stopping.views, 5 * VIEWS);
    options = usual(cache);
    begin(&frozen, &options, PICTURES);
    assert_true(frozen.cached >= 5 * VIEWS); /* and what was on its way */
    vgg_frozen_fini(&frozen);
}

static void a_picture_that_has_changed(void **state)
{
    const struct vgg_frozen_options options = usual(NULL);
    struct vgg_error error = {0};
    struct vgg_frozen frozen;

    (void)state;
    vgg_dataset_fini(&dataset);
    open_album(0);
    album_png(pictures[3]->name, 50, 50);
    begin(&frozen, &options, PICTURES);
    assert_int_equal(vgg_frozen_compute(&frozen, SIZE_MAX, &error), VGG_BAD_IMAGE);
    assert_non_null(strstr(error.text, pictures[3]->path));
    vgg_frozen_fini(&frozen);
}

static void out_of_memory(void **state)
{
    const struct vgg_frozen_options options = usual(NULL);
    struct vgg_frozen frozen;
    bool fired = true;

    (void)state;
    if (!fault_available())
        skip();
    run(&frozen, &options); /* the engine has grown */
    vgg_frozen_fini(&frozen);
    for (unsigned long n = 1; fired; n++) {
        long before = fault_outstanding();
        enum vgg_status status;

        fault_arm(n);
        status = vgg_frozen_init(&frozen, &options, pictures, PICTURES, NULL);
        if (status == VGG_OK)
            status = vgg_frozen_compute(&frozen, SIZE_MAX, NULL);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        vgg_frozen_fini(&frozen);
        assert_int_equal(fault_outstanding(), before);
    }
}

/* ---------------------------------------------------------------- maps ----------------------- */

/* The map that the oracle's convolutions make of one view. */
static struct reference_map reference_block(struct maker *maker, const struct vgg_image *image,
                                            const struct vgg_rect *crop, bool mirror,
                                            unsigned blocks)
{
    size_t side = crop->width;
    struct reference_map map = {reference_doubles(3 * side * side), 3, side, side};

    for (size_t c = 0; c < 3; c++)
        for (size_t y = 0; y < side; y++)
            for (size_t x = 0; x < side; x++) {
                size_t column = crop->x + (mirror ? side - 1 - x : x);
                size_t pixel = ((crop->y + y) * image->info.width + column) * 3 + c;

                map.values[(c * side + y) * side + x] =
                    (image->pixels[pixel] / 255.0 - maker->mean[c]) / maker->std[c];
            }
    for (size_t i = 0, pools = 0; pools < blocks; i++) {
        reference_conv(maker, i, &map);
        pools += maker->convs[i].pool;
    }
    return map;
}

static struct vgg_model *load_blocks(const struct maker *maker, unsigned blocks)
{
    struct vgg_source source = {.fd = -1};
    struct vgg_model *cut = NULL;
    struct vgg_error error = {0};
    size_t size;
    unsigned char *bytes = maker_bytes(maker, &size);

    source.bytes = bytes;
    source.size = size;
    if (vgg_model_load_source(&source, "made", NULL, blocks, NULL, &cut, &error) != VGG_OK)
        fail_msg("%s", error.text);
    free(bytes);
    return cut;
}

/* View 2 * corner + mirror of a picture at scale 80. */
static void check_map(struct maker *maker, const float *values, size_t floats, size_t picture,
                      uint32_t view, unsigned blocks)
{
    struct vgg_image *scaled = NULL;
    struct vgg_rect crop = {.width = 64, .height = 64};
    struct reference_map map;
    double sum = 0;

    assert_int_equal(vgg_image_rescale(pictures[picture]->image, 80, &scaled, NULL), VGG_OK);
    crop.x = view / 2 % 2 * (scaled->info.width - 64);
    crop.y = view / 4 * (scaled->info.height - 64);
    map = reference_block(maker, scaled, &crop, view % 2 == 1, blocks);
    assert_int_equal(map.c * map.h * map.w, floats);
    for (size_t i = 0; i < floats; i++)
        sum += map.values[i] * map.values[i];
    assert_true(sum > 0);
    for (size_t i = 0; i < floats; i++)
        assert_true(fabs((double)values[i] - map.values[i]) < 5e-5 * sqrt(sum / (double)floats));
    free(map.values);
    vgg_image_destroy(scaled);
}

static void check_maps(struct maker *maker, const struct vgg_frozen *frozen, unsigned blocks)
{
    float *values = malloc(frozen->floats * sizeof *values);

    assert_int_equal(frozen->views, 8);
    for (size_t i = 0; i < PICTURES; i += 3)
        for (uint32_t view = 0; view < 8; view++) {
            assert_int_equal(vgg_frozen_view(frozen, i, view, values, NULL), VGG_OK);
            check_map(maker, values, frozen->floats, i, view, blocks);
        }
    damage_everything();
    assert_int_equal(vgg_frozen_view(frozen, 0, 0, values, NULL), VGG_IO);
    free(values);
}

/* Corners of a picture and their mirror images, as the layers above will want them. */
static void maps_are_the_oracles(void **state)
{
    const struct vgg_frozen_part corners = {.scale = 80, .crop = 64, .grid = 2};
    struct vgg_frozen_options options = usual(cache);
    struct vgg_frozen frozen;
    struct maker maker;

    (void)state;
    options.parts = &corners;
    options.parts_n = 1;
    options.in_files = true;
    maker_make(&maker, &(struct maker_spec){.arch = "B", .side = 2, .batch_norm = true});
    for (unsigned blocks = 1; blocks <= VGG_STAGES; blocks += 2) {
        options.model = load_blocks(&maker, blocks);
        run(&frozen, &options);
        check_maps(&maker, &frozen, blocks);
        vgg_frozen_fini(&frozen);
        vgg_model_release(options.model);
    }
    maker_free(&maker);
}

/* In half precision, from the engine, from the cache, and where there is no room in memory. */
static void maps_in_half_precision(void **state)
{
    const struct vgg_frozen_part parts[] = {{.scale = 70, .crop = 64, .grid = 1},
                                            {.scale = 80, .crop = 64, .grid = 2}};
    struct vgg_frozen_options options = usual(cache);
    struct vgg_frozen whole, halves[3];
    struct maker maker;
    float *values;

    (void)state;
    options.parts = parts;
    options.parts_n = COUNT_OF(parts);
    maker_make(&maker, &(struct maker_spec){.arch = "B", .side = 2});
    options.model = load_blocks(&maker, 3);
    options.half = true;
    run(&halves[0], &options);
    run(&halves[1], &options);
    assert_int_equal(halves[1].cached, halves[1].pictures_n * halves[1].views);
    options.in_files = true;
    run(&halves[2], &options);
    options.in_files = options.half = false;
    run(&whole, &options);
    values = malloc(2 * whole.floats * sizeof *values);
    for (size_t i = 0; i < 3 * PICTURES * whole.views; i++) {
        size_t picture = i / 3 / whole.views, view = i / 3 % whole.views;
        const float *exact = whole.values + (picture * whole.views + view) * whole.floats;
        float *own = i % 3 == 0 ? values : values + whole.floats;

        assert_null(halves[i % 3].values);
        assert_int_equal(vgg_frozen_view(&halves[i % 3], picture, view, own, NULL), VGG_OK);
        for (size_t j = 0; j < whole.floats; j++)
            assert_true(fabs((double)own[j] - (double)exact[j]) <=
                        0x1p-11 * fabs((double)exact[j]) + 0x1p-25);
        assert_memory_equal(own, values, whole.floats * sizeof *values);
    }
    damage_everything();
    assert_int_equal(vgg_frozen_view(&halves[2], 0, 0, values, NULL), VGG_IO);
    assert_int_equal(vgg_frozen_view(&halves[1], 0, 0, values, NULL), VGG_OK);
    free(values);
    vgg_frozen_fini(&whole);
    vgg_frozen_fini(&halves[0]);
    vgg_frozen_fini(&halves[1]);
    vgg_frozen_fini(&halves[2]);
    vgg_model_release(options.model);
    maker_free(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(features_are_the_engines, start, stop),
        cmocka_unit_test_setup_teardown(same_bits, start, stop),
        cmocka_unit_test_setup_teardown(only_what_is_new_is_computed, start, stop),
        cmocka_unit_test_setup_teardown(another_base_has_others, start, stop),
        cmocka_unit_test_setup_teardown(another_precision_has_others, start, stop),
        cmocka_unit_test_setup_teardown(damaged_entries_are_computed_again, start, stop),
        cmocka_unit_test_setup_teardown(unwritable_cache, start, stop),
        cmocka_unit_test_setup_teardown(stopped, start, stop),
        cmocka_unit_test_setup_teardown(a_picture_that_has_changed, start, stop),
        cmocka_unit_test_setup_teardown(out_of_memory, start, stop),
        cmocka_unit_test_setup_teardown(maps_are_the_oracles, start, stop),
        cmocka_unit_test_setup_teardown(maps_in_half_precision, start, stop),
    };

    return cmocka_run_group_tests(tests, engine_start, engine_stop);
}
