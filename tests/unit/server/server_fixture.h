/*
 * A server without a network: all that handlers share, around a small model. Tests call handlers
 * with requests of server/fake_http.h.
 */
#ifndef VGG_TESTS_SERVER_FIXTURE_H
#define VGG_TESTS_SERVER_FIXTURE_H

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "api/server.h"
#include "jpeg_maker.h"
#include "model_maker.h"
#include "models/reload.h"
#include "ops/statistics.h"
#include "process/clock.h"
#include "server/fake_http.h"
#include "work/parsers.h"
#include "work/task.h"
#include "work/workers.h"

enum { FIXTURE_CLASSES = 6, FIXTURE_IMAGES_MAX = 4, FIXTURE_KNOWN = 99 };

static struct {
    struct serve_options options; /* tests may change them between requests */
    struct server server;
    struct workers *workers;
    char directory[32];
    char path[64]; /* of the model that serves at first, in the directory */
    uint8_t *jpeg; /* 40 x 40 pixels */
    size_t jpeg_size;
} fixture;

/* The path of a file in the fixture's directory, valid until the next call. */
static inline const char *fixture_file(const char *name)
{
    static char path[sizeof fixture.path];

    snprintf(path, sizeof path, "%s/%s", fixture.directory, name);
    return path;
}

/*
 * A model file with a name and labels of its own: weights differ by the seed. With `known`
 * distances it has typicality, of which the fixture's has FIXTURE_KNOWN.
 */
static inline void fixture_write_model_known(const char *path, uint64_t seed, unsigned known)
{
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    maker_make(&maker,
               &(struct maker_spec){.classes = FIXTURE_CLASSES, .seed = seed, .known = known});
    maker_meta(&maker, "vgg.labels", "[\"a\", \"b\", [\"n2\", \"c\"], \"d\", \"\", \"f\"]");
    maker_meta(&maker, "vgg.name", "m");
    maker_meta(&maker, "vgg.scales", "[64]");
    bytes = maker_bytes(&maker, &size);
    maker_write(path, bytes, size);
    free(bytes);
    maker_free(&maker);
}

static inline void fixture_write_model(const char *path, uint64_t seed)
{
    fixture_write_model_known(path, seed, FIXTURE_KNOWN);
}

/* Let the weights of the first model serve with so many known distances. */
static inline void fixture_serve_known(unsigned known)
{
    const char *path = fixture_file("known.safetensors");
    struct vgg_model *model;

    fixture_write_model_known(path, 1, known);
    assert_int_equal(vgg_model_load(path, NULL, &model, NULL), VGG_OK);
    model_slot_replace(&fixture.server.model, model, 0.5);
}

static inline bool fixture_is_busy(void *user)
{
    (void)user;
    return false;
}

static inline bool fixture_is_serving(void *user)
{
    (void)user;
    return fixture.server.phase == SERVER_SERVING;
}

static inline void fixture_is_replacing(void *user, const struct vgg_model *model)
{
    (void)user;
    statistics_restart(fixture.server.statistics, model_key(model));
}

static inline bool fixture_start_model(struct model_file *file)
{
    const struct vgg_load_options load = {.threads = 1};
    struct vgg_model *model;

    fixture_write_model(fixture.path, 1);
    if (model_file_open(fixture.path, file, NULL) != VGG_OK ||
        model_file_load(file, &load, &model, NULL) != VGG_OK)
        return false;
    model_slot_init(&fixture.server.model, model, 0.5);
    return true;
}

static inline bool fixture_start_work(void)
{
    const struct queue_options queue = {.ahead_ns_max = 3600 * NS_PER_S,
                                        .bytes_max = UINT64_MAX,
                                        .workers = {1, 1},
                                        .dead = task_dead};
    struct work *work = &fixture.server.work;

    work->options = &fixture.options.work;
    budget_init(&work->decodes, UINT64_MAX);
    work->metrics = metrics_create();
    work->queue = queue_create(&queue);
    return work->metrics != NULL && work->queue != NULL &&
           vgg_engine_create(&(struct vgg_engine_options){.threads = 1}, &work->engine, NULL) ==
               VGG_OK &&
           workers_create(work, queue.workers, &fixture.workers, NULL) == VGG_OK;
}

static inline bool fixture_start_rest(struct model_file *file)
{
    struct server *server = &fixture.server;
    const struct reloader_options reloads = {.engine = server->work.engine,
                                             .slot = &server->model,
                                             .busy = fixture_is_busy,
                                             .serving = fixture_is_serving,
                                             .replacing = fixture_is_replacing};

    server->statistics = statistics_create(FIXTURE_IMAGES_MAX, model_key(server->model.model));
    return server->statistics != NULL && parsers_create(&server->parsers, NULL) == VGG_OK &&
           reloader_create(&reloads, file, &server->reloader, NULL) == VGG_OK;
}

/* cmocka's group fixtures. */
static inline int fixture_setup(void **state)
{
    struct model_file file;

    (void)state;
    log_init(LOG_TEXT);
    strcpy(fixture.directory, "/tmp/vgg-server-XXXXXX");
    if (mkdtemp(fixture.directory) == NULL ||
        !jpeg_make(&(struct jpeg_spec){.width = 40, .height = 40}, &fixture.jpeg,
                   &fixture.jpeg_size))
        return -1;
    strcpy(fixture.path, fixture_file("model.safetensors"));
    fixture.options = (struct serve_options){
        .work = {.flip = true, .top_k = 5, .pixels_max = 1 << 20, .view_pixels_max = 1 << 16},
        .images_max = FIXTURE_IMAGES_MAX,
        .body_max = 1 << 20};
    fixture.server.options = &fixture.options;
    return fixture_start_model(&file) && fixture_start_work() && fixture_start_rest(&file) ? 0 : -1;
}

/* Whatever tests left in the directory goes with it. */
static inline int fixture_teardown(void **state)
{
    struct server *server = &fixture.server;
    char command[64];

    (void)state;
    parsers_stop(server->parsers);
    reloader_stop(server->reloader);
    queue_close(server->work.queue);
    workers_destroy(fixture.workers);
    parsers_destroy(server->parsers);
    reloader_destroy(server->reloader);
    vgg_engine_destroy(server->work.engine);
    queue_destroy(server->work.queue);
    metrics_destroy(server->work.metrics);
    statistics_destroy(server->statistics);
    model_slot_fini(&server->model);
    budget_fini(&server->work.decodes);
    free(fixture.jpeg);
    snprintf(command, sizeof command, "rm -r %s", fixture.directory);
    return system(command);
}

/* ---------------------------------------------------------------- answers -------------------- */

/* The JSON of an answer with this status; the caller lets go of it. */
static inline json_t *answer_json(struct fake *fake, unsigned status)
{
    unsigned got = fake_wait(fake);
    const struct http_response *response = &fake->left.response;
    json_t *root;

    if (got != status)
        fail_msg("%s: status %u, not %u: %s", fake->left.path, got, status, response->body);
    root = json_loadb(response->body, response->size, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL)
        fail_msg("not JSON: %s", response->body);
    return root;
}

/* It was refused with this kind of problem, whose detail holds `text`; ends it. */
static inline void check_problem(struct fake *fake, enum problem_kind kind, const char *text)
{
    unsigned status = fake_wait(fake);

    if (status != problem_status(kind) || fake->left.problem == NULL ||
        strcmp(fake->left.problem, problem_type(kind)) != 0)
        fail_msg("status %u, %s", status, fake->left.detail);
    if (strstr(fake->left.detail, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fake->left.detail, text);
    fake_fini(fake);
}

/* How often requests were shed for a reason, or any other series with a value. */
static inline double fixture_metric(const char *series)
{
    const struct metrics_gauges gauges = {.model = vgg_model_get_info(fixture.server.model.model),
                                          .http = &(const struct http_counts){0}};
    size_t size, length = strlen(series);
    char *text = metrics_render(fixture.server.work.metrics, &gauges, &size), *at = text;
    double value;

    while (at != NULL && (strncmp(at, series, length) != 0 || at[length] != ' ')) {
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    if (at == NULL)
        fail_msg("there is no series %s", series);
    value = strtod(at + length, NULL);
    free(text);
    return value;
}

#endif
