/* The safetensors header and the JSON lists in its metadata, checked while they are parsed. */
#include "model/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

enum { PADDING = 8 }; /* of the header: tensors start at multiples of 8 bytes */

/* 1 GiB of elements a side: larger shapes could not be addressed by the kernels anyway. */
static const json_int_t DIM_MAX = 1 << 30;

static const struct {
    const char *name;
    uint64_t bytes;
} dtypes[] = {
    [VGG_DTYPE_F32] = {"F32", 4},
    [VGG_DTYPE_F16] = {"F16", 2},
    [VGG_DTYPE_BF16] = {"BF16", 2},
    [VGG_DTYPE_I64] = {"I64", 8},
};

const char *vgg_dtype_name(enum vgg_dtype dtype)
{
    return dtypes[dtype].name;
}

uint64_t vgg_dtype_bytes(enum vgg_dtype dtype)
{
    return dtypes[dtype].bytes;
}

/* ---------------------------------------------------------------- parsing -------------------- */

/*
 * jansson's parser loses letters or ends the process where an allocation fails in the middle, so it
 * gets all its memory beforehand: a block that is carved up in order and freed whole. Every value
 * follows a mark; the costliest, an empty object, takes some 250 bytes. Texts are copied from
 * buffers that grow by doubling.
 */
enum {
    MARK_BYTES = 320,
    TEXT_FACTOR = 8,
    ARENA_MIN = 64 << 10,
    MARKS_MAX = 1 << 18 /* a label list of 65,536 classes has 200,000 */
};

struct arena {
    unsigned char *bytes;
    size_t size, used;
};

static _Thread_local struct arena *arena; /* of the parse under way on this thread */

static void *arena_malloc(size_t size)
{
    size_t rounded = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);

    if (arena == NULL || rounded > arena->size - arena->used)
        return malloc(size);
    arena->used += rounded;
    return arena->bytes + arena->used - rounded;
}

static void arena_free(void *block)
{
    uintptr_t at = (uintptr_t)block;

    if (arena == NULL || at < (uintptr_t)arena->bytes ||
        at >= (uintptr_t)arena->bytes + arena->size)
        free(block);
}

static void set_allocator(void)
{
    json_set_alloc_funcs(arena_malloc, arena_free);
}

static size_t count_marks(const char *json, size_t size)
{
    size_t marks = 0;

    for (size_t i = 0; i < size; i++)
        marks += json[i] == '{' || json[i] == '[' || json[i] == ',' || json[i] == ':';
    return marks;
}

/* What a parsed document is given to. */
typedef enum vgg_status use_fn(const json_t *root, void *target, struct vgg_error *error);

/* Parse `json`, call use() and forget the document. `what` names it in messages. */
static enum vgg_status parse(const char *json, size_t size, const char *what, use_fn *use,
                             void *target, struct vgg_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t marks = count_marks(json, size);
    struct arena own = {.size = MARK_BYTES * marks + TEXT_FACTOR * size + ARENA_MIN};
    enum vgg_status status;
    json_error_t reason;
    json_t *root;

    if (marks > MARKS_MAX)
        return vgg_fail(error, VGG_BAD_MODEL, "%s has more than %d values", what, MARKS_MAX);

    own.bytes = vgg_alloc_aligned(own.size, 1);
    if (own.bytes == NULL)
        return vgg_fail_memory(error);
    pthread_once(&once, set_allocator);
    arena = &own;
    root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &reason);
    status = root != NULL ? use(root, target, error)
                          : vgg_fail(error, VGG_BAD_MODEL, "%s is not valid JSON: %s (byte %d)",
                                     what, reason.text, reason.position);
    json_decref(root);
    arena = NULL;
    free(own.bytes);
    return status;
}

/* ---------------------------------------------------------------- tensors -------------------- */

static bool parse_dtype(const char *name, enum vgg_dtype *dtype)
{
    for (size_t i = 0; name != NULL && i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(name, dtypes[i].name) == 0) {
            *dtype = (enum vgg_dtype)i;
            return true;
        }
    return false;
}

static enum vgg_status parse_shape(const json_t *shape, struct vgg_tensor *tensor,
                                   uint64_t *elements, struct vgg_error *error)
{
    if (!json_is_array(shape) || json_array_size(shape) > VGG_TENSOR_DIMS_MAX)
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: shape must be a list of at most %d sizes",
                        tensor->name, VGG_TENSOR_DIMS_MAX);
    tensor->dims = (unsigned)json_array_size(shape);
    *elements = 1;
    for (unsigned i = 0; i < tensor->dims; i++) {
        const json_t *size = json_array_get(shape, i);

        if (!json_is_integer(size) || json_integer_value(size) < 1 ||
            json_integer_value(size) > DIM_MAX)
            return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: size %u of its shape is not in 1..%d",
                            tensor->name, i, (int)DIM_MAX);
        tensor->shape[i] = (uint64_t)json_integer_value(size);
        if (__builtin_mul_overflow(*elements, tensor->shape[i], elements))
            return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: its shape is too large",
                            tensor->name);
    }
    return VGG_OK;
}

static bool parse_offsets(const json_t *offsets, struct vgg_tensor *tensor)
{
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);

    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return false;
    tensor->begin = (uint64_t)json_integer_value(begin);
    tensor->end = (uint64_t)json_integer_value(end);
    return true;
}

static enum vgg_status parse_tensor(const char *name, const json_t *entry,
                                    struct vgg_tensor *tensor, struct vgg_error *error)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    enum vgg_status status;
    uint64_t elements = 1, bytes;

    tensor->name = strdup(name);
    if (tensor->name == NULL)
        return vgg_fail_memory(error);
    if (!parse_dtype(dtype, &tensor->dtype))
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: dtype %s is not F32, F16 or BF16", name,
                        dtype != NULL ? dtype : "(none)");
    status = parse_shape(json_object_get(entry, "shape"), tensor, &elements, error);
    if (status != VGG_OK)
        return status;
    if (!parse_offsets(json_object_get(entry, "data_offsets"), tensor))
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: data_offsets must be [begin, end]", name);
    if (__builtin_mul_overflow(elements, vgg_dtype_bytes(tensor->dtype), &bytes) ||
        bytes != tensor->end - tensor->begin)
        return vgg_fail(error, VGG_BAD_MODEL,
                        "tensor %s: its shape does not fit the %" PRIu64 " bytes of its offsets",
                        name, tensor->end - tensor->begin);
    return VGG_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct vgg_tensor *first = a, *second = b;

    return (first->begin > second->begin) - (first->begin < second->begin);
}

/* Every byte of the data belongs to exactly one tensor. */
static enum vgg_status check_coverage(const struct vgg_header *header, uint64_t data_bytes,
                                      struct vgg_error *error)
{
    uint64_t offset = 0;

    for (size_t i = 0; i < header->tensors_n; i++) {
        const struct vgg_tensor *tensor = &header->tensors[i];

        if (tensor->end > data_bytes)
            return vgg_fail(error, VGG_BAD_MODEL,
                            "truncated: tensor %s ends at byte %" PRIu64
                            " of the data, the file has %" PRIu64,
                            tensor->name, tensor->end, data_bytes);
        if (tensor->begin != offset)
            return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: its data %s", tensor->name,
                            tensor->begin < offset ? "overlaps the tensor before it"
                                                   : "leaves a gap after the tensor before it");
        offset = tensor->end;
    }
    if (offset != data_bytes)
        return vgg_fail(error, VGG_BAD_MODEL, "%" PRIu64 " bytes after the last tensor",
                        data_bytes - offset);
    return VGG_OK;
}

/* ---------------------------------------------------------------- header --------------------- */

static enum vgg_status parse_metadata(const json_t *object, struct vgg_header *header,
                                      struct vgg_error *error)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return vgg_fail(error, VGG_BAD_MODEL, "__metadata__ must be an object of strings");
    header->metadata = vgg_calloc(json_object_size(object), sizeof *header->metadata);
    if (header->metadata == NULL)
        return vgg_fail_memory(error);
    json_object_foreach((json_t *)object, key, value)
    {
        struct vgg_metadata *item = &header->metadata[header->metadata_n];

        if (!json_is_string(value))
            return vgg_fail(error, VGG_BAD_MODEL, "__metadata__: %s must be a string", key);
        header->metadata_n++;
        item->key = strdup(key);
        item->value = strdup(json_string_value(value));
        if (item->key == NULL || item->value == NULL)
            return vgg_fail_memory(error);
    }
    return VGG_OK;
}

static enum vgg_status parse_root(const json_t *root, void *target, struct vgg_error *error)
{
    struct vgg_header *header = target;
    const char *name;
    json_t *entry;

    if (!json_is_object(root))
        return vgg_fail(error, VGG_BAD_MODEL, "the header must be a JSON object");
    header->tensors = vgg_calloc(json_object_size(root), sizeof *header->tensors);
    if (header->tensors == NULL)
        return vgg_fail_memory(error);
    json_object_foreach((json_t *)root, name, entry)
    {
        enum vgg_status status;

        if (strcmp(name, "__metadata__") == 0)
            status = parse_metadata(entry, header, error);
        else
            status = parse_tensor(name, entry, &header->tensors[header->tensors_n++], error);
        if (status != VGG_OK)
            return status;
    }
    return VGG_OK;
}

enum vgg_status vgg_header_parse(const char *json, size_t size, uint64_t data_bytes,
                                 struct vgg_header *header, struct vgg_error *error)
{
    enum vgg_status status;

    *header = (struct vgg_header){0};
    status = parse(json, size, "the header", parse_root, header, error);
    if (status == VGG_OK) {
        qsort(header->tensors, header->tensors_n, sizeof *header->tensors, by_offset);
        status = check_coverage(header, data_bytes, error);
    }
    if (status != VGG_OK)
        vgg_header_fini(header);
    return status;
}

void vgg_header_fini(struct vgg_header *header)
{
    for (size_t i = 0; i < header->tensors_n; i++)
        free(header->tensors[i].name);
    for (size_t i = 0; i < header->metadata_n; i++) {
        free(header->metadata[i].key);
        free(header->metadata[i].value);
    }
    free(header->tensors);
    free(header->metadata);
    *header = (struct vgg_header){0};
}

const char *vgg_header_get(const struct vgg_header *header, const char *key)
{
    for (size_t i = 0; i < header->metadata_n; i++)
        if (strcmp(header->metadata[i].key, key) == 0)
            return header->metadata[i].value;
    return NULL;
}

/* Bytes that follow the first one of a character; more than there can be where it is none. */
static unsigned continuation_bytes(unsigned char first)
{
    if (first < 0x80)
        return 0;
    if (first < 0xE0)
        return first >= 0xC2 ? 1 : 4;
    return first < 0xF0 ? 2 : first < 0xF5 ? 3 : 4;
}

bool vgg_json_is_text(const char *string)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *next = (const unsigned char *)string;

    while (*next != '\0') {
        unsigned n = continuation_bytes(*next);
        uint32_t code = n == 0 ? *next : *next & (0x3FU >> n);

        if (n > 3)
            return false;
        next++;
        for (unsigned i = 0; i < n; i++, next++) {
            if ((*next & 0xC0) != 0x80)
                return false;
            code = code << 6 | (*next & 0x3FU);
        }
        if (code < least[n] || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF)
            return false;
    }
    return true;
}

static json_t *tensor_entry(const struct vgg_tensor *tensor)
{
    json_t *shape = json_array();

    for (unsigned i = 0; i < tensor->dims; i++)
        if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", vgg_dtype_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)tensor->begin, (json_int_t)tensor->end);
}

/* Into a block of our own: json_dumps drops what it has no memory for. */
static char *print_padded(const json_t *root, size_t padding)
{
    size_t length = json_dumpb(root, NULL, 0, JSON_COMPACT);
    size_t width = (length + padding - 1) / padding * padding;
    char *text = length != 0 ? vgg_alloc(width + 1, 1) : NULL;

    if (text == NULL)
        return NULL;
    memset(text, ' ', width);
    text[width] = '\0';
    if (json_dumpb(root, text, length, JSON_COMPACT) == length)
        return text;
    free(text);
    return NULL;
}

char *vgg_header_format(const struct vgg_header *header)
{
    json_t *root = json_object(), *metadata = json_object();
    bool complete = root != NULL && metadata != NULL;
    char *text = NULL;

    for (size_t i = 0; complete && i < header->metadata_n; i++)
        complete = json_object_set_new(metadata, header->metadata[i].key,
                                       json_string(header->metadata[i].value)) == 0;
    complete = complete && json_object_set(root, "__metadata__", metadata) == 0;
    for (size_t i = 0; complete && i < header->tensors_n; i++)
        complete = json_object_set_new(root, header->tensors[i].name,
                                       tensor_entry(&header->tensors[i])) == 0;
    if (complete)
        text = print_padded(root, PADDING);
    json_decref(metadata);
    json_decref(root);
    return text;
}

/* ---------------------------------------------------------------- lists ---------------------- */

struct numbers {
    double *items;
    size_t max, *n;
};

static enum vgg_status copy_numbers(const json_t *root, void *target, struct vgg_error *error)
{
    struct numbers *numbers = target;

    if (!json_is_array(root) || json_array_size(root) > numbers->max)
        return vgg_fail(error, VGG_BAD_MODEL, "not a list of at most %zu numbers", numbers->max);
    *numbers->n = json_array_size(root);
    for (size_t i = 0; i < *numbers->n; i++) {
        const json_t *item = json_array_get(root, i);

        if (!json_is_number(item))
            return vgg_fail(error, VGG_BAD_MODEL, "element %zu is not a number", i);
        numbers->items[i] = json_number_value(item);
    }
    return VGG_OK;
}

enum vgg_status vgg_json_numbers(const char *json, double *items, size_t max, size_t *n,
                                 struct vgg_error *error)
{
    struct numbers numbers = {items, max, n};

    *n = 0;
    return parse(json, strlen(json), "it", copy_numbers, &numbers, error);
}

/* Append a string's bytes and terminator at *end of the text block. */
static const char *append(char **end, const json_t *string)
{
    char *copy = *end;

    memcpy(copy, json_string_value(string), json_string_length(string) + 1);
    *end += json_string_length(string) + 1;
    return copy;
}

/* The strings of one element: a label, or an id and a label. */
static bool label_strings(const json_t *item, const json_t **id, const json_t **label)
{
    *id = NULL;
    *label = item;
    if (json_is_array(item) && json_array_size(item) == 2) {
        *id = json_array_get(item, 0);
        *label = json_array_get(item, 1);
    }
    return json_is_string(*label) && (*id == NULL || json_is_string(*id));
}

static enum vgg_status copy_labels(const json_t *root, void *target, struct vgg_error *error)
{
    struct vgg_labels *labels = target;
    size_t bytes = 0;
    const json_t *id, *label;
    char *end;

    if (!json_is_array(root))
        return vgg_fail(error, VGG_BAD_MODEL, "vgg.labels must be a JSON list");
    for (size_t i = 0; i < json_array_size(root); i++) {
        if (!label_strings(json_array_get(root, i), &id, &label))
            return vgg_fail(error, VGG_BAD_MODEL,
                            "vgg.labels: element %zu is neither a string nor [id, label]", i);
        bytes += json_string_length(label) + 1 + (id != NULL ? json_string_length(id) + 1 : 0);
    }
    labels->items = vgg_calloc(json_array_size(root), sizeof *labels->items);
    labels->text = vgg_alloc(bytes, 1);
    if (labels->items == NULL || labels->text == NULL)
        return vgg_fail_memory(error);
    end = labels->text;
    for (; labels->items_n < json_array_size(root); labels->items_n++) {
        struct vgg_label *item = &labels->items[labels->items_n];

        label_strings(json_array_get(root, labels->items_n), &id, &label);
        item->id = id != NULL ? append(&end, id) : NULL;
        item->label = append(&end, label);
    }
    return VGG_OK;
}

enum vgg_status vgg_json_labels(const char *json, struct vgg_labels *labels,
                                struct vgg_error *error)
{
    enum vgg_status status;

    *labels = (struct vgg_labels){0};
    status = parse(json, strlen(json), "vgg.labels", copy_labels, labels, error);
    if (status != VGG_OK)
        vgg_labels_fini(labels);
    return status;
}

char *vgg_labels_format(const struct vgg_labels *labels)
{
    json_t *list = json_array();
    bool complete = list != NULL;
    char *text = NULL;

    for (size_t i = 0; complete && i < labels->items_n; i++) {
        const struct vgg_label *item = &labels->items[i];

        complete = json_array_append_new(
                       list, item->id == NULL ? json_string(item->label)
                                              : json_pack("[s, s]", item->id, item->label)) == 0;
    }
    if (complete)
        text = print_padded(list, 1);
    json_decref(list);
    return text;
}

void vgg_labels_fini(struct vgg_labels *labels)
{
    free(labels->items);
    free(labels->text);
    *labels = (struct vgg_labels){0};
}
