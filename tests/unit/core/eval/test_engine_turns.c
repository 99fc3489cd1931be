/* The order in which jobs leave an engine, and what it tells of them on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/eval/evaluate.h"

enum { JOBS_MAX = 64 };

static struct vgg_model *model; /* crop 32 */

/* Jobs behind a gate at the end of the first pass, and the order in which they were done. */
struct order {
    struct gate gate;
    struct vgg_engine *engine;
    size_t n, done_n;
    struct entry {
        struct order *order;
        struct vgg_job *job;
        uint64_t macs; /* seen by on_view */
        size_t place;  /* from 1, once done */
        size_t passes; /* of the engine by then */
    } entries[JOBS_MAX];
};

static void on_view(void *user, uint64_t macs)
{
    struct entry *entry = user;

    entry->macs += macs;
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

/* A picture of 64 x 50 at the first n of these scales; no other job has their shapes. */
static struct entry *submit(struct order *order, size_t n, const uint32_t *scales, uint64_t macs)
{
    struct entry *entry = &order->entries[order->n++];
    struct vgg_job_options options = {
        .macs = macs, .on_view = on_view, .on_done = on_done, .user = entry};
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
    large = submit(&order, 3, (const uint32_t[]){72, 73, 74}, 0);
    for (uint32_t i = 0; i < 38; i++)
        small = submit(&order, 1, (const uint32_t[]){34 + i}, 0);
    order_run(&order);
    for (size_t i = 2; i < order.n; i++)
        if (order.entries[i].place < large->place)
            past_macs += order.entries[i].macs;
    assert_true(past_macs > large->macs);
    assert_true(past_macs < 2 * large->macs + small->macs);
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
    const struct vgg_request request = {{40, 50, 60}, 3, true};
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
        cmocka_unit_test(large_ends_among_many_small),
        cmocka_unit_test(the_requests_work_counts),
        cmocka_unit_test(work_is_reported_by_job_and_batch),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
