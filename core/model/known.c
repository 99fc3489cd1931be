/* The tensors of typicality: names, shapes, values. */
#include "model/known.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "model/lists.h"
#include "typicality/level.h"

enum { KNOWN_MAX = 1 << 20 /* distances: 4 MiB */, NUMBER_BYTES = 40 };

const char *const vgg_known_fields[VGG_KNOWN_TENSORS] = {"transform", "means", "distances"};

bool vgg_known_is(const struct vgg_tensor *tensor, enum vgg_known *which)
{
    const size_t module = strlen(VGG_KNOWN_MODULE ".");

    if (strncmp(tensor->name, VGG_KNOWN_MODULE ".", module) != 0)
        return false;
    for (int i = 0; i < VGG_KNOWN_TENSORS; i++)
        if (strcmp(tensor->name + module, vgg_known_fields[i]) == 0) {
            *which = (enum vgg_known)i;
            return true;
        }
    return false;
}

/* ---------------------------------------------------------------- the header ----------------- */

static enum vgg_status find(const struct vgg_header *header,
                            const struct vgg_tensor *tensors[VGG_KNOWN_TENSORS], size_t *found,
                            struct vgg_error *error)
{
    enum vgg_known which;

    *found = 0;
    for (size_t i = 0; i < header->tensors_n; i++)
        if (vgg_known_is(&header->tensors[i], &which)) {
            if (header->tensors[i].dtype == VGG_DTYPE_I64)
                return vgg_fail(error, VGG_BAD_MODEL,
                                "tensor %s: dtype I64 is not F32, F16 or BF16",
                                header->tensors[i].name);
            tensors[which] = &header->tensors[i];
            ++*found;
        }
    for (size_t i = 0; i < VGG_KNOWN_TENSORS && *found != 0; i++)
        if (tensors[i] == NULL)
            return vgg_fail(error, VGG_BAD_MODEL, VGG_KNOWN_MODULE ": tensor %s is missing",
                            vgg_known_fields[i]);
    return VGG_OK;
}

static enum vgg_status check_shapes(const struct vgg_tensor *const tensors[VGG_KNOWN_TENSORS],
                                    uint32_t features, uint32_t classes, struct vgg_error *error)
{
    const struct vgg_tensor *transform = tensors[VGG_KNOWN_TRANSFORM];
    const struct vgg_tensor *means = tensors[VGG_KNOWN_MEANS];
    const struct vgg_tensor *distances = tensors[VGG_KNOWN_DISTANCES];

    if (transform->dims != 2 || transform->shape[0] > VGG_TYPICALITY_DIMS_MAX ||
        transform->shape[1] != features)
        return vgg_fail(error, VGG_BAD_MODEL,
                        "tensor %s: shape must be [at most %d, %" PRIu32 "], as the features",
                        transform->name, VGG_TYPICALITY_DIMS_MAX, features);
    if (means->dims != 2 || means->shape[0] != classes || means->shape[1] != transform->shape[0])
        return vgg_fail(error, VGG_BAD_MODEL,
                        "tensor %s: shape must be [%" PRIu32 ", %" PRIu64
                        "], classes and rows of %s",
                        means->name, classes, transform->shape[0], transform->name);
    if (distances->dims != 1 || distances->shape[0] > KNOWN_MAX)
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: shape must be [at most %d]",
                        distances->name, KNOWN_MAX);
    return VGG_OK;
}

static enum vgg_status read_reject(const struct vgg_header *header, double *reject,
                                   struct vgg_error *error)
{
    const char *text = vgg_header_get(header, VGG_KNOWN_REJECT);
    char list[NUMBER_BYTES + sizeof "[]"];
    size_t n;

    *reject = VGG_REJECT_DEFAULT;
    if (text == NULL)
        return VGG_OK;
    snprintf(list, sizeof list, "[%s]", text);
    if (strlen(text) <= NUMBER_BYTES && vgg_json_numbers(list, reject, 1, &n, NULL) == VGG_OK &&
        n == 1 && *reject > 0 && *reject <= 1)
        return VGG_OK;
    return vgg_fail(error, VGG_BAD_MODEL,
                    VGG_KNOWN_REJECT " \"%.40s\" is not a number above 0 and at most 1", text);
}

enum vgg_status vgg_known_bind(const struct vgg_header *header, uint32_t features, uint32_t classes,
                               struct vgg_typicality *typicality, struct vgg_error *error)
{
    const struct vgg_tensor *tensors[VGG_KNOWN_TENSORS] = {NULL};
    size_t found;
    enum vgg_status status = find(header, tensors, &found, error);

    *typicality = (struct vgg_typicality){0};
    if (status != VGG_OK || found == 0)
        return status;
    status = check_shapes(tensors, features, classes, error);
    if (status == VGG_OK)
        status = read_reject(header, &typicality->reject, error);
    if (status != VGG_OK)
        return status;
    typicality->features = features;
    typicality->classes = classes;
    typicality->dims = (uint32_t)tensors[VGG_KNOWN_TRANSFORM]->shape[0];
    typicality->known_n = tensors[VGG_KNOWN_DISTANCES]->shape[0];
    return VGG_OK;
}

/* ---------------------------------------------------------------- values --------------------- */

bool vgg_known_allocate(struct vgg_typicality *typicality)
{
    size_t dims = typicality->dims;

    if (typicality->known_n == 0)
        return true;
    typicality->transform = vgg_alloc(dims * typicality->features, sizeof *typicality->transform);
    typicality->means = vgg_alloc(dims * typicality->classes, sizeof *typicality->means);
    typicality->distances = vgg_alloc(typicality->known_n, sizeof *typicality->distances);
    return typicality->transform != NULL && typicality->means != NULL &&
           typicality->distances != NULL;
}

float *vgg_known_array(const struct vgg_typicality *typicality, enum vgg_known which)
{
    float *const arrays[VGG_KNOWN_TENSORS] = {typicality->transform, typicality->means,
                                              typicality->distances};

    return arrays[which];
}

enum vgg_status vgg_known_check(const struct vgg_typicality *typicality, struct vgg_error *error)
{
    const float *distances = typicality->distances;

    for (size_t i = 0; i < typicality->known_n; i++)
        if (distances[i] < (i == 0 ? 0 : distances[i - 1]))
            return vgg_fail(error, VGG_BAD_MODEL,
                            "tensor " VGG_KNOWN_MODULE ".%s: element %zu is below the one before",
                            vgg_known_fields[VGG_KNOWN_DISTANCES], i);
    return VGG_OK;
}
