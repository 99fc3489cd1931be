/*
 * What a step is given: the examples of a batch with their labels, targets and weights.
 * Path of a step: data/dataset.c -> data/sample.c -> [this] -> backprop/network.c.
 */
#ifndef VGG_CORE_FEED_EXAMPLES_H
#define VGG_CORE_FEED_EXAMPLES_H

#include "backprop/network.h"
#include "data/sample.h"
#include "feed/maps.h"
#include "feed/teacher.h"

/* Zero-initialise. */
struct vgg_examples {
    const struct vgg_dataset *dataset;
    const struct vgg_maps *maps; /* what inputs are drawn from, once it is there */
    bool crops;                  /* else from pictures */
    struct vgg_sampling sampling;
    uint32_t batch, steps; /* examples of a step, at most; steps of an epoch */
    size_t floats;         /* of an example */
    uint32_t *order;       /* [examples_n], of this epoch */
    float *inputs;         /* [batch][floats] */
    uint32_t *labels;      /* [batch] */
    float *targets;        /* [batch][classes] */
    double *weights;       /* [batch]; NULL: all 1 */
    double *class_weights; /* [classes]; NULL: all 1 */
    double smoothing, mixup;
    struct vgg_teacher *teacher; /* NULL: none */
};

/*
 * Make room for batches of the set, which must stay, as inputs of a network: of a whole one crops,
 * of one that begins after frozen layers maps, which are zeros until there are some. An epoch's
 * examples are divided evenly among as few steps as batches of settings->batch allow, so that none
 * is left out and no batch is small. A teacher, or NULL, must stay. Errors: NO_MEMORY;
 * vgg_examples_fini is allowed then.
 */
enum vgg_status vgg_examples_init(struct vgg_examples *examples, const struct vgg_dataset *dataset,
                                  const struct vgg_network *network,
                                  const struct vgg_train_options *settings,
                                  struct vgg_teacher *teacher, struct vgg_error *error);
void vgg_examples_fini(struct vgg_examples *examples);

/* The order of an epoch, before its steps. */
void vgg_examples_shuffle(struct vgg_examples *examples, uint32_t epoch);

/* How many examples the first `steps` of an epoch have. */
size_t vgg_examples_before(const struct vgg_examples *examples, uint32_t steps);

/*
 * Draw the examples of a step: the same bits for the same seed, epoch and step. What *batch points
 * to stays until the next call. Errors: those of vgg_sample and vgg_teacher_judge.
 */
enum vgg_status vgg_examples_draw(struct vgg_examples *examples, struct vgg_team *team,
                                  uint32_t epoch, uint32_t step, struct vgg_network_examples *batch,
                                  struct vgg_error *error);

#endif
