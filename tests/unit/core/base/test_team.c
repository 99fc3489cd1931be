/* Every item exactly once, whatever the numbers of items and threads. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/team.h"
#include "fault.h"

enum { THREADS_MAX = 8, ITEMS_MAX = 1000, HANG_S = 120 };

/* What the items of a loop saw. Only `times` is written by several threads. */
struct record {
    unsigned threads;
    atomic_uint times[ITEMS_MAX];
    struct {
        size_t next; /* one past the last item */
        atomic_bool busy;
    } thread[THREADS_MAX];
    atomic_uint wrong;
};

static void note_item(void *context, size_t item, unsigned thread)
{
    struct record *record = context;

    if (item >= ITEMS_MAX || thread >= record->threads) {
        atomic_fetch_add(&record->wrong, 1);
        return;
    }
    /* Per-thread scratch: one item at a time, in ascending order. */
    if (atomic_exchange(&record->thread[thread].busy, true) || item < record->thread[thread].next)
        atomic_fetch_add(&record->wrong, 1);
    record->thread[thread].next = item + 1;
    atomic_fetch_add(&record->times[item], 1);
    atomic_store(&record->thread[thread].busy, false);
}

static struct vgg_team *create(unsigned threads)
{
    struct vgg_team *team = NULL;

    assert_int_equal(vgg_team_create(threads, &team, NULL), VGG_OK);
    assert_int_equal(vgg_team_threads(team), threads);
    return team;
}

static void run_once(struct vgg_team *team, struct record *record, size_t items)
{
    memset(record, 0, sizeof *record);
    record->threads = vgg_team_threads(team);
    vgg_team_run(team, note_item, record, items);
    assert_int_equal(atomic_load(&record->wrong), 0);
    for (size_t i = 0; i < ITEMS_MAX; i++)
        if (atomic_load(&record->times[i]) != (i < items))
            fail_msg("item %zu of %zu ran %u times", i, items, atomic_load(&record->times[i]));
}

static void every_item_once(void **state)
{
    static const size_t items[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 33, 100, 999, ITEMS_MAX};
    struct record *record = malloc(sizeof *record);

    (void)state;
    assert_non_null(record);
    for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
        struct vgg_team *team = create(threads);

        for (size_t i = 0; i < COUNT_OF(items); i++)
            for (unsigned round = 0; round < 20; round++)
                run_once(team, record, items[i]);
        vgg_team_destroy(team);
    }
    free(record);
}

/* Short loops in a row: a thread that is late for one must not touch the next. */
static void thousands_of_loops(void **state)
{
    struct record *record = malloc(sizeof *record);

    (void)state;
    assert_non_null(record);
    for (unsigned threads = 2; threads <= 3; threads++) {
        struct vgg_team *team = create(threads);

        for (unsigned round = 0; round < 3000; round++)
            run_once(team, record, round % 6);
        vgg_team_destroy(team);
    }
    free(record);
}

static void add_one(void *context, size_t item, unsigned thread)
{
    unsigned *counts = context;

    (void)thread;
    counts[item]++;
}

/* Plain memory: what one loop wrote is there for the caller, and for any thread of the next. */
static void loops_are_ordered(void **state)
{
    unsigned counts[16] = {0};
    struct vgg_team *team = create(4);

    (void)state;
    for (unsigned round = 1; round <= 2000; round++) {
        vgg_team_run(team, add_one, counts, 16);
        for (size_t i = 0; i < 16; i++)
            assert_int_equal(counts[i], round);
    }
    vgg_team_destroy(team);
}

static void meet(void *context, size_t item, unsigned thread)
{
    (void)item;
    (void)thread;
    pthread_barrier_wait(context);
}

/* As many items as threads, each waiting for all others: ends only if all threads take part. */
static void threads_work_together(void **state)
{
    (void)state;
    (void)alarm(HANG_S);
    for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
        struct vgg_team *team = create(threads);
        pthread_barrier_t barrier;

        pthread_barrier_init(&barrier, NULL, threads);
        for (unsigned round = 0; round < 50; round++)
            vgg_team_run(team, meet, &barrier, threads);
        pthread_barrier_destroy(&barrier);
        vgg_team_destroy(team);
    }
    (void)alarm(0);
}

static void destroy_takes_null_and_idle_pools(void **state)
{
    (void)state;
    vgg_team_destroy(NULL);
    for (unsigned round = 0; round < 200; round++)
        vgg_team_destroy(create(1 + round % THREADS_MAX));
}

static void too_many_threads(void **state)
{
    struct vgg_error error = {0};
    struct vgg_team *team = NULL;

    (void)state;
    assert_int_equal(vgg_team_create(VGG_TEAM_THREADS_MAX + 1, &team, &error), VGG_BAD_ARGUMENT);
    assert_int_equal(error.status, VGG_BAD_ARGUMENT);
    assert_null(team);
}

/* A thread's own memory is allocated too, so creating threads fails on the way. */
static void creation_fails_cleanly(void **state)
{
    unsigned long failures = 0;
    bool fired = true;

    (void)state;
    if (!fault_available())
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        struct vgg_team *team = NULL;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_team_create(THREADS_MAX, &team, &error);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        assert_int_equal(error.status, status);
        if (!fired) {
            vgg_team_destroy(team);
            break;
        }
        failures++;
        assert_null(team);
    }
    assert_true(failures >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation_fails_cleanly), /* first: later threads reuse their memory */
        cmocka_unit_test(too_many_threads),
        cmocka_unit_test(every_item_once),
        cmocka_unit_test(thousands_of_loops),
        cmocka_unit_test(loops_are_ordered),
        cmocka_unit_test(threads_work_together),
        cmocka_unit_test(destroy_takes_null_and_idle_pools),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
