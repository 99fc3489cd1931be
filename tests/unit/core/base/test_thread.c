/* Threads have the stack that they need, also where the process's default is the least. */
#include "check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/team.h"
#include "base/thread.h"

enum { LEAST_BYTES = 64 << 10, DEEP_BYTES = 512 << 10, THREADS = 3, ITEMS = 64 };

/* Touch every page of a frame that the default stack has no room for. */
static void go_deep(void)
{
    volatile char frame[DEEP_BYTES];

    for (size_t i = sizeof frame; i > 0; i -= 512)
        frame[i - 1] = 1;
}

static void *deep_main(void *done)
{
    go_deep();
    *(bool *)done = true;
    return NULL;
}

static void deep_item(void *context, size_t item, unsigned thread)
{
    (void)context, (void)item, (void)thread;
    go_deep();
}

static int make_default_small(void **state)
{
    pthread_attr_t attributes;

    (void)state;
    return pthread_attr_init(&attributes) != 0 ||
           pthread_attr_setstacksize(&attributes, LEAST_BYTES) != 0 ||
           pthread_setattr_default_np(&attributes) != 0;
}

static void test_a_thread(void **state)
{
    bool done = false;
    pthread_t thread;

    (void)state;
    assert_int_equal(vgg_thread_start(&thread, deep_main, &done), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(done);
}

static void test_a_pool(void **state)
{
    struct vgg_team *team;

    (void)state;
    assert_int_equal(vgg_team_create(THREADS, &team, NULL), VGG_OK);
    vgg_team_run(team, deep_item, NULL, ITEMS);
    vgg_team_destroy(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_thread),
                                       cmocka_unit_test(test_a_pool)};

    return cmocka_run_group_tests_name("threads", tests, make_default_small, NULL);
}
