/*
 * The safetensors header: a JSON object with an entry for each tensor, and strings of metadata. It
 * is read in place and checked while it is read, by what the format asks and what a model needs.
 */
#include "model/header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "text/json_reader.h"
#include "text/json_writer.h"

enum { PADDING = 8 }; /* of the header: tensors start at multiples of 8 bytes */

/* 1 GiB of elements a side: larger shapes could not be addressed by the kernels anyway. */
static const uint64_t DIM_MAX = 1 << 30;

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

/* ---------------------------------------------------------------- tensors -------------------- */

/* The members of a tensor's entry. */
enum field { FIELD_DTYPE, FIELD_SHAPE, FIELD_OFFSETS, FIELDS_N };

/* A checked string without its escapes, malloc'ed. Errors: BAD_MODEL (it holds a zero), NO_MEMORY.
 */
static enum vgg_status copy_string(struct json_slice string, char **copy, struct vgg_error *error)
{
    char *text = vgg_alloc(string.size, 1); /* the quotes leave room for the zero */
    size_t size;

    if (text == NULL)
        return vgg_fail_memory(error);
    size = scan_unescape(string, text);
    text[size] = '\0';
    *copy = text;
    if (strlen(text) == size)
        return VGG_OK;
    return vgg_fail(error, VGG_BAD_MODEL, "the header has a string with a zero character");
}

static enum vgg_status find_fields(struct json_reader *reader, const char *name,
                                   struct json_slice fields[FIELDS_N], struct vgg_error *error)
{
    static const char *const names[FIELDS_N] = {"dtype", "shape", "data_offsets"};
    struct json_slice key, value;
    bool first = true;

    if (!scan_begin(reader, '{'))
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: its entry must be an object", name);
    while (scan_key(reader, &first, &key) && scan_value(reader, &value))
        for (int i = 0; i < FIELDS_N; i++) {
            if (!scan_is(key, names[i]))
                continue;
            if (fields[i].bytes != NULL)
                return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: %s is there twice", name,
                                names[i]);
            fields[i] = value;
        }
    return VGG_OK;
}

static enum vgg_status parse_dtype(struct json_slice text, struct vgg_tensor *tensor,
                                   struct vgg_error *error)
{
    bool is_string = text.bytes != NULL && text.bytes[0] == '"';

    for (size_t i = 0; is_string && i < sizeof dtypes / sizeof *dtypes; i++)
        if (scan_is(text, dtypes[i].name)) {
            tensor->dtype = (enum vgg_dtype)i;
            return VGG_OK;
        }
    return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: dtype %.*s is not F32, F16 or BF16",
                    tensor->name, is_string && text.size < 40 ? (int)text.size - 2 : 6,
                    is_string && text.size < 40 ? text.bytes + 1 : "(none)");
}

static enum vgg_status parse_shape(const struct json_reader *header, struct json_slice list,
                                   struct vgg_tensor *tensor, uint64_t *elements,
                                   struct vgg_error *error)
{
    struct json_reader reader = json_reader_at(header, list);
    bool first = true, is_list = list.bytes != NULL && scan_begin(&reader, '[');

    *elements = 1;
    for (; is_list && scan_element(&reader, &first); tensor->dims++) {
        uint64_t *size = &tensor->shape[tensor->dims];

        if (tensor->dims == VGG_TENSOR_DIMS_MAX) {
            is_list = false;
            break;
        }
        if (!scan_whole(&reader, size) || *size < 1 || *size > DIM_MAX)
            return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: size %u of its shape is not in 1..%d",
                            tensor->name, tensor->dims, (int)DIM_MAX);
        if (__builtin_mul_overflow(*elements, *size, elements))
            return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: its shape is too large",
                            tensor->name);
    }
    if (is_list)
        return VGG_OK;
    return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: shape must be a list of at most %d sizes",
                    tensor->name, VGG_TENSOR_DIMS_MAX);
}

static bool parse_offsets(const struct json_reader *header, struct json_slice list,
                          struct vgg_tensor *tensor)
{
    struct json_reader reader = json_reader_at(header, list);
    bool first = true;

    return list.bytes != NULL && scan_begin(&reader, '[') && scan_element(&reader, &first) &&
           scan_whole(&reader, &tensor->begin) && scan_element(&reader, &first) &&
           scan_whole(&reader, &tensor->end) && !scan_element(&reader, &first) &&
           reader.error[0] == '\0' && tensor->begin <= tensor->end;
}

/* The entry before which `reader` stands; tensor->name is there. */
static enum vgg_status parse_tensor(struct json_reader *reader, struct vgg_tensor *tensor,
                                    struct vgg_error *error)
{
    struct json_slice fields[FIELDS_N] = {{0}};
    enum vgg_status status = find_fields(reader, tensor->name, fields, error);
    uint64_t elements = 1, bytes;

    if (status == VGG_OK)
        status = parse_dtype(fields[FIELD_DTYPE], tensor, error);
    if (status == VGG_OK)
        status = parse_shape(reader, fields[FIELD_SHAPE], tensor, &elements, error);
    if (status != VGG_OK)
        return status;
    if (!parse_offsets(reader, fields[FIELD_OFFSETS], tensor))
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: data_offsets must be [begin, end]",
                        tensor->name);
    if (__builtin_mul_overflow(elements, vgg_dtype_bytes(tensor->dtype), &bytes) ||
        bytes != tensor->end - tensor->begin)
        return vgg_fail(error, VGG_BAD_MODEL,
                        "tensor %s: its shape does not fit the %" PRIu64 " bytes of its offsets",
                        tensor->name, tensor->end - tensor->begin);
    return VGG_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct vgg_tensor *)a)->name, ((const struct vgg_tensor *)b)->name);
}

static enum vgg_status check_names(struct vgg_header *header, struct vgg_error *error)
{
    qsort(header->tensors, header->tensors_n, sizeof *header->tensors, by_name);
    for (size_t i = 1; i < header->tensors_n; i++)
        if (by_name(&header->tensors[i - 1], &header->tensors[i]) == 0)
            return vgg_fail(error, VGG_BAD_MODEL, "tensor %s is there twice",
                            header->tensors[i].name);
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

/* ---------------------------------------------------------------- reading -------------------- */

/* Members of the object before which a reader stands, all of whose text has been checked. */
static size_t count_members(struct json_reader reader)
{
    struct json_slice key, value;
    bool first = true;
    size_t n = 0;

    for (scan_begin(&reader, '{'); scan_key(&reader, &first, &key) && scan_value(&reader, &value);)
        n++;
    return n;
}

static enum vgg_status add_metadata(struct vgg_header *header, struct json_slice key,
                                    struct json_slice value, struct vgg_error *error)
{
    struct vgg_metadata *item = &header->metadata[header->metadata_n++];
    enum vgg_status status = copy_string(key, &item->key, error);

    if (status != VGG_OK)
        return status;
    for (size_t i = 0; i + 1 < header->metadata_n; i++)
        if (strcmp(header->metadata[i].key, item->key) == 0)
            return vgg_fail(error, VGG_BAD_MODEL, "__metadata__: %s is there twice", item->key);
    if (value.bytes[0] != '"')
        return vgg_fail(error, VGG_BAD_MODEL, "__metadata__: %s must be a string", item->key);
    return copy_string(value, &item->value, error);
}

static enum vgg_status parse_metadata(struct json_reader *reader, struct vgg_header *header,
                                      struct vgg_error *error)
{
    struct json_slice key, value;
    bool first = true;
    size_t n;

    if (header->metadata != NULL)
        return vgg_fail(error, VGG_BAD_MODEL, "__metadata__ is there twice");
    if (scan_peek(reader) != '{')
        return vgg_fail(error, VGG_BAD_MODEL, "__metadata__ must be an object of strings");
    n = count_members(*reader);
    if (n > VGG_METADATA_MAX)
        return vgg_fail(error, VGG_BAD_MODEL, "__metadata__ has more than %d entries",
                        VGG_METADATA_MAX);
    header->metadata = vgg_calloc(n + 1, sizeof *header->metadata);
    if (header->metadata == NULL)
        return vgg_fail_memory(error);
    for (scan_begin(reader, '{'); scan_key(reader, &first, &key) && scan_value(reader, &value);) {
        enum vgg_status status = add_metadata(header, key, value, error);

        if (status != VGG_OK)
            return status;
    }
    return VGG_OK;
}

static enum vgg_status parse_entries(struct json_reader *reader, struct vgg_header *header,
                                     struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;
    struct json_slice key, value;
    bool first = true;

    header->tensors = vgg_calloc(count_members(*reader) + 1, sizeof *header->tensors);
    if (header->tensors == NULL)
        return vgg_fail_memory(error);
    scan_begin(reader, '{');
    while (status == VGG_OK && scan_key(reader, &first, &key) && scan_value(reader, &value)) {
        struct json_reader entry = json_reader_at(reader, value);

        if (scan_is(key, "__metadata__"))
            status = parse_metadata(&entry, header, error);
        else {
            struct vgg_tensor *tensor = &header->tensors[header->tensors_n++];

            status = copy_string(key, &tensor->name, error);
            if (status == VGG_OK)
                status = parse_tensor(&entry, tensor, error);
        }
    }
    return status;
}

static enum vgg_status parse(const char *json, size_t size, struct vgg_header *header,
                             struct vgg_error *error)
{
    struct json_slice whole;
    struct json_reader reader;

    json_reader_init(&reader, (struct json_slice){json, size});
    if (!scan_document(&reader, &whole))
        return vgg_fail(error, VGG_BAD_MODEL, "the header is not valid JSON: %s", reader.error);
    if (whole.bytes[0] != '{')
        return vgg_fail(error, VGG_BAD_MODEL, "the header must be a JSON object");
    reader = json_reader_at(&reader, whole);
    return parse_entries(&reader, header, error);
}

enum vgg_status vgg_header_parse(const char *json, size_t size, uint64_t data_bytes,
                                 struct vgg_header *header, struct vgg_error *error)
{
    enum vgg_status status;

    *header = (struct vgg_header){0};
    status = parse(json, size, header, error);
    if (status == VGG_OK)
        status = check_names(header, error);
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

/* ---------------------------------------------------------------- writing -------------------- */

static void write_member(struct json_writer *writer, bool *first, const char *name)
{
    json_write(writer, *first ? "" : ",");
    *first = false;
    json_write_string(writer, name);
    json_write(writer, ":");
}

static void write_tensor(struct json_writer *writer, const struct vgg_tensor *tensor)
{
    json_write(writer, "{\"dtype\":");
    json_write_string(writer, vgg_dtype_name(tensor->dtype));
    json_write(writer, ",\"shape\":[");
    for (unsigned i = 0; i < tensor->dims; i++) {
        json_write(writer, i == 0 ? "" : ",");
        json_write_whole(writer, tensor->shape[i]);
    }
    json_write(writer, "],\"data_offsets\":[");
    json_write_whole(writer, tensor->begin);
    json_write(writer, ",");
    json_write_whole(writer, tensor->end);
    json_write(writer, "]}");
}

char *vgg_header_format(const struct vgg_header *header)
{
    struct json_writer writer = {0};
    bool first = true;

    json_write(&writer, "{\"__metadata__\":{");
    for (size_t i = 0; i < header->metadata_n; i++) {
        write_member(&writer, &first, header->metadata[i].key);
        json_write_string(&writer, header->metadata[i].value);
    }
    json_write(&writer, "}");
    first = false;
    for (size_t i = 0; i < header->tensors_n; i++) {
        write_member(&writer, &first, header->tensors[i].name);
        write_tensor(&writer, &header->tensors[i]);
    }
    json_write(&writer, "}");
    while (writer.text.size % PADDING != 0 && !writer.text.failed)
        json_write(&writer, " ");
    return json_writer_finish(&writer);
}
