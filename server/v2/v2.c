/* The small routes of the v2 protocol, and the names in its paths. */
#include "v2/v2.h"

#include <string.h>

#include "api/respond.h"
#include "ops/statistics.h"
#include "text/text.h"
#include "v2/v2_text.h"

static const char versions[] = "/versions/", all_stats[] = "/v2/models/stats";

/* ---------------------------------------------------------------- paths ---------------------- */

/* A path with a model's name, which may hold slashes, in its parts. */
struct model_path {
    const char *name, *version; /* version NULL: none */
    size_t name_size, version_size;
    const char *route, *versioned_route;
};

#define V2_MODELS "/v2/models/{model}"
#define V2_VERSIONS V2_MODELS "/versions/{version}"
#define V2_REPOSITORY "/v2/repository/models/{model}"

static const struct {
    const char *begin, *end;
    const char *route, *versioned_route; /* versioned NULL: it has none */
} forms[] = {
    {"/v2/models/", "/infer", V2_MODELS "/infer", V2_VERSIONS "/infer"},
    {"/v2/models/", "/ready", V2_MODELS "/ready", V2_VERSIONS "/ready"},
    {"/v2/models/", "/config", V2_MODELS "/config", V2_VERSIONS "/config"},
    {"/v2/models/", "/stats", V2_MODELS "/stats", V2_VERSIONS "/stats"},
    {"/v2/models/", "", V2_MODELS, V2_VERSIONS},
    {"/v2/repository/models/", "/load", V2_REPOSITORY "/load", NULL},
    {"/v2/repository/models/", "/unload", V2_REPOSITORY "/unload", NULL},
};

/* Take "/versions/V" off the end of the name. */
static void split_version(struct model_path *parts)
{
    const char *end = parts->name + parts->name_size, *found = NULL, *version;

    for (const char *at = parts->name; at < end; at++) {
        at = memmem(at, (size_t)(end - at), versions, sizeof versions - 1);
        if (at == NULL)
            break;
        found = at; /* the last one */
    }
    if (found == NULL || found == parts->name)
        return;
    version = found + sizeof versions - 1;
    if (version == end || memchr(version, '/', (size_t)(end - version)) != NULL)
        return;
    parts->version = version;
    parts->version_size = (size_t)(end - version);
    parts->name_size = (size_t)(found - parts->name);
    parts->route = parts->versioned_route;
}

static bool is(const char *text, const char *part, size_t size)
{
    return strlen(text) == size && memcmp(text, part, size) == 0;
}

/* False where there is no name in it. */
static bool split(const char *path, struct model_path *parts)
{
    size_t size = server_path_size(path);

    if (is(all_stats, path, size))
        return false;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t begin = strlen(forms[i].begin), end = strlen(forms[i].end);

        if (size <= begin + end || strncmp(path, forms[i].begin, begin) != 0 ||
            memcmp(path + size - end, forms[i].end, end) != 0)
            continue;
        *parts = (struct model_path){.name = path + begin,
                                     .name_size = size - begin - end,
                                     .route = forms[i].route,
                                     .versioned_route = forms[i].versioned_route};
        if (parts->versioned_route != NULL)
            split_version(parts);
        return true;
    }
    return false;
}

const char *v2_route(const char *path)
{
    struct model_path parts = {0};

    return split(path, &parts) ? parts.route : path;
}

/* A name that begins with the model's and a slash: a path that only the model could have. */
static bool is_below(const struct model_path *parts, const struct vgg_model_info *info)
{
    size_t size = strlen(info->name);

    return parts->versioned_route != NULL && parts->name_size > size &&
           memcmp(parts->name, info->name, size) == 0 && parts->name[size] == '/';
}

/* Set the problem where the path leads to another model than this one, or to nothing of it. */
static bool leads_to(const struct model_path *parts, const struct vgg_model_info *info,
                     struct problem *problem)
{
    if (is_below(parts, info))
        problem_set(
            problem, PROBLEM_NOT_FOUND,
            "the model has nothing at \"%s\", but /config, /infer, /ready and /stats, and "
            "each of them after /versions/" V2_VERSION,
            text_quote(parts->name + strlen(info->name), parts->name_size - strlen(info->name))
                .text);
    else if (!is(info->name, parts->name, parts->name_size))
        problem_set(problem, PROBLEM_NOT_FOUND, "there is no model \"%s\": %.100s serves",
                    text_quote(parts->name, parts->name_size).text, info->name);
    else if (parts->version != NULL && !is(V2_VERSION, parts->version, parts->version_size) &&
             !is(info->version, parts->version, parts->version_size))
        problem_set(problem, PROBLEM_NOT_FOUND,
                    "there is no version \"%s\": there are " V2_VERSION " and %s",
                    text_quote(parts->version, parts->version_size).text, info->version);
    else
        return true;
    return false;
}

struct vgg_model *v2_find_model(struct server *server, const char *path, struct problem *problem)
{
    struct vgg_model *model = model_slot_get(&server->model);
    struct model_path parts = {.name = ""};

    (void)split(path, &parts);
    if (leads_to(&parts, vgg_model_get_info(model), problem))
        return model;
    vgg_model_release(model);
    return NULL;
}

bool v2_is_nowhere(struct server *server, const char *path, struct problem *problem)
{
    struct model_path parts;
    struct vgg_model *model;
    bool nowhere;

    if (!split(path, &parts))
        return false;
    model = model_slot_get(&server->model);
    nowhere = is_below(&parts, vgg_model_get_info(model));
    if (nowhere)
        (void)leads_to(&parts, vgg_model_get_info(model), problem);
    vgg_model_release(model);
    return nowhere;
}

bool v2_check_model(struct server *server, const struct http_request *request,
                    struct problem *problem)
{
    struct vgg_model *model = v2_find_model(server, request->path, problem);

    vgg_model_release(model);
    return model != NULL;
}

/* ---------------------------------------------------------------- routes --------------------- */

void v2_handle_server(struct server *server, struct http_request *request)
{
    size_t size = 0;
    char *json = v2_text_server(&size);

    respond_json(server, request, 200, json, size);
}

void v2_handle_live(struct server *server, struct http_request *request)
{
    size_t size = 0;
    char *json = v2_text_health("live", true, &size);

    respond_json(server, request, 200, json, size);
}

void v2_handle_ready(struct server *server, struct http_request *request)
{
    bool ready = server->phase == SERVER_SERVING;
    size_t size = 0;
    char *json = v2_text_health("ready", ready, &size);

    respond_json(server, request, ready ? 200 : 503, json, size);
}

/* Answer about the model that the path names; a path without a name is about all of them. */
static void respond_model(struct server *server, struct http_request *request, bool ready,
                          char *(*write)(const struct server *server, const struct vgg_model *model,
                                         bool ready, size_t *size))
{
    struct model_path parts;
    struct problem problem;
    struct vgg_model *model = split(request->path, &parts)
                                  ? v2_find_model(server, request->path, &problem)
                                  : model_slot_get(&server->model);
    size_t size = 0;
    char *json;

    if (model == NULL) {
        respond_problem(server, request, &problem, 0);
        return;
    }
    json = write(server, model, ready, &size);
    vgg_model_release(model);
    respond_json(server, request, ready ? 200 : 503, json, size);
}

static char *write_model(const struct server *server, const struct vgg_model *model, bool ready,
                         size_t *size)
{
    (void)server;
    (void)ready;
    return v2_text_model(model, size);
}

static char *write_ready(const struct server *server, const struct vgg_model *model, bool ready,
                         size_t *size)
{
    (void)server;
    return v2_text_model_ready(model, ready, size);
}

static char *write_config(const struct server *server, const struct vgg_model *model, bool ready,
                          size_t *size)
{
    (void)ready;
    return v2_text_config(model, server->options->images_max, size);
}

static char *write_stats(const struct server *server, const struct vgg_model *model, bool ready,
                         size_t *size)
{
    (void)ready;
    return statistics_json(server->statistics, vgg_model_get_info(model)->name, V2_VERSION, size);
}

void v2_handle_model(struct server *server, struct http_request *request)
{
    respond_model(server, request, true, write_model);
}

void v2_handle_model_ready(struct server *server, struct http_request *request)
{
    respond_model(server, request, server->phase == SERVER_SERVING, write_ready);
}

void v2_handle_config(struct server *server, struct http_request *request)
{
    respond_model(server, request, true, write_config);
}

void v2_handle_stats(struct server *server, struct http_request *request)
{
    respond_model(server, request, true, write_stats);
}
