/* How many threads a process may keep busy: rounding, affinity, and control groups of a fake /sys.
 */
#include "check.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cpus.h"
#include "vgg.h"

static void quotas_are_rounded_up(void **state)
{
    static const struct {
        double quota, period;
        unsigned cpus;
    } cases[] = {
        {100000, 100000, 1}, {50000, 100000, 1},    {1000, 1000000, 1},        {100001, 100000, 2},
        {150000, 100000, 2}, {200000, 100000, 2},   {200001, 100000, 3},       {300000, 100000, 3},
        {70000, 10000, 7},   {6400000, 100000, 64}, {102400000, 100000, 1024},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(vgg_quota_cpus(cases[i].quota, cases[i].period), cases[i].cpus);
}

static void no_quota_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(vgg_quota_cpus(-1, 100000), 0); /* cgroup v1 without a limit */
    assert_int_equal(vgg_quota_cpus(0, 100000), 0);
    assert_int_equal(vgg_quota_cpus(100000, 0), 0);
    assert_int_equal(vgg_quota_cpus(100000, -1), 0);
    assert_int_equal(vgg_quota_cpus((double)NAN, 100000), 0);
    assert_int_equal(vgg_quota_cpus(100000, (double)NAN), 0);
    assert_int_equal(vgg_quota_cpus((double)INFINITY, 100000), 0);
    assert_int_equal(vgg_quota_cpus(1e300, 1), 0);
}

static unsigned affinity_count(void)
{
    cpu_set_t set;

    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    return (unsigned)CPU_COUNT(&set);
}

static void the_affinity_mask_is_honoured(void **state)
{
    unsigned all = vgg_threads_default();
    cpu_set_t original, set;
    unsigned kept = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof original, &original), 0);
    assert_in_range(all, 1, affinity_count());
    CPU_ZERO(&set);
    /* One CPU more each time. */
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &original))
            continue;
        CPU_SET(cpu, &set);
        kept++;
        assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0);
        assert_int_equal(vgg_threads_default(), kept < all ? kept : all);
    }
    assert_int_equal(sched_setaffinity(0, sizeof original, &original), 0);
    assert_int_equal(vgg_threads_default(), all);
}

/* ---------------------------------------------------------------- control groups ------------- */

struct group_file {
    const char *path; /* below /sys/fs/cgroup */
    const char *text;
};

static bool write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        return false;
    return (fputs(text, file) >= 0) & (fclose(file) == 0);
}

static bool write_group_file(const struct group_file *file)
{
    char path[256];

    snprintf(path, sizeof path, "/sys/fs/cgroup/%s", file->path);
    for (char *slash = path + strlen("/sys/fs/cgroup/"); (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = '\0';
        (void)mkdir(path, 0755);
        *slash = '/';
    }
    return write_text(path, file->text);
}

/* In a child: /sys/fs/cgroup and /proc/self/cgroup of our own making. False: not permitted. */
static bool fake_groups(const char *membership, const struct group_file *files, size_t files_n)
{
    char fake[] = "/tmp/vgg-cgroup-XXXXXX";
    char own[64];
    int fd = mkstemp(fake);
    bool done;

    if (fd < 0)
        return false;
    close(fd);
    snprintf(own, sizeof own, "/proc/%d/cgroup", (int)getpid());
    done = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) == 0 && write_text(fake, membership) &&
           mount(fake, own, NULL, MS_BIND, NULL) == 0;
    for (size_t i = 0; done && i < files_n; i++)
        done = write_group_file(&files[i]);
    unlink(fake);
    return done;
}

enum { NOT_PERMITTED = 255 };

/* vgg_threads_default() in such a child. */
static unsigned threads_in(const char *membership, const struct group_file *files, size_t files_n)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0)
        _exit(fake_groups(membership, files, files_n) ? (int)vgg_threads_default() : NOT_PERMITTED);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (unsigned)WEXITSTATUS(status);
}

static void control_groups_are_honoured(void **state)
{
    static const struct {
        const char *membership;
        struct group_file files[4];
        unsigned cpus; /* where the mask allows as many; 0: no limit */
    } cases[] = {
        {"0::/\n", {{"cpu.max", "max 100000\n"}}, 0},
        {"0::/\n", {{"cpu.max", "100000 100000\n"}}, 1},
        {"0::/\n", {{"cpu.max", "20000 100000\n"}}, 1},
        {"0::/\n", {{"cpu.max", "110000 100000\n"}}, 2},
        {"0::/\n", {{"cpu.max", "nonsense"}}, 0},
        {"", {{"cpu.max", "100000 100000\n"}}, 1},
        /* Version 2, nested: the group itself, a parent, the tightest of them. */
        {"0::/a/b\n", {{"a/b/cpu.max", "100000 100000\n"}}, 1},
        {"0::/a/b\n", {{"a/cpu.max", "100000 100000\n"}, {"a/b/cpu.max", "max 100000\n"}}, 1},
        {"0::/a/b\n", {{"a/cpu.max", "200000 100000\n"}, {"a/b/cpu.max", "50000 50000\n"}}, 1},
        {"0::/a/b\n", {{"other/cpu.max", "100000 100000\n"}}, 0},
        /* Version 1, with the groups' files below the controller. */
        {"4:cpu,cpuacct:/\n0::/\n",
         {{"cpu/cpu.cfs_quota_us", "100000\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
         1},
        {"4:cpu,cpuacct:/\n0::/\n",
         {{"cpu/cpu.cfs_quota_us", "-1\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
         0},
        {"5:cpuset:/x\n4:cpu:/box\n",
         {{"cpu/box/cpu.cfs_quota_us", "60000\n"}, {"cpu/box/cpu.cfs_period_us", "100000\n"}},
         1},
        {"4:cpuset,cpu:/box\n",
         {{"cpu/box/cpu.cfs_quota_us", "60000\n"}, {"cpu/box/cpu.cfs_period_us", "100000\n"}},
         1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned all = affinity_count(), expected = cases[i].cpus, threads;
        size_t files_n = 0;

        while (files_n < 4 && cases[i].files[files_n].path != NULL)
            files_n++;
        threads = threads_in(cases[i].membership, cases[i].files, files_n);
        if (threads == NOT_PERMITTED) {
            print_message("SKIPPED: this needs the right to mount\n");
            skip();
        }
        if (expected == 0 || expected > all)
            expected = all;
        if (threads != expected)
            fail_msg("case %zu: %u threads instead of %u", i, threads, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotas_are_rounded_up),
        cmocka_unit_test(no_quota_is_no_limit),
        cmocka_unit_test(the_affinity_mask_is_honoured),
        cmocka_unit_test(control_groups_are_honoured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
