/*
 * Starting the server with something missing: memory, threads, event descriptors, one at a time.
 * It ends with one line of explanation and status 2, and leaves nothing behind; or it copes.
 */
#include "check.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "fault.h"
#include "server/http_client.h"
#include "server/serving.h"
#include "vgg.h"

enum { HANG_S = 600, FAULTS_MAX = 20000, QUIET_ROUNDS = 3 };

static char model_path[] = "/tmp/vgg-start-XXXXXX";

/* ---------------------------------------------------------------- faults --------------------- */

typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int (*eventfd_fn)(unsigned, int);
typedef int (*epoll_fn)(int);

/* Calls of a function up to the one that fails; 0: none. */
static atomic_ulong threads_left, eventfds_left;

static bool counts_down(atomic_ulong *left)
{
    unsigned long now = atomic_load(left);

    while (now != 0 && !atomic_compare_exchange_weak(left, &now, now - 1))
        ;
    return now == 1;
}

/* In front of the C library's, for our code and for the libraries'. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    create_fn next = (create_fn)dlsym(RTLD_NEXT, "pthread_create");

    return counts_down(&threads_left) ? EAGAIN : next(thread, attributes, run, argument);
}

int eventfd(unsigned count, int flags)
{
    eventfd_fn next = (eventfd_fn)dlsym(RTLD_NEXT, "eventfd");

    if (!counts_down(&eventfds_left))
        return next(count, flags);
    errno = EMFILE;
    return -1;
}

int epoll_create1(int flags)
{
    epoll_fn next = (epoll_fn)dlsym(RTLD_NEXT, "epoll_create1");

    if (!counts_down(&eventfds_left))
        return next(flags);
    errno = EMFILE;
    return -1;
}

static void arm_memory(void *n)
{
    fault_arm((unsigned long)(uintptr_t)n);
}

static bool disarm_memory(void)
{
    return fault_disarm();
}

static void arm_threads(void *n)
{
    atomic_store(&threads_left, (unsigned long)(uintptr_t)n);
}

static bool disarm_threads(void)
{
    return atomic_exchange(&threads_left, 0) == 0;
}

static void arm_eventfds(void *n)
{
    atomic_store(&eventfds_left, (unsigned long)(uintptr_t)n);
}

static bool disarm_eventfds(void)
{
    return atomic_exchange(&eventfds_left, 0) == 0;
}

/* ---------------------------------------------------------------- starting ------------------- */

static struct serving serving;
static struct answer answer;

static bool answers(void)
{
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    int fd = client_socket();

    answer.status = 0;
    if (fd >= 0 && client_connect(fd, serving.ports[0]) &&
        client_send(fd, request, sizeof request - 1))
        client_receive(fd, &answer);
    return answer.status == 200;
}

/* The last line of the log is the complaint; the lines before it are events. */
static bool explains(const char *log)
{
    const char *first = strstr(log, "vgg: ");

    return first != NULL && (first == log || first[-1] == '\n') && is_one_line(first) &&
           strlen(first) > strlen("vgg: \n");
}

/* One start with the n-th of something failing, and its end. Returns whether that happened. */
static bool start_once(void (*arm)(void *n), bool (*disarm)(void), unsigned long n,
                       unsigned long *refused)
{
    size_t descriptors = open_descriptors(false), sockets = open_descriptors(true);
    bool fired, served;

    serving = (struct serving){.model = model_path, .before = arm, .context = (void *)(uintptr_t)n};
    serving_start(&serving);
    fired = disarm();
    served = serving.ready && answers();
    serving_stop(&serving);
    if (serving.ready && (serving.status != 0 || !served))
        fail_msg("without %lu: ready, then status %d: %s", n, serving.status, serving.log.text);
    if (!serving.ready && (serving.status != 2 || !explains(serving.log.text)))
        fail_msg("without %lu: status %d: %s", n, serving.status, serving.log.text);
    if (!serving.ready && !fired)
        fail_msg("it failed for no reason: %s", serving.log.text);
    *refused += !serving.ready;
    assert_int_equal(open_descriptors(true), sockets);
    /* The two that signals write to stay as long as the process; libmicrohttpd 0.9.75 forgets one
     * where a thread of its team cannot be started. */
    assert_in_range(open_descriptors(false), descriptors, descriptors + 3);
    return fired;
}

/* The first, the second, the third ... of something fails, until there are no more. */
static unsigned long start_without_each(void (*arm)(void *n), bool (*disarm)(void))
{
    unsigned long quiet = 0, refused = 0;

    (void)alarm(HANG_S);
    for (unsigned long n = 1; quiet < QUIET_ROUNDS; n++) {
        assert_true(n < FAULTS_MAX);
        quiet = start_once(arm, disarm, n, &refused) ? 0 : quiet + 1;
    }
    (void)alarm(0);
    return refused;
}

/* ---------------------------------------------------------------- tests ---------------------- */

static void memory(void **state)
{
    unsigned long refused = 0;
    long before;

    (void)state;
    if (!fault_available())
        skip();
    /* Twice, so that what stays for good (cached stacks of threads) is there. */
    for (int i = 0; i < 2; i++)
        (void)start_once(arm_memory, disarm_memory, FAULTS_MAX, &refused);
    before = fault_outstanding();
    refused = start_without_each(arm_memory, disarm_memory);
    assert_int_equal(fault_outstanding(), before);
    assert_true(refused >= 80);
}

/* Engine, workers, network threads, watcher, acceptor: the server needs all of them. */
static void threads(void **state)
{
    unsigned long refused = start_without_each(arm_threads, disarm_threads);

    (void)state;
    assert_in_range(refused, 12, 100);
}

static void event_descriptors(void **state)
{
    unsigned long refused = start_without_each(arm_eventfds, disarm_eventfds);

    (void)state;
    assert_in_range(refused, 3, 20);
}

static int setup(void **state)
{
    static const struct vgg_init_options narrow = {
        .arch = "A", .width = 4, .fc = 16, .classes = 10, .crop = 32, .seed = 1};
    int fd = mkstemp(model_path);

    (void)state;
    close(fd);
    return fd >= 0 && vgg_model_init_file(model_path, &narrow, NULL) == VGG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(model_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads),
        cmocka_unit_test(event_descriptors),
        cmocka_unit_test(memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
