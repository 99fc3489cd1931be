/* Writing an untrained network: seeded He-normal weights in torchvision's names. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "model/model.h"
#include "model/names.h"
#include "model/write.h"

enum { DIM_MAX = 1 << 16 }; /* of width, FC size and classes: far beyond what memory allows */

/* ---------------------------------------------------------------- values --------------------- */

/* A network on its way into a file. */
struct init {
    struct vgg_net net;
    struct vgg_plan plan;
    struct vgg_metadata metadata[4];
    char name[64], seed_text[24];
    uint64_t seed;
    struct vgg_random random; /* of the layer being filled */
};

/* He et al. 2015: variance 2 / fan-in keeps the scale of activations through ReLUs. */
static void fill_he(void *user, size_t tensor, uint64_t first, size_t n, float *out)
{
    struct init *init = user;
    const struct vgg_layer *layer = &init->net.layers[tensor / 2];
    double deviation = sqrt(2.0 * layer->conv.out / (double)vgg_layer_weights(layer));

    if (tensor % 2 == 0 && first == 0)
        vgg_random_init(&init->random, vgg_splitmix64(&init->seed));
    for (size_t i = 0; i < n; i++)
        out[i] = tensor % 2 == 0 ? (float)(deviation * vgg_random_normal(&init->random)) : 0.0F;
}

/* ---------------------------------------------------------------- options -------------------- */

static enum vgg_status complete_options(const struct vgg_init_options *given,
                                        struct vgg_init_options *options, struct vgg_error *error)
{
    if (given == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "no options were given");
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
    if (options->width > DIM_MAX || options->fc > DIM_MAX || options->classes > DIM_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "width, fc and classes must be at most %d",
                        DIM_MAX);
    return vgg_net_check(options->arch, options->crop, error);
}

static struct vgg_net_sizes sizes_of(const struct vgg_init_options *options)
{
    return vgg_net_sizes_regular(vgg_arch_find(options->arch), options->width, options->fc,
                                 options->classes, options->crop);
}

static void describe(struct init *init, const struct vgg_init_options *options)
{
    const struct vgg_arch *arch = vgg_arch_find(options->arch);
    struct vgg_net_sizes sizes = sizes_of(options);

    vgg_net_describe(&init->net, arch, &vgg_kernels_portable, &sizes);
    vgg_names_plan(&init->net, VGG_DTYPE_F32, &init->plan);
    snprintf(init->name, sizeof init->name, "untrained-%s-%" PRIu32, arch->name, options->width);
    snprintf(init->seed_text, sizeof init->seed_text, "%" PRIu64, options->seed);
    init->metadata[0] = (struct vgg_metadata){(char *)"vgg.arch", (char *)arch->name};
    init->metadata[1] = (struct vgg_metadata){(char *)"vgg.name", init->name};
    init->metadata[2] = (struct vgg_metadata){(char *)"vgg.trained", (char *)"false"};
    init->metadata[3] = (struct vgg_metadata){(char *)"vgg.seed", init->seed_text};
    init->plan.header.metadata = init->metadata;
    init->plan.header.metadata_n = sizeof init->metadata / sizeof *init->metadata;
    init->seed = options->seed;
}

static enum vgg_status create(const struct vgg_init_options *given, struct init **init,
                              struct vgg_error *error)
{
    struct vgg_init_options options;
    enum vgg_status status = complete_options(given, &options, error);

    if (status != VGG_OK)
        return status;
    *init = vgg_calloc(1, sizeof **init);
    if (*init == NULL)
        return vgg_fail_memory(error);
    describe(*init, &options);
    return VGG_OK;
}

enum vgg_status vgg_model_init_file(const char *path, const struct vgg_init_options *options,
                                    struct vgg_error *error)
{
    struct init *init;
    enum vgg_status status;

    if (path == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "no file was named");
    status = create(options, &init, error);
    if (status != VGG_OK)
        return status;
    status = vgg_file_write(path, &init->plan.header, fill_he, init, error);
    free(init);
    return status;
}

enum vgg_status vgg_init_predict(const struct vgg_init_options *given,
                                 const struct vgg_kernels *kernels, struct vgg_net *net,
                                 uint64_t *bytes, struct vgg_error *error)
{
    struct vgg_init_options options;
    struct vgg_net_sizes sizes;
    enum vgg_status status = complete_options(given, &options, error);

    if (status != VGG_OK)
        return status;
    sizes = sizes_of(&options);
    vgg_net_describe(net, vgg_arch_find(options.arch), kernels, &sizes);
    *bytes = vgg_net_parameters(net) * sizeof(float) + vgg_net_bytes(net);
    return VGG_OK;
}

enum vgg_status vgg_model_init(const struct vgg_init_options *options,
                               const struct vgg_load_options *load, struct vgg_model **model,
                               struct vgg_error *error)
{
    struct init *init;
    unsigned char *bytes = NULL;
    size_t size;
    enum vgg_status status = create(options, &init, error);

    if (status != VGG_OK)
        return status;
    status = vgg_file_write_memory(&init->plan.header, fill_he, init, &bytes, &size, error);
    if (status == VGG_OK)
        status = vgg_model_load_memory(bytes, size, init->name, load, model, error);
    free(bytes);
    free(init);
    return status;
}
