/* The small routes of the v2 protocol, and the names in its paths. */
#include "v2.h"

#include <string.h>

#include "v2_text.h"

static const char models[] = "/v2/models/", versions[] = "/versions/";
static const char repository[] = "/v2/repository/models/";

/* ---------------------------------------------------------------- paths ---------------------- */

bool v2_path(const char *path)
{
    return strncmp(path, "/v2", 3) == 0 && (path[3] == '\0' || path[3] == '/');
}

/* A path below "/v2/models/", in its parts. The model's name may hold slashes. */
struct model_path {
    const char *name, *version, *action; /* version NULL: none; action "", "/infer", "/ready" */
    size_t name_size, version_size;
};

/* Does a text of `size` end with `end`, and something before it? */
static bool ends_with(const char *text, size_t size, const char *end)
{
    size_t length = strlen(end);

    return size > length && memcmp(text + size - length, end, length) == 0;
}

static bool split(const char *path, struct model_path *parts)
{
    static const char *const actions[] = {"/infer", "/ready", ""};
    const char *found = NULL;
    size_t size, i = 0;

    if (strncmp(path, models, sizeof models - 1) != 0)
        return false;
    *parts = (struct model_path){.name = path + sizeof models - 1};
    size = strlen(parts->name);
    while (!ends_with(parts->name, size, actions[i]))
        if (++i == sizeof actions / sizeof *actions)
            return false; /* there is no name */
    parts->action = actions[i];
    size -= strlen(actions[i]);
    parts->name_size = size;
    for (const char *at = parts->name; (at = memmem(at, size - (size_t)(at - parts->name), versions,
                                                    sizeof versions - 1)) != NULL;
         at++)
        found = at; /* the last one */
    if (found == NULL || found == parts->name ||
        memchr(found + sizeof versions - 1, '/',
               size - (size_t)(found + sizeof versions - 1 - parts->name)) != NULL)
        return true;
    parts->name_size = (size_t)(found - parts->name);
    parts->version = found + sizeof versions - 1;
    parts->version_size = size - parts->name_size - (sizeof versions - 1);
    return true;
}

const char *v2_route(const char *path)
{
    struct model_path parts;

    if (split(path, &parts)) {
        if (parts.version != NULL)
            return parts.action[0] == '\0'  ? "/v2/models/{model}/versions/{version}"
                   : parts.action[1] == 'i' ? "/v2/models/{model}/versions/{version}/infer"
                                            : "/v2/models/{model}/versions/{version}/ready";
        return parts.action[0] == '\0'  ? "/v2/models/{model}"
               : parts.action[1] == 'i' ? "/v2/models/{model}/infer"
                                        : "/v2/models/{model}/ready";
    }
    if (strncmp(path, repository, sizeof repository - 1) == 0) {
        const char *name = path + sizeof repository - 1;

        if (ends_with(name, strlen(name), "/load"))
            return "/v2/repository/models/{model}/load";
        if (ends_with(name, strlen(name), "/unload"))
            return "/v2/repository/models/{model}/unload";
    }
    return path;
}

struct vgg_model *v2_find_model(struct server *server, const char *path, struct problem *problem)
{
    struct vgg_model *model = model_slot_get(&server->model);
    const struct vgg_model_info *info = vgg_model_get_info(model);
    struct model_path parts;

    if (!split(path, &parts) || strlen(info->name) != parts.name_size ||
        memcmp(info->name, parts.name, parts.name_size) != 0)
        problem_set(problem, PROBLEM_NOT_FOUND, "there is no model \"%.*s\": %.100s serves",
                    (int)(parts.name_size < 100 ? parts.name_size : 100), parts.name, info->name);
    else if (parts.version != NULL &&
             !(strlen(V2_VERSION) == parts.version_size &&
               memcmp(V2_VERSION, parts.version, parts.version_size) == 0) &&
             !(strlen(info->version) == parts.version_size &&
               memcmp(info->version, parts.version, parts.version_size) == 0))
        problem_set(problem, PROBLEM_NOT_FOUND,
                    "there is no version \"%.*s\": there are " V2_VERSION " and %s",
                    (int)(parts.version_size < 100 ? parts.version_size : 100), parts.version,
                    info->version);
    else
        return model;
    vgg_model_release(model);
    return NULL;
}

/* ---------------------------------------------------------------- routes --------------------- */

void v2_handle_server(struct server *server, struct http_request *request)
{
    size_t size = 0;
    char *json = v2_text_server(&size);

    server_respond_json(server, request, 200, json, size);
}

void v2_handle_live(struct server *server, struct http_request *request)
{
    size_t size = 0;
    char *json = v2_text_health("live", true, &size);

    server_respond_json(server, request, 200, json, size);
}

void v2_handle_ready(struct server *server, struct http_request *request)
{
    bool ready = server->phase == PHASE_SERVING;
    size_t size = 0;
    char *json = v2_text_health("ready", ready, &size);

    server_respond_json(server, request, ready ? 200 : 503, json, size);
}

/* Answer about the model that the path names. */
static void respond_model(struct server *server, struct http_request *request, unsigned status,
                          char *(*write)(const struct vgg_model *model, bool ready, size_t *size))
{
    struct problem problem;
    struct vgg_model *model = v2_find_model(server, request->path, &problem);
    size_t size = 0;
    char *json;

    if (model == NULL) {
        server_respond_problem(server, request, &problem, 0);
        return;
    }
    json = write(model, status == 200, &size);
    vgg_model_release(model);
    server_respond_json(server, request, status, json, size);
}

static char *write_model(const struct vgg_model *model, bool ready, size_t *size)
{
    (void)ready;
    return v2_text_model(model, size);
}

void v2_handle_model(struct server *server, struct http_request *request)
{
    respond_model(server, request, 200, write_model);
}

void v2_handle_model_ready(struct server *server, struct http_request *request)
{
    respond_model(server, request, server->phase == PHASE_SERVING ? 200 : 503, v2_text_model_ready);
}

void v2_handle_unload(struct server *server, struct http_request *request)
{
    struct problem problem;

    problem_set(&problem, PROBLEM_BAD_PARAMETER,
                "one model always serves: load another one in its place");
    server_respond_problem(server, request, &problem, 0);
}

void v2_handle_index(struct server *server, struct http_request *request)
{
    struct vgg_model *model = model_slot_get(&server->model);
    size_t size = 0;
    char *json = v2_text_index(model, server->phase == PHASE_SERVING, &size);

    vgg_model_release(model);
    server_respond_json(server, request, 200, json, size);
}
