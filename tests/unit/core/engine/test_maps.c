/* Class score maps of a job: the oracle's values, mirrored ones turned back, and where they lie. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/jobs.h"
#include "core/nn/reference.h"

static const struct vgg_job_options with_maps = {.maps = true};

/* ---------------------------------------------------------------- values --------------------- */

/* The mean of a map over its positions, by class, is what the soft-max of its view was made of. */
static void check_mean(const struct vgg_job *job, size_t view)
{
    const struct vgg_score_map *map = vgg_job_map(job, view);
    size_t positions = (size_t)map->rows * map->columns;
    double scores[16], sum = 0;

    for (size_t c = 0; c < map->classes; c++) {
        double mean = 0;

        for (size_t p = 0; p < positions; p++)
            mean += (double)map->logits[c * positions + p];
        scores[c] = exp(mean / (double)positions);
        sum += scores[c];
    }
    for (size_t c = 0; c < map->classes; c++)
        assert_true(fabs(scores[c] / sum - (double)vgg_job_view_posterior(job, view)[c]) < 1e-6);
}

static void check_log_sums(const struct vgg_score_map *map)
{
    size_t positions = (size_t)map->rows * map->columns;
    float *sums = calloc(positions, sizeof *sums);

    assert_non_null(sums);
    vgg_score_map_log_sums(map, sums);
    for (size_t p = 0; p < positions; p++) {
        double sum = 0;

        for (size_t c = 0; c < map->classes; c++)
            sum += exp((double)map->logits[c * positions + p] - (double)sums[p]);
        assert_true(fabs(sum - 1) < 1e-5);
    }
    free(sums);
}

/* Both views of one scale; expects rows x columns positions. */
static void check_against_the_oracle(struct maker *maker, uint32_t width, uint32_t height,
                                     uint32_t rows, uint32_t columns)
{
    struct vgg_model *model = load_made(maker);
    struct vgg_views *views = exact_views(width, height, 1, true);
    struct vgg_job *job;

    views->width = width;
    views->height = height;
    job = evaluate(model, views, &with_maps);
    for (size_t view = 0; view < 2; view++) {
        const struct vgg_score_map *map = vgg_job_map(job, view);
        struct reference_map expected =
            reference_scores(maker, views->images[0]->pixels, width, height, view == 1);

        assert_non_null(map);
        assert_int_equal(map->classes, maker->spec.classes);
        assert_int_equal(map->rows, rows);
        assert_int_equal(map->columns, columns);
        assert_int_equal(expected.h, rows);
        assert_int_equal(expected.w, columns);
        for (size_t row = 0; row < (size_t)map->classes * rows; row++)
            for (size_t x = 0; x < columns; x++) {
                double value = expected.values[row * columns + (view == 1 ? columns - 1 - x : x)];

                assert_true(fabs((double)map->logits[row * columns + x] - value) < 1e-4);
            }
        check_mean(job, view);
        check_log_sums(map);
        free(expected.values);
    }
    vgg_job_destroy(job);
    vgg_model_release(model);
}

static void agree_with_the_oracle(void **state)
{
    static const struct {
        uint32_t width, height, rows, columns;
    } cases[] = {{64, 64, 1, 1}, {64, 97, 2, 1}, {129, 64, 1, 3}, {130, 200, 5, 3}};

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        struct maker maker;

        maker_make(&maker, &(struct maker_spec){
                               .arch = i % 2 ? "D" : "A", .classes = 9 + i, .side = 2, .seed = i});
        check_against_the_oracle(&maker, cases[i].width, cases[i].height, cases[i].rows,
                                 cases[i].columns);
        maker_free(&maker);
    }
}

/* ---------------------------------------------------------------- regions -------------------- */

static void check_region(const struct vgg_score_map *map, double x, double y, double side,
                         double step)
{
    assert_true(map->x == x);
    assert_true(map->y == y);
    assert_true(map->width == side);
    assert_true(map->height == side);
    assert_true(map->step_x == step);
    assert_true(map->step_y == step);
}

/* A picture of twice the view's size, which is 13 columns wider than its positions. */
static void regions_are_in_pixels_of_the_picture(void **state)
{
    const struct vgg_request request = {.scales = {80}, .scales_n = 1, .flip = true};
    struct vgg_model *model = make_model(&(struct maker_spec){.side = 2});
    struct vgg_job *job = evaluate(model, make_views(218, 160, 1, &request), &with_maps);

    (void)state;
    assert_int_equal(vgg_job_map(job, 0)->rows, 1);
    assert_int_equal(vgg_job_map(job, 0)->columns, 2);
    check_region(vgg_job_map(job, 0), 0, 0, 128, 64);
    check_region(vgg_job_map(job, 1), 26, 0, 128, 64);
    vgg_job_destroy(job);
    vgg_model_release(model);
}

/* Where the scores of two maps differ, on the average: the centre of the windows, weighted. */
static void centre_of_change(const struct vgg_score_map *a, const struct vgg_score_map *b,
                             double centre[2])
{
    size_t positions = (size_t)a->rows * a->columns;
    double sum = 0;

    centre[0] = centre[1] = 0;
    for (size_t i = 0; i < a->classes * positions; i++) {
        double weight = fabs((double)a->logits[i] - (double)b->logits[i]);
        size_t row = i % positions / a->columns, column = i % a->columns;

        centre[0] += weight * (a->x + (double)column * a->step_x + a->width / 2);
        centre[1] += weight * (a->y + (double)row * a->step_y + a->height / 2);
        sum += weight;
    }
    centre[0] /= sum;
    centre[1] /= sum;
}

enum { WIDTH = 300, HEIGHT = 230, SPOT = 12 };

/* Maps of a grey picture, with a chequered spot around (x, y) unless x is 0. */
static struct vgg_job *evaluate_spot(struct vgg_model *model, uint32_t x, uint32_t y)
{
    struct vgg_views *views = exact_views(WIDTH, HEIGHT, 1, true);
    uint8_t *pixels = views->images[0]->pixels;

    views->width = WIDTH;
    views->height = HEIGHT;
    memset(pixels, 120, WIDTH * HEIGHT * 3);
    for (uint32_t i = 0; x != 0 && i < SPOT * SPOT; i++) {
        uint32_t row = y - SPOT / 2 + i / SPOT, column = x - SPOT / 2 + i % SPOT;

        memset(&pixels[(row * WIDTH + column) * 3], (row + column) % 3 ? 255 : 0, 3);
    }
    return evaluate(model, views, &with_maps);
}

/* A spot that moves right and down moves the change of both views right and down. */
static void a_change_shows_where_it_is(void **state)
{
    struct vgg_model *model = make_model(&(struct maker_spec){.width = 8, .classes = 16});
    struct vgg_job *grey = evaluate_spot(model, 0, 0);
    struct vgg_job *near = evaluate_spot(model, 80, 70), *far = evaluate_spot(model, 220, 160);

    (void)state;
    for (size_t view = 0; view < 2; view++) {
        double from[2], to[2];

        centre_of_change(vgg_job_map(grey, view), vgg_job_map(near, view), from);
        centre_of_change(vgg_job_map(grey, view), vgg_job_map(far, view), to);
        for (size_t i = 0; i < 2; i++) {
            assert_true(from[i] < (i == 0 ? 150 : 115) && to[i] > (i == 0 ? 150 : 115));
        }
    }
    vgg_job_destroy(grey);
    vgg_job_destroy(near);
    vgg_job_destroy(far);
    vgg_model_release(model);
}

/* ---------------------------------------------------------------- otherwise ------------------ */

/* Nothing is kept unless asked for, and asking changes no score. */
static void only_where_asked(void **state)
{
    const struct vgg_request request = {.scales = {64, 90}, .scales_n = 2, .flip = true};
    struct vgg_model *model = make_model(&(struct maker_spec){.classes = 7});
    struct vgg_job *plain = evaluate(model, make_views(80, 60, 1, &request), NULL);
    struct vgg_job *maps = evaluate(model, make_views(80, 60, 1, &request), &with_maps);

    (void)state;
    assert_memory_equal(vgg_job_posterior(plain), vgg_job_posterior(maps), 7 * sizeof(float));
    for (size_t view = 0; view < 4; view++) {
        assert_null(vgg_job_map(plain, view));
        assert_non_null(vgg_job_map(maps, view));
        assert_memory_equal(vgg_job_view_posterior(plain, view), vgg_job_view_posterior(maps, view),
                            7 * sizeof(float));
    }
    vgg_job_destroy(plain);
    vgg_job_destroy(maps);
    vgg_model_release(model);
}

/* The job, its progress, scores, posteriors, maps. */
static void out_of_memory(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    check_out_of_memory(&with_maps, 5);
}

/* One class scores minus infinity: its soft-max is 0, its map no number that JSON has. */
static void scores_that_are_not_finite(void **state)
{
    struct vgg_error error = {0};
    struct vgg_model *model;
    struct maker maker;
    struct vgg_job *job;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.classes = 4});
    for (size_t i = 0; i < maker_find(&maker, "classifier.3.bias")->values_n; i++)
        maker_find(&maker, "classifier.3.bias")->values[i] = (double)3e38F;
    for (size_t i = 0; i < maker_find(&maker, "classifier.6.weight")->values_n / 4; i++)
        maker_find(&maker, "classifier.6.weight")->values[i] = (double)-3e38F;
    model = load_made(&maker);
    job = submit(model, exact_views(40, 40, 1, false), &with_maps);
    assert_int_equal(vgg_job_wait(job, &error), VGG_BAD_MODEL);
    vgg_job_destroy(job);
    vgg_model_release(model);
    maker_free(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agree_with_the_oracle),
        cmocka_unit_test(regions_are_in_pixels_of_the_picture),
        cmocka_unit_test(a_change_shows_where_it_is),
        cmocka_unit_test(only_where_asked),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(scores_that_are_not_finite),
    };

    return cmocka_run_group_tests(tests, engine_start, engine_stop);
}
