/*
 * POST /v2/models/{model}/infer. On a network thread: the model and what is cheap. On a parser: the
 * body, then limits and admission as for /classify. On a worker: the text of the answer.
 */
#include "v2/v2.h"

#include <stdlib.h>
#include <string.h>

#include "api/prediction.h"
#include "api/respond.h"
#include "v2/v2_body.h"
#include "v2/v2_text.h"
#include "work/parsers.h"

/* From the network thread to a parser. */
struct parse {
    struct parser_item item; /* first */
    struct server *server;
    struct http_request *request;
    struct vgg_model *model; /* one reference */
    size_t json_size;
};

/* ---------------------------------------------------------------- on a worker ---------------- */

static void data_destroy(void *data)
{
    if (data != NULL)
        v2_request_fini(data);
    free(data);
}

static char *encode(const struct task *task, struct http_request *request, size_t *size)
{
    struct http_response *response = &request->response;
    char *text = v2_text_answer(prediction_data(task), task->model, task->evaluations, size,
                                &response->number);

    if (response->number != 0) { /* binary tensors follow so many bytes of JSON */
        response->number_header = "Inference-Header-Content-Length";
        response->type = "application/octet-stream";
    }
    return text;
}

static const struct prediction_kind kind = {encode, data_destroy};

/* ---------------------------------------------------------------- on a parser ---------------- */

/* Can what is asked for be had, of complete parameters? */
static bool check_outputs(const struct task *task, const struct v2_request *data,
                          struct problem *problem)
{
    const char *objection = data->width == 0
                                ? evaluation_objection(&task->params, task->model)
                                : "typicality is of encoded pictures, not of " V2_PIXELS;

    for (enum v2_output_kind output = V2_OUTPUT_TYPICALITY; output < V2_OUTPUTS_N; output++)
        if (objection != NULL && v2_request_wants(data, output)) {
            problem_set(problem, PROBLEM_BAD_PARAMETER, "there is no output %s: %s",
                        v2_output_names[output], objection);
            return false;
        }
    return true;
}

/* Takes over the references to model and data, whatever it returns. */
static struct task *make_task(const struct parse *parse, struct v2_request *data,
                              struct problem *problem)
{
    const struct option_scales *scales =
        data->scales.n != 0 ? &data->scales : &parse->server->options->work.scales;
    struct task *task =
        prediction_create(&kind, data, parse->server, parse->request, parse->model, data->n);

    if (task == NULL) {
        data_destroy(data);
        problem_set(problem, PROBLEM_NO_MEMORY, "out of memory");
        return NULL;
    }
    if (data->has_flip)
        task->params.request.flip = data->flip;
    task->params.reject = data->reject;
    task->params.features = v2_request_wants(data, V2_OUTPUT_FEATURES);
    if (data->timeout_us != 0 &&
        data->timeout_us < (task->deadline_ns - parse->request->received_ns) / 1000)
        task->deadline_ns = parse->request->received_ns + data->timeout_us * 1000;
    for (size_t i = 0; i < data->n; i++) {
        struct evaluation *evaluation = &task->evaluations[i];

        evaluation->bytes = data->items[i].bytes;
        evaluation->size = data->items[i].size;
        evaluation->pixels = data->items[i].pixels;
        if (evaluation->pixels != NULL)
            evaluation->info = (struct vgg_image_info){
                .format = "tensor", .width = data->width, .height = data->height};
    }
    if (prediction_check(task, scales, problem) && check_outputs(task, data, problem))
        return task;
    task_destroy(task);
    return NULL;
}

static void parse_body(struct parser_item *item)
{
    struct parse *parse = (struct parse *)(void *)item;
    struct server *server = parse->server;
    struct http_request *request = parse->request;
    struct v2_request *data = calloc(1, sizeof *data);
    struct task *task = NULL;
    struct problem problem;

    problem_set(&problem, PROBLEM_NO_MEMORY, "out of memory");
    if (data != NULL && v2_request_read(data, request->parts[0].bytes, request->parts[0].size,
                                        parse->json_size, server->options->images_max, &problem))
        task = make_task(parse, data, &problem);
    else {
        data_destroy(data);
        vgg_model_release(parse->model);
    }
    free(parse);
    if (task != NULL)
        prediction_submit(task);
    else
        respond_problem(server, request, &problem, 0);
}

/* ---------------------------------------------------------------- on a network thread -------- */

static void count_header(void *n, const char *value)
{
    (void)value;
    ++*(size_t *)n;
}

/* Bytes of the JSON before the binary data: all of the body without the header that tells. */
static bool read_json_size(const struct http_request *request, size_t *json_size,
                           struct problem *problem)
{
    static const char name[] = "Inference-Header-Content-Length";
    const char *text = http_header(request, name);
    size_t n = 0;

    *json_size = request->parts[0].size;
    if (text == NULL)
        return true;
    http_headers(request, name, count_header, &n);
    /* 18 digits fit; more are larger than any body. */
    if (n != 1 || text[0] == '\0' || strspn(text, "0123456789") != strlen(text) ||
        strlen(text) > 18) {
        problem_set(problem, PROBLEM_BAD_PARAMETER,
                    "Inference-Header-Content-Length: expected one number of bytes");
        return false;
    }
    *json_size = strtoull(text, NULL, 10);
    return true;
}

bool v2_check_infer(struct server *server, const struct http_request *request,
                    struct problem *problem)
{
    return prediction_welcome(server, request, problem) && v2_check_model(server, request, problem);
}

static bool check(const struct server *server, const struct http_request *request,
                  size_t *json_size, struct problem *problem)
{
    if (!prediction_welcome(server, request, problem))
        return false;
    if (request->body == HTTP_BODY_NO_MEMORY)
        problem_set(problem, PROBLEM_NO_MEMORY, "there is no memory for the body now");
    else if (request->body != HTTP_BODY_PLAIN)
        problem_set(problem, PROBLEM_BAD_PARAMETER, "the body is JSON, never multipart");
    else if (request->parts[0].size == 0)
        problem_set(problem, PROBLEM_EMPTY_BODY, "the body is empty");
    else
        return read_json_size(request, json_size, problem);
    return false;
}

void v2_handle_infer(struct server *server, struct http_request *request)
{
    struct vgg_model *model = NULL;
    struct parse *parse = NULL;
    struct problem problem;
    size_t json_size;

    if (check(server, request, &json_size, &problem) &&
        (model = v2_find_model(server, request->path, &problem)) != NULL) {
        parse = malloc(sizeof *parse);
        problem_set(&problem, PROBLEM_NO_MEMORY, "out of memory");
    }
    if (parse == NULL) {
        vgg_model_release(model);
        respond_problem(server, request, &problem, 0);
        return;
    }
    *parse = (struct parse){{NULL, parse_body}, server, request, model, json_size};
    http_defer(request);
    if (parsers_try_push(server->parsers, &parse->item))
        return;
    vgg_model_release(model);
    free(parse);
    problem_set(&problem, PROBLEM_QUEUE_FULL, "too many requests wait to be read");
    respond_problem(server, request, &problem, 0);
}
