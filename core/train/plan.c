/* What a training by descent will take. */
#include "train/plan.h"

#include <math.h>

#include "base/clock.h"
#include "narrow/cost.h"
#include "train/finish.h"
#include "train/footprint.h"
#include "train/forecast.h"

static const double QUICK = 0.5; /* of a step, seconds */

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
    const struct vgg_arch *arch = vgg_arch_find(settings->arch);
    uint64_t bytes = vgg_train_predict(arch, kernels, &sizes, &options, settings->threads);
    struct vgg_net net;

    if (!vgg_training_is_narrowed(training) || settings->resume)
        return bytes;
    vgg_net_describe(&net, arch, kernels, &sizes);
    return bytes + vgg_narrow_bytes(&training->base.net, &net, settings->crop, settings->threads);
}

/*
 * The second draw of the same batch is without the teacher, who has seen it. A quick step is taken
 * twice, since the first one finds no memory warm.
 */
enum vgg_status vgg_training_measure(struct vgg_training *training, struct vgg_error *error)
{
    struct vgg_forecast *forecast = &training->forecast;
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
    first = vgg_seconds_since(begun_ns);
    for (int turn = 0; turn < 2 && status == VGG_OK && forecast->step < QUICK; turn++) {
        uint64_t drawn_ns;

        begun_ns = vgg_now_ns();
        status = vgg_examples_draw(&training->examples, training->team, 0, 0, &batch, error);
        if (status != VGG_OK)
            break;
        if (turn == 0 && training->teacher.inputs != NULL)
            forecast->look = fmax(0, first - vgg_seconds_since(begun_ns));
        drawn_ns = vgg_now_ns();
        (void)vgg_network_forward(network, training->team, &batch, 0, 0);
        forecast->forward = vgg_seconds_since(drawn_ns);
        vgg_network_backward(network, training->team, &still);
        forecast->step = vgg_seconds_since(begun_ns);
    }
    vgg_network_forget(network);
    return status;
}

enum vgg_status vgg_training_tell_plan(struct vgg_training *training, double seconds,
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
    status = vgg_forecast_make(training, finish.macs, error);
    if (status != VGG_OK)
        return status;
    training->maps.later = training->forecast.start + vgg_forecast_left(training);
    plan.seconds = seconds + training->forecast.teacher + training->maps.later;
    plan.bytes = vgg_sets_bytes(sets) + (bytes > finish.bytes ? bytes : finish.bytes);
    return settings->on_plan(settings->user, &plan, error);
}
