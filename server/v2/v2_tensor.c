/* The values of an input tensor, as JSON or as the bytes behind it. */
#include "v2/v2_tensor.h"

#include <stdlib.h>

#include "text/base64.h"

bool v2_refuse(struct v2_context *context, const char *what)
{
    problem_set(context->problem, PROBLEM_BAD_PARAMETER, "%s", what);
    return false;
}

bool v2_no_memory(struct v2_context *context)
{
    problem_set(context->problem, PROBLEM_NO_MEMORY, "there is no memory for the request now");
    return false;
}

bool v2_malformed(struct v2_context *context, const struct json_reader *reader)
{
    problem_set(context->problem, PROBLEM_BAD_PARAMETER, "the JSON of the request: %s",
                reader->error);
    return false;
}

/* ---------------------------------------------------------------- tensors as JSON ------------ */

struct walk {
    struct v2_context *context;
    struct json_reader reader;
    const uint64_t *shape;
    size_t rank, next;
    bool (*take)(struct walk *walk);
};

static bool take_value(struct walk *walk)
{
    return scan_float(&walk->reader, &walk->context->request->values[walk->next++]) ||
           v2_malformed(walk->context, &walk->reader);
}

/* A picture of the batch is wrong; they are counted from 1. */
static bool refuse_picture(struct v2_context *context, size_t i, const char *what)
{
    problem_set(context->problem, PROBLEM_BAD_PARAMETER, "picture %zu of input " V2_IMAGE " %s",
                i + 1, what);
    return false;
}

static bool refuse_empty(struct v2_context *context, size_t i)
{
    return refuse_picture(context, i, "is empty: an element is a whole JPEG, PNG or WebP file");
}

static bool take_picture(struct walk *walk)
{
    struct v2_item *item = &walk->context->request->items[walk->next];
    struct json_slice text;

    if (!scan_string(&walk->reader, &text))
        return v2_malformed(walk->context, &walk->reader);
    item->decoded = malloc(text.size);
    if (item->decoded == NULL)
        return v2_no_memory(walk->context);
    item->bytes = (const uint8_t *)item->decoded;
    if (!base64_decode(item->decoded, scan_unescape(text, item->decoded), &item->size))
        return refuse_picture(walk->context, walk->next, "is not base64, as BYTES in JSON are");
    return item->size != 0 ? ++walk->next : refuse_empty(walk->context, walk->next);
}

/* An array of the dimension `level`. */
static bool walk_array(struct walk *walk, size_t level)
{
    bool first = true;
    uint64_t n = 0;

    if (!scan_begin(&walk->reader, '['))
        return v2_malformed(walk->context, &walk->reader);
    for (; scan_element(&walk->reader, &first); n++) {
        if (n == walk->shape[level])
            return v2_refuse(walk->context, "data holds more values than its shape says");
        if (!(level + 1 < walk->rank ? walk_array(walk, level + 1) : walk->take(walk)))
            return false;
    }
    if (walk->reader.error[0] != '\0')
        return v2_malformed(walk->context, &walk->reader);
    return n == walk->shape[level] ||
           v2_refuse(walk->context, "data holds fewer values than its shape says");
}

static bool read_json_data(struct v2_context *context, const struct v2_tensor *tensor)
{
    const uint64_t flat = tensor->elements;
    struct walk walk = {.context = context,
                        .reader = json_reader_at(&context->reader, tensor->data),
                        .shape = tensor->shape,
                        .rank = tensor->rank,
                        .take = tensor->pixels ? take_value : take_picture};
    struct json_reader inside = walk.reader;

    if (!scan_begin(&inside, '['))
        return v2_malformed(context, &inside);
    if (scan_peek(&inside) != '[') {
        walk.shape = &flat;
        walk.rank = 1;
    }
    if (tensor->pixels) {
        /* A value takes a character, and one before it. */
        if (tensor->elements > tensor->data.size / 2)
            return v2_refuse(context, "data holds fewer values than its shape says");
        context->request->values = malloc(tensor->elements * sizeof(float));
        if (context->request->values == NULL)
            return v2_no_memory(context);
    }
    return walk_array(&walk, 0);
}

/* ---------------------------------------------------------------- tensors as binary data ----- */

/* Each picture: its length in 4 bytes, little-endian, then its bytes. */
static bool read_binary_pictures(struct v2_context *context)
{
    struct v2_request *request = context->request;
    const uint8_t *at = context->binary;
    size_t left = context->binary_size;

    for (size_t i = 0; i < request->n; i++) {
        size_t size;

        if (left < 4)
            return v2_refuse(context, "the binary data holds fewer elements than its shape says");
        size = (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
        at += 4;
        left -= 4;
        if (size > left)
            return v2_refuse(context, "an element is longer than the binary data");
        if (size == 0)
            return refuse_empty(context, i);
        request->items[i].bytes = at;
        request->items[i].size = size;
        at += size;
        left -= size;
    }
    return left == 0 ||
           v2_refuse(context, "the binary data holds more elements than its shape says");
}

static bool read_binary_data(struct v2_context *context, const struct v2_tensor *tensor)
{
    if (tensor->binary_size != context->binary_size) {
        problem_set(context->problem, PROBLEM_BAD_PARAMETER,
                    "binary_data_size is %llu, but %zu bytes follow the JSON",
                    (unsigned long long)tensor->binary_size, context->binary_size);
        return false;
    }
    if (!tensor->pixels)
        return read_binary_pictures(context);
    return tensor->binary_size == tensor->elements * sizeof(float) ||
           v2_refuse(context, "binary_data_size is not that of the shape");
}

bool v2_tensor_read(struct v2_context *context, const struct v2_tensor *tensor)
{
    struct v2_request *request = context->request;
    size_t view = tensor->elements / request->n;
    const char *pixels;

    if ((tensor->data.bytes != NULL) == tensor->is_binary)
        return v2_refuse(context, "an input has either data or binary_data_size");
    if (!tensor->is_binary && context->binary_size != 0)
        return v2_refuse(context, "bytes follow the JSON that no input asks for");
    request->items = calloc(request->n, sizeof *request->items);
    if (request->items == NULL)
        return v2_no_memory(context);
    if (!(tensor->is_binary ? read_binary_data(context, tensor) : read_json_data(context, tensor)))
        return false;
    pixels = tensor->is_binary ? (const char *)context->binary : (const char *)request->values;
    for (size_t i = 0; i < request->n && tensor->pixels; i++)
        request->items[i].pixels = pixels + i * view * sizeof(float);
    return true;
}
