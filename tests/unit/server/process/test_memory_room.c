/* The tightest of the limits, read from a tree that looks like /proc and /sys. */
#include "check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "process/memory_room.h"
#include "server/fake_root.h"

enum { MARGIN_MIB = 32 };

static void check_room(uint64_t free_mib, uint64_t limit_mib, const char *limit)
{
    struct memory_room room = memory_room_get(root);

    assert_string_equal(room.limit, limit);
    assert_int_equal(room.free_bytes, MIB(free_mib));
    assert_int_equal(room.limit_bytes, MIB(limit_mib));
}

/* ---------------------------------------------------------------- the limits ----------------- */

static void test_nothing_is_known(void **state)
{
    struct memory_room room;

    (void)state;
    assert_int_equal(root_clear(), 0);
    room = memory_room_get(root);
    assert_true(room.free_bytes == UINT64_MAX);
    assert_string_equal(room.limit, "none");
}

static void test_the_machine(void **state)
{
    (void)state;
    check_room(5000 - MARGIN_MIB, 8000, "the machine's memory");
    put_machine(8000, MARGIN_MIB - 1);
    check_room(0, 8000, "the machine's memory");
    put_machine(8000, 8001); /* not to be believed */
    assert_string_equal(memory_room_get(root).limit, "none");
}

static void test_a_group(void **state)
{
    (void)state;
    put("proc/self", "cgroup", "0::/a/b\n");
    put_group(V2 "/a/b", 100, 0, 0);
    check_room(5000 - MARGIN_MIB, 8000, "the machine's memory");
    put_group(V2 "/a/b", 100, 1000, 0);
    check_room(900 - MARGIN_MIB, 1000, "the control group's memory.max");
    put_group(V2 "/a/b", 100, 1000, 700);
    check_room(600 - MARGIN_MIB, 700, "the control group's memory.high");
    put_group(V2 "/a/b", 1001, 1000, 0);
    check_room(0, 1000, "the control group's memory.max");
}

/* Files in the page cache can be had back. */
static void test_files_do_not_count(void **state)
{
    char text[128];

    (void)state;
    put("proc/self", "cgroup", "0::/a\n");
    put_group(V2 "/a", 900, 1000, 0);
    snprintf(text, sizeof text, "anon 5\ninactive_file %llu\nactive_file %llu\n",
             (unsigned long long)MIB(300), (unsigned long long)MIB(100));
    put(V2 "/a", "memory.stat", text);
    check_room(500 - MARGIN_MIB, 1000, "the control group's memory.max");
    put_group(V2 "/a", 300, 1000, 0); /* more files than use: counted at different moments */
    put(V2 "/a", "memory.stat", text);
    check_room(1000 - MARGIN_MIB, 1000, "the control group's memory.max");
}

static void test_groups_above(void **state)
{
    (void)state;
    put("proc/self", "cgroup", "0::/a/b/c\n");
    put_group(V2 "/a/b/c", 10, 1000, 0);
    put_group(V2 "/a/b", 50, 0, 0);
    put_group(V2 "/a", 700, 900, 0);
    check_room(200 - MARGIN_MIB, 900, "the control group's memory.max");
    put_group(V2, 700, 800, 0); /* the root of a container */
    check_room(100 - MARGIN_MIB, 800, "the control group's memory.max");
}

/* The path of a container is the host's and leads nowhere inside. */
static void test_only_the_root_is_visible(void **state)
{
    (void)state;
    put("proc/self", "cgroup", "0::/../kubepods/pod1\n");
    put_group(V2, 100, 400, 0);
    check_room(300 - MARGIN_MIB, 400, "the control group's memory.max");
}

static void test_first_version(void **state)
{
    (void)state;
    put("proc/self", "cgroup",
        "12:cpu,cpuacct:/x\n11:memory_not:/y\n9:blkio,memory:/docker/1\n1:name=systemd:/z\n");
    put_bytes(V1 "/docker/1", "memory.usage_in_bytes", MIB(500));
    put(V1 "/docker/1", "memory.stat", "inactive_file 1\ntotal_inactive_file 104857600\n");
    put_bytes(V1 "/docker/1", "memory.limit_in_bytes", MIB(600));
    put_bytes(V1 "/x", "memory.usage_in_bytes", MIB(1));
    put_bytes(V1 "/x", "memory.limit_in_bytes", MIB(2));
    put_bytes(V1 "/y", "memory.usage_in_bytes", MIB(1));
    put_bytes(V1 "/y", "memory.limit_in_bytes", MIB(2));
    check_room(200 - MARGIN_MIB, 600, "the control group's memory.limit_in_bytes");
    put(V1 "/docker/1", "memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    check_room(5000 - MARGIN_MIB, 8000, "the machine's memory");
}

static void test_damaged_files(void **state)
{
    (void)state;
    put("proc/self", "cgroup", "nonsense\n0\n::\n0::relative\n0::/a\n");
    put(V2 "/a", "memory.current", "many\n");
    put(V2 "/a", "memory.max", "few\n");
    put("proc", "meminfo", "MemTotal\nMemAvailable:\n");
    assert_string_equal(memory_room_get(root).limit, "none");
}

/* Of the address space nothing has to be left alone: going over it is only refused. */
static void test_rlimits(void **state)
{
    static const struct {
        int which;
        const char *name, *status;
    } cases[] = {
        {RLIMIT_AS, "RLIMIT_AS (ulimit -v)", "VmPeak: 9999999 kB\nVmSize: 1048576 kB\n"},
        {RLIMIT_DATA, "RLIMIT_DATA (ulimit -d)", "VmSize: 9999999 kB\nVmData: 1048576 kB\n"}};

    (void)state;
    put_machine(UINT64_C(1) << 36, UINT64_C(1) << 36);
    for (size_t i = 0; i < 2; i++) {
        struct rlimit old, given;

        put("proc/self", "status", cases[i].status);
        assert_int_equal(getrlimit(cases[i].which, &old), 0);
        given = old;
        given.rlim_cur = UINT64_C(1) << 50; /* beyond what sanitizers map */
        if (old.rlim_max != RLIM_INFINITY && old.rlim_max < given.rlim_cur)
            skip();
        assert_int_equal(setrlimit(cases[i].which, &given), 0);
        check_room((UINT64_C(1) << 30) - 1024, UINT64_C(1) << 30, cases[i].name);
        assert_int_equal(setrlimit(cases[i].which, &old), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_is_known, root_setup),
        cmocka_unit_test_setup(test_the_machine, root_setup),
        cmocka_unit_test_setup(test_a_group, root_setup),
        cmocka_unit_test_setup(test_files_do_not_count, root_setup),
        cmocka_unit_test_setup(test_groups_above, root_setup),
        cmocka_unit_test_setup(test_only_the_root_is_visible, root_setup),
        cmocka_unit_test_setup(test_first_version, root_setup),
        cmocka_unit_test_setup(test_damaged_files, root_setup),
        cmocka_unit_test_setup(test_rlimits, root_setup),
    };

    return cmocka_run_group_tests_name("memory room", tests, root_make, root_remove);
}
