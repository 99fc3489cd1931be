/* Batches of examples. */
#include "feed/examples.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "data/statistics.h"
#include "feed/mixup.h"

#define TAUGHT 0.7 /* part of a target that is the teacher's */

/* ---------------------------------------------------------------- room ----------------------- */

static enum vgg_status weigh_classes(struct vgg_examples *examples, struct vgg_error *error)
{
    const struct vgg_dataset *dataset = examples->dataset;

    examples->class_weights = vgg_alloc(dataset->classes_n, sizeof *examples->class_weights);
    examples->weights = vgg_alloc(examples->batch, sizeof *examples->weights);
    if (examples->class_weights == NULL || examples->weights == NULL)
        return vgg_fail_memory(error);
    vgg_dataset_class_weights(dataset, examples->class_weights);
    return VGG_OK;
}

enum vgg_status vgg_examples_init(struct vgg_examples *examples, const struct vgg_dataset *dataset,
                                  const struct vgg_network *network,
                                  const struct vgg_train_options *settings,
                                  struct vgg_teacher *teacher, struct vgg_error *error)
{
    size_t n = dataset->examples_n;

    *examples = (struct vgg_examples){
        .dataset = dataset,
        .sampling = {.seed = settings->seed,
                     .crop = settings->crop,
                     .scale_min = settings->scale_min,
                     .scale_max = settings->scale_max,
                     .mirror = !settings->no_mirror,
                     .colour = settings->colour,
                     .squeeze = settings->squeeze,
                     .turn = settings->turn,
                     .erase = settings->erase},
        .steps = (uint32_t)((n + settings->batch - 1) / settings->batch),
        .floats = (size_t)network->in.c * network->in.h * network->in.w,
        .crops = network->frozen == 0,
        .smoothing = settings->smoothing,
        .mixup = settings->mixup,
        .teacher = teacher,
    };
    examples->batch = (uint32_t)((n + examples->steps - 1) / examples->steps);
    examples->order = vgg_alloc(n, sizeof *examples->order);
    examples->labels = vgg_alloc(examples->batch, sizeof *examples->labels);
    examples->targets = vgg_alloc(examples->batch, dataset->classes_n * sizeof *examples->targets);
    examples->inputs =
        vgg_calloc_aligned(examples->batch, examples->floats * sizeof *examples->inputs);
    if (examples->order == NULL || examples->labels == NULL || examples->targets == NULL ||
        examples->inputs == NULL)
        return vgg_fail_memory(error);
    return settings->balance ? weigh_classes(examples, error) : VGG_OK;
}

void vgg_examples_fini(struct vgg_examples *examples)
{
    free(examples->order);
    free(examples->inputs);
    free(examples->labels);
    free(examples->targets);
    free(examples->weights);
    free(examples->class_weights);
    *examples = (struct vgg_examples){.steps = 0};
}

/* ---------------------------------------------------------------- batches -------------------- */

void vgg_examples_shuffle(struct vgg_examples *examples, uint32_t epoch)
{
    vgg_sample_order(examples->sampling.seed, epoch, examples->order,
                     examples->dataset->examples_n);
}

size_t vgg_examples_before(const struct vgg_examples *examples, uint32_t steps)
{
    return (size_t)((uint64_t)examples->dataset->examples_n * steps / examples->steps);
}

struct draw_loop {
    struct vgg_examples *examples;
    const uint32_t *order; /* of this batch */
    uint32_t epoch, step;
    size_t view;              /* the epoch whose crops are drawn */
    struct vgg_error *errors; /* [batch] */
};

static bool is_shown_crops(const struct vgg_examples *examples)
{
    return examples->teacher != NULL && examples->teacher->inputs != NULL;
}

/* The label, smoothed, and what a teacher says of it. */
static void set_target(struct vgg_examples *examples, size_t item, uint32_t example, size_t view)
{
    size_t classes = examples->dataset->classes_n;
    uint32_t label = examples->dataset->examples[example].label;
    float *target = examples->targets + item * classes;
    double spread = examples->smoothing / (double)classes;
    const float *taught = NULL;

    if (examples->teacher != NULL && examples->teacher->targets != NULL)
        taught = vgg_teacher_target(examples->teacher, example, view);
    for (size_t i = 0; i < classes; i++)
        target[i] = (float)spread;
    target[label] = (float)(1 - examples->smoothing + spread);
    for (size_t i = 0; taught != NULL && i < classes; i++)
        target[i] = (float)(1 - TAUGHT) * target[i] + (float)TAUGHT * taught[i];
}

/* Item: one example of the batch. */
static void draw_item(void *context, size_t item, unsigned thread)
{
    const struct draw_loop *loop = context;
    struct vgg_examples *examples = loop->examples;
    uint32_t example = loop->order[item];
    uint32_t label = examples->dataset->examples[example].label;
    float *inputs = examples->inputs + item * examples->floats;
    struct vgg_error *error = &loop->errors[item];
    enum vgg_status status = VGG_OK;

    (void)thread;
    examples->labels[item] = label;
    if (examples->weights != NULL)
        examples->weights[item] = examples->class_weights[label];
    if (examples->maps != NULL)
        status = vgg_maps_draw(examples->maps, example, loop->epoch, inputs, error);
    else if (examples->crops)
        status =
            vgg_sample(examples->dataset, &examples->sampling, example, loop->view, inputs, error);
    if (status == VGG_OK && is_shown_crops(examples))
        (void)vgg_teacher_sample(examples->teacher, item, example, loop->view, error);
}

/* Item: a pair of examples of the batch. */
static void mix_item(void *context, size_t item, unsigned thread)
{
    const struct draw_loop *loop = context;
    struct vgg_examples *examples = loop->examples;
    size_t floats = examples->floats, classes = examples->dataset->classes_n, one = 2 * item;
    double share =
        vgg_mixup_share(examples->sampling.seed, loop->epoch, loop->step, item, examples->mixup);

    (void)thread;
    vgg_mixup(examples->inputs + one * floats, examples->inputs + (one + 1) * floats, floats,
              share);
    vgg_mixup(examples->targets + one * classes, examples->targets + (one + 1) * classes, classes,
              share);
}

enum vgg_status vgg_examples_draw(struct vgg_examples *examples, struct vgg_team *team,
                                  uint32_t epoch, uint32_t step, struct vgg_network_examples *batch,
                                  struct vgg_error *error)
{
    size_t first = vgg_examples_before(examples, step);
    size_t n = vgg_examples_before(examples, step + 1) - first;
    size_t view = examples->teacher != NULL ? vgg_teacher_view(examples->teacher, epoch) : epoch;
    struct draw_loop loop = {.examples = examples,
                             .order = examples->order + first,
                             .epoch = epoch,
                             .step = step,
                             .view = view,
                             .errors = vgg_calloc(n, sizeof *loop.errors)};
    enum vgg_status status = VGG_OK;

    if (loop.errors == NULL)
        return vgg_fail_memory(error);
    vgg_team_run(team, draw_item, &loop, n);
    for (size_t i = 0; i < n && status == VGG_OK; i++)
        if (loop.errors[i].status != VGG_OK)
            status = vgg_fail(error, loop.errors[i].status, "%s", loop.errors[i].text);
    free(loop.errors);
    if (status == VGG_OK && is_shown_crops(examples))
        status = vgg_teacher_judge(examples->teacher, loop.order, n, view, error);
    for (size_t i = 0; i < n && status == VGG_OK; i++)
        set_target(examples, i, loop.order[i], view);
    if (status == VGG_OK && examples->mixup > 0)
        vgg_team_run(team, mix_item, &loop, n / 2);
    *batch = (struct vgg_network_examples){.inputs = examples->inputs,
                                           .labels = examples->labels,
                                           .targets = examples->targets,
                                           .weights = examples->weights,
                                           .n = (uint32_t)n};
    return status;
}
