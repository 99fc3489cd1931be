/*
 * What a training by descent will take, in memory and in time, before it begins: a step is
 * measured, the rest is reckoned from it.
 */
#ifndef VGG_CORE_TRAIN_PLAN_H
#define VGG_CORE_TRAIN_PLAN_H

#include "train/training.h"

/* Of the network that the settings ask for, on batches of so many crops. */
struct vgg_network_options vgg_training_network_options(const struct vgg_training *training,
                                                        uint32_t batch);

/* Bytes of such a network with so many classes. */
uint64_t vgg_training_bytes(const struct vgg_training *training, const struct vgg_kernels *kernels,
                            uint32_t classes, uint32_t batch);

/*
 * Take a step that changes nothing, of the network as it is before it is given its weights, if
 * somebody wants to know: training->step_seconds, and apart from them look_seconds of a teacher,
 * who looks in the first epochs only. Errors: those of vgg_examples_draw.
 */
enum vgg_status vgg_training_measure(struct vgg_training *training, struct vgg_error *error);

/*
 * Tell settings->on_plan; `seconds` are those of the frozen layers, 0 where there are none. Errors:
 * what on_plan returns, NO_MEMORY.
 */
enum vgg_status vgg_training_tell_plan(const struct vgg_training *training, double seconds,
                                       struct vgg_error *error);

#endif
