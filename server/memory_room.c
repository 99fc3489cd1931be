/* Limits of memory. */
#include "memory_room.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { LINE_BYTES = 4096, PATH_BYTES = LINE_BYTES + 512 };

/* Left alone where going over the limit means the end: requests take some meanwhile. */
static const uint64_t MARGIN_BYTES = 32 << 20;

static const uint64_t UNLIMITED = UINT64_C(1) << 60; /* v1 writes "none" as nearly 2^63 */

/* A hierarchy of control groups: its files, and the fields of memory.stat. */
struct hierarchy {
    const char *mount, *usage, *inactive, *active;
    struct {
        const char *file, *name;
    } limits[2];
};

static const struct hierarchy v2 = {"/sys/fs/cgroup",
                                    "memory.current",
                                    "inactive_file",
                                    "active_file",
                                    {{"memory.max", "the control group's memory.max"},
                                     {"memory.high", "the control group's memory.high"}}};
static const struct hierarchy v1 = {
    "/sys/fs/cgroup/memory",
    "memory.usage_in_bytes",
    "total_inactive_file",
    "total_active_file",
    {{"memory.limit_in_bytes", "the control group's memory.limit_in_bytes"}}};

static void narrow(struct memory_room *room, const char *limit, uint64_t limit_bytes, uint64_t used,
                   uint64_t margin)
{
    uint64_t left = limit_bytes > used ? limit_bytes - used : 0;

    left = left > margin ? left - margin : 0;
    if (left < room->free_bytes)
        *room = (struct memory_room){left, limit_bytes, limit};
}

/* The number after "KEY " or "KEY:" at the start of a line; an empty key: the first. */
static bool read_number(const char *path, const char *key, uint64_t *value)
{
    FILE *file = fopen(path, "re");
    size_t length = strlen(key);
    char line[LINE_BYTES];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, key, length) == 0 &&
                (length == 0 || line[length] == ' ' || line[length] == ':') &&
                sscanf(line + length + (length != 0), "%" SCNu64, value) == 1;
    if (file != NULL)
        fclose(file);
    return found;
}

/* ---------------------------------------------------------------- control groups ------------- */

static void look_at_group(struct memory_room *room, const char *root, const struct hierarchy *kind,
                          const char *group)
{
    char path[PATH_BYTES];
    uint64_t used, files = 0, limit;
    int length = snprintf(path, sizeof path, "%s%s%s/", root, kind->mount, group);
    size_t left;

    if (length < 0 || (size_t)length >= sizeof path)
        return;
    left = sizeof path - (size_t)length;
    snprintf(path + length, left, "%s", kind->usage);
    if (!read_number(path, "", &used))
        return;
    snprintf(path + length, left, "memory.stat");
    if (read_number(path, kind->inactive, &limit))
        files += limit;
    if (read_number(path, kind->active, &limit))
        files += limit;
    for (size_t i = 0; i < 2 && kind->limits[i].file != NULL; i++) {
        snprintf(path + length, left, "%s", kind->limits[i].file);
        if (read_number(path, "", &limit) && limit < UNLIMITED)
            narrow(room, kind->limits[i].name, limit, used > files ? used - files : 0,
                   MARGIN_BYTES);
    }
}

/* The group `path` and all above it; in a container the path may lead nowhere but to its root. */
static void look_at_groups(struct memory_room *room, const char *root, const struct hierarchy *kind,
                           char *path)
{
    while (path[0] == '/' && path[1] != '\0') {
        look_at_group(room, root, kind, path);
        *strrchr(path, '/') = '\0';
    }
    look_at_group(room, root, kind, "");
}

/* Is "memory" in the comma-separated list? */
static bool has_memory(const char *list)
{
    for (; *list != '\0'; list += strcspn(list, ","), list += *list == ',')
        if (strcspn(list, ",") == 6 && strncmp(list, "memory", 6) == 0)
            return true;
    return false;
}

static void look_at_hierarchies(struct memory_room *room, const char *root)
{
    char line[LINE_BYTES], path[PATH_BYTES];
    FILE *file;

    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

        line[strcspn(line, "\n")] = '\0';
        if (group == NULL)
            continue;
        *group++ = '\0';
        if (controllers[1] == '\0')
            look_at_groups(room, root, &v2, group);
        else if (has_memory(controllers + 1))
            look_at_groups(room, root, &v1, group);
    }
    if (file != NULL)
        fclose(file);
}

/* ---------------------------------------------------------------- all limits ----------------- */

static void look_at_rlimit(struct memory_room *room, const char *root, int which, const char *name,
                           const char *used_key)
{
    char path[PATH_BYTES];
    struct rlimit limit;
    uint64_t used_kib;

    snprintf(path, sizeof path, "%s/proc/self/status", root);
    if (getrlimit(which, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        read_number(path, used_key, &used_kib))
        narrow(room, name, limit.rlim_cur, used_kib << 10, 0);
}

struct memory_room memory_room_get(const char *root)
{
    struct memory_room room = {.free_bytes = UINT64_MAX, .limit = "none"};
    char path[PATH_BYTES];
    uint64_t total_kib, available_kib;

    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (read_number(path, "MemTotal", &total_kib) &&
        read_number(path, "MemAvailable", &available_kib) && available_kib <= total_kib)
        narrow(&room, "the machine's memory", total_kib << 10, (total_kib - available_kib) << 10,
               MARGIN_BYTES);
    look_at_rlimit(&room, root, RLIMIT_AS, "RLIMIT_AS", "VmSize");
    look_at_rlimit(&room, root, RLIMIT_DATA, "RLIMIT_DATA", "VmData");
    look_at_hierarchies(&room, root);
    return room;
}
