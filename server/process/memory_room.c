/* Limits of memory. */
#include "process/memory_room.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TEXT_BYTES = 16 << 10, PATH_BYTES = 4608, SPARE_KIB = 2048 };

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
    uint64_t taken = used + margin, left = limit_bytes > taken ? limit_bytes - taken : 0;

    if (left < room->free_bytes)
        *room = (struct memory_room){left, limit_bytes, taken, limit};
}

/* A file of /proc or /sys as a string, without a stream, which allocates; false: it is not there.
 */
static bool read_text(const char *path, char text[TEXT_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t n = 1;

    if (fd < 0)
        return false;
    while (n > 0 && size < TEXT_BYTES - 1) {
        n = read(fd, text + size, TEXT_BYTES - 1 - size);
        size += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    text[size] = '\0';
    return true;
}

/* Cut the next line off a text; NULL after the last. */
static char *next_line(char **text)
{
    return *text != NULL && **text != '\0' ? strsep(text, "\n") : NULL;
}

/* The number after "KEY " or "KEY:" at the start of a line; an empty key: the first. */
static bool read_number(const char *path, const char *key, uint64_t *value)
{
    size_t length = strlen(key);
    char text[TEXT_BYTES], *rest = text, *line;
    bool found = false;

    if (!read_text(path, text))
        return false;
    while (!found && (line = next_line(&rest)) != NULL)
        found = strncmp(line, key, length) == 0 &&
                (length == 0 || line[length] == ' ' || line[length] == ':') &&
                sscanf(line + length + (length != 0), "%" SCNu64, value) == 1;
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
    char text[TEXT_BYTES], path[PATH_BYTES], *rest = text, *line;

    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (!read_text(path, text))
        return;
    while ((line = next_line(&rest)) != NULL) {
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

        if (group == NULL)
            continue;
        *group++ = '\0';
        if (controllers[1] == '\0')
            look_at_groups(room, root, &v2, group);
        else if (has_memory(controllers + 1))
            look_at_groups(room, root, &v1, group);
    }
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

static void look_at_machine(struct memory_room *room, const char *root)
{
    char path[PATH_BYTES];
    uint64_t total_kib, available_kib;

    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (read_number(path, "MemTotal", &total_kib) &&
        read_number(path, "MemAvailable", &available_kib) && available_kib <= total_kib)
        narrow(room, "the machine's memory", total_kib << 10, (total_kib - available_kib) << 10,
               MARGIN_BYTES);
}

/* `kinds` are those of enum memory_room_kind, added. */
static struct memory_room look_at(const char *root, unsigned kinds)
{
    struct memory_room room = {.free_bytes = UINT64_MAX, .limit = "none"};

    if ((kinds & MEMORY_ROOM_RESIDENT) != 0)
        look_at_machine(&room, root);
    if ((kinds & MEMORY_ROOM_MAPPED) != 0) {
        look_at_rlimit(&room, root, RLIMIT_AS, "RLIMIT_AS (ulimit -v)", "VmSize");
        look_at_rlimit(&room, root, RLIMIT_DATA, "RLIMIT_DATA (ulimit -d)", "VmData");
    }
    if ((kinds & MEMORY_ROOM_RESIDENT) != 0)
        look_at_hierarchies(&room, root);
    return room;
}

struct memory_room memory_room_of(const char *root, enum memory_room_kind kind)
{
    return look_at(root, kind);
}

struct memory_room memory_room_get(const char *root)
{
    return look_at(root, MEMORY_ROOM_MAPPED | MEMORY_ROOM_RESIDENT);
}

/*
 * In KiB, as ulimit counts; what is used differs from start to start by some hundred, so what is
 * said to be enough is a little more.
 */
enum vgg_status memory_room_fail(const struct memory_room *room, uint64_t bytes,
                                 struct vgg_error *error)
{
    return vgg_fail(error, VGG_NO_MEMORY, "%s is %" PRIu64 " KiB, and %" PRIu64 " KiB are needed",
                    room->limit, room->limit_bytes >> 10,
                    ((room->taken_bytes + bytes) >> 10) + SPARE_KIB);
}
