/* A budget is never exceeded but by someone alone, and nobody waits for ever. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "work/budget.h"

enum { THREADS = 6, ROUNDS = 3000, MAX = 10, HANG_S = 120 };

static struct budget budget;
static atomic_uint_fast64_t in_use;
static atomic_uint holders, exceeded, finished;

static void hold(uint64_t amount)
{
    uint64_t used;
    unsigned with;

    budget_take(&budget, amount);
    /* Counted after taking and until giving: never more than what is out. */
    used = atomic_fetch_add(&in_use, amount) + amount;
    with = atomic_fetch_add(&holders, 1) + 1;
    if ((amount <= MAX && used > MAX) || (amount > MAX && with > 1))
        atomic_fetch_add(&exceeded, 1);
    atomic_fetch_sub(&holders, 1);
    atomic_fetch_sub(&in_use, amount);
    budget_give(&budget, amount);
}

static void *taker_main(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument + 1;

    for (int i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525 + 1013904223;
        hold(seed >> 16 & 63 ? 1 + (seed >> 24) % MAX : 3 * MAX);
    }
    atomic_fetch_add(&finished, 1);
    return NULL;
}

/* Amounts of all sizes, some larger than the whole budget. */
static void never_exceeded(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    (void)alarm(HANG_S);
    budget_init(&budget, MAX);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, taker_main, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&finished), THREADS);
    assert_int_equal(atomic_load(&exceeded), 0);
    assert_int_equal(budget.used, 0);
    budget_fini(&budget);
    (void)alarm(0);
}

/* What fits is given at once; these would hang otherwise. */
static void what_fits_does_not_wait(void **state)
{
    struct budget own;

    (void)state;
    (void)alarm(HANG_S);
    budget_init(&own, MAX);
    budget_take(&own, 4);
    budget_take(&own, 0);
    budget_take(&own, 6);
    assert_int_equal(own.used, MAX);
    budget_give(&own, 10);
    budget_take(&own, 5 * MAX); /* alone */
    budget_give(&own, 5 * MAX);
    assert_int_equal(own.used, 0);
    budget_fini(&own);
    (void)alarm(0);
}

static atomic_bool taken;

static void *wait_main(void *argument)
{
    budget_take(argument, MAX);
    atomic_store(&taken, true);
    budget_give(argument, MAX);
    return NULL;
}

/* One unit in use keeps the whole budget away from another; the last give lets it through. */
static void waits_for_the_last(void **state)
{
    struct budget own;
    pthread_t thread;

    (void)state;
    (void)alarm(HANG_S);
    atomic_store(&taken, false);
    budget_init(&own, MAX);
    budget_take(&own, 2);
    assert_int_equal(pthread_create(&thread, NULL, wait_main, &own), 0);
    budget_give(&own, 1);
    for (int i = 0; i < 200; i++) {
        usleep(100);
        assert_false(atomic_load(&taken));
    }
    budget_give(&own, 1);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&taken));
    budget_fini(&own);
    (void)alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_does_not_wait),
        cmocka_unit_test(waits_for_the_last),
        cmocka_unit_test(never_exceeded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
