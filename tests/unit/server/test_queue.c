/* Order, admission by predicted work, and the end of the queue. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "fault.h"
#include "queue.h"

enum { HANG_S = 120, DEPTH_BOUND = 100000 };

/* An item that remembers where it came from. */
struct work {
    struct queue_item item; /* first */
    unsigned producer, number;
    atomic_uint popped;
};

static bool push(struct queue *queue, struct work *work, uint64_t macs)
{
    unsigned retry_after_s = 0;
    bool admitted;

    work->item.macs = macs;
    admitted = queue_try_push(queue, &work->item, &retry_after_s);
    assert_true(retry_after_s >= 1);
    return admitted;
}

static void pop(struct queue *queue, const struct work *expected)
{
    struct queue_item *item = queue_pop(queue);

    assert_ptr_equal(item, &expected->item);
    queue_finish(queue, item->macs);
}

/* A second for `macs` of work. */
static struct queue *create(uint64_t ahead_ns_max, uint64_t macs)
{
    struct queue *queue = queue_create(ahead_ns_max);

    assert_non_null(queue);
    if (macs != 0)
        queue_measured(queue, macs, NS_PER_S);
    return queue;
}

static void first_in_first_out(void **state)
{
    struct queue *queue = create(NS_PER_S, 0);
    struct work works[10] = {0};

    (void)state;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 10; i++) {
            assert_true(push(queue, &works[i], i));
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

/* Work in the engine counts until it is finished. */
static void popped_work_still_counts(void **state)
{
    struct queue *queue = create(NS_PER_S, 100);
    struct work works[3] = {0};

    (void)state;
    assert_true(push(queue, &works[0], 101));
    assert_ptr_equal(queue_pop(queue), &works[0].item);
    assert_int_equal(queue_get_state(queue).depth, 0);
    assert_true(queue_get_state(queue).cost_s > 1.0);
    assert_false(push(queue, &works[1], 1));
    queue_finish(queue, 101);
    assert_true(push(queue, &works[1], 1));
    pop(queue, &works[1]);
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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
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
    queue_measured(queue, 100, NS_PER_S);
    assert_true(queue_get_state(queue).cost_s > 1.0);
    assert_true(queue_get_state(queue).cost_s < 10.0);
    for (int i = 0; i < 200; i++)
        queue_measured(queue, 100, NS_PER_S);
    assert_true(queue_get_state(queue).cost_s > 9.9);
    assert_true(queue_get_state(queue).cost_s < 10.1);
    pop(queue, &work);
    queue_destroy(queue);
}

static void *pop_main(void *argument)
{
    return queue_pop(argument);
}

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
    assert_null(queue_pop(queue));
    assert_null(queue_pop(queue));
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

enum { PRODUCERS = 3, CONSUMERS = 3, WORKS = 4000 };

static struct queue *shared;
static struct work shared_works[PRODUCERS][WORKS];
static atomic_uint admitted_n, refused_n, popped_n, disorder_n;

static void *producer_main(void *argument)
{
    uintptr_t me = (uintptr_t)argument;

    for (unsigned i = 0; i < WORKS; i++) {
        struct work *work = &shared_works[me][i];
        unsigned retry_after_s;

        work->item.macs = 1 + i % 7;
        work->producer = (unsigned)me;
        work->number = i;
        if (queue_try_push(shared, &work->item, &retry_after_s))
            atomic_fetch_add(&admitted_n, 1);
        else
            atomic_fetch_add(&refused_n, 1);
    }
    return NULL;
}

static void *consumer_main(void *argument)
{
    unsigned next[PRODUCERS] = {0};
    struct queue_item *item;

    (void)argument;
    while ((item = queue_pop(shared)) != NULL) {
        struct work *work = (struct work *)(void *)item;

        if (atomic_fetch_add(&work->popped, 1) != 0 || work->number < next[work->producer])
            atomic_fetch_add(&disorder_n, 1);
        next[work->producer] = work->number + 1;
        atomic_fetch_add(&popped_n, 1);
        queue_finish(shared, item->macs);
    }
    return NULL;
}

/* Every admitted item comes out once, those of one producer in order at every consumer. */
static void every_item_once(void **state)
{
    pthread_t producers[PRODUCERS], consumers[CONSUMERS];

    (void)state;
    (void)alarm(HANG_S);
    shared = create(NS_PER_S, 1000);
    for (uintptr_t i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_create(&consumers[i], NULL, consumer_main, NULL), 0);
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&producers[i], NULL, producer_main, (void *)i), 0);
    for (size_t i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    queue_close(shared);
    for (size_t i = 0; i < CONSUMERS; i++)
        pthread_join(consumers[i], NULL);
    assert_int_equal(admitted_n + refused_n, PRODUCERS * WORKS);
    assert_int_equal(popped_n, admitted_n);
    assert_int_equal(disorder_n, 0);
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
    queue = queue_create(0);
    assert_true(fault_disarm());
    assert_null(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(admission_by_predicted_work),
        cmocka_unit_test(popped_work_still_counts),
        cmocka_unit_test(empty_queue_admits_anything),
        cmocka_unit_test(bounded_without_measurement),
        cmocka_unit_test(retry_after_is_when_the_backlog_fits),
        cmocka_unit_test(speed_follows_the_measurements),
        cmocka_unit_test(closed_queue_is_emptied_first),
        cmocka_unit_test(every_item_once),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
