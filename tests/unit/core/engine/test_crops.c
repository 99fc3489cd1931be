/* Multi-crop evaluation: where the crops lie, which coincide, and that each is a view of its own.
 */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/evaluate.h"
#include "fault.h"

enum { CROP = 32, GRID = 5, CLASSES = 7 };

static struct vgg_views *make_crops(uint32_t width, uint32_t height,
                                    const struct vgg_request *request, uint32_t crop, uint32_t grid)
{
    struct vgg_image *image = make_image(width, height, 1);
    struct vgg_views *views = NULL;

    assert_int_equal(vgg_views_create_crops(image, request, crop, grid, &views, NULL), VGG_OK);
    vgg_image_destroy(image);
    return views;
}

/* ---------------------------------------------------------------- where they lie ------------- */

/* The asked-for views in order, and how many different ones there are. */
static void check_grid(const struct vgg_views *views, uint32_t grid, const uint32_t *xs,
                       const uint32_t *ys, uint32_t crop, size_t different)
{
    unsigned mirrors = views->flip ? 2 : 1;

    assert_int_equal(vgg_views_asked(views), grid * grid * mirrors);
    assert_int_equal(vgg_views_count(views), different * mirrors);
    for (size_t i = 0; i < vgg_views_asked(views); i++) {
        struct vgg_view view = vgg_views_get(views, vgg_views_find(views, i));
        size_t cell = i / mirrors;

        assert_int_equal(vgg_views_order(views)[i], vgg_views_find(views, i));
        assert_ptr_equal(view.image, views->images[0]);
        assert_int_equal(view.x, xs[cell % grid]);
        assert_int_equal(view.y, ys[cell / grid]);
        assert_true(view.width == crop && view.height == crop);
        assert_int_equal(view.mirror, i % mirrors);
    }
}

static void positions(void **state)
{
    static const struct {
        uint32_t width, height, scale, crop, grid, xs[GRID], ys[GRID];
        size_t different;
    } cases[] = {
        /* 341x256, the paper's crop: 117 and 32 pixels of room. */
        {512, 384, 256, 224, 5, {0, 29, 59, 88, 117}, {0, 8, 16, 24, 32}, 25},
        {384, 512, 256, 224, 5, {0, 8, 16, 24, 32}, {0, 29, 59, 88, 117}, 25},
        /* The scale is the crop: no room one way, or none at all. */
        {512, 384, 224, 224, 5, {0, 19, 37, 56, 74}, {0}, 5},
        {384, 512, 224, 224, 5, {0}, {0, 19, 37, 56, 74}, 5},
        {300, 300, 224, 224, 5, {0}, {0}, 1},
        /* Less room than steps: 65x64 and 67x64. */
        {65, 64, 64, 64, 5, {0, 0, 1, 1, 1}, {0}, 2},
        {67, 66, 66, 64, 5, {0, 1, 2, 2, 3}, {0, 1, 1, 2, 2}, 12},
        /* A ribbon; other grids. */
        {20, 2, 64, 64, 5, {0, 144, 288, 432, 576}, {0}, 5},
        {512, 384, 256, 224, 1, {58}, {16}, 1},
        {512, 384, 256, 224, 2, {0, 117}, {0, 32}, 4},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (unsigned flip = 0; flip < 2; flip++) {
            struct vgg_request request = {
                .scales = {cases[i].scale}, .scales_n = 1, .flip = flip == 1};
            struct vgg_views *views =
                make_crops(cases[i].width, cases[i].height, &request, cases[i].crop, cases[i].grid);

            check_grid(views, cases[i].grid, cases[i].xs, cases[i].ys, cases[i].crop,
                       cases[i].different);
            vgg_views_destroy(views);
        }
}

static void scale_by_scale(void **state)
{
    const struct vgg_request request = {.scales = {32, 40, 64}, .scales_n = 3, .flip = true};
    struct vgg_views *views = make_crops(64, 64, &request, 32, GRID);

    (void)state;
    assert_int_equal(vgg_views_asked(views), 150);
    assert_int_equal(vgg_views_count(views), 2 + 50 + 50);
    for (size_t i = 0; i < 150; i++)
        assert_ptr_equal(vgg_views_get(views, vgg_views_find(views, i)).image,
                         views->images[i / 50]);
    vgg_views_destroy(views);
}

static void refused(void **state)
{
    static const struct {
        uint32_t crop, grid;
        const char *text;
    } cases[] = {{65, 5, "crop of 65"},
                 {0, 5, "crop of 0"},
                 {64, 0, "grid of 0"},
                 {64, 33, "grid of 33"},
                 {UINT32_MAX, UINT32_MAX, "grid of 4294967295"}};
    const struct vgg_request request = {.scales = {64, 96}, .scales_n = 2};
    struct vgg_image *image = make_image(80, 60, 1);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_error error = {0};
        struct vgg_views *views;

        assert_int_equal(
            vgg_views_create_crops(image, &request, cases[i].crop, cases[i].grid, &views, &error),
            VGG_BAD_ARGUMENT);
        assert_non_null(strstr(error.text, cases[i].text));
    }
    vgg_image_destroy(image);
}

static void out_of_memory(void **state)
{
    const struct vgg_request request = {.scales = {40, 64}, .scales_n = 2, .flip = true};
    struct vgg_image *image = make_image(80, 60, 1);
    bool fired = fault_available();
    long before = fault_outstanding();

    (void)state;
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        struct vgg_views *views = NULL;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_views_create_crops(image, &request, CROP, GRID, &views, &error);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        assert_int_equal(error.status, status);
        vgg_views_destroy(views);
        assert_int_equal(fault_outstanding(), before);
    }
    vgg_image_destroy(image);
}

/* ---------------------------------------------------------------- what they score ------------ */

static struct vgg_job *run(struct vgg_engine *engine, struct vgg_model *model,
                           struct vgg_views *views, bool maps)
{
    const struct vgg_job_options options = {.maps = maps};
    struct vgg_job *job = NULL;

    assert_int_equal(vgg_engine_submit(engine, model, views, &options, &job, NULL), VGG_OK);
    assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
    return job;
}

/* The part of a rescaled picture, cut out and evaluated alone. */
static struct vgg_job *run_cut(struct vgg_engine *engine, struct vgg_model *model,
                               const struct vgg_view *view)
{
    const struct vgg_request request = {.scales = {CROP}, .scales_n = 1, .flip = true};
    struct vgg_image *cut = vgg_image_create("test", CROP, CROP);
    struct vgg_views *views;

    assert_non_null(cut);
    for (size_t y = 0; y < CROP; y++)
        memcpy(cut->pixels + y * CROP * 3,
               view->image->pixels + ((view->y + y) * view->image->info.width + view->x) * 3,
               (size_t)CROP * 3);
    assert_int_equal(vgg_views_create(cut, &request, &views, NULL), VGG_OK);
    vgg_image_destroy(cut);
    return run(engine, model, views, true);
}

static void check_against_cut(struct vgg_engine *engine, struct vgg_model *model,
                              const struct vgg_request *request, size_t *computed)
{
    struct vgg_views *views = make_crops(80, 60, request, CROP, GRID);
    size_t different = vgg_views_count(views), n = vgg_views_asked(views);
    struct vgg_job *job;
    double sum[CLASSES] = {0};

    *computed = 0;
    job = run(engine, model, views, true);
    assert_int_equal(*computed, different);
    assert_int_equal(vgg_job_view_count(job), n);
    for (size_t i = 0; i < n; i++) {
        struct vgg_view view = vgg_views_get(views, vgg_views_find(views, i));
        struct vgg_job *cut = run_cut(engine, model, &view);
        const float *posterior = vgg_job_view_posterior(cut, view.mirror ? 1 : 0);
        const struct vgg_score_map *map = vgg_job_map(job, i);
        double factor = 80.0 / view.image->info.width;

        assert_memory_equal(vgg_job_view_posterior(job, i), posterior, CLASSES * sizeof(float));
        for (size_t c = 0; c < CLASSES; c++)
            sum[c] += (double)posterior[c];
        assert_true(map->rows == 1 && map->columns == 1);
        assert_true(fabs(map->x - view.x * factor) < 1e-9 &&
                    fabs(map->width - CROP * factor) < 1e-9);
        assert_true(fabs(map->y - view.y * 60.0 / view.image->info.height) < 1e-9);
        assert_memory_equal(map->logits, vgg_job_map(cut, view.mirror ? 1 : 0)->logits,
                            CLASSES * sizeof(float));
        vgg_job_destroy(cut);
    }
    for (size_t c = 0; c < CLASSES; c++)
        assert_true(fabs((double)vgg_job_posterior(job)[c] - sum[c] / (double)n) < 2e-7);
    vgg_job_destroy(job);
}

static void count_views(void *user, const struct vgg_model *model, size_t views, uint64_t macs,
                        uint64_t duration_ns)
{
    (void)model, (void)macs, (void)duration_ns;
    *(size_t *)user += views;
}

/* By the machine's kernels, and by the reference: they read the pictures in loops of their own. */
static void as_if_cut_out_and_submitted_alone(void **state)
{
    static const struct vgg_request requests[] = {
        {.scales = {60}, .scales_n = 1},
        {.scales = {47}, .scales_n = 1, .flip = true},
        {.scales = {32, 33, 50}, .scales_n = 3, .flip = true},
    };

    (void)state;
    for (unsigned portable = 0; portable < 2; portable++) {
        struct vgg_model *model;
        struct vgg_engine *engine;
        size_t computed;

        if (portable == 1)
            setenv("VGG_KERNELS", "portable", 1);
        model = make_model(&(struct maker_spec){.width = 4, .classes = CLASSES});
        engine = make_engine(
            &(struct vgg_engine_options){.threads = 2, .on_batch = count_views, .user = &computed});
        for (size_t i = 0; i < COUNT_OF(requests); i++)
            check_against_cut(engine, model, &requests[i], &computed);
        vgg_engine_destroy(engine);
        vgg_model_release(model);
        unsetenv("VGG_KERNELS");
    }
}

/* 400 views of one job, at scales up to the largest. */
static void all_scales(void **state)
{
    const struct vgg_request request = {
        .scales = {33, 64, 100, 200, 400, 600, 800, 1024}, .scales_n = 8, .flip = true};
    struct vgg_model *model = make_model(&(struct maker_spec){.classes = CLASSES});
    struct vgg_engine *engine = make_engine(NULL);
    struct vgg_job *job = run(engine, model, make_crops(80, 60, &request, CROP, GRID), false);
    double sum = 0;

    (void)state;
    assert_int_equal(vgg_job_view_count(job), 400);
    for (size_t c = 0; c < CLASSES; c++)
        sum += (double)vgg_job_posterior(job)[c];
    assert_true(fabs(sum - 1) < 1e-6);
    vgg_job_destroy(job);
    vgg_engine_destroy(engine);
    vgg_model_release(model);
}

static void below_the_crop_of_the_model(void **state)
{
    const struct vgg_request request = {.scales = {64}, .scales_n = 1};
    struct vgg_model *model = make_model(&(struct maker_spec){.classes = CLASSES});
    struct vgg_engine *engine = make_engine(NULL);
    struct vgg_views *views = make_crops(80, 60, &request, CROP - 1, GRID);
    struct vgg_error error = {0};
    struct vgg_job *job;

    (void)state;
    assert_int_equal(vgg_engine_submit(engine, model, views, NULL, &job, &error), VGG_BAD_ARGUMENT);
    assert_non_null(strstr(error.text, "31x31"));
    vgg_views_destroy(views);
    vgg_engine_destroy(engine);
    vgg_model_release(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions),
        cmocka_unit_test(scale_by_scale),
        cmocka_unit_test(refused),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(as_if_cut_out_and_submitted_alone),
        cmocka_unit_test(all_scales),
        cmocka_unit_test(below_the_crop_of_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
