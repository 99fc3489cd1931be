/* Products by OpenBLAS where there is next to no memory: refused, or right, but never waited for.
 */
#include "check.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blas/gemm.h"

enum { SIDE = 160, THREADS = 6, ROUNDS = 20, LIMIT_S = 60 };

static float a[SIDE * SIDE], b[SIDE * SIDE], expected[SIDE * SIDE];

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true; /* the address space cannot be limited */
#else
static const bool sanitized = false;
#endif

/* Small integers, so that every order of the sums gives the same. */
static void fill(void)
{
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        a[i] = (float)(i * 7 % 11) - 5;
        b[i] = (float)(i * 5 % 13) - 6;
    }
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++)
            for (size_t k = 0; k < SIDE; k++)
                expected[y * SIDE + x] += a[y * SIDE + k] * b[k * SIDE + x];
}

static uint64_t mapped_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        _exit(9);
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Leave the process so many bytes of its address space. */
static void leave(uint64_t bytes)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) != 0)
        _exit(9);
    limit.rlim_cur = mapped_bytes() + bytes;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        _exit(9);
}

static void *multiply(void *wrong)
{
    float c[SIDE * SIDE / 4]; /* a quarter of the rows */

    for (size_t round = 0; round < ROUNDS; round++) {
        size_t first = round % 4 * SIDE / 4;

        memset(c, 0, sizeof c);
        vgg_gemm_add(SIDE / 4, SIDE, SIDE, a + first * SIDE, SIDE, b, SIDE, c, SIDE);
        if (memcmp(c, expected + first * SIDE, sizeof c) != 0)
            *(bool *)wrong = true;
    }
    return NULL;
}

static bool multiply_together(void)
{
    pthread_t threads[THREADS];
    bool wrong[THREADS] = {false}, any = false;

    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, multiply, &wrong[i]) != 0)
            _exit(8);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        any = any || wrong[i];
    }
    return !any;
}

static void test_many_threads(void **state)
{
    (void)state;
    assert_true(vgg_gemm_start());
    assert_true(vgg_gemm_start());
    assert_true(multiply_together());
}

/* What a child with a limit of its own finds; 0 is good. */
static void check_child(int (*child)(void))
{
    int status;
    pid_t pid;

    if (sanitized)
        skip();
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(LIMIT_S);
        _exit(child());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* No room for a buffer: refused. With room the same process goes on. */
static int without_any(void)
{
    leave(VGG_GEMM_BYTES / 2);
    if (vgg_gemm_start())
        return 1;
    leave(VGG_GEMM_BYTES + (64 << 20)); /* and stacks */
    return vgg_gemm_start() && multiply_together() ? 0 : 2;
}

/* Room for one: the threads wait for each other. */
static int with_one(void)
{
    pthread_attr_t attributes;

    if (!vgg_gemm_start())
        return 1;
    if (pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstacksize(&attributes, 256 << 10) != 0 ||
        pthread_setattr_default_np(&attributes) != 0)
        return 3;
    leave(VGG_GEMM_BYTES / 2);
    return multiply_together() ? 0 : 2;
}

static void test_no_buffer(void **state)
{
    (void)state;
    check_child(without_any);
}

static void test_one_buffer(void **state)
{
    (void)state;
    check_child(with_one);
}

int main(void)
{
    /* The children first: they are to start it themselves. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_buffer),
        cmocka_unit_test(test_one_buffer),
        cmocka_unit_test(test_many_threads),
    };

    fill();
    return cmocka_run_group_tests_name("gemm", tests, NULL, NULL);
}
