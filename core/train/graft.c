/* Writing onto a base: which tensors and metadata are the base's, and which are new. */
#include "train/graft.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/replace.h"
#include "model/known.h"
#include "model/write.h"

enum {
    OWN_TENSORS_MAX = VGG_LAYERS_MAX * VGG_ROLES /* of new layers */
};

struct graft_file {
    const struct vgg_graft *graft;
    size_t first;             /* layer that is new */
    struct vgg_header header; /* its arrays owned, their strings not */
    uint64_t *offsets;        /* in the base, of the tensors that are copied; owned */
    size_t copied_n, own_n;
    struct {
        size_t layer;
        enum vgg_role role;
    } own[OWN_TENSORS_MAX];
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

/* The sizes of a new layer. */
static struct vgg_conv conv_of(const struct graft_file *file, size_t layer)
{
    struct vgg_conv conv = file->graft->base->net.layers[layer].conv;

    if (file->graft->network != NULL)
        return file->graft->network->net.layers[layer].conv;
    conv.out = file->graft->classes;
    return conv;
}

/* One of a new layer, as the base names and shapes it. */
static void append_own(struct graft_file *file, size_t layer, enum vgg_role role)
{
    const struct vgg_conv conv = conv_of(file, layer);
    struct vgg_tensor tensor = *file->graft->base->binding.tensors[layer][role];

    tensor.shape[0] = conv.out;
    if (role == VGG_ROLE_WEIGHT)
        tensor.shape[1] =
            tensor.dims == 2 ? (uint64_t)conv.in * conv.kernel * conv.kernel : conv.in;
    tensor.dtype = file->graft->half ? VGG_DTYPE_F16 : VGG_DTYPE_F32;
    tensor.begin = 0;
    tensor.end = vgg_dtype_bytes(tensor.dtype);
    for (unsigned i = 0; i < tensor.dims; i++)
        tensor.end *= tensor.shape[i];
    append(file, &tensor);
    file->own[file->own_n].layer = layer;
    file->own[file->own_n++].role = role;
}

/* Does the file have it as the base does? */
static bool is_copied(const struct graft_file *file, const struct vgg_tensor *tensor)
{
    enum vgg_known known;
    size_t layer;

    if (vgg_known_is(tensor, &known))
        return false;
    return vgg_binding_role(&file->graft->base->binding, tensor, &layer) == VGG_ROLE_IGNORED ||
           layer < file->first;
}

static void list_tensors(struct graft_file *file)
{
    const struct vgg_base *base = file->graft->base;

    for (size_t i = 0; i < base->header.tensors_n; i++)
        if (is_copied(file, &base->header.tensors[i])) {
            file->offsets[file->copied_n++] = base->data + base->header.tensors[i].begin;
            append(file, &base->header.tensors[i]);
        }
    for (size_t layer = file->first; layer < base->net.layers_n; layer++)
        for (enum vgg_role role = 0; role < VGG_ROLES; role++)
            if (base->binding.tensors[layer][role] != NULL)
                append_own(file, layer, role);
    file->known.header.tensors = file->known.tensors;
    if (file->graft->typicality != NULL && file->graft->typicality->known_n != 0)
        vgg_names_plan_known(&file->known, file->graft->typicality);
    for (size_t i = 0; i < file->known.header.tensors_n; i++)
        append(file, &file->known.tensors[i]);
}

/* ---------------------------------------------------------------- metadata ------------------- */

/* Is it about how the base came to be, or said anew? */
static bool is_replaced(const struct vgg_graft *graft, const char *key)
{
    if (starts(key, "vgg.typicality"))
        return true;
    if (!graft->kept && (starts(key, "vgg.training") || starts(key, "vgg.base")))
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

/* Of a batch-norm that has been folded into its convolution: what changes nothing. */
static void fill_folded(enum vgg_role role, size_t n, float *out)
{
    float value = role == VGG_ROLE_BN_WEIGHT ? 1 : 0;

    if (role == VGG_ROLE_BN_VAR)
        value = (float)(1 - VGG_BATCH_NORM_EPSILON);
    for (size_t i = 0; i < n; i++)
        out[i] = value;
}

static void fill(void *user, size_t tensor, uint64_t first, size_t n, float *out)
{
    const struct graft_file *file = user;
    const struct vgg_graft *graft = file->graft;
    size_t own = tensor - file->copied_n;

    if (own >= file->own_n)
        memcpy(out, vgg_known_array(graft->typicality, (enum vgg_known)(own - file->own_n)) + first,
               n * sizeof *out);
    else if (file->own[own].role > VGG_ROLE_BIAS)
        fill_folded(file->own[own].role, n, out);
    else if (graft->network != NULL)
        vgg_network_fill(graft->network, 2 * file->own[own].layer + file->own[own].role, first, n,
                         out);
    else
        memcpy(out, (file->own[own].role == VGG_ROLE_BIAS ? graft->bias : graft->weights) + first,
               n * sizeof *out);
}

static void fini(struct graft_file *file)
{
    if (file == NULL)
        return;
    free(file->header.tensors);
    free(file->header.metadata);
    free(file->offsets);
    free(file);
}

/* Its header; NULL: out of memory. */
static struct graft_file *plan(const struct vgg_graft *graft)
{
    const struct vgg_header *base = &graft->base->header;
    struct graft_file *file = vgg_calloc(1, sizeof *file);

    if (file == NULL)
        return NULL;
    file->graft = graft;
    file->first = graft->network != NULL ? graft->network->frozen : graft->base->net.layers_n - 1;
    file->header.tensors =
        vgg_calloc(base->tensors_n + VGG_KNOWN_TENSORS, sizeof *file->header.tensors);
    file->header.metadata =
        vgg_calloc(base->metadata_n + graft->metadata_n, sizeof *file->header.metadata);
    file->offsets = vgg_calloc(base->tensors_n, sizeof *file->offsets);
    if (file->header.tensors == NULL || file->header.metadata == NULL || file->offsets == NULL) {
        fini(file);
        return NULL;
    }
    list_tensors(file);
    list_metadata(file);
    return file;
}

enum vgg_status vgg_graft_room(const char *path, const struct vgg_graft *graft,
                               struct vgg_error *error)
{
    struct graft_file *file = plan(graft);
    uint64_t bytes;

    if (file == NULL)
        return vgg_fail_memory(error);
    bytes = file->header.tensors[file->header.tensors_n - 1].end;
    fini(file);
    return vgg_replace_room(path, bytes, error);
}

enum vgg_status vgg_graft_write(const char *path, const struct vgg_graft *graft,
                                struct vgg_error *error)
{
    struct graft_file *file = plan(graft);
    enum vgg_status status;

    if (file == NULL)
        return vgg_fail_memory(error);
    status = vgg_base_unchanged(graft->base, error);
    if (status == VGG_OK) {
        const struct vgg_copied copied = {&graft->base->source, file->offsets, file->copied_n};

        status = vgg_file_write_copied(path, &file->header, &copied, fill, file, error);
    }
    fini(file);
    return status;
}
