/* Bodies within their common budget. */
#include "check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "fault.h"
#include "http/body.h"

enum { MAX = 1 << 20 };

static struct body_budget budget = {.max = MAX};
static uint8_t bytes[MAX];

static size_t used(void)
{
    return atomic_load(&budget.used);
}

static void keeps_every_byte(void **state)
{
    struct body body;
    size_t sent = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 256);
    body_init(&body, &budget);
    for (size_t piece = 1; sent + piece <= MAX / 2; piece += 97) {
        body_append(&body, bytes + sent, piece);
        sent += piece;
        assert_int_equal(body.size, sent);
        assert_true(used() >= sent && used() <= MAX);
    }
    assert_false(body.starved);
    assert_memory_equal(body.bytes, bytes, sent);
    body_fini(&body);
    assert_int_equal(used(), 0);
}

/* What is counted is what is held: a little for a little. */
static void small_bodies_cost_little(void **state)
{
    struct body bodies[8];

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        body_init(&bodies[i], &budget);
        body_append(&bodies[i], bytes, 1);
        assert_false(bodies[i].starved);
    }
    assert_true(used() >= 8 && used() <= MAX);
    for (size_t i = 0; i < 8; i++)
        body_fini(&bodies[i]);
    assert_int_equal(used(), 0);
    body_init(&bodies[0], &budget);
    body_fini(&bodies[0]);
    memset(&bodies[0], 0, sizeof bodies[0]);
    body_fini(&bodies[0]);
    assert_int_equal(used(), 0);
}

/* Over the budget a body keeps nothing, gives back what it had, and others can go on. */
static void over_the_budget(void **state)
{
    struct body large, other;

    (void)state;
    body_init(&large, &budget);
    body_init(&other, &budget);
    body_append(&other, bytes, 1);
    body_append(&large, bytes, MAX / 2);
    assert_false(large.starved);
    body_append(&large, bytes, MAX / 2);
    assert_true(large.starved);
    assert_int_equal(large.size, 0);
    assert_null(large.bytes);
    assert_int_equal(used(), other.capacity);
    body_append(&large, bytes, 1); /* dropped */
    assert_true(large.starved);
    assert_null(large.bytes);
    body_append(&other, bytes, MAX / 4);
    assert_false(other.starved);
    body_fini(&large);
    body_fini(&other);
    assert_int_equal(used(), 0);
}

static void out_of_memory(void **state)
{
    struct body body;
    long before;

    (void)state;
    if (!fault_available())
        skip();
    before = fault_outstanding();
    body_init(&body, &budget);
    body_append(&body, bytes, 100);
    fault_arm(1);
    body_append(&body, bytes, MAX / 2);
    assert_true(fault_disarm());
    assert_true(body.starved);
    assert_int_equal(used(), 0);
    assert_int_equal(fault_outstanding(), before);
    body_fini(&body);
    assert_int_equal(used(), 0);
}

static void *fill_main(void *argument)
{
    uintptr_t wrong = 0;

    (void)argument;
    for (int i = 0; i < 300; i++) {
        struct body body;

        body_init(&body, &budget);
        for (int k = 0; k < 8; k++) {
            body_append(&body, bytes, MAX / 16);
            wrong += !body.starved && body.size != (size_t)(k + 1) * (MAX / 16);
        }
        wrong += !body.starved && memcmp(body.bytes, bytes, MAX / 16) != 0;
        body_fini(&body);
    }
    return (void *)wrong;
}

/* More wanted than there is, by several threads at a time: in the end nothing is missing. */
static void many_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fill_main, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        void *wrong = &threads;

        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(used(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_byte), /* first: it fills `bytes` */
        cmocka_unit_test(small_bodies_cost_little),
        cmocka_unit_test(over_the_budget),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
