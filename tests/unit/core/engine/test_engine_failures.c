/* What an engine refuses, drops or cannot do: limits, deadlines, broken models, no memory. */
#include "check.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "core/engine/evaluate.h"
#include "fault.h"
#include "jpeg_maker.h"
#include "nn/forward.h"

static struct vgg_model *model; /* crop 32 */

/* Submit and wait; gives the status of whichever failed. */
static enum vgg_status evaluate(struct vgg_engine *engine, struct vgg_model *on,
                                struct vgg_views *views, const struct vgg_job_options *options,
                                struct vgg_error *error)
{
    struct vgg_job *job;
    enum vgg_status status = vgg_engine_submit(engine, on, views, options, &job, error);

    if (status != VGG_OK) {
        vgg_views_destroy(views); /* still the caller's */
        return status;
    }
    status = vgg_job_wait(job, error);
    vgg_job_destroy(job);
    return status;
}

static void nulls_are_allowed(void **state)
{
    (void)state;
    vgg_engine_destroy(NULL);
    vgg_job_destroy(NULL);
    vgg_engine_destroy(make_engine(NULL));
}

static void sizes_outside_the_limits(void **state)
{
    static const struct {
        uint32_t width, height;
        enum vgg_status status;
    } cases[] = {
        {31, 40, VGG_BAD_ARGUMENT},
        {40, 31, VGG_BAD_ARGUMENT},
        {1, 1, VGG_BAD_ARGUMENT},
        {32, 32, VGG_OK},
        {80, 50, VGG_OK},
        {125, 32, VGG_OK},
        {126, 32, VGG_BAD_ARGUMENT},
        {89, 45, VGG_BAD_ARGUMENT},
    };
    struct vgg_engine_options options = {.threads = 2, .view_pixels_max = 4000};
    struct vgg_engine *engine = make_engine(&options);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_error error = {0};
        struct vgg_views *views = exact_views(cases[i].width, cases[i].height, 1, true);
        char text[32];

        assert_int_equal(evaluate(engine, model, views, NULL, &error), cases[i].status);
        assert_int_equal(error.status, cases[i].status);
        snprintf(text, sizeof text, "%ux%u", cases[i].width, cases[i].height);
        if (cases[i].status != VGG_OK)
            assert_non_null(strstr(error.text, text));
    }
    vgg_engine_destroy(engine);
}

/* ---------------------------------------------------------------- dropped jobs --------------- */

static void deadlines(void **state)
{
    struct gate gate;
    struct vgg_engine_options options = {1, 0, gate_pass, &gate};
    struct vgg_job_options past = {.deadline_ns = 1}, soon = {0};
    struct vgg_job_options future = {.deadline_ns = vgg_now_ns() + 3600 * UINT64_C(1000000000)};
    struct vgg_engine *engine;
    struct vgg_error error = {0};
    struct vgg_job *first, *late;

    (void)state;
    gate_init(&gate);
    engine = make_engine(&options);
    assert_int_equal(evaluate(engine, model, exact_views(32, 32, 1, true), &past, &error),
                     VGG_DEADLINE);
    assert_string_equal(error.text, vgg_status_text(VGG_DEADLINE));
    assert_int_equal(gate.passes, 0);
    assert_int_equal(evaluate(engine, model, exact_views(32, 32, 1, true), &future, NULL), VGG_OK);
    /* One that passes while another job is computed. */
    gate_set(&gate, true);
    assert_int_equal(
        vgg_engine_submit(engine, model, exact_views(32, 32, 1, false), NULL, &first, NULL),
        VGG_OK);
    gate_await(&gate);
    soon.deadline_ns = vgg_now_ns() + 2000000;
    assert_int_equal(
        vgg_engine_submit(engine, model, exact_views(32, 32, 1, false), &soon, &late, NULL),
        VGG_OK);
    while (vgg_now_ns() < soon.deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    gate_set(&gate, false);
    assert_int_equal(vgg_job_wait(first, NULL), VGG_OK);
    assert_int_equal(vgg_job_wait(late, NULL), VGG_DEADLINE);
    assert_int_equal(vgg_job_wait_ns(late), 0);
    vgg_job_destroy(first);
    vgg_job_destroy(late);
    vgg_engine_destroy(engine);
    assert_int_equal(gate.passes, 2);
}

/* Cancelled at its n-th poll; 0: never. */
struct canceller {
    unsigned at;
    atomic_uint polls;
    pthread_t submitter;
    atomic_bool own_thread;
};

static bool poll_canceller(void *user)
{
    struct canceller *canceller = user;

    if (pthread_equal(canceller->submitter, pthread_self()))
        atomic_store(&canceller->own_thread, true);
    return atomic_fetch_add(&canceller->polls, 1) + 1 == canceller->at;
}

static void cancellation(void **state)
{
    /* Three shapes, so three passes, with a poll before each and between two of its layers. */
    const struct vgg_request request = {.scales = {32, 40, 48}, .scales_n = 3};
    const unsigned polls = 1 + (unsigned)model->net.layers_n, last = 3 * polls;

    (void)state;
    for (unsigned at = 0; at <= last; at++) {
        struct canceller canceller = {.at = at, .submitter = pthread_self()};
        struct vgg_job_options job = {.cancelled = poll_canceller, .user = &canceller};
        struct gate gate;
        struct vgg_engine_options options = {2, 0, gate_pass, &gate};
        struct vgg_engine *engine;
        struct vgg_error error = {0};

        gate_init(&gate);
        engine = make_engine(&options);
        assert_int_equal(evaluate(engine, model, make_views(50, 50, 1, &request), &job, &error),
                         at == 0 ? VGG_OK : VGG_CANCELLED);
        assert_int_equal(error.status, at == 0 ? VGG_OK : VGG_CANCELLED);
        /* The engine has not stumbled over what it dropped. */
        assert_int_equal(evaluate(engine, model, exact_views(32, 32, 1, true), NULL, NULL), VGG_OK);
        vgg_engine_destroy(engine);
        /* Passes that were given up do not count. */
        assert_int_equal(gate.passes, (at == 0 ? 3 : (at - 1) / polls) + 1);
        assert_int_equal(atomic_load(&canceller.polls), at == 0 ? last : at);
        assert_false(atomic_load(&canceller.own_thread));
    }
}

/* ---------------------------------------------------------------- broken models -------------- */

/* Finite for a black picture, infinite for any other: positive weights of about 1e30, no biases. */
static struct vgg_model *overflowing_model(void)
{
    struct vgg_model *scaled;
    struct maker maker;

    maker_make(&maker, &(struct maker_spec){.width = 3});
    maker_meta(&maker, "vgg.mean", "[0,0,0]");
    maker_meta(&maker, "vgg.std", "[1,1,1]");
    for (size_t i = 0; i < maker.tensors_n; i++)
        for (size_t v = 0; v < maker.tensors[i].values_n; v++) {
            double *value = &maker.tensors[i].values[v];

            *value = maker.tensors[i].dims == 1 ? 0 : fabs(*value) * 1e30;
        }
    scaled = load_made(&maker);
    maker_free(&maker);
    return scaled;
}

static void the_canary(void **state)
{
    struct vgg_engine *engine = make_engine(&(struct vgg_engine_options){.threads = 2});
    struct vgg_model *good = make_model(&(struct maker_spec){.arch = "C", .side = 7});
    struct vgg_model *infinite = overflowing_model();
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(vgg_engine_canary(engine, model, NULL), VGG_OK);
    assert_int_equal(vgg_engine_canary(engine, good, NULL), VGG_OK);
    assert_int_equal(vgg_engine_canary(engine, infinite, &error), VGG_BAD_MODEL);
    assert_int_equal(error.status, VGG_BAD_MODEL);
    assert_non_null(strstr(error.text, "not finite"));
    assert_int_equal(vgg_engine_canary(engine, infinite, NULL), VGG_BAD_MODEL);
    assert_int_equal(vgg_engine_canary(engine, model, NULL), VGG_OK);
    vgg_model_release(good);
    vgg_model_release(infinite);
    vgg_engine_destroy(engine);
}

/*
 * All of conv1_1 overflows, and conv2_1 subtracts one half of its channels from the other: NaN
 * everywhere, which must not be lost in a ReLU on the way to the scores.
 */
static void nan_is_never_lost(void **state)
{
    struct vgg_engine *engine = make_engine(&(struct vgg_engine_options){.threads = 1});
    struct maker_tensor *weight;
    struct vgg_model *huge;
    struct maker maker;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "A", .width = 2});
    maker_meta(&maker, "vgg.mean", "[-1,-1,-1]"); /* no input is zero */
    weight = maker_find(&maker, "features.0.weight");
    for (size_t i = 0; i < weight->values_n; i++)
        weight->values[i] = 0x1p127;
    weight = maker_find(&maker, "features.3.weight");
    for (size_t i = 0; i < weight->values_n; i++)
        weight->values[i] = i / 9 % 2 == 0 ? 1 : -1;
    huge = load_made(&maker);
    assert_int_equal(vgg_engine_canary(engine, huge, NULL), VGG_BAD_MODEL);
    vgg_model_release(huge);
    maker_free(&maker);
    vgg_engine_destroy(engine);
}

/* Two pictures in one batch, of which only one overflows: the other gets its answer. */
static void a_neighbours_overflow_is_not_ours(void **state)
{
    struct gate gate;
    struct vgg_engine_options options = {1, 0, gate_pass, &gate};
    struct vgg_model *huge = overflowing_model();
    struct vgg_views *black = exact_views(32, 32, 1, false),
                     *bright = exact_views(32, 32, 1, false);
    struct vgg_engine *engine;
    struct vgg_job *jobs[3];

    (void)state;
    memset(black->images[0]->pixels, 0, 32 * 32 * 3);
    gate_init(&gate);
    engine = make_engine(&options);
    gate_set(&gate, true);
    assert_int_equal(
        vgg_engine_submit(engine, model, exact_views(32, 32, 1, false), NULL, &jobs[0], NULL),
        VGG_OK);
    gate_await(&gate);
    assert_int_equal(vgg_engine_submit(engine, huge, bright, NULL, &jobs[1], NULL), VGG_OK);
    assert_int_equal(vgg_engine_submit(engine, huge, black, NULL, &jobs[2], NULL), VGG_OK);
    gate_set(&gate, false);
    assert_int_equal(vgg_job_wait(jobs[0], NULL), VGG_OK);
    assert_int_equal(vgg_job_wait(jobs[1], NULL), VGG_BAD_MODEL);
    assert_int_equal(vgg_job_wait(jobs[2], NULL), VGG_OK);
    for (size_t i = 0; i < 5; i++)
        assert_true(vgg_job_posterior(jobs[2])[i] == 0.2F);
    assert_int_equal(gate.batches[1], 2);
    for (size_t i = 0; i < 3; i++)
        vgg_job_destroy(jobs[i]);
    vgg_model_release(huge);
    vgg_engine_destroy(engine);
}

/* ---------------------------------------------------------------- reserve -------------------- */

/* The most demanding batch within the limit: any number of views that one job can hold, any height,
 * and widths up to the last pixel or the last position. */
static struct vgg_shape largest_batch(const struct vgg_model *on, uint64_t pixels_max,
                                      size_t *bytes)
{
    uint32_t crop = vgg_model_get_info(on)->crop;
    struct vgg_shape largest = {0};

    *bytes = 0;
    for (uint32_t n = 1; n <= 16; n += n < 8 ? 1 : 2)
        for (uint32_t h = crop; h <= pixels_max / n / crop; h++)
            for (unsigned whole = 0; whole < 2; whole++) {
                uint32_t most = (uint32_t)(pixels_max / n / h);
                struct vgg_shape shape = {n, 3, h, whole ? most / 32 * 32 : most};
                size_t needs = vgg_forward_arena_bytes(&on->net, shape, 1) +
                               n * on->net.classes * sizeof(double);

                if (needs > *bytes) {
                    *bytes = needs;
                    largest = shape;
                }
            }
    return largest;
}

static void reserved_memory_is_enough(void **state)
{
    static const struct {
        struct maker_spec spec;
        uint64_t pixels_max;
    } cases[] = {
        {{.arch = "A", .width = 8}, 30000},
        {{.arch = "D", .width = 4, .side = 2}, 1 << 18},
        {{.arch = "B", .width = 2, .side = 3}, 12000}, /* too few pixels for sixteen crops */
        /* The FC maps outweigh the others, and 320x312 has more positions than 316x316. */
        {{.arch = "A", .width = 1, .fc1 = 20000, .side = 2}, 100000},
        /* The scores of many small views. */
        {{.arch = "A", .width = 1, .classes = 60000, .fc2 = 1}, 8 * 32 * 32},
    };

    (void)state;
    if (!fault_available())
        skip();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_engine_options options = {.threads = 1, .view_pixels_max = cases[i].pixels_max};
        struct vgg_engine *engine = make_engine(&options);
        struct vgg_model *on = make_model(&cases[i].spec);
        struct vgg_views *views;
        struct vgg_shape shape;
        enum vgg_status status;
        size_t bytes, between; /* the most that runs between layers has half the pixels */

        (void)largest_batch(on, cases[i].pixels_max / 2, &between);
        shape = largest_batch(on, cases[i].pixels_max, &bytes);
        assert_in_range(vgg_engine_reserve_bytes(engine, on), bytes + between,
                        (bytes + between) / 8 * 9);
        assert_int_equal(vgg_engine_reserve(engine, on, NULL), VGG_OK);
        assert_int_equal(vgg_engine_reserve_bytes(engine, on), 0);
        views = shape.n % 2 == 0 ? exact_views(shape.w, shape.h, shape.n / 2, true)
                                 : exact_views(shape.w, shape.h, shape.n, false);
        fault_arm_size(1, bytes);
        status = evaluate(engine, on, views, NULL, NULL);
        if (fault_disarm())
            fail_msg("case %zu: %u views of %ux%u need more", i, shape.n, shape.w, shape.h);
        assert_int_equal(status, VGG_OK);
        vgg_model_release(on);
        vgg_engine_destroy(engine);
    }
}

/* ---------------------------------------------------------------- no memory ------------------ */

static void reserving_without_memory(void **state)
{
    struct vgg_engine *engine = make_engine(&(struct vgg_engine_options){.threads = 1});
    struct vgg_error error = {0};

    (void)state;
    if (fault_available()) {
        fault_arm(1);
        assert_int_equal(vgg_engine_reserve(engine, model, &error), VGG_NO_MEMORY);
        assert_true(fault_disarm());
        assert_non_null(strstr(error.text, "MiB"));
    }
    assert_int_equal(vgg_engine_reserve(engine, model, NULL), VGG_OK);
    assert_int_equal(vgg_engine_canary(engine, model, NULL), VGG_OK);
    vgg_engine_destroy(engine);
}

/* From a JPEG to a posterior, on a new engine. */
static enum vgg_status whole_path(const uint8_t *jpeg, size_t size, float posterior[5],
                                  struct vgg_error *error)
{
    const struct vgg_request request = {.scales = {32, 45}, .scales_n = 2, .flip = true};
    struct vgg_engine_options options = {.threads = 2};
    struct vgg_engine *engine = NULL;
    struct vgg_image *image = NULL;
    struct vgg_views *views = NULL;
    struct vgg_job *job = NULL;
    enum vgg_status status = vgg_engine_create(&options, &engine, error);

    if (status == VGG_OK)
        status = vgg_image_decode(jpeg, size, NULL, &image, error);
    if (status == VGG_OK)
        status = vgg_views_create(image, &request, &views, error);
    if (status == VGG_OK)
        status = vgg_engine_submit(engine, model, views, NULL, &job, error);
    if (status == VGG_OK) {
        views = NULL;
        status = vgg_job_wait(job, error);
    }
    if (status == VGG_OK)
        memcpy(posterior, vgg_job_posterior(job), 5 * sizeof *posterior);
    vgg_job_destroy(job);
    vgg_views_destroy(views);
    vgg_image_destroy(image);
    vgg_engine_destroy(engine);
    return status;
}

static void the_whole_path_without_memory(void **state)
{
    const struct jpeg_spec spec = {
        .width = 61, .height = 47, .progressive = true, .orientation = 6};
    float expected[5], posterior[5];
    unsigned long failures = 0;
    bool fired = fault_available();
    uint8_t *jpeg;
    size_t size;

    (void)state;
    if (!fired)
        skip();
    assert_true(jpeg_make(&spec, &jpeg, &size));
    assert_int_equal(whole_path(jpeg, size, expected, NULL), VGG_OK);
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        long before = fault_outstanding();
        enum vgg_status status;

        fault_arm(n);
        status = whole_path(jpeg, size, posterior, &error);
        fired = fault_disarm();
        if (status != VGG_OK && status != VGG_NO_MEMORY)
            fail_msg("allocation %lu: status %d, \"%s\"", n, (int)status, error.text);
        assert_int_equal(error.status, status);
        if (status == VGG_OK)
            assert_memory_equal(posterior, expected, sizeof expected);
        else {
            assert_true(fired);
            failures++;
        }
        assert_int_equal(fault_outstanding(), before);
    }
    assert_true(failures > 10);
    free(jpeg);
}

static int start(void **state)
{
    (void)state;
    model = make_model(&(struct maker_spec){.arch = "B"});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    vgg_model_release(model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nulls_are_allowed),
        cmocka_unit_test(sizes_outside_the_limits),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(cancellation),
        cmocka_unit_test(the_canary),
        cmocka_unit_test(nan_is_never_lost),
        cmocka_unit_test(a_neighbours_overflow_is_not_ours),
        cmocka_unit_test(reserved_memory_is_enough),
        cmocka_unit_test(reserving_without_memory),
        cmocka_unit_test(the_whole_path_without_memory),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
