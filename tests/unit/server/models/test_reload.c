/*
 * Hot reload without a server around it: what replaces the model and what does not, by the order of
 * events and the versions that serve. The reloader's naps are counted here, not slept.
 */
#include "models/reload.h"

#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/engine/evaluate.h"
#include "fault.h"
#include "model_maker.h"
#include "ops/log.h"
#include "process/clock.h"
#include "server/capture.h"

/* ---------------------------------------------------------------- time ----------------------- */

static atomic_uint naps;
static atomic_bool long_nap; /* one of more than a second */

/* In the place of the C library's, of which only the reloader makes use. */
int nanosleep(const struct timespec *pause, struct timespec *left)
{
    (void)left;
    naps++;
    if (pause->tv_sec > 1 || (pause->tv_sec == 1 && pause->tv_nsec != 0))
        long_nap = true;
    return 0;
}

static atomic_bool working; /* every look at a thread's CPU time finds a second more */

int clock_gettime(clockid_t clock, struct timespec *time)
{
    static atomic_uint worked_s;

    if (clock == CLOCK_THREAD_CPUTIME_ID && working) {
        *time = (struct timespec){.tv_sec = worked_s++};
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, clock, time);
}

/* ---------------------------------------------------------------- fixtures ------------------- */

enum { FILES = 3, CLASSES = 5 };

static char directory[] = "/tmp/vgg-reload-XXXXXX";
static char paths[FILES][64];
static char versions[FILES][MODEL_VERSION_BYTES];

static void write_model(const char *path, uint64_t seed)
{
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    maker_make(&maker, &(struct maker_spec){.classes = CLASSES, .seed = seed});
    maker_meta(&maker, "vgg.scales", "[32]");
    bytes = maker_bytes(&maker, &size);
    maker_write(path, bytes, size);
    free(bytes);
    maker_free(&maker);
}

static struct vgg_model *load(const char *path)
{
    struct vgg_model *model = NULL;

    assert_int_equal(vgg_model_load(path, &(struct vgg_load_options){.threads = 1}, &model, NULL),
                     VGG_OK);
    return model;
}

static struct {
    struct vgg_engine *engine;
    struct model_slot slot;
    struct reloader *reloader;
    atomic_bool busy, stopping; /* what the server would say */
    _Atomic(sem_t *) hold;      /* where the reloader waits as it asks how busy the server is */
    atomic_uint asked;          /* how often it did */
    unsigned replacing;
} server;

static bool is_busy(void *user)
{
    sem_t *hold = server.hold;

    (void)user;
    server.asked++;
    if (hold != NULL)
        sem_wait(hold);
    return server.busy;
}

static bool is_serving(void *user)
{
    (void)user;
    return !server.stopping;
}

static void on_replacing(void *user, const struct vgg_model *model)
{
    (void)user, (void)model;
    server.replacing++;
}

/* The first file serves. */
static int start_with(struct option_scales scales)
{
    const struct reloader_options options = {.engine = server.engine,
                                             .slot = &server.slot,
                                             .scales = scales,
                                             .busy = is_busy,
                                             .serving = is_serving,
                                             .replacing = on_replacing};
    struct model_file file;

    for (size_t i = 0; i < FILES; i++)
        write_model(paths[i], i + 1);
    model_slot_init(&server.slot, load(paths[0]), 0);
    server.busy = server.stopping = false;
    server.hold = NULL;
    server.asked = server.replacing = 0;
    naps = 0;
    return model_file_open(paths[0], &file, NULL) == VGG_OK &&
                   reloader_create(&options, &file, &server.reloader, NULL) == VGG_OK
               ? 0
               : -1;
}

static int start(void **state)
{
    (void)state;
    return start_with((struct option_scales){{0}, 0});
}

static int stop(void **state)
{
    (void)state;
    reloader_stop(server.reloader);
    reloader_destroy(server.reloader);
    model_slot_fini(&server.slot);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    log_init(LOG_TEXT);
    server.engine = make_engine(&(struct vgg_engine_options){.threads = 1});
    if (mkdtemp(directory) == NULL)
        return -1;
    for (size_t i = 0; i < FILES; i++) {
        struct vgg_model *model;

        snprintf(paths[i], sizeof paths[i], "%s/%zu.safetensors", directory, i);
        write_model(paths[i], i + 1);
        model = load(paths[i]);
        snprintf(versions[i], sizeof versions[i], "%s", vgg_model_get_info(model)->version);
        vgg_model_release(model);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vgg_engine_destroy(server.engine);
    for (size_t i = 0; i < FILES; i++)
        unlink(paths[i]);
    return rmdir(directory);
}

/* ---------------------------------------------------------------- a client ------------------- */

struct client {
    bool refuses; /* in prepare: it has no memory */
    unsigned prepared;
    unsigned replaced_before; /* it was prepared */
    enum reload_end end;
    struct vgg_error error;
    sem_t ended;
};

static bool prepare(void *user, const struct vgg_model *model)
{
    struct client *client = user;

    (void)model;
    client->prepared++;
    client->replaced_before = server.replacing;
    return !client->refuses;
}

static void done(void *user, enum reload_end end, const struct vgg_error *error)
{
    struct client *client = user;

    client->end = end;
    client->error = *error;
    sem_post(&client->ended);
}

static void begin(struct client *client, enum reload_kind kind, const char *path)
{
    char *copy = path != NULL ? strdup(path) : NULL;

    sem_init(&client->ended, 0, 0);
    assert_true(reloader_begin(server.reloader, kind, copy,
                               &(struct reload_client){prepare, done, client}));
}

static void finish(struct client *client)
{
    sem_wait(&client->ended);
    sem_destroy(&client->ended);
}

static struct client run(enum reload_kind kind, const char *path)
{
    struct client client = {0};

    begin(&client, kind, path);
    finish(&client);
    return client;
}

/* The file that serves, which must have been replaced, refused and counted so often. */
static void check(size_t serving, uint64_t failed, uint64_t succeeded)
{
    struct vgg_model *model = model_slot_get(&server.slot);
    uint64_t counts[2];

    assert_string_equal(vgg_model_get_info(model)->version, versions[serving]);
    vgg_model_release(model);
    reloader_get_counts(server.reloader, counts);
    assert_int_equal(counts[0], failed);
    assert_int_equal(counts[1], succeeded);
    assert_int_equal(server.replacing, succeeded);
}

static void check_failed(const struct client *client, enum vgg_status status, const char *text)
{
    assert_int_equal(client->end, RELOAD_FAILED);
    assert_int_equal(client->error.status, status);
    if (strstr(client->error.text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", client->error.text, text);
}

/* ---------------------------------------------------------------- ends ----------------------- */

static void another_file(void **state)
{
    struct vgg_model *old = model_slot_get(&server.slot);
    struct client client = run(RELOAD_FILE, paths[1]);

    (void)state;
    assert_int_equal(client.end, RELOAD_REPLACED);
    assert_int_equal(client.prepared, 1);
    assert_int_equal(client.replaced_before, 0);
    check(1, 0, 1);
    assert_string_equal(vgg_model_get_info(old)->version, versions[0]); /* kept to its end */
    vgg_model_release(old);
}

static void the_file_in_use(void **state)
{
    struct client client = run(RELOAD_FILE, NULL);

    (void)state;
    assert_int_equal(client.end, RELOAD_REPLACED);
    check(0, 0, 1);
    write_model(paths[0], 2);
    client = run(RELOAD_FILE, NULL);
    assert_int_equal(client.end, RELOAD_REPLACED);
    check(1, 0, 2);
}

static void a_failure_leaves_the_old_one(void **state)
{
    struct client client;

    (void)state;
    maker_write(paths[1], "GIF89a and so on", 16);
    client = run(RELOAD_FILE, paths[1]);
    check_failed(&client, VGG_BAD_MODEL, "not a safetensors file");
    client = run(RELOAD_FILE, "/nowhere");
    check_failed(&client, VGG_IO, "/nowhere: No such file");
    client = run(RELOAD_FILE, directory);
    check_failed(&client, VGG_IO, "not a regular file");
    assert_int_equal(client.prepared, 0);
    check(0, 3, 0);
    client = run(RELOAD_FILE, paths[2]); /* and the next one is not the worse for it */
    assert_int_equal(client.end, RELOAD_REPLACED);
    check(2, 3, 1);
}

static void scales_that_do_not_suit_it(void **state)
{
    struct client client;

    (void)state;
    assert_int_equal(start_with((struct option_scales){{31}, 1}), 0);
    client = run(RELOAD_FILE, paths[1]);
    check_failed(&client, VGG_BAD_ARGUMENT, "--scales: ");
    check(0, 1, 0);
    stop(NULL);
}

static void a_client_without_memory(void **state)
{
    struct client client = {.refuses = true};

    (void)state;
    begin(&client, RELOAD_FILE, paths[1]);
    finish(&client);
    check_failed(&client, VGG_NO_MEMORY, "out of memory");
    assert_int_equal(client.prepared, 1);
    check(0, 1, 0);
}

/* Whichever allocation fails, the reload fails for that or is done. */
static void without_memory(void **state)
{
    unsigned long failures = 0;
    bool fired = fault_available();

    (void)state;
    for (unsigned long n = 1; fired; n++) {
        struct client client = {0};

        fault_arm(n);
        begin(&client, RELOAD_FILE, NULL);
        finish(&client);
        fired = fault_disarm();
        if (client.end == RELOAD_FAILED) {
            assert_true(fired);
            assert_int_equal(client.error.status, VGG_NO_MEMORY);
            failures++;
        }
    }
    assert_true(!fault_available() || failures > 10);
}

/* ---------------------------------------------------------------- rollback ------------------- */

static void nothing_to_go_back_to(void **state)
{
    struct client client = run(RELOAD_ROLLBACK, NULL);

    (void)state;
    assert_int_equal(client.end, RELOAD_NO_PREVIOUS);
    check(0, 0, 0); /* not counted: nothing was loaded */
}

static void back_and_forth(void **state)
{
    (void)state;
    (void)run(RELOAD_FILE, paths[1]);
    for (unsigned i = 0; i < 4; i++) {
        struct client client = run(RELOAD_ROLLBACK, NULL);

        assert_int_equal(client.end, RELOAD_REPLACED);
        check(i % 2, 0, 2 + i);
    }
}

/* What it goes back to is the file that was open, whatever its name leads to now. */
static void back_to_a_file_that_was_replaced(void **state)
{
    struct client client;

    (void)state;
    (void)run(RELOAD_FILE, paths[1]);
    assert_int_equal(unlink(paths[0]), 0);
    client = run(RELOAD_ROLLBACK, NULL);
    assert_int_equal(client.end, RELOAD_REPLACED);
    check(0, 0, 2);
}

/* But not one whose bytes have changed; then the other way is still open. */
static void not_back_to_a_file_that_was_written_over(void **state)
{
    struct client client;

    (void)state;
    (void)run(RELOAD_FILE, paths[1]);
    write_model(paths[0], 3); /* the same inode */
    client = run(RELOAD_ROLLBACK, NULL);
    check_failed(&client, VGG_BAD_MODEL, " is not what it was: it was sha256:");
    check(1, 1, 1);
    write_model(paths[0], 1);
    client = run(RELOAD_ROLLBACK, NULL);
    assert_int_equal(client.end, RELOAD_REPLACED);
    check(0, 1, 2);
}

/* A version that is loaded once more does not take the place of the one to go back to. */
static void the_same_again_is_not_what_one_goes_back_to(void **state)
{
    (void)state;
    (void)run(RELOAD_FILE, paths[1]);
    (void)run(RELOAD_FILE, paths[1]);
    (void)run(RELOAD_FILE, NULL);
    check(1, 0, 3);
    (void)run(RELOAD_ROLLBACK, NULL);
    check(0, 0, 4);
}

/* ---------------------------------------------------------------- one at a time -------------- */

static void one_at_a_time(void **state)
{
    struct client client = {0};
    sem_t hold;

    (void)state;
    sem_init(&hold, 0, 0);
    server.hold = &hold;
    begin(&client, RELOAD_FILE, paths[1]);
    while (server.asked == 0)
        sched_yield(); /* it is loading */
    for (unsigned i = 0; i < 2; i++)
        assert_false(reloader_begin(server.reloader, i == 0 ? RELOAD_FILE : RELOAD_ROLLBACK, NULL,
                                    &(struct reload_client){prepare, done, &client}));
    server.hold = NULL;
    sem_post(&hold);
    finish(&client);
    assert_int_equal(client.prepared, 1);
    check(1, 0, 1);
    client = run(RELOAD_FILE, paths[2]);
    assert_int_equal(client.end, RELOAD_REPLACED);
    sem_destroy(&hold);
}

static atomic_int stopper;

static void *stop_main(void *unused)
{
    (void)unused;
    stopper = gettid();
    reloader_stop(server.reloader);
    return NULL;
}

/* Is the stopper asleep, so that it waits for the reloader's thread? */
static bool stop_waits(void)
{
    char path[64], state = '?';
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)stopper);
    file = fopen(path, "r");
    if (file == NULL)
        return false;
    if (fscanf(file, "%*d %*s %c", &state) != 1)
        state = '?';
    fclose(file);
    return state == 'S';
}

static void stopped_while_under_way(void **state)
{
    struct client client = {0};
    pthread_t thread;
    sem_t hold;

    (void)state;
    sem_init(&hold, 0, 0);
    server.hold = &hold;
    begin(&client, RELOAD_FILE, paths[1]);
    while (server.asked == 0)
        sched_yield();
    stopper = 0;
    assert_int_equal(pthread_create(&thread, NULL, stop_main, NULL), 0);
    while (stopper == 0 || !stop_waits())
        sched_yield();
    server.hold = NULL;
    sem_post(&hold);
    pthread_join(thread, NULL);
    finish(&client);
    check_failed(&client, VGG_CANCELLED, "");
    check(0, 1, 0);
    assert_false(reloader_begin(server.reloader, RELOAD_FILE, NULL,
                                &(struct reload_client){prepare, done, &client}));
    reloader_destroy(server.reloader);
    model_slot_fini(&server.slot);
    sem_destroy(&hold);
}

static void given_up_where_the_server_ends(void **state)
{
    struct client client;

    (void)state;
    server.stopping = true;
    client = run(RELOAD_FILE, paths[1]);
    check_failed(&client, VGG_CANCELLED, "");
    assert_int_equal(client.prepared, 0);
    check(0, 1, 0);
}

/* ---------------------------------------------------------------- SIGHUP --------------------- */

/* A refresh, and what the log says of it: all is done by then but its count. */
static void refresh(struct capture *log)
{
    capture_begin(log, STDERR_FILENO);
    reloader_refresh(server.reloader);
    do {
        ssize_t size = pread(log->file, log->text, sizeof log->text - 1, 0);

        log->text[size > 0 ? size : 0] = '\0';
        sched_yield();
    } while (strstr(log->text, " is unchanged") == NULL &&
             strstr(log->text, "configuration A") == NULL);
    capture_end(log);
}

static void only_a_file_that_changed_is_loaded(void **state)
{
    uint64_t counts[2] = {0};
    struct capture log;

    (void)state;
    refresh(&log);
    assert_non_null(strstr(log.text, " is unchanged"));
    check(0, 0, 0);
    write_model(paths[0], 2);
    refresh(&log);
    assert_null(strstr(log.text, " is unchanged"));
    while (counts[1] == 0) {
        sched_yield();
        reloader_get_counts(server.reloader, counts);
    }
    check(1, 0, 1);
}

/* ---------------------------------------------------------------- pace ----------------------- */

/* Beside requests it takes an eighth of a core, else all that there is. */
static void naps_while_the_server_is_busy(void **state)
{
    (void)state;
    working = true;
    (void)run(RELOAD_FILE, paths[1]);
    assert_true(server.asked > 0);
    assert_int_equal(naps, 0);
    server.busy = true;
    server.asked = 0;
    (void)run(RELOAD_FILE, paths[2]);
    assert_true(server.asked > 0);
    assert_int_equal(naps, server.asked);
    assert_false(long_nap); /* it looks again each second */
    working = false;
    check(2, 0, 2);
}

static void no_naps_on_the_way_out(void **state)
{
    struct client client;

    (void)state;
    working = true;
    server.busy = server.stopping = true;
    client = run(RELOAD_FILE, paths[1]);
    working = false;
    check_failed(&client, VGG_CANCELLED, "");
    assert_int_equal(naps, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_file),
        TEST(the_file_in_use),
        TEST(a_failure_leaves_the_old_one),
        cmocka_unit_test(scales_that_do_not_suit_it),
        TEST(a_client_without_memory),
        TEST(without_memory),
        TEST(nothing_to_go_back_to),
        TEST(back_and_forth),
        TEST(back_to_a_file_that_was_replaced),
        TEST(not_back_to_a_file_that_was_written_over),
        TEST(the_same_again_is_not_what_one_goes_back_to),
        TEST(one_at_a_time),
        cmocka_unit_test_setup(stopped_while_under_way, start),
        TEST(given_up_where_the_server_ends),
        TEST(only_a_file_that_changed_is_loaded),
        TEST(naps_while_the_server_is_busy),
        TEST(no_naps_on_the_way_out),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
