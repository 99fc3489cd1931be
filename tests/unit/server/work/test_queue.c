/* Order, admission by predicted work, memory, and the end of the queue. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "process/clock.h"
#include "work/queue.h"

enum { HANG_S = 120, DEPTH_BOUND = 100000 };

struct work {
    struct queue_item item; /* first */
    atomic_uint popped;
};

enum { MODEL = 7, OTHER_MODEL = 8 };

static bool push(struct queue *queue, struct work *work, uint64_t macs)
{
    unsigned retry_after_s = 0;
    bool admitted;

    work->item.model = work->item.model != 0 ? work->item.model : MODEL;
    work->item.macs = macs;
    admitted = queue_try_push(queue, &work->item, &retry_after_s);
    assert_true(retry_after_s >= 1);
    return admitted;
}

/* From decoding to the answer. */
static void finish(struct queue *queue, struct queue_item *item, uint64_t decode_ns)
{
    queue_decoded(queue, item, decode_ns);
    queue_computed(queue, item);
    assert_ptr_equal(queue_pop(queue, QUEUE_ANSWER), item);
    queue_finish(queue, item);
}

static void pop(struct queue *queue, const struct work *expected)
{
    struct queue_item *item = queue_pop(queue, expected->item.lane);

    assert_ptr_equal(item, &expected->item);
    finish(queue, item, 0);
}

static struct queue *create_with(const struct queue_options *options, uint64_t macs)
{
    struct queue *queue = queue_create(options);

    assert_non_null(queue);
    if (macs != 0)
        queue_measured(queue, MODEL, macs, NS_PER_S);
    return queue;
}

/* A second for `macs` of work. */
static struct queue *create(uint64_t ahead_ns_max, uint64_t macs)
{
    return create_with(&(struct queue_options){.ahead_ns_max = ahead_ns_max,
                                               .bytes_max = UINT64_MAX,
                                               .workers = {1, 1}},
                       macs);
}

static void equals_in_order(void **state)
{
    struct queue *queue = create(NS_PER_S, 0);
    struct work works[10] = {0};

    (void)state;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 10; i++) {
            assert_true(push(queue, &works[i], 5));
            assert_int_equal(queue_get_state(queue).depth, i + 1);
        }
        for (size_t i = 0; i < 10; i++) {
            pop(queue, &works[i]);
            assert_int_equal(queue_get_state(queue).depth, 9 - i);
        }
    }
    queue_destroy(queue);
    queue_destroy(NULL);
}

/* Least work first and equals in order, but the oldest as soon as as much was taken past it. */
static void turns(void **state)
{
    struct queue *queue = create(NS_PER_S, 0);
    struct work large = {0}, small[8] = {0};

    (void)state;
    assert_true(push(queue, &large, 30));
    for (size_t i = 0; i < 8; i++)
        assert_true(push(queue, &small[i], 10));
    for (size_t i = 0; i < 3; i++)
        pop(queue, &small[i]);
    pop(queue, &large);
    for (size_t i = 3; i < 8; i++)
        pop(queue, &small[i]);
    /* Without others ahead the least is the first, but the first of up to twice as much. */
    assert_true(push(queue, &large, 50));
    assert_true(push(queue, &small[0], 22));
    assert_true(push(queue, &small[1], 20));
    assert_true(push(queue, &small[2], 10));
    pop(queue, &small[1]);
    pop(queue, &small[2]);
    pop(queue, &small[0]);
    pop(queue, &large);
    queue_destroy(queue);
}

/* A large picture's decoding does not hold up another lane. */
static void lanes_are_separate(void **state)
{
    struct queue *queue = create(NS_PER_S, 0);
    struct work large[2] = {{.item.lane = QUEUE_LARGE}, {.item.lane = QUEUE_LARGE}}, small = {0};
    struct queue_item *item;

    (void)state;
    assert_true(push(queue, &large[0], 1));
    assert_true(push(queue, &large[1], 1));
    assert_true(push(queue, &small, 100));
    pop(queue, &small);
    item = queue_pop(queue, QUEUE_LARGE);
    assert_ptr_equal(item, &large[0].item);
    pop(queue, &large[1]);
    finish(queue, item, 0);
    queue_destroy(queue);
}

/* The limit holds for the work ahead of an item, not for the item itself. */
static void admission_by_predicted_work(void **state)
{
    struct queue *queue = create(5 * NS_PER_S, 100);
    struct work works[8] = {0};

    (void)state;
    assert_true(push(queue, &works[0], 300));
    assert_true(push(queue, &works[1], 200));
    assert_true(queue_get_state(queue).cost_s == 5.0);
    assert_true(push(queue, &works[2], 100000)); /* exactly 5 s ahead */
    assert_false(push(queue, &works[3], 1));
    assert_int_equal(queue_get_state(queue).depth, 3);
    pop(queue, &works[0]);
    assert_false(push(queue, &works[3], 1));
    pop(queue, &works[1]);
    pop(queue, &works[2]);
    assert_true(queue_get_state(queue).cost_s == 0.0);
    assert_true(push(queue, &works[3], 1));
    pop(queue, &works[3]);
    queue_destroy(queue);
}

/* Work in the engine counts until it is done. */
static void popped_work_still_counts(void **state)
{
    struct queue *queue = create(NS_PER_S, 100);
    struct work works[3] = {0};
    struct queue_item *item;

    (void)state;
    assert_true(push(queue, &works[0], 201));
    item = queue_pop(queue, QUEUE_SMALL);
    assert_ptr_equal(item, &works[0].item);
    assert_int_equal(queue_get_state(queue).depth, 1);
    queue_progress(queue, item, 100);
    assert_int_equal(queue_get_state(queue).depth, 0);
    assert_true(queue_get_state(queue).cost_s > 1.0);
    assert_false(push(queue, &works[1], 1));
    queue_progress(queue, item, 1);
    assert_true(push(queue, &works[1], 1));
    pop(queue, &works[1]);
    queue_progress(queue, item, 1000); /* more than was predicted */
    assert_true(queue_get_state(queue).cost_s == 0.0);
    finish(queue, item, 0);
    /* What was given up is not done, and counts no more either. */
    assert_true(push(queue, &works[0], 500));
    pop(queue, &works[0]);
    assert_true(queue_get_state(queue).cost_s == 0.0);
    queue_destroy(queue);
}

static void empty_queue_admits_anything(void **state)
{
    struct queue *queue = create(0, 1);
    struct work works[2] = {0};

    (void)state;
    for (uint64_t macs = 1; macs < UINT64_C(1) << 60; macs *= 16) {
        assert_true(push(queue, &works[0], macs));
        assert_false(push(queue, &works[1], 1));
        pop(queue, &works[0]);
    }
    queue_destroy(queue);
}

/* Before the first measurement nothing can be predicted: everything is admitted, up to a bound. */
static void bounded_without_measurement(void **state)
{
    struct queue *queue = create(0, 0);
    struct work *works = calloc(DEPTH_BOUND, sizeof *works);
    size_t admitted = 0;

    (void)state;
    assert_non_null(works);
    while (admitted < DEPTH_BOUND && push(queue, &works[admitted], 1 << 30))
        admitted++;
    assert_in_range(admitted, 100, DEPTH_BOUND - 1);
    assert_true(queue_get_state(queue).cost_s == 0.0);
    for (size_t i = 0; i < admitted; i++)
        pop(queue, &works[i]);
    queue_destroy(queue);
    free(works);
}

static void retry_after_is_when_the_backlog_fits(void **state)
{
    static const struct {
        uint64_t first_macs; /* at 100 a second, with a limit of 2 s */
        unsigned retry_after_s;
    } cases[] = {{201, 1}, {299, 1}, {300, 1}, {301, 2}, {1200, 10}, {1201, 11}, {100000000, 3600}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct queue *queue = create(2 * NS_PER_S, 100);
        struct work works[2] = {0};
        unsigned retry_after_s = 0;

        assert_true(push(queue, &works[0], cases[i].first_macs));
        assert_false(queue_try_push(queue, &works[1].item, &retry_after_s));
        assert_int_equal(retry_after_s, cases[i].retry_after_s);
        pop(queue, &works[0]);
        queue_destroy(queue);
    }
}

/* A machine that got ten times slower is soon known to be. */
static void speed_follows_the_measurements(void **state)
{
    struct queue *queue = create(NS_PER_S, 1000);
    struct work work = {0};

    (void)state;
    assert_true(push(queue, &work, 1000));
    assert_true(queue_get_state(queue).cost_s == 1.0);
    queue_measured(queue, MODEL, 100, NS_PER_S);
    assert_true(queue_get_state(queue).cost_s > 1.0);
    assert_true(queue_get_state(queue).cost_s < 10.0);
    for (int i = 0; i < 200; i++)
        queue_measured(queue, MODEL, 100, NS_PER_S);
    assert_true(queue_get_state(queue).cost_s > 9.9);
    assert_true(queue_get_state(queue).cost_s < 10.1);
    pop(queue, &work);
    queue_destroy(queue);
}

/* A model of another speed, as after a reload, is predicted by its own measurements. */
static void every_model_has_its_speed(void **state)
{
    struct queue *queue = create(NS_PER_S, 1000);
    struct work works[3] = {{.item.model = MODEL}, {.item.model = OTHER_MODEL}};

    (void)state;
    queue_measured(queue, OTHER_MODEL, 100, NS_PER_S);
    assert_true(push(queue, &works[0], 500));
    assert_true(queue_get_state(queue).cost_s == 0.5);
    assert_true(push(queue, &works[1], 500));
    assert_true(queue_get_state(queue).cost_s == 5.5);
    assert_false(push(queue, &works[2], 1));
    pop(queue, &works[0]);
    assert_true(queue_get_state(queue).cost_s == 5.0);
    pop(queue, &works[1]);
    /* Many reloads later: what is in use is kept, what is not is forgotten. */
    assert_true(push(queue, &works[0], 500));
    for (uint64_t model = 100; model < 200; model++)
        queue_measured(queue, model, 1, NS_PER_S);
    assert_true(queue_get_state(queue).cost_s == 0.5);
    assert_true(push(queue, &works[1], 500));
    assert_true(queue_get_state(queue).cost_s == 0.5);
    pop(queue, &works[0]);
    pop(queue, &works[1]);
    queue_destroy(queue);
}

/* Where decoding takes longer than the engine, it is what a request waits for. */
static void decoding_is_work_too(void **state)
{
    struct queue_options options = {
        .ahead_ns_max = NS_PER_S, .bytes_max = UINT64_MAX, .workers = {2, 1}};
    struct queue *queue = create_with(&options, 1000000);
    struct work works[6] = {0}, large = {.item.lane = QUEUE_LARGE};

    (void)state;
    for (size_t i = 0; i < 6; i++)
        works[i].item.decode = 1000;
    assert_true(push(queue, &works[0], 1));
    finish(queue, queue_pop(queue, QUEUE_SMALL), NS_PER_S); /* a second for 1000, by one of two */
    for (size_t i = 0; i < 3; i++)
        assert_true(push(queue, &works[i], 1));
    assert_true(queue_get_state(queue).cost_s == 1.5);
    assert_false(push(queue, &works[3], 1));
    assert_true(push(queue, &large, 1)); /* others decode it */
    pop(queue, &large);
    pop(queue, &works[0]);
    assert_true(push(queue, &works[3], 1));
    for (size_t i = 1; i < 4; i++)
        pop(queue, &works[i]);
    assert_true(queue_get_state(queue).cost_s == 0.0);
    assert_true(push(queue, &works[0], 1)); /* what was dropped has not taught anything */
    assert_true(queue_get_state(queue).cost_s == 0.5);
    pop(queue, &works[0]);
    queue_destroy(queue);
}

/* Before any is measured, and behind some that took much less than predicted. */
static void decoding_takes_time(void **state)
{
    struct queue *queue = create_with(&(struct queue_options){.ahead_ns_max = NS_PER_S,
                                                              .bytes_max = UINT64_MAX,
                                                              .workers = {1, 1}},
                                      0);
    struct work works[2] = {{.item.decode = 800000000}, {.item.decode = 800000000}};

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        assert_true(push(queue, &works[0], 1)); /* nobody is before it */
        assert_true(queue_get_state(queue).cost_s == 2);
        assert_false(push(queue, &works[1], 1));
        finish(queue, queue_pop(queue, QUEUE_SMALL), NS_PER_MS);
    }
    queue_destroy(queue);
}

/* ---------------------------------------------------------------- memory --------------------- */

static void *pop_main(void *argument)
{
    return queue_pop(argument, QUEUE_SMALL);
}

/* A lane holds so many bytes, or one item of more. */
static void memory_is_bounded(void **state)
{
    struct queue_options options = {.ahead_ns_max = NS_PER_S, .bytes_max = 100, .workers = {1, 1}};
    struct queue *queue = create_with(&options, 0);
    struct work works[3] = {{.item.bytes = 60}, {.item.bytes = 40}, {.item.bytes = 1000}};
    struct queue_item *first, *second;
    void *third = NULL;
    pthread_t waiting;

    (void)state;
    (void)alarm(HANG_S);
    for (size_t i = 0; i < 3; i++)
        assert_true(push(queue, &works[i], 1));
    first = queue_pop(queue, QUEUE_SMALL);
    second = queue_pop(queue, QUEUE_SMALL);
    assert_ptr_equal(second, &works[1].item);
    assert_int_equal(pthread_create(&waiting, NULL, pop_main, queue), 0);
    finish(queue, first, 0);
    usleep(1000); /* however long: 40 are still held */
    assert_int_equal(queue_get_state(queue).depth, 2);
    finish(queue, second, 0);
    pthread_join(waiting, &third);
    assert_ptr_equal(third, &works[2].item);
    finish(queue, third, 0);
    queue_destroy(queue);
    (void)alarm(0);
}

static const struct queue_item *dead_item;

static bool is_dead(const struct queue_item *item)
{
    return item == dead_item;
}

/* Whose client has left goes first, and needs no memory: it will not be decoded. */
static void dead_items_go_first(void **state)
{
    struct queue_options options = {
        .ahead_ns_max = NS_PER_S, .bytes_max = 100, .workers = {1, 1}, .dead = is_dead};
    struct queue *queue = create_with(&options, 0);
    struct work works[3] = {{.item.bytes = 60}, {.item.bytes = 60}, {.item.bytes = 60}};
    struct queue_item *first, *dead;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_true(push(queue, &works[i], 1));
    first = queue_pop(queue, QUEUE_SMALL);
    assert_ptr_equal(first, &works[0].item);
    dead_item = &works[2].item;
    dead = queue_pop(queue, QUEUE_SMALL);
    assert_ptr_equal(dead, &works[2].item);
    dead_item = NULL;
    finish(queue, first, 0);
    finish(queue, dead, 0);
    pop(queue, &works[1]);
    queue_destroy(queue);
}

/* ---------------------------------------------------------------- the end -------------------- */

static void closed_queue_is_emptied_first(void **state)
{
    struct queue *queue = create(NS_PER_S, 100);
    struct work works[3] = {0};
    pthread_t waiting[3];

    (void)state;
    assert_true(push(queue, &works[0], 1));
    assert_true(push(queue, &works[1], 1));
    queue_close(queue);
    assert_false(push(queue, &works[2], 1));
    pop(queue, &works[0]);
    pop(queue, &works[1]);
    for (enum queue_lane lane = 0; lane < QUEUE_LANES; lane++)
        assert_null(queue_pop(queue, lane));
    assert_false(push(queue, &works[2], 1)); /* empty, and closed */
    queue_destroy(queue);

    /* Whoever waits is woken. */
    (void)alarm(HANG_S);
    queue = create(NS_PER_S, 100);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&waiting[i], NULL, pop_main, queue), 0);
    queue_close(queue);
    for (size_t i = 0; i < 3; i++) {
        void *item = queue;

        pthread_join(waiting[i], &item);
        assert_null(item);
    }
    queue_destroy(queue);
    (void)alarm(0);
}

/* ---------------------------------------------------------------- many threads --------------- */

enum { PRODUCERS = 3, CONSUMERS = 6, WORKS = 4000 };

static struct queue *shared;
static struct work shared_works[PRODUCERS][WORKS];
static atomic_uint admitted_n, refused_n, popped_n;

static void *producer_main(void *argument)
{
    uintptr_t me = (uintptr_t)argument;

    for (unsigned i = 0; i < WORKS; i++) {
        struct work *work = &shared_works[me][i];
        unsigned retry_after_s;

        work->item = (struct queue_item){.lane = i % 2 ? QUEUE_SMALL : QUEUE_LARGE,
                                         .model = MODEL,
                                         .macs = 1 + i % 7,
                                         .bytes = i};
        if (queue_try_push(shared, &work->item, &retry_after_s))
            atomic_fetch_add(&admitted_n, 1);
        else
            atomic_fetch_add(&refused_n, 1);
    }
    return NULL;
}

static void *consumer_main(void *argument)
{
    enum queue_lane lane = (enum queue_lane)(uintptr_t)argument;
    struct queue_item *item;

    while ((item = queue_pop(shared, lane)) != NULL) {
        struct work *work = (struct work *)(void *)item;

        if (lane == QUEUE_ANSWER) {
            atomic_fetch_add(&work->popped, 1);
            atomic_fetch_add(&popped_n, 1);
            queue_finish(shared, item);
            continue;
        }
        queue_decoded(shared, item, 10);
        queue_progress(shared, item, 1);
        queue_computed(shared, item);
    }
    return NULL;
}

/* Every admitted item comes out once. */
static void every_item_once(void **state)
{
    pthread_t producers[PRODUCERS], consumers[CONSUMERS];

    (void)state;
    (void)alarm(HANG_S);
    shared = create(NS_PER_S, 1000);
    for (uintptr_t i = 0; i < CONSUMERS; i++)
        assert_int_equal(
            pthread_create(&consumers[i], NULL, consumer_main, (void *)(i % QUEUE_LANES)), 0);
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&producers[i], NULL, producer_main, (void *)i), 0);
    for (size_t i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    queue_close(shared);
    for (size_t i = 0; i < CONSUMERS; i++)
        pthread_join(consumers[i], NULL);
    assert_int_equal(admitted_n + refused_n, PRODUCERS * WORKS);
    assert_int_equal(popped_n, admitted_n);
    for (size_t i = 0; i < PRODUCERS; i++)
        for (size_t j = 0; j < WORKS; j++)
            assert_true(shared_works[i][j].popped <= 1);
    assert_int_equal(queue_get_state(shared).depth, 0);
    assert_true(queue_get_state(shared).cost_s == 0.0);
    queue_destroy(shared);
    (void)alarm(0);
}

static void out_of_memory(void **state)
{
    struct queue *queue;

    (void)state;
    if (!fault_available())
        skip();
    fault_arm(1);
    queue = queue_create(&(struct queue_options){0});
    assert_true(fault_disarm());
    assert_null(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_in_order),
        cmocka_unit_test(turns),
        cmocka_unit_test(lanes_are_separate),
        cmocka_unit_test(admission_by_predicted_work),
        cmocka_unit_test(popped_work_still_counts),
        cmocka_unit_test(empty_queue_admits_anything),
        cmocka_unit_test(bounded_without_measurement),
        cmocka_unit_test(retry_after_is_when_the_backlog_fits),
        cmocka_unit_test(speed_follows_the_measurements),
        cmocka_unit_test(every_model_has_its_speed),
        cmocka_unit_test(decoding_is_work_too),
        cmocka_unit_test(decoding_takes_time),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(dead_items_go_first),
        cmocka_unit_test(closed_queue_is_emptied_first),
        cmocka_unit_test(every_item_once),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
