/* JSON lists in the metadata of a model. */
#include "model/lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "text/json_reader.h"
#include "text/json_writer.h"

/* A reader before the first element of a list, all of whose text has been checked. */
static enum vgg_status open_list(struct json_reader *reader, const char *json, const char *what,
                                 struct vgg_error *error)
{
    struct json_slice whole;

    json_reader_init(reader, (struct json_slice){json, strlen(json)});
    if (!scan_document(reader, &whole))
        return vgg_fail(error, VGG_BAD_MODEL, "%s is not valid JSON: %s", what, reader->error);
    *reader = json_reader_at(reader, whole);
    if (!scan_begin(reader, '['))
        return vgg_fail(error, VGG_BAD_MODEL, "%s must be a JSON list", what);
    return VGG_OK;
}

/* ---------------------------------------------------------------- numbers -------------------- */

enum vgg_status vgg_json_numbers(const char *json, double *numbers, size_t max, size_t *n,
                                 struct vgg_error *error)
{
    struct json_reader reader;
    enum vgg_status status = open_list(&reader, json, "it", error);
    bool first = true;

    *n = 0;
    while (status == VGG_OK && scan_element(&reader, &first)) {
        if (*n == max)
            status = vgg_fail(error, VGG_BAD_MODEL, "not a list of at most %zu numbers", max);
        else if (!scan_double(&reader, &numbers[*n]))
            status = vgg_fail(error, VGG_BAD_MODEL, "element %zu is not a number", *n);
        else
            ++*n;
    }
    return status;
}

/* ---------------------------------------------------------------- labels --------------------- */

/* The strings of one element: a label, or an id and a label; id.bytes NULL where there is none. */
static bool scan_label(struct json_reader *reader, struct json_slice *id, struct json_slice *label)
{
    bool first = true;

    *id = (struct json_slice){NULL, 0};
    if (scan_peek(reader) != '[')
        return scan_string(reader, label);
    return scan_begin(reader, '[') && scan_element(reader, &first) && scan_string(reader, id) &&
           scan_element(reader, &first) && scan_string(reader, label) &&
           !scan_element(reader, &first) && reader->error[0] == '\0';
}

/* How many elements, and an upper bound of the bytes of their strings and terminators. */
static enum vgg_status measure(struct json_reader reader, size_t *n, size_t *bytes,
                               struct vgg_error *error)
{
    struct json_slice id, label;
    bool first = true;

    for (*n = *bytes = 0; scan_element(&reader, &first); ++*n) {
        if (!scan_label(&reader, &id, &label))
            return vgg_fail(error, VGG_BAD_MODEL,
                            "vgg.labels: element %zu is neither a string nor [id, label]", *n);
        *bytes += id.size + label.size; /* their quotes leave room for a zero */
    }
    return VGG_OK;
}

/* Append a string's bytes and terminator at *end of the text block; NULL where it holds a zero. */
static const char *append(char **end, struct json_slice string)
{
    char *copy = *end;
    size_t size = scan_unescape(string, copy);

    copy[size] = '\0';
    *end += size + 1;
    return strlen(copy) == size ? copy : NULL;
}

static enum vgg_status copy_labels(struct json_reader *reader, struct vgg_labels *labels,
                                   struct vgg_error *error)
{
    struct json_slice id, label;
    char *end = labels->text;
    bool first = true;

    while (scan_element(reader, &first) && scan_label(reader, &id, &label)) {
        struct vgg_label *item = &labels->items[labels->items_n++];

        item->id = id.bytes != NULL ? append(&end, id) : NULL;
        item->label = append(&end, label);
        if (item->label == NULL || (id.bytes != NULL && item->id == NULL))
            return vgg_fail(error, VGG_BAD_MODEL, "vgg.labels: element %zu holds a zero character",
                            labels->items_n - 1);
    }
    return VGG_OK;
}

enum vgg_status vgg_json_labels(const char *json, struct vgg_labels *labels,
                                struct vgg_error *error)
{
    struct json_reader reader;
    enum vgg_status status = open_list(&reader, json, "vgg.labels", error);
    size_t n, bytes;

    *labels = (struct vgg_labels){0};
    if (status == VGG_OK)
        status = measure(reader, &n, &bytes, error);
    if (status != VGG_OK)
        return status;
    labels->items = vgg_calloc(n + 1, sizeof *labels->items);
    labels->text = vgg_alloc(bytes + 1, 1);
    status = labels->items == NULL || labels->text == NULL ? vgg_fail_memory(error)
                                                           : copy_labels(&reader, labels, error);
    if (status != VGG_OK)
        vgg_labels_fini(labels);
    return status;
}

char *vgg_labels_format(const struct vgg_labels *labels)
{
    struct json_writer writer = {0};

    json_write(&writer, "[");
    for (size_t i = 0; i < labels->items_n; i++) {
        const struct vgg_label *item = &labels->items[i];

        json_write(&writer, i == 0 ? "" : ",");
        if (item->id != NULL) {
            json_write(&writer, "[");
            json_write_string(&writer, item->id);
            json_write(&writer, ",");
        }
        json_write_string(&writer, item->label);
        json_write(&writer, item->id != NULL ? "]" : "");
    }
    json_write(&writer, "]");
    return json_writer_finish(&writer);
}

void vgg_labels_fini(struct vgg_labels *labels)
{
    free(labels->items);
    free(labels->text);
    *labels = (struct vgg_labels){0};
}
