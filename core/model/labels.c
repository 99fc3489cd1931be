/* Class names: ImageNet's built in, one "wnid words" a line. */
#include "model/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

/* imagenet_labels.S */
extern const char vgg_imagenet_labels[], vgg_imagenet_labels_end[];

static size_t count_lines(const char *text, size_t size)
{
    size_t lines = 0;

    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines;
}

enum vgg_status vgg_labels_parse(const char *text, size_t size, struct vgg_labels *labels,
                                 struct vgg_error *error)
{
    size_t lines = count_lines(text, size);
    char *line;

    *labels = (struct vgg_labels){
        .text = vgg_alloc(size + 1, 1),
        .items = vgg_calloc(lines, sizeof *labels->items),
    };
    if (labels->text == NULL || labels->items == NULL) {
        vgg_labels_fini(labels);
        return vgg_fail_memory(error);
    }
    memcpy(labels->text, text, size);
    labels->text[size] = '\0';
    line = labels->text;
    for (; labels->items_n < lines; labels->items_n++) {
        char *end = strchr(line, '\n'), *space;

        *end = '\0';
        space = strchr(line, ' ');
        if (space != NULL)
            *space = '\0';
        labels->items[labels->items_n].id = line;
        labels->items[labels->items_n].label = space != NULL ? space + 1 : line;
        line = end + 1;
    }
    return VGG_OK;
}

enum vgg_status vgg_labels_imagenet(struct vgg_labels *labels, struct vgg_error *error)
{
    return vgg_labels_parse(vgg_imagenet_labels,
                            (size_t)(vgg_imagenet_labels_end - vgg_imagenet_labels), labels, error);
}
