/* Writing onto a base: which tensors and metadata are the base's, and which are new. */
#include "train/graft.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "model/known.h"
#include "model/write.h"

enum { OWN_TENSORS = 2 + VGG_KNOWN_TENSORS }; /* the last layer's; those of typicality */

struct graft_file {
    const struct vgg_graft *graft;
    struct vgg_header header; /* its arrays owned, their strings not */
    uint64_t *offsets;        /* in the base, of the tensors that are copied; owned */
    size_t copied_n;
    struct vgg_plan known; /* of typicality's tensors */
};

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ---------------------------------------------------------------- tensors -------------------- */

static void append(struct graft_file *file, const struct vgg_tensor *tensor)
{
    struct vgg_tensor *next = &file->header.tensors[file->header.tensors_n];

    *next = *tensor;
    next->begin = file->header.tensors_n == 0 ? 0 : next[-1].end;
    next->end = next->begin + (tensor->end - tensor->begin);
    file->header.tensors_n++;
}

/* One of the last layer, as the base names and shapes it, for other classes. */
static void append_last(struct graft_file *file, enum vgg_role role)
{
    const struct vgg_base *base = file->graft->base;
    struct vgg_tensor tensor = *base->binding.tensors[base->net.layers_n - 1][role];

    tensor.shape[0] = file->graft->classes;
    tensor.dtype = file->graft->half ? VGG_DTYPE_F16 : VGG_DTYPE_F32;
    tensor.begin = 0;
    tensor.end = vgg_dtype_bytes(tensor.dtype);
    for (unsigned i = 0; i < tensor.dims; i++)
        tensor.end *= tensor.shape[i];
    append(file, &tensor);
}

static void list_tensors(struct graft_file *file)
{
    const struct vgg_base *base = file->graft->base;
    const struct vgg_tensor *const *last = base->binding.tensors[base->net.layers_n - 1];

    for (size_t i = 0; i < base->header.tensors_n; i++) {
        const struct vgg_tensor *tensor = &base->header.tensors[i];
        enum vgg_known known;

        if (tensor == last[VGG_ROLE_WEIGHT] || tensor == last[VGG_ROLE_BIAS] ||
            vgg_known_is(tensor, &known))
            continue;
        file->offsets[file->copied_n++] = base->data + tensor->begin;
        append(file, tensor);
    }
    append_last(file, VGG_ROLE_WEIGHT);
    append_last(file, VGG_ROLE_BIAS);
    file->known.header.tensors = file->known.tensors;
    if (file->graft->typicality->known_n != 0)
        vgg_names_plan_known(&file->known, file->graft->typicality);
    for (size_t i = 0; i < file->known.header.tensors_n; i++)
        append(file, &file->known.tensors[i]);
}

/* ---------------------------------------------------------------- metadata ------------------- */

/* Is it about how the base came to be, or said anew? */
static bool is_replaced(const struct vgg_graft *graft, const char *key)
{
    if (starts(key, "vgg.training") || starts(key, "vgg.typicality") || starts(key, "vgg.base"))
        return true;
    for (size_t i = 0; i < graft->metadata_n; i++)
        if (strcmp(graft->metadata[i].key, key) == 0)
            return true;
    return false;
}

static void list_metadata(struct graft_file *file)
{
    const struct vgg_header *base = &file->graft->base->header;
    struct vgg_metadata *next = file->header.metadata;

    for (size_t i = 0; i < base->metadata_n; i++)
        if (!is_replaced(file->graft, base->metadata[i].key))
            *next++ = base->metadata[i];
    for (size_t i = 0; i < file->graft->metadata_n; i++)
        *next++ = file->graft->metadata[i];
    file->header.metadata_n = (size_t)(next - file->header.metadata);
}

/* ---------------------------------------------------------------- the file ------------------- */

static void fill(void *user, size_t tensor, uint64_t first, size_t n, float *out)
{
    const struct graft_file *file = user;
    size_t own = tensor - file->copied_n;

    if (own < 2)
        memcpy(out, (own == 0 ? file->graft->weights : file->graft->bias) + first, n * sizeof *out);
    else
        memcpy(out, vgg_known_array(file->graft->typicality, (enum vgg_known)(own - 2)) + first,
               n * sizeof *out);
}

enum vgg_status vgg_graft_write(const char *path, const struct vgg_graft *graft,
                                struct vgg_error *error)
{
    const struct vgg_header *base = &graft->base->header;
    struct graft_file *file = vgg_calloc(1, sizeof *file);
    enum vgg_status status = VGG_OK;

    if (file == NULL)
        return vgg_fail_memory(error);
    file->graft = graft;
    file->header.tensors = vgg_calloc(base->tensors_n + OWN_TENSORS, sizeof *file->header.tensors);
    file->header.metadata =
        vgg_calloc(base->metadata_n + graft->metadata_n, sizeof *file->header.metadata);
    file->offsets = vgg_calloc(base->tensors_n, sizeof *file->offsets);
    if (file->header.tensors == NULL || file->header.metadata == NULL || file->offsets == NULL)
        status = vgg_fail_memory(error);
    if (status == VGG_OK) {
        list_tensors(file);
        list_metadata(file);
        status = vgg_base_unchanged(graft->base, error);
    }
    if (status == VGG_OK) {
        const struct vgg_copied copied = {&graft->base->source, file->offsets, file->copied_n};

        status = vgg_file_write_copied(path, &file->header, &copied, fill, file, error);
    }
    free(file->header.tensors);
    free(file->header.metadata);
    free(file->offsets);
    free(file);
    return status;
}
