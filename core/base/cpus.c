/* How many threads this process may keep busy: affinity mask, then cgroup v2 and v1 quotas. */
#include "base/cpus.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgg.h"

enum { PATH_BYTES = 512, CPUS_MAX = 1024 };

static unsigned affinity_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

unsigned vgg_quota_cpus(double quota, double period)
{
    if (!(quota > 0) || !(period > 0) || quota / period > CPUS_MAX)
        return 0;
    /* Round up: half a CPU still needs one thread, 1.5 CPUs can use two. */
    unsigned cpus = (unsigned)(quota / period);

    return (double)cpus < quota / period ? cpus + 1 : cpus;
}

/* cpu.max of cgroup v2 holds "QUOTA PERIOD" or "max PERIOD"; 0: no limit. */
static unsigned v2_cpus(const char *directory)
{
    char path[PATH_BYTES];
    double quota = 0, period = 0;
    FILE *file;

    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", directory);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lf %lf", &quota, &period) != 2)
        quota = 0;
    fclose(file);
    return vgg_quota_cpus(quota, period);
}

static double v1_value(const char *directory, const char *name)
{
    char path[PATH_BYTES];
    double value = 0;
    FILE *file;

    snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/%s", directory, name);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lf", &value) != 1)
        value = 0;
    fclose(file);
    return value;
}

static unsigned v1_cpus(const char *directory)
{
    return vgg_quota_cpus(v1_value(directory, "cpu.cfs_quota_us"),
                          v1_value(directory, "cpu.cfs_period_us"));
}

static unsigned lower_limit(unsigned a, unsigned b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* The tightest quota from the group `path` up to the root. */
static unsigned tightest(char *path, unsigned (*limit_of)(const char *))
{
    unsigned limit = limit_of("");

    while (path[0] == '/' && path[1] != '\0') {
        limit = lower_limit(limit, limit_of(path));
        *strrchr(path, '/') = '\0';
    }
    return limit;
}

/* Is `name` in a comma-separated list? */
static bool list_has(const char *list, const char *name)
{
    size_t length = strlen(name);

    for (; *list != '\0'; list += strcspn(list, ","), list += *list == ',')
        if (strcspn(list, ",") == length && strncmp(list, name, length) == 0)
            return true;
    return false;
}

/* Quota of this process's own group and its parents; 0: none. */
static unsigned cgroup_cpus(void)
{
    char line[PATH_BYTES];
    unsigned limit = lower_limit(v2_cpus(""), v1_cpus(""));
    FILE *file = fopen("/proc/self/cgroup", "re");

    if (file == NULL)
        return limit;
    while (fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

        line[strcspn(line, "\n")] = '\0';
        if (path == NULL)
            continue;
        *path++ = '\0';
        if (controllers[1] == '\0')
            limit = lower_limit(limit, tightest(path, v2_cpus));
        else if (list_has(controllers + 1, "cpu"))
            limit = lower_limit(limit, tightest(path, v1_cpus));
    }
    fclose(file);
    return limit;
}

unsigned vgg_threads_default(void)
{
    unsigned cpus = affinity_cpus();
    unsigned quota = cgroup_cpus();

    if (quota != 0 && quota < cpus)
        cpus = quota;
    return cpus != 0 ? cpus : 1;
}
