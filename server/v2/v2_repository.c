/*
 * Triton's model repository on the admin listener, as far as one model is a repository: its index,
 * and load, which is a reload of the file in use.
 */
#include "api/admin.h"
#include "api/respond.h"
#include "http/media_type.h"
#include "text/json_reader.h"
#include "v2/v2.h"
#include "v2/v2_text.h"

void v2_handle_index(struct server *server, struct http_request *request)
{
    struct vgg_model *model = model_slot_get(&server->model);
    size_t size = 0;
    char *json = v2_text_index(model, server->phase == SERVER_SERVING, &size);

    vgg_model_release(model);
    respond_json(server, request, 200, json, size);
}

/* Nothing, or an object whose "parameters" are empty: there is nothing to choose. */
static bool check_load(const struct http_request *request, struct problem *problem)
{
    struct json_slice key, value = {NULL, 0};
    struct json_reader reader;
    bool first = true, empty = true;

    if (admin_has_no_body(request))
        return true;
    if (request->content_type != NULL &&
        !media_type_is(request->content_type, "application/json")) {
        problem_set(problem, PROBLEM_MEDIA_TYPE, "a body must be application/json");
        return false;
    }
    if (request->body != HTTP_BODY_PLAIN) {
        problem_set(problem, PROBLEM_NO_MEMORY, "there is no memory for the body now");
        return false;
    }
    value = (struct json_slice){(const char *)request->parts[0].bytes, request->parts[0].size};
    json_reader_init(&reader, value);
    if (scan_begin(&reader, '{'))
        while (scan_key(&reader, &first, &key) && scan_value(&reader, &value))
            if (scan_is(key, "parameters"))
                empty = value.bytes[0] == 'n' || (value.bytes[0] == '{' && value.size == 2);
    if (scan_end(&reader) && empty)
        return true;
    problem_set(problem, PROBLEM_BAD_PARAMETER, "%s",
                empty ? reader.error
                      : "a load takes no parameters: POST /admin/reload names another file");
    return false;
}

void v2_handle_load(struct server *server, struct http_request *request)
{
    struct problem problem;
    struct vgg_model *model = v2_find_model(server, request->path, &problem);

    vgg_model_release(model);
    if (model != NULL && check_load(request, &problem))
        admin_begin(server, request, RELOAD_FILE, NULL);
    else
        respond_problem(server, request, &problem, 0);
}

void v2_handle_unload(struct server *server, struct http_request *request)
{
    struct problem problem;
    struct vgg_model *model = v2_find_model(server, request->path, &problem);

    vgg_model_release(model);
    if (model != NULL)
        problem_set(&problem, PROBLEM_BAD_PARAMETER,
                    "one model always serves: POST /admin/reload puts another in its place");
    respond_problem(server, request, &problem, 0);
}
