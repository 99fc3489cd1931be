/* What a command needs, held against what a process may have. */
#include "check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/resources.h"
#include "server/fake_root.h"

static const struct resources_need nothing = {0};

static void check_good(const struct resources_need *need)
{
    struct vgg_error error = {0};

    if (resources_check(need, root, &error) != VGG_OK)
        fail_msg("refused: %s", error.text);
}

/* What is said to be needed of the limit, in the unit of the line. */
static uint64_t check_refused(const struct resources_need *need, const char *name)
{
    struct vgg_error error = {0};
    unsigned long long is, needed;
    const char *rest;

    assert_int_equal(resources_check(need, root, &error), VGG_NO_MEMORY);
    rest = strstr(error.text, " is ");
    if (strstr(error.text, name) == NULL || rest == NULL || strchr(error.text, '\n') != NULL ||
        sscanf(rest, " is %llu%*[^0-9]%llu", &is, &needed) != 2 || needed <= is ||
        strstr(error.text, " are needed") == NULL)
        fail_msg("\"%s\" does not say what %s has to be", error.text, name);
    return needed;
}

/* ---------------------------------------------------------------- memory --------------------- */

static void test_second_version(void **state)
{
    const struct resources_need need = {.bytes = MIB(500)};

    (void)state;
    put("proc/self", "cgroup", "0::/a\n");
    put_group(V2 "/a", 100, 400, 0);
    put_bytes(V2 "/a", "memory.max", check_refused(&need, "memory.max") << 10);
    check_good(&need);
    put_group(V2 "/a", 100, 0, 400);
    put_bytes(V2 "/a", "memory.high", check_refused(&need, "memory.high") << 10);
    check_good(&need);
    put_group(V2 "/a", 400, 300, 0); /* more than full */
    put_bytes(V2 "/a", "memory.max", check_refused(&need, "memory.max") << 10);
    check_good(&need);
}

static void test_first_version(void **state)
{
    const struct resources_need need = {.bytes = MIB(500)};

    (void)state;
    put("proc/self", "cgroup", "3:memory:/a\n");
    put_bytes(V1 "/a", "memory.usage_in_bytes", MIB(100));
    put_bytes(V1 "/a", "memory.limit_in_bytes", MIB(400));
    put_bytes(V1 "/a", "memory.limit_in_bytes",
              check_refused(&need, "memory.limit_in_bytes") << 10);
    check_good(&need);
}

static void test_the_machine(void **state)
{
    const struct resources_need need = {.bytes = MIB(6000)};

    (void)state;
    assert_true(check_refused(&need, "the machine's memory") >= (uint64_t)9000 << 10);
    put_machine(12000, 9000);
    check_good(&need);
}

/* What is only mapped counts where mappings are limited, and nowhere else. */
static void test_mappings(void **state)
{
    const struct resources_need need = {.bytes = MIB(10), .mapped = (uint64_t)1 << 40};
    struct rlimit old, given;

    (void)state;
    check_good(&need);
    put("proc/self", "status", "VmSize: 1024 kB\nVmData: 1024 kB\n");
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    given = old;
    given.rlim_cur = (uint64_t)1 << 39;
    if ((old.rlim_max != RLIM_INFINITY && old.rlim_max < given.rlim_cur) ||
        setrlimit(RLIMIT_AS, &given) != 0)
        skip(); /* as a sanitizer's shadow may have it */
    assert_true(check_refused(&need, "ulimit -v") >= (uint64_t)1 << 30);
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
}

/* Of threads only the stacks' touched pages are used memory. */
static void test_a_model(void **state)
{
    const struct vgg_footprint footprint = {.load = 100, .held = 70, .mapped = 30};
    struct vgg_engine_options engine = {.threads = 3};
    struct resources_need need = {.bytes = 1, .threads = 2};

    (void)state;
    resources_add_model(&need, &footprint, &engine);
    assert_int_equal(need.bytes, 101); /* the most at a time */
    assert_int_equal(need.mapped, 30);
    assert_int_equal(need.threads, 5);
    need = nothing;
    resources_add_model(&need, &footprint, NULL);
    assert_int_equal(need.threads, 0);
    need = nothing;
    engine.threads = 0;
    resources_add_model(&need, &footprint, &engine);
    assert_int_equal(need.threads, vgg_threads_default());
}

/* ---------------------------------------------------------------- descriptors, threads ------- */

static void test_descriptors(void **state)
{
    struct resources_need need = {.descriptors = 300};
    struct rlimit old, given, raised;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    if (old.rlim_max < 300)
        skip();
    given = (struct rlimit){100, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &given), 0);
    check_good(&need);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &raised), 0);
    assert_int_equal(raised.rlim_cur, 300);
    need.descriptors = old.rlim_max;
    if (++need.descriptors != 0)
        assert_int_equal(check_refused(&need, "ulimit -n"), need.descriptors);
    (void)setrlimit(RLIMIT_NOFILE, &old);
}

/* In a child that is another user, since root is not held to it. */
static int with_few_threads(void)
{
    const struct rlimit few = {4, 4};
    struct resources_need need = {.threads = 9};
    struct vgg_error error = {0};
    const uid_t nobody = 20000 + (uid_t)getpid() % 40000;

    if (setrlimit(RLIMIT_NPROC, &few) != 0 || setgid(nobody) != 0 || setuid(nobody) != 0)
        return 1;
    if (resources_check(&need, root, &error) != VGG_NO_MEMORY ||
        strcmp(error.text, "RLIMIT_NPROC (ulimit -u) is 4 threads of this user, and 10 threads of "
                           "this user are needed") != 0) {
        dprintf(STDERR_FILENO, "%s\n", error.text);
        return 2;
    }
    need.threads = 3; /* and this one */
    error = (struct vgg_error){0};
    return resources_check(&need, root, &error) == VGG_OK ? 0 : 3;
}

static void test_threads(void **state)
{
    int status;
    pid_t pid;

    (void)state;
#ifdef __SANITIZE_THREAD__
    print_message("SKIPPED: the thread sanitizer has threads of its own, which count too\n");
    skip();
#endif
    if (geteuid() != 0)
        skip();
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(with_few_threads());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---------------------------------------------------------------- later ---------------------- */

static void test_what_is_explained(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    resources_explain(&error);
    assert_int_equal(error.status, VGG_OK);
    vgg_fail(&error, VGG_IO, "a reason");
    resources_explain(&error);
    assert_string_equal(error.text, "a reason");
    error = (struct vgg_error){0};
    vgg_fail(&error, VGG_NO_MEMORY, "out of memory");
    resources_explain(&error);
    assert_int_equal(error.status, VGG_NO_MEMORY);
    assert_int_equal(strncmp(error.text, "out of memory", 13), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_second_version, root_setup),
        cmocka_unit_test_setup(test_first_version, root_setup),
        cmocka_unit_test_setup(test_the_machine, root_setup),
        cmocka_unit_test_setup(test_mappings, root_setup),
        cmocka_unit_test_setup(test_a_model, root_setup),
        cmocka_unit_test_setup(test_descriptors, root_setup),
        cmocka_unit_test_setup(test_threads, root_setup),
        cmocka_unit_test_setup(test_what_is_explained, root_setup),
    };

    return cmocka_run_group_tests_name("resources", tests, root_make, root_remove);
}
