/* The order in which jobs leave an engine, and what it tells of them on the way. */
#include "check.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/evaluate.h"
#include "engine/job.h"

enum { JOBS_MAX = 64 };

static struct vgg_model *model; /* crop 32 */

/* Jobs behind a gate at the end of the first pass, and the order in which they were done. */
struct order {
    struct gate gate;
    struct vgg_engine *engine;
    const struct entry *awaited; /* the gate closes once its pass has begun; NULL: it stays open */
    size_t n, done_n;
    struct entry {
        struct order *order;
        struct vgg_job *job;
        uint64_t macs; /* seen by on_view */
        size_t place;  /* from 1, once done */
        size_t passes; /* of the engine by then */
        atomic_uint polls;
    } entries[JOBS_MAX];
};

static void on_view(void *user, uint64_t macs)
{
    struct entry *entry = user;
    struct order *order = entry->order;

    entry->macs += macs;
    if (order->awaited == NULL || order->awaited->job->started_ns == 0)
        return;
    order->awaited = NULL;
    gate_set(&order->gate, true);
}

static void on_done(void *user)
{
    struct entry *entry = user;

    entry->place = ++entry->order->done_n;
    entry->passes = entry->order->gate.passes;
}

static void order_init(struct order *order)
{
    struct vgg_engine_options options = {1, 0, gate_pass, &order->gate};

    memset(order, 0, sizeof *order);
    gate_init(&order->gate);
    gate_set(&order->gate, true);
    order->engine = make_engine(&options);
}

/* Polled before a pass, and then between its layers. */
static bool on_poll(void *user)
{
    struct entry *entry = user;

    entry->polls++;
    return false;
}

/* A picture of 64 x 50 at the first n of these scales; no other job has their shapes. */
static struct entry *submit(struct order *order, size_t n, const uint32_t *scales, uint64_t macs)
{
    struct entry *entry = &order->entries[order->n++];
    struct vgg_job_options options = {
        .macs = macs, .cancelled = on_poll, .on_view = on_view, .on_done = on_done, .user = entry};
    struct vgg_request request = {.scales_n = n, .flip = true};

    assert_true(order->n <= JOBS_MAX);
    entry->order = order;
    memcpy(request.scales, scales, n * sizeof *scales);
    assert_int_equal(vgg_engine_submit(order->engine, model, make_views(64, 50, 1, &request),
                                       &options, &entry->job, NULL),
                     VGG_OK);
    return entry;
}

/* Open the gate and wait for all. */
static void order_run(struct order *order)
{
    gate_set(&order->gate, false);
    for (size_t i = 0; i < order->n; i++) {
        assert_int_equal(vgg_job_wait(order->entries[i].job, NULL), VGG_OK);
        assert_true(order->entries[i].place >= 1); /* on_done came first */
    }
}

static void order_fini(struct order *order)
{
    for (size_t i = 0; i < order->n; i++)
        vgg_job_destroy(order->entries[i].job);
    vgg_engine_destroy(order->engine);
}

static void small_waits_for_one_pass_of_large(void **state)
{
    struct order order;
    struct entry *large, *small;

    (void)state;
    order_init(&order);
    large = submit(&order, 4, (const uint32_t[]){100, 110, 120, 130}, 0);
    gate_await(&order.gate);
    small = submit(&order, 1, (const uint32_t[]){32}, 0);
    order_run(&order);
    assert_int_equal(small->place, 1);
    assert_int_equal(small->passes, 2);
    assert_int_equal(large->passes, 5);
    order_fini(&order);
}

/* ---------------------------------------------------------------- between layers ------------- */

enum { WAVES = 15, WAVE = 12 };

/*
 * Two jobs as parts of requests, one of half the work of the other: it comes second, but between
 * the layers of the first one's only pass. While it is there, the gate is closed for a third to
 * come, which has the next pass.
 */
static void small_does_not_wait_for_a_pass(void **state)
{
    const uint64_t macs = vgg_model_view_macs(model, 32, 32);
    struct entry *large, *half, *small;
    struct order order;

    (void)state;
    order_init(&order);
    submit(&order, 1, (const uint32_t[]){33}, 0); /* holds the gate */
    gate_await(&order.gate);
    large = submit(&order, 1, (const uint32_t[]){100}, 200 * macs);
    half = submit(&order, 1, (const uint32_t[]){34}, 100 * macs);
    order.awaited = large;
    gate_set(&order.gate, false);
    gate_await(&order.gate);
    small = submit(&order, 1, (const uint32_t[]){32}, 0);
    order_run(&order);
    assert_int_equal(half->place, 2);
    assert_int_equal(small->place, 3);
    assert_int_equal(large->place, 4);
    /* Passes are counted as they end. */
    assert_int_equal(half->passes, 2);
    assert_int_equal(small->passes, 3);
    assert_int_equal(large->passes, 4);
    order_fini(&order);
}

/* One of many jobs, some of which are cancelled at some poll. */
struct storm_job {
    struct vgg_job *job;
    struct vgg_views *views;
    uint32_t side;
    unsigned cancel_at;
    atomic_uint polls;
};

static bool poll_storm(void *user)
{
    struct storm_job *job = user;

    return ++job->polls >= job->cancel_at && job->cancel_at != 0;
}

static struct vgg_views *storm_views(const struct storm_job *job)
{
    const struct vgg_request request = {
        .scales = {job->side, job->side + 8}, .scales_n = 2, .flip = true};

    return make_views(40, 40, job->side, &request);
}

static void storm_submit(struct vgg_engine *engine, struct storm_job *job)
{
    const struct vgg_job_options options = {.cancelled = poll_storm, .user = job};

    assert_int_equal(vgg_engine_submit(engine, model, job->views, &options, &job->job, NULL),
                     VGG_OK);
}

/* The answer, if there is one, is what it is alone. Was there one? */
static bool storm_end(struct vgg_engine *engine, struct storm_job *job)
{
    enum vgg_status status = vgg_job_wait(job->job, NULL);
    struct vgg_job *alone;

    assert_true(status == VGG_OK || (status == VGG_CANCELLED && job->cancel_at != 0));
    if (status == VGG_OK) {
        assert_int_equal(vgg_engine_submit(engine, model, storm_views(job), NULL, &alone, NULL),
                         VGG_OK);
        assert_int_equal(vgg_job_wait(alone, NULL), VGG_OK);
        assert_memory_equal(vgg_job_posterior(job->job), vgg_job_posterior(alone),
                            vgg_model_get_info(model)->classes * sizeof(float));
        vgg_job_destroy(alone);
    }
    vgg_job_destroy(job->job);
    return status == VGG_OK;
}

/* Whatever ran between the layers of what, or was given up, the answers are the same bytes. */
static void answers_do_not_depend_on_what_ran_between(void **state)
{
    struct vgg_engine *engine = make_engine(&(struct vgg_engine_options){.threads = 2});
    size_t answered = 0;

    (void)state;
    for (unsigned wave = 0; wave < WAVES; wave++) {
        struct storm_job jobs[WAVE];

        for (uint32_t i = 0; i < WAVE; i++) {
            jobs[i] = (struct storm_job){.side = i == 0 ? 200 : 32 + (i * 5 + wave) % 8 * 4,
                                         .cancel_at = i % 2 == 1 ? 1 + (i * 5 + wave) % 30 : 0};
            jobs[i].views = storm_views(&jobs[i]);
        }
        storm_submit(engine, &jobs[0]);
        while (jobs[0].polls < 2)
            sched_yield();
        for (size_t i = 1; i < WAVE; i++)
            storm_submit(engine, &jobs[i]);
        for (size_t i = 0; i < WAVE; i++)
            answered += storm_end(engine, &jobs[i]);
    }
    assert_in_range(answered, WAVES * WAVE / 2, WAVES * WAVE - 1);
    vgg_engine_destroy(engine);
}

/* ---------------------------------------------------------------- turns ---------------------- */

/* More small work than is done past the large job: it is neither first nor last. */
static void large_ends_among_many_small(void **state)
{
    struct order order;
    struct entry *large, *small = NULL;
    uint64_t past_macs = 0;

    (void)state;
    order_init(&order);
    submit(&order, 1, (const uint32_t[]){33}, 0); /* holds the gate */
    gate_await(&order.gate);
    large = submit(&order, 2, (const uint32_t[]){72, 73}, 0);
    for (uint32_t i = 0; i < 38; i++)
        small = submit(&order, 1, (const uint32_t[]){34 + i}, 0);
    order_run(&order);
    for (size_t i = 2; i < order.n; i++)
        if (order.entries[i].place < large->place)
            past_macs += order.entries[i].macs;
    assert_true(past_macs > large->macs);
    /* Four times its work, and as much between the layers of the last of its two passes. */
    assert_true(past_macs < 4 * large->macs + 4 * large->macs / 2 + small->macs);
    assert_true(large->place < small->place);
    order_fini(&order);
}

/* An image of a request of many has the turn of the whole. */
static void the_requests_work_counts(void **state)
{
    struct order order;
    struct entry *parts[2], *lone;

    (void)state;
    order_init(&order);
    submit(&order, 1, (const uint32_t[]){33}, 0);
    gate_await(&order.gate);
    parts[0] = submit(&order, 1, (const uint32_t[]){40}, 1 << 30);
    parts[1] = submit(&order, 1, (const uint32_t[]){50}, 1 << 30);
    lone = submit(&order, 1, (const uint32_t[]){60}, 0);
    order_run(&order);
    assert_true(lone->place < parts[0]->place);
    assert_true(parts[0]->place < parts[1]->place);
    order_fini(&order);
}

/* What on_view adds up to is what vgg_request_check predicts and on_batch is told. */
static void work_is_reported_by_job_and_batch(void **state)
{
    static const uint32_t scales[] = {40, 50, 60};
    const struct vgg_request request = {.scales = {40, 50, 60}, .scales_n = 3, .flip = true};
    struct order order;
    uint64_t macs;

    (void)state;
    assert_int_equal(vgg_request_check(model, &request, 64, 50, 1 << 20, &macs, NULL), VGG_OK);
    order_init(&order);
    for (size_t i = 0; i < 3; i++)
        submit(&order, 3, scales, 0);
    order_run(&order);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(order.entries[i].macs, macs);
    order_fini(&order);
    assert_int_equal(order.gate.macs, 3 * macs);
}

static int start(void **state)
{
    (void)state;
    model = make_model(&(struct maker_spec){.width = 2});
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
        cmocka_unit_test(small_waits_for_one_pass_of_large),
        cmocka_unit_test(small_does_not_wait_for_a_pass),
        cmocka_unit_test(answers_do_not_depend_on_what_ran_between),
        cmocka_unit_test(large_ends_among_many_small),
        cmocka_unit_test(the_requests_work_counts),
        cmocka_unit_test(work_is_reported_by_job_and_batch),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
