/*
 * A narrow network that begins with a wide one's layers. Layer by layer: the channels that explain
 * most of the base's maps are chosen, and least squares make the narrow layer give what they are
 * before ReLU from the narrow layers below it. Path: crops.c -> stack.c -> places.c -> [this].
 */
#ifndef VGG_CORE_NARROW_NARROW_H
#define VGG_CORE_NARROW_NARROW_H

#include "data/sample.h"
#include "model/weights.h"
#include "vgg_train.h"

struct vgg_narrow_task {
    const struct vgg_weights *base;     /* its convolutions */
    const struct vgg_net *net;          /* the narrow one, described, with blocked maps */
    const struct vgg_dataset *pictures; /* mean and std are the narrow network's */
    const struct vgg_sampling *sampling;
    const struct vgg_train_options *settings; /* seed, stop, on_narrowing */
    double later;                             /* seconds of what comes after, if they are known */
};

/*
 * Fill in the weights[layer][out][in][k][k] and biases[layer][out] of all convolutions. The same
 * bits for any number of threads. Errors: those of vgg_sample, NO_MEMORY, CANCELLED (by `stop`,
 * asked every few crops).
 */
enum vgg_status vgg_narrow(const struct vgg_narrow_task *task, struct vgg_team *team,
                           float *const *weights, float *const *biases, struct vgg_error *error);

#endif
