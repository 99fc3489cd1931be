/* The beginning of a training by descent. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backprop/norms.h"
#include "base/error.h"
#include "base/replace.h"
#include "blas/gemm.h"
#include "data/statistics.h"
#include "feed/probe.h"
#include "frozen/cache.h"
#include "narrow/narrow.h"
#include "train/output.h"
#include "train/plan.h"
#include "train/training.h"

/* ---------------------------------------------------------------- the data ------------------- */

static enum vgg_status open_data(struct vgg_training *training, const char *dir,
                                 const struct vgg_weights *base, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    enum vgg_status status =
        vgg_sets_open(&training->sets, dir, settings, false, training->team, error);

    if (status != VGG_OK)
        return status;
    if (training->sets.validation.examples_n == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%s: too few pictures to set some aside for validation", dir);
    vgg_dataset_statistics(&training->sets.train);
    if (base->model != NULL && !vgg_training_is_narrowed(training))
        vgg_dataset_normalise_as(&training->sets.train, &base->model->info);
    if (settings->validation_list != NULL)
        return vgg_output_list(settings->validation_list, &training->sets.validation, error);
    return VGG_OK;
}

/* ---------------------------------------------------------------- the network ---------------- */

/* The kernels of inference, but for the portable ones, which have no gradients. */
static const struct vgg_kernels *select_kernels(struct vgg_error *error)
{
    const struct vgg_kernels *kernels = vgg_kernels_select(VGG_PRECISION_F32, error);

    return kernels == NULL || kernels->gradients != NULL ? kernels : &vgg_kernels_generic;
}

/* Is there room for it? */
static enum vgg_status ask_memory(const struct vgg_training *training, uint32_t classes,
                                  uint32_t batch, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    const struct vgg_kernels *kernels = select_kernels(error);

    if (kernels == NULL)
        return VGG_BAD_ARGUMENT;
    if (settings->on_memory == NULL)
        return VGG_OK;
    return settings->on_memory(settings->user,
                               vgg_training_bytes(training, kernels, classes, batch), error);
}

static enum vgg_status copy(struct vgg_network *network, const char *path, struct vgg_error *error)
{
    struct vgg_weights from;
    enum vgg_status status = vgg_weights_read(path, &from, error);

    if (status != VGG_OK)
        return status;
    if (vgg_network_copy(network, &from) == 0)
        status = vgg_fail(error, VGG_BAD_ARGUMENT,
                          "%s: no layer has the name and shape of one to be trained", path);
    vgg_weights_fini(&from);
    return status;
}

/* What a step is given, with a teacher who looks at every crop. */
static enum vgg_status make_examples(struct vgg_training *training, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    struct vgg_examples *examples = &training->examples;
    struct vgg_teacher *teacher = settings->teacher != NULL ? &training->teacher : NULL;
    enum vgg_status status = vgg_examples_init(examples, &training->sets.train, &training->network,
                                               settings, teacher, error);

    if (status != VGG_OK || teacher == NULL || !examples->crops)
        return status;
    return vgg_teacher_attend(teacher, training->engine, &training->sets.train, &examples->sampling,
                              training->network.batch, error);
}

static enum vgg_status make_network(struct vgg_training *training, const struct vgg_weights *base,
                                    struct vgg_error *error)
{
    struct vgg_train_options *settings = &training->settings;
    uint32_t classes = (uint32_t)training->sets.train.classes_n;
    struct vgg_net_sizes sizes = vgg_settings_sizes(settings, &training->base, classes);
    const struct vgg_kernels *kernels = select_kernels(error);
    struct vgg_network_options options;
    enum vgg_status status;

    if (kernels == NULL)
        return VGG_BAD_ARGUMENT;
    if (settings->batch > training->sets.train.examples_n)
        settings->batch = (uint32_t)training->sets.train.examples_n;
    options = vgg_training_network_options(training, settings->batch);
    status = ask_memory(training, classes, settings->batch, error);
    if (status == VGG_OK && !vgg_gemm_start())
        status = vgg_fail_memory(error);
    if (status == VGG_OK)
        status = vgg_network_init(&training->network, vgg_arch_find(settings->arch), kernels,
                                  &sizes, &options, settings->threads, error);
    if (status == VGG_OK)
        status = vgg_output_room(&training->network, &training->base, settings, error);
    if (status == VGG_OK)
        status = make_examples(training, error);
    if (status == VGG_OK)
        status = vgg_training_measure(training, error);
    if (status != VGG_OK)
        return status;
    vgg_network_randomise(&training->network, settings->init, settings->seed);
    if (settings->init_from != NULL)
        return copy(&training->network, settings->init_from, error);
    if (base->model != NULL && !vgg_training_is_narrowed(training))
        vgg_network_take(&training->network, base);
    return VGG_OK;
}

/* ---------------------------------------------------------------- all of it ------------------ */

/* Begin anew, or go on: a checkpoint is never overwritten by accident. */
static enum vgg_status restore(struct vgg_training *training, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    struct stat there;

    if (settings->resume)
        return vgg_train_state_restore(&training->state, &training->network,
                                       training->settings_text, training->sets.digest,
                                       settings->checkpoint, error);
    if (stat(settings->checkpoint, &there) == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%s is there from an earlier training: resume it, or remove it",
                        settings->checkpoint);
    return VGG_OK;
}

/* Every path is tried before anything is computed. */
static enum vgg_status try_paths(const struct vgg_train_options *options, struct vgg_error *error)
{
    const char *const paths[] = {options->output, options->checkpoint, options->log,
                                 options->validation_list};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct vgg_error reason = {0};

        if (paths[i] != NULL && vgg_replace_try(paths[i], &reason) != VGG_OK)
            return vgg_fail(error, reason.status, "%s: %s", paths[i], reason.text);
    }
    return options->features_cache != NULL ? vgg_cache_open(options->features_cache, error)
                                           : VGG_OK;
}

/*
 * Its header, then its weights, of which a narrower network needs the convolutions alone; *weights
 * stays empty where there is none.
 */
static enum vgg_status open_base(struct vgg_training *training,
                                 const struct vgg_train_options *options,
                                 struct vgg_weights *weights, struct vgg_error *error)
{
    struct vgg_train_options given = *options;
    struct vgg_base *base = &training->base;
    enum vgg_status status = VGG_OK;
    unsigned blocks;

    *weights = (struct vgg_weights){0};
    if (options->base == NULL)
        return VGG_OK;
    given.crop = 0;
    status = vgg_base_open(base, options, error);
    if (status == VGG_OK)
        status = vgg_base_check(base, &given, false, error);
    blocks = vgg_base_is_wider(base, options->width) ? VGG_STAGES : 0;
    if (status == VGG_OK)
        status = vgg_weights_read_source(&base->source, base->name, blocks, weights, error);
    if (status != VGG_OK)
        return status;
    snprintf(base->title, sizeof base->title, "%s", weights->model->info.name);
    snprintf(base->sha256, sizeof base->sha256, "%s", strchr(weights->model->version, ':') + 1);
    return status;
}

static enum vgg_status open_all(struct vgg_training *training, const char *dir,
                                const struct vgg_weights *base, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    const struct vgg_engine_options engine = {.threads = settings->threads};
    enum vgg_status status = ask_memory(training, 1, 1, error);

    if (status == VGG_OK)
        status = vgg_team_create(settings->threads, &training->team, error);
    if (status == VGG_OK && vgg_maps_blocks(settings) == 0)
        status = vgg_engine_create(&engine, &training->engine, error);
    if (status == VGG_OK)
        status = open_data(training, dir, base, error);
    if (status == VGG_OK && settings->teacher != NULL)
        status = vgg_teacher_open(&training->teacher, &training->sets.train, settings, error);
    return status == VGG_OK ? make_network(training, base, error) : status;
}

/* Hidden layers with as many units as inputs pass these on, and the last one knows nothing yet. */
static void begin_head(struct vgg_network *network)
{
    struct vgg_parameter *last = &network->dense[VGG_FCS - 1].weight;

    for (size_t i = 0; i + 1 < VGG_FCS; i++) {
        struct vgg_parameter *weight = &network->dense[i].weight;
        uint64_t units = network->dense[i].bias.n;

        for (uint64_t j = 0; j < weight->n && weight->n == units * units; j++)
            weight->value[j] = j % (units + 1) == 0;
    }
    memset(last->value, 0, (size_t)last->n * sizeof *last->value);
}

/* A network that is narrower than its base. */
static enum vgg_status narrow(struct vgg_training *training, const struct vgg_weights *base,
                              struct vgg_error *error)
{
    struct vgg_network *network = &training->network;
    const struct vgg_narrow_task task = {
        .base = base,
        .net = &network->net,
        .pictures = &training->sets.train,
        .sampling = &training->examples.sampling,
        .settings = &training->settings,
        .later = training->maps.later - training->forecast.start,
    };
    float *weights[VGG_CONVS_MAX], *biases[VGG_CONVS_MAX];

    for (size_t i = 0; i < network->net.arch->convs_n; i++) {
        weights[i] = network->convs[i].weight.value;
        biases[i] = network->convs[i].bias.value;
    }
    begin_head(network);
    return vgg_narrow(&task, training->team, weights, biases, error);
}

/* Batch-norm that a base did not have, by an epoch of what the network is shown. */
static enum vgg_status make_norms(struct vgg_training *training, struct vgg_error *error)
{
    struct vgg_examples *examples = &training->examples;
    struct vgg_norms norms;
    enum vgg_status status = vgg_norms_init(&norms, &training->network, error);

    if (status != VGG_OK)
        return status;
    vgg_examples_shuffle(examples, 0);
    for (uint32_t step = 0; step < examples->steps && status == VGG_OK; step++) {
        struct vgg_network_examples batch;

        status = vgg_examples_draw(examples, training->team, 0, step, &batch, error);
        if (status == VGG_OK)
            vgg_norms_observe(&norms, training->team, batch.inputs, batch.n);
    }
    vgg_norms_fini(&norms);
    return status;
}

/* Then the work begins: with the teacher's, if it is shown whole pictures. */
static enum vgg_status set_out(struct vgg_training *training, double seconds,
                               struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    enum vgg_status status = vgg_training_tell_plan(training, seconds, error);

    if (status != VGG_OK || settings->teacher == NULL || training->examples.crops)
        return status;
    return vgg_teacher_ask(&training->teacher, &training->sets.train, settings, error);
}

/* The frozen layers of all pictures, then the last layer on what they give. */
static enum vgg_status make_maps(struct vgg_training *training, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    const struct vgg_network *network = &training->network;
    const struct vgg_sets *sets = &training->sets;
    const struct vgg_maps_beside beside = {
        .network = vgg_training_bytes(training, network->net.kernels, network->net.classes,
                                      network->batch),
        .then = vgg_probe_bytes(network, sets->train.examples_n, sets->validation.examples_n,
                                vgg_maps_views(settings))};
    double seconds;
    enum vgg_status status = vgg_maps_open(&training->maps, &training->base, sets, settings,
                                           training->team, &beside, &seconds, error);

    if (status == VGG_OK)
        status = set_out(training, seconds, error);
    if (status == VGG_OK)
        status = vgg_maps_compute(&training->maps, &training->base, error);
    training->examples.maps = &training->maps;
    if (status == VGG_OK && settings->batch_norm && !settings->resume)
        status = make_norms(training, error);
    if (status != VGG_OK || settings->resume)
        return status;
    return vgg_probe(&training->network, training->team, &training->maps,
                     training->examples.class_weights, error);
}

enum vgg_status vgg_training_begin(struct vgg_training *training, const char *dir,
                                   const struct vgg_train_options *options, struct vgg_error *error)
{
    struct vgg_train_options *settings = &training->settings;
    struct vgg_weights base = {0};
    enum vgg_status status = try_paths(options, error);

    if (status == VGG_OK)
        status = open_base(training, options, &base, error);
    if (status == VGG_OK)
        status = vgg_settings_complete(options, base.model, settings, error);
    if (status == VGG_OK)
        status = open_all(training, dir, &base, error);
    if (status == VGG_OK)
        vgg_settings_format(settings, base.model,
                            settings->teacher != NULL ? training->teacher.model : NULL,
                            (uint32_t)training->sets.train.classes_n, training->settings_text);
    if (!vgg_training_is_narrowed(training))
        vgg_weights_fini(&base);
    if (status == VGG_OK)
        status = restore(training, error);
    if (status == VGG_OK && vgg_maps_blocks(settings) != 0)
        return make_maps(training, error);
    if (status == VGG_OK)
        status = set_out(training, 0, error);
    if (status == VGG_OK && vgg_training_is_narrowed(training) && !settings->resume)
        status = narrow(training, &base, error);
    vgg_weights_fini(&base);
    if (status == VGG_OK && settings->base != NULL && settings->batch_norm && !settings->resume)
        status = make_norms(training, error);
    return status;
}

void vgg_training_let_go(struct vgg_training *training)
{
    vgg_examples_fini(&training->examples);
    vgg_teacher_fini(&training->teacher);
    vgg_maps_fini(&training->maps);
    vgg_network_fini(&training->network);
    vgg_engine_destroy(training->engine);
    training->engine = NULL;
}

void vgg_training_fini(struct vgg_training *training)
{
    vgg_training_let_go(training);
    vgg_train_state_fini(&training->state);
    vgg_sets_fini(&training->sets);
    vgg_team_destroy(training->team);
    vgg_base_fini(&training->base);
}
