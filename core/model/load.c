/*
 * One pass over a model file. The calling thread reads every byte once, in order, and hashes it;
 * chunks of whole rows of a tensor (a row is one output channel) are converted, checked and packed
 * by whichever thread is free. Convolutions that have a batch-norm wait in a plain copy until its
 * statistics have been read, then they are folded in double precision.
 */
#include "model/load.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "model/convert.h"
#include "model/names.h"
#include "model/pipeline.h"

enum {
    CHUNK_BYTES = 1 << 20, /* of the file at a time, or the rows that packing wants together */
    FOLD_ROWS = 32         /* of a convolution, folded and packed at a time */
};

/* A layer's tensors that cannot be packed as they are read. */
struct pending {
    float *weights;            /* [out][in * k * k], only with batch-norm */
    float *vectors[VGG_ROLES]; /* bias and batch-norm statistics, [out] each */
};

struct loader {
    struct vgg_load_options options;
    unsigned blocks; /* to keep; 0: all layers */
    struct vgg_reader reader;
    struct vgg_loaded *loaded;
    struct vgg_binding binding;
    struct pending layers[VGG_LAYERS_MAX];
    struct vgg_team *team;
    size_t tensor; /* where the reader is: the next row of a tensor */
    uint64_t row;
    float *floats; /* [threads][floats_n]: a chunk converted, other than F32 */
    size_t floats_n, chunk_bytes;
    struct vgg_error *error;
};

/* ---------------------------------------------------------------- tensors -------------------- */

/* A tensor as a matrix: rows of output channels; a vector is one row. */
static void tensor_matrix(const struct vgg_tensor *tensor, uint64_t *rows, uint64_t *columns)
{
    *rows = tensor->dims > 1 ? tensor->shape[0] : 1;
    *columns = (tensor->end - tensor->begin) / vgg_dtype_bytes(tensor->dtype) / *rows;
}

static uint64_t chunk_rows(const struct loader *loader, const struct vgg_tensor *tensor)
{
    uint64_t rows, columns, fit, together = loader->loaded->net.kernels->pack_rows;

    tensor_matrix(tensor, &rows, &columns);
    fit = CHUNK_BYTES / (columns * vgg_dtype_bytes(tensor->dtype)) / together * together;
    if (fit < together)
        fit = together;
    return fit < rows ? fit : rows;
}

/* What the largest chunk takes, in the file and converted. */
static void size_chunks(struct loader *loader)
{
    const struct vgg_header *header = &loader->loaded->header;

    for (size_t i = 0; i < header->tensors_n; i++) {
        const struct vgg_tensor *tensor = &header->tensors[i];
        uint64_t rows, columns;
        size_t n;

        tensor_matrix(tensor, &rows, &columns);
        n = chunk_rows(loader, tensor) * columns;
        if (n * vgg_dtype_bytes(tensor->dtype) > loader->chunk_bytes)
            loader->chunk_bytes = n * vgg_dtype_bytes(tensor->dtype);
        if (tensor->dtype != VGG_DTYPE_F32 && n > loader->floats_n)
            loader->floats_n = n;
    }
}

static enum vgg_status allocate_chunks(struct loader *loader)
{
    loader->floats = vgg_alloc_aligned(loader->floats_n,
                                       vgg_team_threads(loader->team) * sizeof *loader->floats);
    return loader->floats != NULL ? VGG_OK : vgg_fail_memory(loader->error);
}

/* Floats of a tensor that have to wait: all vectors, and the weights of layers with batch-norm. */
static size_t pending_floats(const struct loader *loader, size_t layer, size_t role)
{
    const struct vgg_tensor *const *tensors = loader->binding.tensors[layer];
    const struct vgg_layer *what = &loader->loaded->net.layers[layer];

    if (tensors[role] == NULL)
        return 0;
    if (role != VGG_ROLE_WEIGHT)
        return what->conv.out;
    return tensors[VGG_ROLE_BN_VAR] != NULL ? vgg_layer_weights(what) : 0;
}

static enum vgg_status allocate_pending(struct loader *loader)
{
    for (size_t i = 0; i < loader->loaded->net.layers_n; i++)
        for (size_t role = 0; role < VGG_ROLES; role++) {
            struct pending *pending = &loader->layers[i];
            float **block = role == VGG_ROLE_WEIGHT ? &pending->weights : &pending->vectors[role];
            size_t n = pending_floats(loader, i, role);

            if (n == 0)
                continue;
            *block = vgg_alloc(n, sizeof **block);
            if (*block == NULL)
                return vgg_fail_memory(loader->error);
        }
    return VGG_OK;
}

/* Of everything that is of the network's size. */
static uint64_t needed_bytes(const struct loader *loader)
{
    uint64_t bytes =
        vgg_net_bytes(&loader->loaded->net) + vgg_typicality_bytes(&loader->loaded->typicality);

    for (size_t i = 0; i < loader->loaded->net.layers_n; i++)
        for (size_t role = 0; role < VGG_ROLES; role++)
            bytes += pending_floats(loader, i, role) * sizeof(float);
    return bytes + vgg_pipeline_bytes(loader->chunk_bytes, loader->options.threads) +
           loader->options.threads * loader->floats_n * sizeof(float);
}

/* Before any of it is allocated: is there room for it? */
static enum vgg_status check_memory(struct loader *loader)
{
    uint64_t max = loader->options.memory_max, bytes = needed_bytes(loader);

    if (max == 0 || bytes <= max)
        return VGG_OK;
    return vgg_fail(loader->error, VGG_NO_MEMORY,
                    "it takes %" PRIu64 " MiB of memory, and %" PRIu64 " MiB are free",
                    (bytes + (1 << 20) - 1) >> 20, max >> 20);
}

/* Put converted rows of a network's tensor where they belong. */
static void store_rows(struct loader *loader, size_t layer, enum vgg_role role, uint64_t row,
                       uint64_t rows, const float *floats, size_t n)
{
    struct vgg_net *net = &loader->loaded->net;
    struct pending *pending = &loader->layers[layer];

    if (role != VGG_ROLE_WEIGHT)
        memcpy(pending->vectors[role], floats, n * sizeof *floats);
    else if (pending->weights != NULL)
        memcpy(pending->weights + row * (n / rows), floats, n * sizeof *floats);
    else
        net->kernels->weights_pack(&net->layers[layer].conv, (uint32_t)row, (uint32_t)rows, floats,
                                   net->layers[layer].packed);
}

static enum vgg_status chunk_done(const struct loader *loader, struct vgg_error *error)
{
    if (loader->options.on_chunk == NULL || loader->options.on_chunk(loader->options.user))
        return VGG_OK;
    return vgg_fail(error, VGG_CANCELLED, "loading was given up");
}

static enum vgg_status read_chunk(void *user, struct vgg_chunk *chunk, bool *more,
                                  struct vgg_error *error)
{
    struct loader *loader = user;
    const struct vgg_header *header = &loader->loaded->header;
    const struct vgg_tensor *tensor = &header->tensors[loader->tensor];
    uint64_t rows, columns;
    enum vgg_status status;

    *more = loader->tensor < header->tensors_n;
    if (!*more)
        return VGG_OK;
    tensor_matrix(tensor, &rows, &columns);
    *chunk =
        (struct vgg_chunk){loader->tensor, loader->row, chunk_rows(loader, tensor), chunk->bytes};
    if (chunk->rows > rows - chunk->row)
        chunk->rows = rows - chunk->row;
    status = vgg_reader_bytes(&loader->reader, chunk->bytes,
                              chunk->rows * columns * vgg_dtype_bytes(tensor->dtype), error);
    loader->row += chunk->rows;
    if (loader->row == rows) {
        loader->tensor++;
        loader->row = 0;
    }
    return status == VGG_OK ? chunk_done(loader, error) : status;
}

static enum vgg_status store_chunk(void *user, const struct vgg_chunk *chunk, unsigned thread,
                                   struct vgg_error *error)
{
    struct loader *loader = user;
    const struct vgg_tensor *tensor = &loader->loaded->header.tensors[chunk->tensor];
    size_t layer, n;
    enum vgg_role role = vgg_binding_role(&loader->binding, tensor, &layer);
    enum vgg_known which;
    bool known = vgg_known_is(tensor, &which);
    uint64_t rows, columns;
    float *floats = tensor->dtype == VGG_DTYPE_F32 ? (float *)(void *)chunk->bytes
                                                   : loader->floats + thread * loader->floats_n;

    if (!known && (role == VGG_ROLE_IGNORED || layer >= loader->loaded->net.layers_n))
        return VGG_OK;
    tensor_matrix(tensor, &rows, &columns);
    n = chunk->rows * columns;
    if (!vgg_floats_convert(tensor->dtype, chunk->bytes, n, floats))
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s holds NaN or infinite values",
                        tensor->name);
    if (role == VGG_ROLE_WEIGHT && loader->loaded->net.layers[layer].conv.half &&
        !vgg_floats_fit_half(floats, n))
        return vgg_fail(error, VGG_BAD_MODEL,
                        "tensor %s holds values over 65504, too large for f16 weights",
                        tensor->name);
    if (known)
        memcpy(vgg_known_array(&loader->loaded->typicality, which) + chunk->row * columns, floats,
               n * sizeof *floats);
    else
        store_rows(loader, layer, role, chunk->row, chunk->rows, floats, n);
    return VGG_OK;
}

/* ---------------------------------------------------------------- folding -------------------- */

/* A convolution whose rows are folded by all threads. */
struct folding {
    const struct loader *loader;
    struct vgg_layer *layer;
    const struct pending *pending;
    atomic_size_t failed; /* the first channel that gave something infinite, else conv.out */
};

/* w' = w * g, b' = (b - mean) * g + beta with g = gamma / sqrt(var + epsilon). */
static bool fold_row(const struct folding *folding, size_t row)
{
    const struct vgg_layer *layer = folding->layer;
    size_t columns = vgg_layer_weights(layer) / layer->conv.out;
    float *const *v = folding->pending->vectors;
    double gain = (double)v[VGG_ROLE_BN_WEIGHT][row] /
                  sqrt((double)v[VGG_ROLE_BN_VAR][row] + VGG_BATCH_NORM_EPSILON);
    double bias = ((double)v[VGG_ROLE_BIAS][row] - (double)v[VGG_ROLE_BN_MEAN][row]) * gain +
                  (double)v[VGG_ROLE_BN_BIAS][row];
    float *weights = folding->pending->weights + row * columns;
    bool finite = v[VGG_ROLE_BN_VAR][row] >= 0 && isfinite((float)bias);

    layer->bias[row] = (float)bias;
    for (size_t i = 0; i < columns; i++) {
        weights[i] = (float)((double)weights[i] * gain);
        finite = finite && isfinite(weights[i]);
    }
    return finite;
}

/* Item: FOLD_ROWS rows. */
static void fold_rows(void *context, size_t item, unsigned thread)
{
    struct folding *folding = context;
    const struct vgg_layer *layer = folding->layer;
    size_t row = item * FOLD_ROWS, end = vgg_min_size(row + FOLD_ROWS, layer->conv.out);

    (void)thread;
    for (size_t r = row; r < end; r++)
        if (!fold_row(folding, r)) {
            size_t failed = atomic_load(&folding->failed);

            while (r < failed && !atomic_compare_exchange_weak(&folding->failed, &failed, r))
                ;
            return;
        }
    folding->loader->loaded->net.kernels->weights_pack(
        &layer->conv, (uint32_t)row, (uint32_t)(end - row),
        folding->pending->weights + row * (vgg_layer_weights(layer) / layer->conv.out),
        layer->packed);
}

static enum vgg_status fold_batch_norm(struct loader *loader, size_t index)
{
    struct vgg_layer *layer = &loader->loaded->net.layers[index];
    struct folding folding = {loader, layer, &loader->layers[index], layer->conv.out};

    vgg_team_run(loader->team, fold_rows, &folding, vgg_ceil_div(layer->conv.out, FOLD_ROWS));
    if (folding.failed != layer->conv.out)
        return vgg_fail(loader->error, VGG_BAD_MODEL,
                        "%s: batch-norm of channel %zu does not fold into finite weights",
                        layer->name, (size_t)folding.failed);
    return VGG_OK;
}

static enum vgg_status finish_layers(struct loader *loader)
{
    struct vgg_net *net = &loader->loaded->net;
    enum vgg_status status = VGG_OK;

    for (size_t i = 0; i < net->layers_n && status == VGG_OK; i++) {
        if (loader->layers[i].weights != NULL) {
            status = fold_batch_norm(loader, i);
            if (status == VGG_OK)
                status = chunk_done(loader, loader->error);
        } else
            memcpy(net->layers[i].bias, loader->layers[i].vectors[VGG_ROLE_BIAS],
                   net->layers[i].conv.out * sizeof(float));
    }
    return status;
}

/* ---------------------------------------------------------------- the pass ------------------- */

static void loader_fini(struct loader *loader)
{
    for (size_t i = 0; i < VGG_LAYERS_MAX; i++) {
        free(loader->layers[i].weights);
        for (size_t role = 0; role < VGG_ROLES; role++)
            free(loader->layers[i].vectors[role]);
    }
    vgg_team_destroy(loader->team);
    free(loader->floats);
}

/* What the file holds, and how it will be read. */
static enum vgg_status read_header(struct loader *loader, const struct vgg_kernels *kernels)
{
    struct vgg_loaded *loaded = loader->loaded;
    enum vgg_status status = vgg_reader_header(&loader->reader, &loaded->header, loader->error);

    if (status == VGG_OK)
        status =
            vgg_names_bind(&loaded->header, kernels, &loaded->net, &loader->binding, loader->error);
    if (status != VGG_OK)
        return status;
    loaded->typicality = loader->binding.typicality;
    if (loader->options.threads == 0)
        loader->options.threads = vgg_threads_default();
    vgg_net_set_half(&loaded->net, loader->options.fc_half);
    if (loader->blocks != 0)
        vgg_net_cut(&loaded->net, loader->blocks);
    size_chunks(loader);
    return VGG_OK;
}

static enum vgg_status load_weights(struct loader *loader)
{
    struct vgg_pipeline pipeline = {.read = read_chunk, .store = store_chunk, .user = loader};
    enum vgg_status status = check_memory(loader);

    pipeline.chunk_bytes = loader->chunk_bytes;
    if (status == VGG_OK)
        status = vgg_net_allocate(&loader->loaded->net, loader->error);
    if (status == VGG_OK && !vgg_known_allocate(&loader->loaded->typicality))
        status = vgg_fail_memory(loader->error);
    if (status == VGG_OK)
        status = vgg_team_create(loader->options.threads, &loader->team, loader->error);
    if (status == VGG_OK)
        status = allocate_chunks(loader);
    if (status == VGG_OK)
        status = allocate_pending(loader);
    if (status == VGG_OK)
        status = vgg_pipeline_run(&pipeline, loader->team, loader->error);
    if (status == VGG_OK)
        status = vgg_known_check(&loader->loaded->typicality, loader->error);
    if (status == VGG_OK)
        status = finish_layers(loader);
    return status;
}

static void loader_init(struct loader *loader, const struct vgg_source *source,
                        const struct vgg_load_options *options, struct vgg_loaded *loaded,
                        struct vgg_error *error)
{
    *loader = (struct loader){.loaded = loaded, .error = error};
    if (options != NULL)
        loader->options = *options;
    *loaded = (struct vgg_loaded){.file_bytes = source->size};
    vgg_reader_init(&loader->reader, source);
}

const struct vgg_kernels *vgg_load_kernels(const struct vgg_load_options *options,
                                           struct vgg_error *error)
{
    enum vgg_precision precision = options != NULL ? options->precision : VGG_PRECISION_F32;

    if (precision == VGG_PRECISION_F32 || !options->fc_half)
        return vgg_kernels_select(precision, error);
    vgg_fail(error, VGG_BAD_ARGUMENT, "FC weights in f16 go with precision f32 alone");
    return NULL;
}

enum vgg_status vgg_load_predict(const struct vgg_source *source, const struct vgg_kernels *kernels,
                                 const struct vgg_load_options *options, struct vgg_net *net,
                                 struct vgg_typicality *typicality, uint64_t *bytes,
                                 struct vgg_error *error)
{
    struct vgg_loaded loaded;
    struct loader loader;
    enum vgg_status status;

    loader_init(&loader, source, options, &loaded, error);
    status = read_header(&loader, kernels);
    if (status == VGG_OK) {
        *net = loaded.net;
        *typicality = loaded.typicality;
        *bytes = needed_bytes(&loader);
    }
    vgg_loaded_fini(&loaded);
    return status;
}

enum vgg_status vgg_load(const struct vgg_source *source, const struct vgg_kernels *kernels,
                         unsigned blocks, const struct vgg_load_options *options,
                         struct vgg_loaded *loaded, struct vgg_error *error)
{
    struct loader loader;
    enum vgg_status status;

    loader_init(&loader, source, options, loaded, error);
    loader.blocks = blocks;
    status = read_header(&loader, kernels);
    if (status == VGG_OK)
        status = load_weights(&loader);
    loaded->batch_norm = loader.binding.batch_norm;
    vgg_sha256_final(&loader.reader.sha, loaded->sha256);
    loader_fini(&loader);
    if (status != VGG_OK)
        vgg_loaded_fini(loaded);
    return status;
}

void vgg_loaded_fini(struct vgg_loaded *loaded)
{
    vgg_net_fini(&loaded->net);
    vgg_typicality_fini(&loaded->typicality);
    vgg_header_fini(&loaded->header);
}
