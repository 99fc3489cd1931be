/* Parsers: every item once, a bound on those that wait, an end in which nothing is lost. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "work/parsers.h"

enum { ITEMS = 5000 };

struct item {
    struct parser_item item; /* first */
    atomic_int parsed;
};

static struct item items[ITEMS];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: the threads stand */

static void parse(struct parser_item *item)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    ((struct item *)(void *)item)->parsed++;
}

/* How many of them were taken and parsed once; none may have been parsed twice. */
static size_t parsed(void)
{
    size_t n = 0;

    for (size_t i = 0; i < ITEMS; i++) {
        assert_in_range(items[i].parsed, 0, 1);
        n += (size_t)items[i].parsed;
    }
    return n;
}

static void each_once(void **state)
{
    struct parsers *parsers;
    size_t taken = 0;

    (void)state;
    memset(items, 0, sizeof items);
    for (size_t i = 0; i < ITEMS; i++)
        items[i].item.parse = parse;
    assert_int_equal(parsers_create(&parsers, NULL), VGG_OK);
    pthread_mutex_lock(&gate);
    for (size_t i = 0; i < ITEMS; i++)
        taken += parsers_try_push(parsers, &items[i].item);
    assert_in_range(taken, 64,
                    ITEMS - 1); /* those that wait, and one in the hands of each thread */
    assert_int_equal(parsed(), 0);
    pthread_mutex_unlock(&gate);
    parsers_stop(parsers);
    assert_int_equal(parsed(), taken);
    assert_false(parsers_try_push(parsers, &items[0].item));
    parsers_destroy(parsers);
    parsers_stop(NULL);
    parsers_destroy(NULL);
}

static struct parsers *own;
static pthread_t outer_thread, inner_thread;
static bool taken_within, done_within;

static void parse_inner(struct parser_item *item)
{
    (void)item;
    inner_thread = pthread_self();
}

static void parse_outer(struct parser_item *item)
{
    static struct parser_item inner = {NULL, parse_inner};

    (void)item;
    outer_thread = pthread_self();
    taken_within = parsers_try_push(own, &inner);
    done_within = pthread_equal(inner_thread, outer_thread);
}

/* On a parser nothing queues again, however many wait. */
static void at_once_on_a_parser(void **state)
{
    struct parser_item outer = {NULL, parse_outer};

    (void)state;
    memset(items, 0, sizeof items);
    for (size_t i = 0; i < ITEMS; i++)
        items[i].item.parse = parse;
    assert_int_equal(parsers_create(&own, NULL), VGG_OK);
    pthread_mutex_lock(&gate);
    assert_true(parsers_try_push(own, &outer));
    for (size_t i = 0; i < ITEMS; i++)
        (void)parsers_try_push(own, &items[i].item);
    pthread_mutex_unlock(&gate);
    parsers_stop(own);
    parsers_destroy(own);
    assert_true(taken_within);
    assert_true(done_within);
}

static void without_memory(void **state)
{
    long before = fault_outstanding();
    struct vgg_error error = {0};
    struct parsers *parsers = NULL;

    (void)state;
    if (!fault_available())
        skip();
    fault_arm(1);
    assert_int_equal(parsers_create(&parsers, &error), VGG_NO_MEMORY);
    assert_true(fault_disarm());
    assert_int_equal(error.status, VGG_NO_MEMORY);
    assert_int_equal(fault_outstanding(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_once),
        cmocka_unit_test(at_once_on_a_parser),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
