/* POST /admin/reload and /admin/rollback: what is checked first, and the answer after the reload.
 */
#include "api/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/respond.h"
#include "api/status.h"
#include "http/media_type.h"
#include "text/json_reader.h"

enum { BODY_MAX = 16 << 10 }; /* bytes: a path, with escapes */

bool admin_has_no_body(const struct http_request *request)
{
    return request->body_bytes == 0 ||
           (request->body == HTTP_BODY_PLAIN && request->parts[0].size == 0);
}

/* {"model": FILE} or {}, nothing else. False with the reader's error. */
static bool read_object(struct json_reader *reader, struct json_slice *model)
{
    struct json_slice key;
    bool first = true;

    if (!scan_begin(reader, '{'))
        return false;
    while (scan_key(reader, &first, &key))
        if (!scan_is(key, "model") || model->bytes != NULL)
            return json_reader_fail(reader, model->bytes != NULL && scan_is(key, "model")
                                                ? "\"model\" is repeated"
                                                : "unknown key: there is \"model\", a file");
        else if (scan_peek(reader) != '"')
            return json_reader_fail(reader, "\"model\" must be a string, the path of a file");
        else if (!scan_string(reader, model))
            return false;
    return scan_end(reader);
}

/* The text of a string, malloc'ed, NULL for no string. False with the problem. */
static bool copy_path(struct json_slice model, char **path, struct problem *problem)
{
    size_t size;

    if (model.bytes == NULL)
        return true;
    *path = malloc(model.size + 1);
    if (*path == NULL) {
        problem_set(problem, PROBLEM_NO_MEMORY, "out of memory");
        return false;
    }
    size = scan_unescape(model, *path);
    (*path)[size] = '\0';
    if (size != 0 && strlen(*path) == size)
        return true;
    free(*path);
    problem_set(problem, PROBLEM_BAD_PARAMETER, "\"model\" is not the path of a file");
    return false;
}

static bool read_path(const struct http_part *body, char **path, struct problem *problem)
{
    struct json_slice model = {NULL, 0};
    struct json_reader reader;

    json_reader_init(&reader, (struct json_slice){(const char *)body->bytes, body->size});
    if (read_object(&reader, &model))
        return copy_path(model, path, problem);
    problem_set(problem, PROBLEM_BAD_PARAMETER, "%s", reader.error);
    return false;
}

/* The path that the body names, malloc'ed, NULL where there is none. False with the problem. */
static bool read_body(const struct http_request *request, char **path, struct problem *problem)
{
    *path = NULL;
    if (admin_has_no_body(request))
        return true;
    if (!media_type_is(request->content_type, "application/json"))
        problem_set(problem, PROBLEM_MEDIA_TYPE, "a body must be application/json");
    else if (request->body != HTTP_BODY_PLAIN)
        problem_set(problem, PROBLEM_NO_MEMORY, "there is no memory for the body now");
    else if (request->parts[0].size > BODY_MAX)
        problem_set(problem, PROBLEM_BODY_TOO_LARGE, "a body here has at most %d bytes", BODY_MAX);
    else
        return read_path(&request->parts[0], path, problem);
    return false;
}

/* ---------------------------------------------------------------- the reload ----------------- */

/* A request that waits for one. */
struct waiting {
    struct server *server;
    struct http_request *request;
    char *json; /* the answer if all goes well */
    size_t size;
};

static bool prepare(void *user, const struct vgg_model *model)
{
    struct waiting *waiting = user;

    waiting->json = status_model_json(waiting->server, model, false, &waiting->size);
    snprintf(waiting->request->model_version, sizeof waiting->request->model_version, "%s",
             vgg_model_get_info(model)->version);
    return waiting->json != NULL;
}

static enum problem_kind reload_problem(enum vgg_status status)
{
    if (status == VGG_NO_MEMORY)
        return PROBLEM_NO_MEMORY;
    return status == VGG_CANCELLED ? PROBLEM_DRAINING : PROBLEM_BAD_MODEL;
}

static void done(void *user, enum reload_end end, const struct vgg_error *error)
{
    const struct waiting waiting = *(struct waiting *)user;
    struct problem problem;

    free(user);
    if (end == RELOAD_REPLACED) {
        respond_json(waiting.server, waiting.request, 200, waiting.json, waiting.size);
        return;
    }
    if (end == RELOAD_NO_PREVIOUS)
        problem_set(&problem, PROBLEM_NO_PREVIOUS,
                    "there is no previous model: none has been replaced since the start");
    else
        problem_set(&problem, reload_problem(error->status), "%s", error->text);
    respond_problem(waiting.server, waiting.request, &problem, 0);
}

void admin_begin(struct server *server, struct http_request *request, enum reload_kind kind,
                 char *path)
{
    struct waiting *waiting = malloc(sizeof *waiting);
    const struct reload_client client = {prepare, done, waiting};
    struct problem problem;

    http_defer(request);
    if (waiting != NULL) {
        *waiting = (struct waiting){.server = server, .request = request};
        if (server->phase == SERVER_SERVING &&
            reloader_begin(server->reloader, kind, path, &client))
            return;
        free(waiting);
    }
    free(path);
    if (waiting == NULL)
        problem_set(&problem, PROBLEM_NO_MEMORY, "out of memory");
    else if (server->phase != SERVER_SERVING)
        problem_set(&problem, PROBLEM_DRAINING, "the server is shutting down");
    else
        problem_set(&problem, PROBLEM_RELOADING, "another reload is under way: wait for its end");
    respond_problem(server, request, &problem, 0);
}

/* ---------------------------------------------------------------- requests ------------------- */

static void handle(struct server *server, struct http_request *request, enum reload_kind kind)
{
    struct problem problem;
    char *path;

    if (!read_body(request, &path, &problem))
        respond_problem(server, request, &problem, 0);
    else if (kind == RELOAD_ROLLBACK && path != NULL) {
        free(path);
        problem_set(&problem, PROBLEM_BAD_PARAMETER,
                    "a rollback takes no model: it goes back to the previous one");
        respond_problem(server, request, &problem, 0);
    } else
        admin_begin(server, request, kind, path);
}

void admin_reload(struct server *server, struct http_request *request)
{
    handle(server, request, RELOAD_FILE);
}

void admin_rollback(struct server *server, struct http_request *request)
{
    handle(server, request, RELOAD_ROLLBACK);
}
