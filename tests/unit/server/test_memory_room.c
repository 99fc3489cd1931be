/* The tightest of the limits, read from a tree that looks like /proc and /sys. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory_room.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define V2 "sys/fs/cgroup"
#define V1 "sys/fs/cgroup/memory"

enum { MARGIN_MIB = 32 };

static char root[] = "/tmp/vgg-room-XXXXXX";

/* ---------------------------------------------------------------- the tree ------------------- */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind;
    return walk->level == 0 ? 0 : remove(path);
}

static int remove_tree(void)
{
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Write root/DIRECTORY/NAME, making the directories. */
static void put(const char *directory, const char *name, const char *text)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s/%s", root, directory, name);
    for (char *slash = path + sizeof root; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        (void)mkdir(path, 0700);
    }
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void put_bytes(const char *directory, const char *name, uint64_t bytes)
{
    char text[32];

    snprintf(text, sizeof text, "%llu\n", (unsigned long long)bytes);
    put(directory, name, text);
}

static void put_machine(uint64_t total_mib, uint64_t available_mib)
{
    char text[160];

    snprintf(text, sizeof text,
             "MemTotal: %8llu kB\nMemFree: 1 kB\nMemAvailable: %8llu kB\nBuffers: 2 kB\n",
             (unsigned long long)total_mib << 10, (unsigned long long)available_mib << 10);
    put("proc", "meminfo", text);
}

/* A group of the second version; 0: no limit. */
static void put_group(const char *directory, uint64_t used_mib, uint64_t max_mib, uint64_t high_mib)
{
    put_bytes(directory, "memory.current", MIB(used_mib));
    put(directory, "memory.stat", "anon 5\nfile 6\n");
    put(directory, "memory.max", "max\n");
    put(directory, "memory.high", "max\n");
    if (max_mib != 0)
        put_bytes(directory, "memory.max", MIB(max_mib));
    if (high_mib != 0)
        put_bytes(directory, "memory.high", MIB(high_mib));
}

static int setup(void **state)
{
    (void)state;
    if (remove_tree() != 0)
        return -1;
    put_machine(8000, 5000);
    return 0;
}

static int setup_all(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int teardown_all(void **state)
{
    (void)state;
    return remove_tree() == 0 ? rmdir(root) : -1;
}

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
    assert_int_equal(remove_tree(), 0);
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
    } cases[] = {{RLIMIT_AS, "RLIMIT_AS", "VmPeak: 9999999 kB\nVmSize: 1048576 kB\n"},
                 {RLIMIT_DATA, "RLIMIT_DATA", "VmSize: 9999999 kB\nVmData: 1048576 kB\n"}};

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
        cmocka_unit_test_setup(test_nothing_is_known, setup),
        cmocka_unit_test_setup(test_the_machine, setup),
        cmocka_unit_test_setup(test_a_group, setup),
        cmocka_unit_test_setup(test_files_do_not_count, setup),
        cmocka_unit_test_setup(test_groups_above, setup),
        cmocka_unit_test_setup(test_only_the_root_is_visible, setup),
        cmocka_unit_test_setup(test_first_version, setup),
        cmocka_unit_test_setup(test_damaged_files, setup),
        cmocka_unit_test_setup(test_rlimits, setup),
    };

    return cmocka_run_group_tests_name("memory room", tests, setup_all, teardown_all);
}
