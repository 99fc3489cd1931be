/* A set of pictures, once it is opened. */
#include "data/set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "data/picture.h"

static void example_fini(struct vgg_example *example)
{
    vgg_image_destroy(example->image);
    free(example->path);
}

void vgg_dataset_fini(struct vgg_dataset *dataset)
{
    for (size_t i = 0; i < dataset->examples_n; i++)
        example_fini(&dataset->examples[i]);
    for (size_t i = 0; i < dataset->classes_n; i++)
        free(dataset->classes[i]);
    free(dataset->examples);
    free(dataset->classes);
    *dataset = (struct vgg_dataset){0};
}

uint64_t vgg_dataset_bytes(const struct vgg_dataset *dataset)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < dataset->examples_n; i++)
        if (dataset->examples[i].image != NULL)
            bytes += 3 * (uint64_t)dataset->examples[i].width * dataset->examples[i].height;
    return bytes;
}

enum vgg_status vgg_dataset_set_classes(struct vgg_dataset *dataset, const char *const *names,
                                        size_t n, struct vgg_error *error)
{
    dataset->classes = vgg_calloc(n, sizeof *dataset->classes);
    if (dataset->classes == NULL)
        return vgg_fail_memory(error);
    for (; dataset->classes_n < n; dataset->classes_n++) {
        char *name = strdup(names[dataset->classes_n]);

        if (name == NULL)
            return vgg_fail_memory(error);
        dataset->classes[dataset->classes_n] = name;
    }
    return VGG_OK;
}

enum vgg_status vgg_dataset_append(struct vgg_dataset *to, struct vgg_dataset *from,
                                   struct vgg_error *error)
{
    struct vgg_example *grown;

    if (from->examples_n == 0)
        return VGG_OK;
    grown = realloc(to->examples, (to->examples_n + from->examples_n) * sizeof *grown);
    if (grown == NULL)
        return vgg_fail_memory(error);
    to->examples = grown;
    memcpy(grown + to->examples_n, from->examples, from->examples_n * sizeof *grown);
    to->examples_n += from->examples_n;
    from->examples_n = 0;
    return VGG_OK;
}

enum vgg_status vgg_example_read(const struct vgg_example *example, struct vgg_image **image,
                                 struct vgg_error *error)
{
    struct vgg_error reason = {0};
    struct vgg_picture_file file;
    enum vgg_status status = vgg_picture_read(example->path, image, &file, &reason);

    if (status != VGG_OK)
        return vgg_fail(error, status, "%s: %s", example->path, reason.text);
    if (strcmp(file.sha256, example->sha256) == 0)
        return VGG_OK;
    vgg_image_destroy(*image);
    return vgg_fail(error, VGG_BAD_IMAGE, "%s: another picture than when training began",
                    example->path);
}

void vgg_dataset_digest(const struct vgg_dataset *dataset, char hex[VGG_SHA256_HEX_BYTES])
{
    struct vgg_sha256 sha;
    char numbers[96];

    vgg_sha256_init(&sha);
    for (size_t i = 0; i < dataset->classes_n; i++)
        vgg_sha256_update(&sha, dataset->classes[i], strlen(dataset->classes[i]) + 1);
    for (size_t i = 0; i < dataset->examples_n; i++) {
        const struct vgg_example *example = &dataset->examples[i];
        int length =
            snprintf(numbers, sizeof numbers, "%" PRIu32 " %" PRIu64 " %" PRIu32 "x%" PRIu32,
                     example->label, example->file_bytes, example->width, example->height);

        vgg_sha256_update(&sha, example->name, strlen(example->name) + 1);
        vgg_sha256_update(&sha, numbers, (size_t)length + 1);
    }
    vgg_sha256_final(&sha, hex);
}
