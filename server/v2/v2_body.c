/* Reading infer requests: first the members of each object, then the values in the order needed. */
#include "v2/v2_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "v2/v2_tensor.h"

enum { SCALES_TEXT_MAX = 256, WORD_TEXT_MAX = 40 };

/* ---------------------------------------------------------------- members -------------------- */

struct member {
    const char *name;
    struct json_slice value; /* bytes NULL: none, or null */
    bool seen;
};

/* The members of an object, each at most once. Others are skipped: they are for other servers. */
static bool read_members(struct v2_context *context, struct json_reader *reader,
                         struct member *members, size_t n)
{
    struct json_slice key, value;
    bool first = true;

    if (!scan_begin(reader, '{'))
        return v2_malformed(context, reader);
    while (scan_key(reader, &first, &key)) {
        size_t i = 0;

        if (!scan_value(reader, &value))
            break;
        while (i < n && !scan_is(key, members[i].name))
            i++;
        if (i == n)
            continue;
        if (members[i].seen) {
            problem_set(context->problem, PROBLEM_BAD_PARAMETER, "\"%s\" is there twice",
                        members[i].name);
            return false;
        }
        members[i].seen = true;
        if (value.bytes[0] != 'n')
            members[i].value = value;
    }
    return reader->error[0] == '\0' || v2_malformed(context, reader);
}

static bool members_at(struct v2_context *context, struct json_slice object, struct member *members,
                       size_t n)
{
    struct json_reader reader = json_reader_at(&context->reader, object);

    return object.bytes == NULL || read_members(context, &reader, members, n);
}

static bool read_whole(struct v2_context *context, const struct member *member, uint64_t *whole)
{
    struct json_reader reader = json_reader_at(&context->reader, member->value);

    if (member->value.bytes == NULL || scan_whole(&reader, whole))
        return true;
    problem_set(context->problem, PROBLEM_BAD_PARAMETER, "\"%s\": a whole number was expected",
                member->name);
    return false;
}

static bool read_bool(struct v2_context *context, const struct member *member, bool *value)
{
    struct json_reader reader = json_reader_at(&context->reader, member->value);

    if (member->value.bytes == NULL || scan_bool(&reader, value))
        return true;
    problem_set(context->problem, PROBLEM_BAD_PARAMETER, "\"%s\": true or false was expected",
                member->name);
    return false;
}

/* ---------------------------------------------------------------- parameters ----------------- */

/* A string's text, or a number's as it stands. False where it is longer or has a zero in it. */
static bool copy_text(struct json_slice value, char *text, size_t text_size)
{
    size_t size = value.size;

    if (size >= text_size)
        return false;
    if (value.bytes[0] == '"')
        size = scan_unescape(value, text);
    else
        memcpy(text, value.bytes, size);
    text[size] = '\0';
    return strlen(text) == size;
}

/* "256,384,512", or one of them as a number. */
static bool read_scales(struct v2_context *context, struct json_slice value)
{
    char text[SCALES_TEXT_MAX], reason[160];

    if (value.bytes == NULL)
        return true;
    if (value.size >= sizeof text)
        return v2_refuse(context, "parameter scales is too long");
    if (copy_text(value, text, sizeof text) &&
        scales_parse(text, &context->request->scales, reason, sizeof reason))
        return true;
    return v2_refuse(context,
                     "parameter scales: expected whole numbers of pixels separated by commas "
                     "in a string, as in \"256,384,512\", or one number; at most 8, up to "
                     "1024");
}

/* JSON's own words, or one of the query's in a string. */
static bool read_flip(struct v2_context *context, struct json_slice value)
{
    struct v2_request *request = context->request;
    char text[WORD_TEXT_MAX];

    if (value.bytes == NULL)
        return true;
    request->has_flip = true;
    request->flip = value.bytes[0] == 't';
    if (request->flip || value.bytes[0] == 'f')
        return true;
    return (value.bytes[0] == '"' && copy_text(value, text, sizeof text) &&
            switch_parse_request(text, &request->flip)) ||
           v2_refuse(context, "parameter flip: expected true or false");
}

/* A number, or one in a string. */
static bool read_reject(struct v2_context *context, struct json_slice value)
{
    char text[WORD_TEXT_MAX];

    return value.bytes == NULL ||
           (copy_text(value, text, sizeof text) && level_parse(text, &context->request->reject)) ||
           v2_refuse(context, "parameter reject: expected a number above 0, at most 1, as 0.05");
}

/* Triton's number or name of a sequence; 0 and "" are none. */
static bool read_sequence(struct v2_context *context, struct json_slice value)
{
    struct json_reader reader = json_reader_at(&context->reader, value);
    float number;

    if (value.bytes == NULL || scan_is(value, ""))
        return true;
    if (value.bytes[0] != '"' && scan_float(&reader, &number) && number == 0)
        return true;
    return v2_refuse(context, "parameter sequence_id: no answer here depends on another request, "
                              "as one of a sequence would; leave it out, or 0");
}

/* The others, as priority and MLServer's content_type, would not change the answer. */
static bool read_parameters(struct v2_context *context, struct json_slice object)
{
    enum { SCALES, FLIP, REJECT, TIMEOUT, BINARY, SEQUENCE, N };
    struct member members[N] = {{.name = "scales"},
                                {.name = "flip"},
                                {.name = "reject"},
                                {.name = "timeout"},
                                {.name = "binary_data_output"},
                                {.name = "sequence_id"}};

    return members_at(context, object, members, N) &&
           read_whole(context, &members[TIMEOUT], &context->request->timeout_us) &&
           read_bool(context, &members[BINARY], &context->request->binary) &&
           read_sequence(context, members[SEQUENCE].value) &&
           read_scales(context, members[SCALES].value) && read_flip(context, members[FLIP].value) &&
           read_reject(context, members[REJECT].value);
}

/* Of an input or output, whose data would lie elsewhere. */
static bool refuse_shared_memory(struct v2_context *context, const struct member *region)
{
    return region->value.bytes == NULL ||
           v2_refuse(context, "shared_memory_region: there is no shared memory here; send and take "
                              "the data itself");
}

/* ---------------------------------------------------------------- outputs -------------------- */

/* Of an array, each element by `read`. */
static bool read_elements(struct v2_context *context, struct json_slice array,
                          bool (*read)(struct v2_context *context, struct json_slice element))
{
    struct json_reader reader = json_reader_at(&context->reader, array);
    struct json_slice element;
    bool first = true;

    if (!scan_begin(&reader, '['))
        return v2_malformed(context, &reader);
    while (scan_element(&reader, &first))
        if (!scan_value(&reader, &element))
            break;
        else if (!read(context, element))
            return false;
    return reader.error[0] == '\0' || v2_malformed(context, &reader);
}

/* Where a name is none of `all`; `kind` is input or output. */
static bool refuse_name(struct v2_context *context, const char *kind, struct json_slice name,
                        const char *all)
{
    problem_set(context->problem, PROBLEM_BAD_PARAMETER, "there is no %s %.*s: there are %s", kind,
                (int)(name.size < 80 ? name.size : 80), name.bytes, all);
    return false;
}

/* The next of request->outputs, by its name. */
static bool name_output(struct v2_context *context, struct json_slice name)
{
    struct v2_request *request = context->request;
    enum v2_output_kind kind = V2_OUTPUT_POSTERIORS;

    if (name.bytes == NULL)
        return v2_refuse(context, "an output has a name");
    while (kind < V2_OUTPUTS_N && !scan_is(name, v2_output_names[kind]))
        kind++;
    if (kind == V2_OUTPUTS_N)
        return refuse_name(context, "output", name,
                           V2_POSTERIORS ", " V2_FEATURES ", " V2_TYPICALITY " and " V2_KNOWN);
    if (v2_request_wants(request, kind))
        return v2_refuse(context, "an output is asked for more than once");
    request->outputs[request->outputs_n++] =
        (struct v2_output){.kind = kind, .binary = request->binary};
    return true;
}

static bool read_output(struct v2_context *context, struct json_slice object)
{
    enum { NAME, PARAMETERS, MEMBERS };
    enum { BINARY, CLASSIFICATION, REGION, PARAMETERS_N };
    struct member members[MEMBERS] = {{.name = "name"}, {.name = "parameters"}};
    struct member parameters[PARAMETERS_N] = {
        {.name = "binary_data"}, {.name = "classification"}, {.name = "shared_memory_region"}};
    struct v2_output *output;

    if (!members_at(context, object, members, MEMBERS) ||
        !members_at(context, members[PARAMETERS].value, parameters, PARAMETERS_N) ||
        !name_output(context, members[NAME].value) ||
        !refuse_shared_memory(context, &parameters[REGION]))
        return false;
    output = &context->request->outputs[context->request->outputs_n - 1];
    if (!read_bool(context, &parameters[BINARY], &output->binary) ||
        !read_whole(context, &parameters[CLASSIFICATION], &output->classification))
        return false;
    if (parameters[CLASSIFICATION].value.bytes == NULL)
        return true;
    if (output->kind != V2_OUTPUT_POSTERIORS)
        return v2_refuse(context, "classification is of " V2_POSTERIORS);
    if (output->classification == 0)
        return v2_refuse(context, "classification: expected a number of classes, at least 1");
    return true;
}

/* ---------------------------------------------------------------- tensors -------------------- */

static bool read_shape(struct v2_context *context, struct json_slice value,
                       struct v2_tensor *tensor)
{
    struct json_reader reader = json_reader_at(&context->reader, value);
    bool first = true;

    if (!scan_begin(&reader, '['))
        return v2_malformed(context, &reader);
    while (scan_element(&reader, &first)) {
        if (tensor->rank == V2_RANK_MAX)
            return v2_refuse(context, "a shape has at most four dimensions");
        if (!scan_whole(&reader, &tensor->shape[tensor->rank++]))
            return v2_refuse(context, "a shape holds whole numbers");
    }
    return reader.error[0] == '\0' || v2_malformed(context, &reader);
}

static bool check_shape(struct v2_context *context, struct v2_tensor *tensor)
{
    const uint64_t *shape = tensor->shape;
    struct v2_request *request = context->request;

    if (tensor->pixels
            ? tensor->rank != 4 || shape[1] != 3 || shape[2] < 1 || shape[3] < 1
            : tensor->rank < 1 || tensor->rank > 2 || (tensor->rank == 2 && shape[1] != 1))
        return v2_refuse(context, tensor->pixels ? "input " V2_PIXELS
                                                   " has the shape [N,3,height,width]"
                                                 : "input " V2_IMAGE " has the shape [N] or [N,1]");
    if (shape[0] < 1)
        return v2_refuse(context, "a batch holds at least one picture");
    if (shape[0] > context->images_max) {
        problem_set(context->problem, PROBLEM_TOO_MANY_IMAGES,
                    "a request may hold at most %zu images (--max-images)", context->images_max);
        return false;
    }
    request->n = (size_t)shape[0];
    tensor->elements = request->n;
    if (!tensor->pixels)
        return true;
    if (shape[2] > VGG_SIDE_MAX || shape[3] > VGG_SIDE_MAX) {
        problem_set(context->problem, PROBLEM_IMAGE_TOO_LARGE, "a view has sides of at most %d",
                    VGG_SIDE_MAX);
        return false;
    }
    request->height = (uint32_t)shape[2];
    request->width = (uint32_t)shape[3];
    tensor->elements *= 3 * (size_t)(shape[2] * shape[3]);
    return true;
}

/* ---------------------------------------------------------------- inputs --------------------- */

static bool read_input_parameters(struct v2_context *context, struct json_slice object,
                                  struct v2_tensor *tensor)
{
    enum { SIZE, REGION, N };
    struct member members[N] = {{.name = "binary_data_size"}, {.name = "shared_memory_region"}};

    if (!members_at(context, object, members, N) ||
        !refuse_shared_memory(context, &members[REGION]))
        return false;
    tensor->is_binary = members[SIZE].value.bytes != NULL;
    return read_whole(context, &members[SIZE], &tensor->binary_size);
}

/* Its description; what it holds is read once it is known to be the only one. */
static bool read_input(struct v2_context *context, struct json_slice object)
{
    enum { NAME, SHAPE, DATATYPE, PARAMETERS, DATA, N };
    struct member members[N] = {{.name = "name"},
                                {.name = "shape"},
                                {.name = "datatype"},
                                {.name = "parameters"},
                                {.name = "data"}};
    struct v2_tensor *tensor = &context->tensor;

    if (!members_at(context, object, members, N))
        return false;
    for (size_t m = NAME; m <= DATATYPE; m++)
        if (members[m].value.bytes == NULL)
            return v2_refuse(context, "an input has a name, a shape and a datatype");
    tensor->pixels = scan_is(members[NAME].value, V2_PIXELS);
    if (!tensor->pixels && !scan_is(members[NAME].value, V2_IMAGE))
        return refuse_name(context, "input", members[NAME].value, V2_IMAGE " and " V2_PIXELS);
    if (context->request->n != 0)
        return v2_refuse(context, "a request has one input, " V2_IMAGE " or " V2_PIXELS
                                  ": this one has more; several pictures are a batch of one input");
    if (!scan_is(members[DATATYPE].value, tensor->pixels ? "FP32" : "BYTES"))
        return v2_refuse(context, tensor->pixels ? "input " V2_PIXELS " has the datatype FP32"
                                                 : "input " V2_IMAGE " has the datatype BYTES");
    tensor->data = members[DATA].value;
    return read_input_parameters(context, members[PARAMETERS].value, tensor) &&
           read_shape(context, members[SHAPE].value, tensor) && check_shape(context, tensor);
}

/* ---------------------------------------------------------------- the whole ------------------ */

static bool read_root(struct v2_context *context)
{
    enum { ID, PARAMETERS, INPUTS, OUTPUTS, N };
    struct member members[N] = {
        {.name = "id"}, {.name = "parameters"}, {.name = "inputs"}, {.name = "outputs"}};
    struct v2_request *request = context->request;
    struct json_reader reader = context->reader;

    if (!read_members(context, &reader, members, N))
        return false;
    if (!scan_end(&reader))
        return v2_malformed(context, &reader);
    if (members[ID].value.bytes != NULL && members[ID].value.bytes[0] != '"')
        return v2_refuse(context, "\"id\": a string was expected");
    request->id = members[ID].value;
    if (members[INPUTS].value.bytes == NULL)
        return v2_refuse(context, "there are no inputs");
    if (!read_parameters(context, members[PARAMETERS].value) ||
        (members[OUTPUTS].value.bytes != NULL &&
         !read_elements(context, members[OUTPUTS].value, read_output)) ||
        !read_elements(context, members[INPUTS].value, read_input))
        return false;
    if (request->n == 0)
        return v2_refuse(context, "there are no inputs");
    if (!v2_tensor_read(context, &context->tensor))
        return false;
    return request->width == 0 || (request->scales.n == 0 && !request->has_flip) ||
           v2_refuse(context, "scales and flip are for encoded pictures: " V2_PIXELS
                              " are taken as they are");
}

/* Inference-Header-Content-Length: 0, all of the body is one picture. */
static bool read_raw(struct v2_context *context)
{
    struct v2_request *request = context->request;

    request->items = calloc(1, sizeof *request->items);
    if (request->items == NULL)
        return v2_no_memory(context);
    request->n = 1;
    request->items[0].bytes = context->binary;
    request->items[0].size = context->binary_size;
    return true;
}

bool v2_request_read(struct v2_request *request, const uint8_t *body, size_t size, size_t json_size,
                     size_t images_max, struct problem *problem)
{
    struct v2_context context = {.request = request, .images_max = images_max, .problem = problem};

    if (json_size > size)
        return v2_refuse(&context, "Inference-Header-Content-Length is larger than the body");
    context.binary = body != NULL ? body + json_size : NULL;
    context.binary_size = size - json_size;
    json_reader_init(&context.reader, (struct json_slice){(const char *)body, json_size});
    if (!(json_size == 0 && size != 0 ? read_raw(&context) : read_root(&context)))
        return false;
    if (request->outputs_n == 0)
        request->outputs[request->outputs_n++] = (struct v2_output){.binary = request->binary};
    return true;
}
