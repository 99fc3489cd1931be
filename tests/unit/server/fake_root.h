/* A tree that looks like /proc and /sys, for what reads the limits of memory. */
#ifndef VGG_TESTS_FAKE_ROOT_H
#define VGG_TESTS_FAKE_ROOT_H

#include "check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB(n) ((uint64_t)(n) << 20)
#define V2 "sys/fs/cgroup"
#define V1 "sys/fs/cgroup/memory"

static char root[] = "/tmp/vgg-root-XXXXXX";

static inline int root_remove_entry(const char *path, const struct stat *info, int kind,
                                    struct FTW *walk)
{
    (void)info, (void)kind;
    return walk->level == 0 ? 0 : remove(path);
}

static inline int root_clear(void)
{
    return nftw(root, root_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Write root/DIRECTORY/NAME, making the directories. */
static inline void put(const char *directory, const char *name, const char *text)
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

static inline void put_bytes(const char *directory, const char *name, uint64_t bytes)
{
    char text[32];

    snprintf(text, sizeof text, "%llu\n", (unsigned long long)bytes);
    put(directory, name, text);
}

static inline void put_machine(uint64_t total_mib, uint64_t available_mib)
{
    char text[160];

    snprintf(text, sizeof text,
             "MemTotal: %8llu kB\nMemFree: 1 kB\nMemAvailable: %8llu kB\nBuffers: 2 kB\n",
             (unsigned long long)total_mib << 10, (unsigned long long)available_mib << 10);
    put("proc", "meminfo", text);
}

/* A group of the second version; 0: no limit. */
static inline void put_group(const char *directory, uint64_t used_mib, uint64_t max_mib,
                             uint64_t high_mib)
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

/* For each test: a machine of 8000 MiB, 5000 of them free, and nothing else. */
static inline int root_setup(void **state)
{
    (void)state;
    if (root_clear() != 0)
        return -1;
    put_machine(8000, 5000);
    return 0;
}

static inline int root_make(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static inline int root_remove(void **state)
{
    (void)state;
    return root_clear() == 0 ? rmdir(root) : -1;
}

#endif
