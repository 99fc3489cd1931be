/* What a training by descent will take. */
#include "train/plan.h"

#include <math.h>

#include "base/clock.h"
#include "feed/pictures.h"
#include "train/finish.h"
#include "train/footprint.h"

/* Multiply-adds of a step for each of a pass forward: two gradients come back. */
#define STEP_PASSES 3.0

struct vgg_network_options vgg_training_network_options(const struct vgg_training *training,
                                                        uint32_t batch)
{
    const struct vgg_train_options *settings = &training->settings;

    return (struct vgg_network_options){
        .batch = batch,
        .batch_norm = settings->batch_norm,
        .dropout = settings->dropout,
        .crop = settings->crop,
        .frozen = vgg_maps_convs(vgg_arch_find(settings->arch), settings),
        .fused = true,
    };
}

uint64_t vgg_training_bytes(const struct vgg_training *training, const struct vgg_kernels *kernels,
                            uint32_t classes, uint32_t batch)
{
    const struct vgg_train_options *settings = &training->settings;
    const struct vgg_net_sizes sizes = vgg_settings_sizes(settings, &training->base, classes);
    const struct vgg_network_options options = vgg_training_network_options(training, batch);

    return vgg_train_predict(vgg_arch_find(settings->arch), kernels, &sizes, &options,
                             settings->threads);
}

static double seconds_since(uint64_t begun_ns)
{
    return (double)(vgg_now_ns() - begun_ns) / 1e9;
}

/* The second draw of the same batch is without the teacher, who has seen it. */
enum vgg_status vgg_training_measure(struct vgg_training *training, struct vgg_error *error)
{
    struct vgg_network *network = &training->network;
    const struct vgg_descent still = {0};
    struct vgg_network_examples batch;
    uint64_t begun_ns = vgg_now_ns();
    double first;
    enum vgg_status status;

    if (training->settings.on_plan == NULL)
        return VGG_OK;
    vgg_examples_shuffle(&training->examples, 0);
    status = vgg_examples_draw(&training->examples, training->team, 0, 0, &batch, error);
    first = seconds_since(begun_ns);
    begun_ns = vgg_now_ns();
    if (status == VGG_OK)
        status = vgg_examples_draw(&training->examples, training->team, 0, 0, &batch, error);
    if (status != VGG_OK)
        return status;
    if (training->teacher.inputs != NULL)
        training->look_seconds = fmax(0, first - seconds_since(begun_ns));
    (void)vgg_network_forward(network, training->team, &batch, 0, 0);
    vgg_network_backward(network, training->team, &still);
    training->step_seconds = seconds_since(begun_ns);
    vgg_network_forget(network);
    return VGG_OK;
}

/* Of a pass forward of the layers that train, on one crop. */
static double crop_macs(const struct vgg_training *training)
{
    struct vgg_net net = training->network.net;
    unsigned blocks = vgg_maps_blocks(&training->settings);
    uint32_t crop = training->settings.crop;
    uint64_t all = vgg_net_macs(&net, crop, crop), frozen = 0;

    if (blocks != 0) {
        vgg_net_cut(&net, blocks);
        frozen = vgg_net_macs(&net, crop, crop);
    }
    return (double)(all - frozen);
}

/* Of a validation, which is of whole pictures, or of the maps of their views. */
static double validation_macs(const struct vgg_training *training)
{
    const struct vgg_dataset *set = &training->sets.validation;

    if (vgg_maps_blocks(&training->settings) != 0)
        return crop_macs(training) * (double)(set->examples_n * training->maps.frozen.views);
    return vgg_pictures_macs(&training->network.net, set, training->settings.validation_scale);
}

/*
 * Of all the epochs that are left, with what comes after them. A teacher has forgotten what an
 * earlier run saw.
 */
static double seconds_left(const struct vgg_training *training, double frozen_seconds,
                           const struct vgg_finish_need *finish)
{
    const struct vgg_frozen *frozen = &training->maps.frozen;
    const struct vgg_examples *examples = &training->examples;
    double epochs = fmax(0, (double)training->settings.epochs - training->state.epoch);
    double steps = fmax(0, epochs * examples->steps - training->state.step);
    double looks = fmin(steps, (double)VGG_TEACHER_VIEWS * examples->steps);
    double step = training->step_seconds / (STEP_PASSES * examples->batch * crop_macs(training));
    double macs = (double)finish->macs;
    double engine = frozen_seconds > 0 ? frozen_seconds / (double)frozen->macs : step;

    if (training->teacher.model != NULL && !examples->crops)
        macs += vgg_teacher_macs(&training->teacher, &training->sets.train);
    return training->step_seconds * steps + training->look_seconds * looks +
           step * validation_macs(training) * epochs + engine * macs;
}

enum vgg_status vgg_training_tell_plan(const struct vgg_training *training, double seconds,
                                       struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    const struct vgg_frozen *frozen = &training->maps.frozen;
    const struct vgg_sets *sets = &training->sets;
    const struct vgg_network *network = &training->network;
    uint64_t bytes = vgg_training_bytes(training, network->net.kernels,
                                        (uint32_t)sets->train.classes_n, network->batch) +
                     training->maps.bytes +
                     vgg_teacher_bytes(&training->teacher, network->batch, settings->threads);
    struct vgg_finish_need finish;
    struct vgg_train_plan plan = {
        .freeze = settings->freeze,
        .pictures = sets->train.examples_n,
        .validation = sets->validation.examples_n,
        .classes = sets->train.classes_n,
        .views = frozen->views,
        .cached = frozen->cached,
    };
    enum vgg_status status;

    if (settings->on_plan == NULL)
        return VGG_OK;
    status = vgg_training_finish_need(training, &finish, error);
    if (status != VGG_OK)
        return status;
    plan.seconds = seconds + seconds_left(training, seconds, &finish);
    plan.bytes = vgg_sets_bytes(sets) + (bytes > finish.bytes ? bytes : finish.bytes);
    return settings->on_plan(settings->user, &plan, error);
}
