/* What the process may have. */
#include "process/resources.h"

#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "process/memory_room.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STACK_BYTES = 4 << 20 };
#else
enum { STACK_BYTES = 1 << 20 };
#endif

enum {
    DESCRIPTORS_LEAST = 16,  /* of any command: files, a socket, what libraries open meanwhile */
    BYTES_LEAST = 1 << 20,   /* likewise: options, buffers, the header of a model */
    THREAD_BYTES = 64 << 10, /* of a stack, touched */
    TEXT_BYTES = sizeof(((struct vgg_error *)NULL)->text)
};

/* ---------------------------------------------------------------- at the start --------------- */

/* There may be next to no stack, so no stream is used. */
static bool refuse(const char *reason)
{
    char line[TEXT_BYTES + 8];
    ssize_t written;

    snprintf(line, sizeof line, "vgg: %s\n", reason);
    written = write(STDERR_FILENO, line, strlen(line));
    (void)written;
    return false;
}

static uint64_t raise_limit(int which, uint64_t wanted)
{
    struct rlimit limit;

    if (getrlimit(which, &limit) != 0)
        return RLIM_INFINITY;
    if (limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        (void)setrlimit(which, &limit);
    }
    return limit.rlim_cur;
}

static void say_short(char text[TEXT_BYTES], const char *name, uint64_t is, const char *unit,
                      uint64_t needed)
{
    snprintf(text, TEXT_BYTES, "%s is %" PRIu64 "%s, and %" PRIu64 "%s are needed", name, is, unit,
             needed, unit);
}

static bool enough(int which, const char *name, uint64_t needed, unsigned shift, const char *unit)
{
    uint64_t limit = raise_limit(which, needed);
    char text[TEXT_BYTES];

    if (limit >= needed)
        return true;
    say_short(text, name, limit >> shift, unit, needed >> shift);
    return refuse(text);
}

/* Of every thread that is not given another one, as those of libmicrohttpd. */
static void size_stacks(void)
{
    pthread_attr_t attributes;

    if (pthread_attr_init(&attributes) != 0)
        return;
    if (pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0)
        (void)pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

void resources_arenas(int most)
{
    struct rlimit limit;
    bool limited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;

    if (limited || most != 0)
        (void)mallopt(M_ARENA_MAX, limited ? 1 : most);
}

/* Memory that is only full is not looked at here: `vgg health` has to run then, too. */
static bool enough_addresses(void)
{
    const struct memory_room room = memory_room_of("", MEMORY_ROOM_MAPPED);
    struct vgg_error error = {0};

    if (room.free_bytes >= BYTES_LEAST)
        return true;
    (void)memory_room_fail(&room, BYTES_LEAST, &error);
    return refuse(error.text);
}

bool resources_enter(void)
{
    if (!enough(RLIMIT_STACK, "RLIMIT_STACK (ulimit -s)", STACK_BYTES, 10, " KiB") ||
        !enough(RLIMIT_NOFILE, "RLIMIT_NOFILE (ulimit -n)", DESCRIPTORS_LEAST, 0, " open files"))
        return false;
    size_stacks();
    resources_arenas(0);
    return enough_addresses();
}

/* ---------------------------------------------------------------- before a command ----------- */

void resources_add_model(struct resources_need *need, const struct vgg_footprint *footprint,
                         const struct vgg_engine_options *engine)
{
    need->bytes += footprint->held > footprint->load ? footprint->held : footprint->load;
    need->mapped += footprint->mapped;
    if (engine != NULL) /* those that help this one, and the one that leads them */
        need->threads += engine->threads != 0 ? engine->threads : vgg_threads_default();
}

uint64_t resources_descriptors(void)
{
    return raise_limit(RLIMIT_NOFILE, RLIM_INFINITY);
}

static enum vgg_status check_descriptors(uint64_t needed, struct vgg_error *error)
{
    uint64_t limit = raise_limit(RLIMIT_NOFILE, needed);
    char text[TEXT_BYTES];

    if (limit >= needed)
        return VGG_OK;
    say_short(text, "RLIMIT_NOFILE (ulimit -n)", limit, " open files", needed);
    return vgg_fail(error, VGG_NO_MEMORY, "%s", text);
}

static enum vgg_status check_memory(const struct resources_need *need, const char *root,
                                    struct vgg_error *error)
{
    const struct {
        enum memory_room_kind kind;
        uint64_t bytes;
    } checks[] = {{MEMORY_ROOM_MAPPED, need->bytes + need->mapped +
                                           (uint64_t)need->threads * (STACK_BYTES + THREAD_BYTES)},
                  {MEMORY_ROOM_RESIDENT, need->bytes + (uint64_t)need->threads * THREAD_BYTES}};
    enum vgg_status status = VGG_OK;

    for (size_t i = 0; i < sizeof checks / sizeof *checks && status == VGG_OK; i++) {
        const struct memory_room room = memory_room_of(root, checks[i].kind);

        if (checks[i].bytes > room.free_bytes)
            status = memory_room_fail(&room, checks[i].bytes, error);
    }
    return status;
}

/* ---------------------------------------------------------------- threads -------------------- */

static void *wait_for_all(void *mutex)
{
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    return NULL;
}

/* How many of n threads can be had at a time. */
static unsigned try_threads(unsigned n)
{
    pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = calloc(n, sizeof *threads);
    unsigned started = 0;

    if (threads == NULL)
        return 0;
    pthread_mutex_lock(&all);
    while (started < n && pthread_create(&threads[started], NULL, wait_for_all, &all) == 0)
        started++;
    pthread_mutex_unlock(&all);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return started;
}

/* A count of those that run is nowhere to be had but from what is left. */
static enum vgg_status check_threads(unsigned needed, struct vgg_error *error)
{
    unsigned started = try_threads(needed);
    struct rlimit limit;
    char text[TEXT_BYTES];

    if (started == needed)
        return VGG_OK;
    if (geteuid() != 0 && getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        say_short(text, "RLIMIT_NPROC (ulimit -u)", limit.rlim_cur, " threads of this user",
                  limit.rlim_cur + needed - started);
    else
        snprintf(text, sizeof text,
                 "the system (pids.max of the control group, kernel.threads-max) lets this process "
                 "start %u threads, and %u are needed",
                 started, needed);
    return vgg_fail(error, VGG_NO_MEMORY, "%s", text);
}

enum vgg_status resources_check(const struct resources_need *need, const char *root,
                                struct vgg_error *error)
{
    enum vgg_status status = check_descriptors(need->descriptors, error);

    if (status == VGG_OK)
        status = check_memory(need, root, error);
    return status == VGG_OK ? check_threads(need->threads, error) : status;
}

void resources_explain(struct vgg_error *error)
{
    const struct memory_room room = memory_room_of("", MEMORY_ROOM_MAPPED);
    const struct vgg_error reason = *error;

    if (error->status != VGG_NO_MEMORY || room.free_bytes == UINT64_MAX ||
        strstr(reason.text, " needed") != NULL)
        return;
    *error = (struct vgg_error){0};
    (void)vgg_fail(error, VGG_NO_MEMORY, "%.200s: %s is %" PRIu64 " KiB, and more are needed",
                   reason.text, room.limit, room.limit_bytes >> 10);
}
