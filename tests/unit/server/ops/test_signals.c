/* Signals become something to wait for. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/signals.h"

enum { HANG_S = 120 };

/* Longer than the moment in which signals are one. */
static void let_pass(void)
{
    const struct timespec moment = {.tv_nsec = SIGNALS_MOMENT_NS + 10 * NS_PER_MS};

    nanosleep(&moment, NULL);
}

static void termination_is_reported(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        let_pass();
        assert_int_equal(signals_wait(0), SIGNALS_NONE);
        assert_int_equal(raise(numbers[i]), 0);
        assert_int_equal(signals_wait(-1), SIGNALS_END);
        assert_int_equal(signals_wait(0), SIGNALS_NONE);
    }
}

/* The second of two is seen by a second wait: it ends the server at once. */
static void each_signal_counts(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        let_pass();
        raise(i == 1 ? SIGINT : SIGTERM);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(signals_wait(0), SIGNALS_END);
    assert_int_equal(signals_wait(0), SIGNALS_NONE);
}

/* From the process group and from the parent: one, also where none has been waited for yet. */
static void within_a_moment_they_are_one(void **state)
{
    (void)state;
    let_pass();
    raise(SIGTERM);
    raise(SIGTERM);
    assert_int_equal(signals_wait(0), SIGNALS_END);
    raise(SIGINT);
    assert_int_equal(signals_wait(0), SIGNALS_NONE);
    let_pass();
    raise(SIGTERM);
    assert_int_equal(signals_wait(0), SIGNALS_END);
}

enum { THREADS = 16 };

static pthread_barrier_t together;

static void *interrupted(void *number)
{
    pthread_barrier_wait(&together);
    pthread_kill(pthread_self(), *(const int *)number);
    return NULL;
}

/* As with one sent to the process, of which another thread takes the next. */
static void at_once_on_many_threads_they_are_one(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT};

    (void)state;
    pthread_barrier_init(&together, NULL, THREADS);
    for (int round = 0; round < 3; round++) {
        pthread_t threads[THREADS];

        let_pass();
        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, interrupted, (void *)(uintptr_t)&numbers[i % 2]),
                0);
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(signals_wait(0), SIGNALS_END);
        assert_int_equal(signals_wait(0), SIGNALS_NONE);
    }
    pthread_barrier_destroy(&together);
}

/* However often it was asked for, one reload does; an end comes first. */
static void reloads_are_one(void **state)
{
    (void)state;
    let_pass();
    raise(SIGHUP);
    raise(SIGTERM);
    raise(SIGHUP);
    assert_int_equal(signals_wait(0), SIGNALS_END);
    assert_int_equal(signals_wait(0), SIGNALS_RELOAD);
    assert_int_equal(signals_wait(0), SIGNALS_NONE);
}

static void others_are_ignored(void **state)
{
    int ends[2];

    (void)state;
    raise(SIGPIPE);
    assert_int_equal(signals_wait(0), SIGNALS_NONE);
    /* A client that has gone is an error of write, not the end of the process. */
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
    assert_int_equal(signals_wait(0), SIGNALS_NONE);
}

static void on_alarm(int number)
{
    (void)number;
    raise(SIGTERM);
}

/* A wait in progress is woken, whichever signal interrupts it. */
static void wakes_a_waiting_thread(void **state)
{
    const struct sigaction action = {.sa_handler = on_alarm};

    (void)state;
    let_pass();
    sigaction(SIGALRM, &action, NULL);
    (void)ualarm(20000, 0);
    assert_int_equal(signals_wait(HANG_S * 1000), SIGNALS_END);
}

/* Where nobody waits, the first one is kept and the second one ends the process. */
static void the_second_ends_what_nobody_attends(void **state)
{
    int status = 0;
    pid_t child;

    (void)state;
    fflush(NULL);
    child = fork();
    if (child == 0) {
        if (signals_init(NULL) != VGG_OK || signals_ended())
            _exit(2);
        raise(SIGHUP);
        raise(SIGTERM);
        raise(SIGTERM);
        if (!signals_ended())
            _exit(3);
        let_pass();
        raise(SIGINT);
        _exit(4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(termination_is_reported),
        cmocka_unit_test(each_signal_counts),
        cmocka_unit_test(within_a_moment_they_are_one),
        cmocka_unit_test(at_once_on_many_threads_they_are_one),
        cmocka_unit_test(reloads_are_one),
        cmocka_unit_test(others_are_ignored),
        cmocka_unit_test(wakes_a_waiting_thread),
        cmocka_unit_test(the_second_ends_what_nobody_attends),
    };

    if (signals_init(NULL) != VGG_OK)
        return 1;
    signals_attend(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
