/* Writing an untrained network: seeded He-normal weights in torchvision's names. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "model/names.h"

enum {
    LENGTH_BYTES = 8,       /* of the header's length before it */
    CHUNK_FLOATS = 1 << 18, /* of the file at a time */
    NAME_BYTES = 48,
    TENSORS_MAX = 2 * VGG_LAYERS_MAX,
    DIM_MAX = 1 << 16 /* of width, FC size and classes: far beyond what memory allows */
};

/* ---------------------------------------------------------------- header --------------------- */

struct plan {
    struct vgg_net net;
    struct vgg_tensor tensors[TENSORS_MAX]; /* weight, bias, weight, bias ... */
    char names[TENSORS_MAX][NAME_BYTES];
    struct vgg_metadata metadata[4];
    char name[64], seed[24];
    struct vgg_header header;
    char *json; /* the header as text, owned */
};

static void plan_layer(struct plan *plan, size_t index)
{
    const struct vgg_conv *conv = &plan->net.layers[index].conv;
    size_t convs = plan->net.arch->convs_n;
    char module[NAME_BYTES - 8];
    uint64_t depth = (uint64_t)conv->in * conv->kernel * conv->kernel;
    struct vgg_tensor *weight = &plan->tensors[2 * index], *bias = weight + 1;

    if (index < convs) {
        snprintf(module, sizeof module, "features.%u",
                 vgg_names_feature_index(plan->net.arch, index));
        *weight = (struct vgg_tensor){.dims = 4,
                                      .shape = {conv->out, conv->in, conv->kernel, conv->kernel}};
    } else {
        snprintf(module, sizeof module, "classifier.%zu", 3 * (index - convs));
        *weight = (struct vgg_tensor){.dims = 2, .shape = {conv->out, depth}};
    }
    *bias = (struct vgg_tensor){.dims = 1, .shape = {conv->out}};
    weight->begin = index == 0 ? 0 : weight[-1].end;
    weight->end = weight->begin + conv->out * depth * sizeof(float);
    bias->begin = weight->end;
    bias->end = bias->begin + conv->out * sizeof(float);
    weight->name = plan->names[2 * index];
    bias->name = plan->names[2 * index + 1];
    snprintf(weight->name, NAME_BYTES, "%s.weight", module);
    snprintf(bias->name, NAME_BYTES, "%s.bias", module);
}

static void plan_file(struct plan *plan, const struct vgg_init_options *options)
{
    char *arch = (char *)plan->net.arch->name;

    for (size_t i = 0; i < plan->net.layers_n; i++)
        plan_layer(plan, i);
    snprintf(plan->name, sizeof plan->name, "untrained-%s-%" PRIu32, arch, options->width);
    snprintf(plan->seed, sizeof plan->seed, "%" PRIu64, options->seed);
    plan->metadata[0] = (struct vgg_metadata){(char *)"vgg.arch", arch};
    plan->metadata[1] = (struct vgg_metadata){(char *)"vgg.name", plan->name};
    plan->metadata[2] = (struct vgg_metadata){(char *)"vgg.trained", (char *)"false"};
    plan->metadata[3] = (struct vgg_metadata){(char *)"vgg.seed", plan->seed};
    plan->header = (struct vgg_header){
        .tensors = plan->tensors,
        .tensors_n = 2 * plan->net.layers_n,
        .metadata = plan->metadata,
        .metadata_n = sizeof plan->metadata / sizeof *plan->metadata,
    };
}

/* ---------------------------------------------------------------- writing -------------------- */

/* Where the bytes go: a file, or memory where fd is -1. */
struct sink {
    int fd;
    unsigned char *bytes;
};

static enum vgg_status write_all(struct sink *sink, const void *bytes, size_t size,
                                 struct vgg_error *error)
{
    const unsigned char *next = bytes;

    if (sink->fd < 0) {
        memcpy(sink->bytes, bytes, size);
        sink->bytes += size;
        return VGG_OK;
    }
    while (size != 0) {
        ssize_t n = write(sink->fd, next, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vgg_fail(error, VGG_IO, "cannot write it: %s", strerror(errno));
        next += n;
        size -= (size_t)n;
    }
    return VGG_OK;
}

static enum vgg_status write_header(struct sink *sink, const char *json, struct vgg_error *error)
{
    unsigned char prefix[LENGTH_BYTES];
    enum vgg_status status;

    for (size_t i = 0; i < sizeof prefix; i++)
        prefix[i] = (unsigned char)(strlen(json) >> (8 * i));
    status = write_all(sink, prefix, sizeof prefix, error);
    return status == VGG_OK ? write_all(sink, json, strlen(json), error) : status;
}

/* Floats as little-endian bytes, in place. */
static void to_little_endian(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char bytes[4];
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof bits);
        for (unsigned b = 0; b < 4; b++)
            bytes[b] = (unsigned char)(bits >> (8 * b));
        memcpy(&values[i], bytes, sizeof bytes);
    }
}

/* He et al. 2015: variance 2 / fan-in keeps the scale of activations through ReLUs. */
static enum vgg_status write_layer(struct sink *sink, const struct vgg_layer *layer, uint64_t seed,
                                   float *chunk, struct vgg_error *error)
{
    uint64_t weights = vgg_layer_weights(layer), total = weights + layer->conv.out;
    double deviation = sqrt(2.0 * layer->conv.out / (double)weights);
    enum vgg_status status = VGG_OK;
    struct vgg_random random;

    vgg_random_init(&random, seed);
    for (uint64_t done = 0; done < total && status == VGG_OK;) {
        size_t n = total - done < CHUNK_FLOATS ? (size_t)(total - done) : CHUNK_FLOATS;

        for (size_t i = 0; i < n; i++)
            chunk[i] = done + i < weights ? (float)(deviation * vgg_random_normal(&random)) : 0.0F;
        to_little_endian(chunk, n);
        status = write_all(sink, chunk, n * sizeof *chunk, error);
        done += n;
    }
    return status;
}

static enum vgg_status write_model(struct sink *sink, const struct plan *plan, uint64_t seed,
                                   struct vgg_error *error)
{
    float *chunk = vgg_alloc(CHUNK_FLOATS, sizeof *chunk);
    enum vgg_status status;

    if (chunk == NULL)
        return vgg_fail_memory(error);
    status = write_header(sink, plan->json, error);
    for (size_t i = 0; i < plan->net.layers_n && status == VGG_OK; i++)
        status = write_layer(sink, &plan->net.layers[i], vgg_splitmix64(&seed), chunk, error);
    free(chunk);
    return status;
}

/* Write the whole file under a temporary name. */
static enum vgg_status write_temporary(const char *temporary, const struct plan *plan,
                                       uint64_t seed, struct vgg_error *error)
{
    struct sink sink = {0};
    enum vgg_status status;
    int fd;

    (void)unlink(temporary); /* left by a killed process of the same number */
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return vgg_fail(error, VGG_IO, "cannot create it: %s", strerror(errno));
    sink.fd = fd;
    status = write_model(&sink, plan, seed, error);
    if (status == VGG_OK && fsync(fd) != 0)
        status = vgg_fail(error, VGG_IO, "cannot write it: %s", strerror(errno));
    if (close(fd) != 0 && status == VGG_OK)
        status = vgg_fail(error, VGG_IO, "cannot write it: %s", strerror(errno));
    return status;
}

/* Write beside the target, then rename: nobody ever sees half a model. */
static enum vgg_status write_whole(const char *path, const struct plan *plan, uint64_t seed,
                                   struct vgg_error *error)
{
    size_t size = strlen(path) + 32;
    char *temporary = vgg_alloc(size, 1);
    enum vgg_status status;
    struct stat target;

    if (temporary == NULL)
        return vgg_fail_memory(error);
    snprintf(temporary, size, "%s.%ld.tmp", path, (long)getpid());
    if (stat(path, &target) == 0 && !S_ISREG(target.st_mode))
        status = vgg_fail(error, VGG_IO, "it exists and is not a regular file");
    else {
        status = write_temporary(temporary, plan, seed, error);
        if (status == VGG_OK && rename(temporary, path) != 0)
            status = vgg_fail(error, VGG_IO, "cannot put it in place: %s", strerror(errno));
        if (status != VGG_OK)
            (void)unlink(temporary);
    }
    free(temporary);
    return status;
}

/* ---------------------------------------------------------------- options -------------------- */

static enum vgg_status complete_options(const struct vgg_init_options *given,
                                        struct vgg_init_options *options, struct vgg_error *error)
{
    *options = *given;
    if (options->arch == NULL)
        options->arch = "D";
    if (options->width == 0)
        options->width = 64;
    if (options->fc == 0)
        options->fc = 4096;
    if (options->classes == 0)
        options->classes = 1000;
    if (options->crop == 0)
        options->crop = 224;
    if (vgg_arch_find(options->arch) == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "architecture \"%.40s\" is not A, A-LRN, B, C, D or E", options->arch);
    if (options->width > DIM_MAX || options->fc > DIM_MAX || options->classes > DIM_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "width, fc and classes must be at most %d",
                        DIM_MAX);
    if (options->crop % VGG_STRIDE != 0 || options->crop > VGG_SCALE_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "crop must be a multiple of %d, at most %d",
                        VGG_STRIDE, VGG_SCALE_MAX);
    return VGG_OK;
}

static void plan_destroy(struct plan *plan)
{
    if (plan != NULL)
        free(plan->json);
    free(plan);
}

static enum vgg_status plan_create(const struct vgg_init_options *given, struct plan **out,
                                   uint64_t *seed, struct vgg_error *error)
{
    struct vgg_init_options options;
    struct vgg_net_sizes sizes;
    enum vgg_status status = complete_options(given, &options, error);
    struct plan *plan;

    if (status != VGG_OK)
        return status;
    plan = vgg_calloc(1, sizeof *plan);
    if (plan == NULL)
        return vgg_fail_memory(error);
    sizes = vgg_net_sizes_regular(vgg_arch_find(options.arch), options.width, options.fc,
                                  options.classes, options.crop);
    vgg_net_describe(&plan->net, vgg_arch_find(options.arch), &vgg_kernels_portable, &sizes);
    plan_file(plan, &options);
    plan->json = vgg_header_format(&plan->header);
    if (plan->json == NULL) {
        plan_destroy(plan);
        return vgg_fail_memory(error);
    }
    *seed = options.seed;
    *out = plan;
    return VGG_OK;
}

enum vgg_status vgg_model_init_file(const char *path, const struct vgg_init_options *options,
                                    struct vgg_error *error)
{
    struct vgg_error reason = {0};
    struct plan *plan;
    uint64_t seed;
    enum vgg_status status = plan_create(options, &plan, &seed, error);

    if (status != VGG_OK)
        return status;
    status = write_whole(path, plan, seed, &reason);
    plan_destroy(plan);
    return status == VGG_OK ? status : vgg_fail(error, status, "%s: %s", path, reason.text);
}

enum vgg_status vgg_model_init(const struct vgg_init_options *options,
                               const struct vgg_load_options *load, struct vgg_model **model,
                               struct vgg_error *error)
{
    struct plan *plan;
    struct sink sink = {.fd = -1};
    unsigned char *bytes;
    uint64_t seed;
    size_t size;
    enum vgg_status status = plan_create(options, &plan, &seed, error);

    if (status != VGG_OK)
        return status;
    size = LENGTH_BYTES + strlen(plan->json) + plan->tensors[plan->header.tensors_n - 1].end;
    bytes = vgg_alloc(size, 1);
    sink.bytes = bytes;
    status = bytes != NULL ? write_model(&sink, plan, seed, error) : vgg_fail_memory(error);
    if (status == VGG_OK)
        status = vgg_model_load_memory(bytes, size, plan->name, load, model, error);
    free(bytes);
    plan_destroy(plan);
    return status;
}
