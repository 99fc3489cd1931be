/*
 * The base runs over the crops twice: once for the covariance of what its channels become, by which
 * they are chosen, and once for what the chosen ones are before ReLU. Then the narrow network does
 * as far as each of its layers, which is fitted to that.
 */
#include "narrow/narrow.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/streams.h"
#include "blas/gemm.h"
#include "narrow/choice.h"
#include "narrow/cost.h"
#include "narrow/crops.h"
#include "narrow/gram.h"
#include "narrow/places.h"
#include "narrow/stack.h"

static const double RIDGE = 1e-3;

/* A layer of the base, as far as the narrow one's is fitted to it. */
struct layer {
    struct vgg_gram gram; /* of all its channels, weighed later */
    uint32_t *chosen;     /* [out] of the narrow layer */
    float *filters;       /* [out][in][k][k], the base's, of the chosen ones */
    float *biases;        /* [out] */
    float *targets;       /* [rows][out] */
};

struct narrowing {
    const struct vgg_narrow_task *task;
    struct vgg_team *team;
    size_t layers_n;
    struct vgg_narrow_sizes sizes;
    struct vgg_crops crops;
    struct vgg_stack base, narrow;
    struct layer layers[VGG_CONVS_MAX];
    struct vgg_gram gram; /* of the layer that is fitted */
    float *rows;          /* of a batch */
    double explained[VGG_CONVS_MAX];
    size_t fitted;
    double macs, macs_done;
    uint64_t begun_ns;
};

/* ---------------------------------------------------------------- room ----------------------- */

static const struct vgg_conv *wide_conv(const struct narrowing *work, size_t layer)
{
    return &work->task->base->net->layers[layer].conv;
}

static const struct vgg_conv *own_conv(const struct narrowing *work, size_t layer)
{
    return &work->task->net->layers[layer].conv;
}

static uint32_t crop_of(const struct narrowing *work)
{
    return work->task->sampling->crop;
}

static enum vgg_status init_layer(struct narrowing *work, size_t i, struct vgg_error *error)
{
    struct layer *layer = &work->layers[i];
    size_t out = own_conv(work, i)->out, inputs = vgg_narrow_inputs(wide_conv(work, i));
    size_t rows = vgg_narrow_rows(work->task->net, crop_of(work), i);

    layer->chosen = vgg_alloc(out, sizeof *layer->chosen);
    layer->filters = vgg_alloc_aligned(out, inputs * sizeof *layer->filters);
    layer->biases = vgg_alloc(out, sizeof *layer->biases);
    layer->targets = vgg_alloc_aligned(rows, out * sizeof *layer->targets);
    if (layer->chosen == NULL || layer->filters == NULL || layer->biases == NULL ||
        layer->targets == NULL)
        return vgg_fail_memory(error);
    return vgg_gram_init(&layer->gram, wide_conv(work, i)->out, 0, vgg_team_threads(work->team),
                         error);
}

static enum vgg_status init_stacks(struct narrowing *work, struct vgg_error *error)
{
    const struct vgg_narrow_task *task = work->task;
    const struct vgg_kernels *kernels = task->net->kernels;
    const struct vgg_shape in = {(uint32_t)work->sizes.batch, 3, crop_of(work), crop_of(work)};
    unsigned threads = vgg_team_threads(work->team);
    enum vgg_status status =
        vgg_stack_init(&work->base, task->base->net, kernels, in, threads, error);

    if (status == VGG_OK)
        status = vgg_stack_init(&work->narrow, task->net, kernels, in, threads, error);
    for (size_t i = 0; i < work->layers_n && status == VGG_OK; i++)
        vgg_stack_set(&work->base, work->team, i, task->base->weights[i], task->base->biases[i]);
    return status;
}

static enum vgg_status init(struct narrowing *work, const struct vgg_narrow_task *task,
                            struct vgg_team *team, struct vgg_error *error)
{
    size_t floats;
    enum vgg_status status;

    *work = (struct narrowing){
        .task = task,
        .team = team,
        .layers_n = task->net->arch->convs_n,
        .sizes = vgg_narrow_sizes(task->net, task->sampling->crop),
        .macs = vgg_narrow_macs(task->base->net, task->net, task->sampling->crop),
        .begun_ns = vgg_now_ns()};
    work->crops = (struct vgg_crops){.pictures = task->pictures,
                                     .sampling = task->sampling,
                                     .base = &task->base->model->info,
                                     .batch = work->sizes.batch};
    floats = vgg_narrow_batch_floats(&work->sizes, task->base->net);
    work->rows = vgg_alloc_aligned(floats, sizeof *work->rows);
    status = work->rows != NULL && vgg_gemm_start() ? VGG_OK : vgg_fail_memory(error);
    if (status == VGG_OK)
        status = vgg_crops_init(&work->crops, error);
    if (status == VGG_OK)
        status = init_stacks(work, error);
    for (size_t i = 0; i < work->layers_n && status == VGG_OK; i++)
        status = init_layer(work, i, error);
    return status;
}

static void fini(struct narrowing *work)
{
    for (size_t i = 0; i < work->layers_n; i++) {
        struct layer *layer = &work->layers[i];

        vgg_gram_fini(&layer->gram);
        free(layer->chosen);
        free(layer->filters);
        free(layer->biases);
        free(layer->targets);
    }
    vgg_gram_fini(&work->gram);
    vgg_stack_fini(&work->base);
    vgg_stack_fini(&work->narrow);
    vgg_crops_fini(&work->crops);
    free(work->rows);
}

/* ---------------------------------------------------------------- a pass --------------------- */

static void tell(const struct narrowing *work)
{
    const struct vgg_train_options *settings = work->task->settings;
    double seconds = (double)(vgg_now_ns() - work->begun_ns) / 1e9;
    const struct vgg_train_narrowing now = {
        .width = own_conv(work, 0)->out,
        .base_width = wide_conv(work, 0)->out,
        .done = work->fitted == work->layers_n ? 1 : work->macs_done / work->macs,
        .seconds_left = seconds * (work->macs / work->macs_done - 1) + work->task->later,
        .layers = work->fitted,
        .explained = work->explained,
    };

    if (settings->on_narrowing != NULL)
        settings->on_narrowing(settings->user, &now);
}

/* A map that the stack has come to. */
struct look {
    struct narrowing *work;
    const struct vgg_stack *stack;
    size_t first;    /* crop of the batch */
    size_t places;   /* of each crop */
    unsigned kernel; /* of what is gathered */
    size_t row;      /* floats */
};

static struct look look_at(struct narrowing *work, const struct vgg_stack *stack, size_t first,
                           unsigned kernel)
{
    return (struct look){
        .work = work,
        .stack = stack,
        .first = first,
        .places = vgg_min_size((size_t)stack->shape.h * stack->shape.w, work->sizes.places),
        .kernel = kernel,
        .row = (size_t)stack->shape.c * kernel * kernel,
    };
}

/* Item: a crop of the batch. Its rows, in work->rows. */
static void gather(void *context, size_t item, unsigned thread)
{
    const struct look *look = context;
    const struct vgg_stack *stack = look->stack;
    const uint64_t keys[] = {look->work->task->settings->seed, VGG_STREAM_PLACES,
                             look->first + item, stack->layer};
    struct vgg_places places;

    (void)thread;
    vgg_places_draw(&places, stack->shape.h, stack->shape.w, look->work->sizes.places, keys,
                    sizeof keys / sizeof *keys);
    vgg_places_gather(&places, stack->map, stack->shape, stack->kernels->lanes, item, look->kernel,
                      look->work->rows + item * look->places * look->row);
}

/* Crops through the first `layers` of a stack; `take` is called at each map, the input's too. */
struct pass {
    struct vgg_stack *stack;
    const float *inputs;
    size_t layers;
    double macs;
    void (*take)(struct narrowing *work, size_t first);
};

static enum vgg_status run_batch(struct narrowing *work, const struct pass *pass, size_t first,
                                 size_t n, struct vgg_error *error)
{
    const struct vgg_train_options *settings = work->task->settings;
    enum vgg_status status;

    if (settings->stop != NULL && settings->stop(settings->user))
        return vgg_fail(error, VGG_CANCELLED, "stopped while a narrow network was fitted");
    status = vgg_crops_draw(&work->crops, work->team, first, n, error);
    if (status != VGG_OK)
        return status;
    vgg_stack_begin(pass->stack, work->team, pass->inputs, (uint32_t)n);
    pass->take(work, first);
    while (pass->stack->layer < pass->layers) {
        vgg_stack_step(pass->stack, work->team);
        pass->take(work, first);
    }
    return VGG_OK;
}

static enum vgg_status run_pass(struct narrowing *work, const struct pass *pass,
                                struct vgg_error *error)
{
    size_t all = work->sizes.crops;
    enum vgg_status status = VGG_OK;

    for (size_t first = 0; first < all && status == VGG_OK; first += work->sizes.batch) {
        size_t n = vgg_min_size(work->sizes.batch, all - first);

        status = run_batch(work, pass, first, n, error);
        work->macs_done += pass->macs * (double)n / (double)all;
        if (status == VGG_OK)
            tell(work);
    }
    return status;
}

static enum vgg_status run_base(struct narrowing *work,
                                void (*take)(struct narrowing *work, size_t first),
                                struct vgg_error *error)
{
    const struct vgg_net *net = work->task->base->net;
    const struct pass pass = {
        .stack = &work->base,
        .inputs = work->crops.base_inputs,
        .layers = work->layers_n,
        .macs = vgg_narrow_pass_macs(net, &work->sizes, crop_of(work), work->layers_n),
        .take = take,
    };

    return run_pass(work, &pass, error);
}

/* ---------------------------------------------------------------- the base ------------------- */

/* What comes from a layer, by which its channels are chosen. */
static void take_channels(struct narrowing *work, size_t first)
{
    const struct vgg_stack *stack = &work->base;
    struct look look = look_at(work, stack, first, 1);

    if (stack->layer == 0)
        return;
    vgg_team_run(work->team, gather, &look, stack->shape.n);
    vgg_gram_add(&work->layers[stack->layer - 1].gram, work->team, stack->shape.n * look.places,
                 work->rows, NULL);
}

static void choose(struct narrowing *work, size_t i)
{
    struct layer *layer = &work->layers[i];
    size_t out = own_conv(work, i)->out, inputs = vgg_narrow_inputs(wide_conv(work, i));
    size_t channels = wide_conv(work, i)->out;
    const struct vgg_weights *base = work->task->base;

    vgg_gram_centre(&layer->gram);
    if (i + 1 < work->layers_n)
        vgg_weigh_channels(layer->gram.products, channels, base->weights[i + 1],
                           wide_conv(work, i + 1));
    vgg_choose_channels(layer->gram.products, channels, out, layer->chosen);
    vgg_gram_fini(&layer->gram);
    for (size_t o = 0; o < out; o++) {
        memcpy(layer->filters + o * inputs, base->weights[i] + layer->chosen[o] * inputs,
               inputs * sizeof *layer->filters);
        layer->biases[o] = base->biases[i][layer->chosen[o]];
    }
}

/* Item: a crop of the batch. What the chosen channels are before ReLU, in its places. */
static void compute_targets(void *context, size_t item, unsigned thread)
{
    const struct look *look = context;
    struct narrowing *work = look->work;
    const struct layer *layer = &work->layers[look->stack->layer];
    size_t out = own_conv(work, look->stack->layer)->out;
    float *targets = layer->targets + (look->first + item) * look->places * out;

    gather(context, item, thread);
    for (size_t i = 0; i < look->places; i++)
        memcpy(targets + i * out, layer->biases, out * sizeof *targets);
    vgg_gemm_add_transposed(false, true, look->places, out, look->row,
                            work->rows + item * look->places * look->row, look->row, layer->filters,
                            look->row, targets, out);
}

static void take_targets(struct narrowing *work, size_t first)
{
    const struct vgg_stack *stack = &work->base;
    struct look look;

    if (stack->layer == work->layers_n)
        return;
    look = look_at(work, stack, first, wide_conv(work, stack->layer)->kernel);
    vgg_team_run(work->team, compute_targets, &look, stack->shape.n);
}

static enum vgg_status look_at_base(struct narrowing *work, struct vgg_error *error)
{
    enum vgg_status status = run_base(work, take_channels, error);

    if (status != VGG_OK)
        return status;
    for (size_t i = 0; i < work->layers_n; i++)
        choose(work, i);
    return run_base(work, take_targets, error);
}

/* ---------------------------------------------------------------- the narrow network --------- */

static void take_rows(struct narrowing *work, size_t first)
{
    const struct vgg_stack *stack = &work->narrow;
    const struct vgg_conv *conv = own_conv(work, work->fitted);
    struct look look;

    if (stack->layer != work->fitted)
        return;
    look = look_at(work, stack, first, conv->kernel);
    vgg_team_run(work->team, gather, &look, stack->shape.n);
    vgg_gram_add(&work->gram, work->team, stack->shape.n * look.places, work->rows,
                 work->layers[work->fitted].targets + first * look.places * conv->out);
}

static enum vgg_status fit(struct narrowing *work, float *weights, float *biases,
                           struct vgg_error *error)
{
    size_t i = work->fitted;
    const struct vgg_net *net = work->task->net;
    const struct vgg_conv *conv = own_conv(work, i);
    const struct pass pass = {
        .stack = &work->narrow,
        .inputs = work->crops.inputs,
        .layers = i,
        .macs = vgg_narrow_pass_macs(net, &work->sizes, crop_of(work), i),
        .take = take_rows,
    };
    enum vgg_status status = vgg_gram_init(&work->gram, vgg_narrow_inputs(conv), conv->out,
                                           vgg_team_threads(work->team), error);

    if (status == VGG_OK)
        status = run_pass(work, &pass, error);
    if (status == VGG_OK) {
        vgg_gram_centre(&work->gram);
        work->explained[i] = vgg_gram_fit(&work->gram, work->team, RIDGE, weights, biases);
        vgg_stack_set(&work->narrow, work->team, i, weights, biases);
        work->fitted++;
        work->macs_done += vgg_narrow_fit_macs(net, crop_of(work), i);
    }
    vgg_gram_fini(&work->gram);
    return status;
}

enum vgg_status vgg_narrow(const struct vgg_narrow_task *task, struct vgg_team *team,
                           float *const *weights, float *const *biases, struct vgg_error *error)
{
    struct narrowing *work = vgg_alloc(1, sizeof *work);
    enum vgg_status status;

    if (work == NULL)
        return vgg_fail_memory(error);
    status = init(work, task, team, error);
    if (status == VGG_OK)
        status = look_at_base(work, error);
    for (size_t i = 0; i < work->layers_n && status == VGG_OK; i++)
        status = fit(work, weights[i], biases[i], error);
    if (status == VGG_OK)
        tell(work);
    fini(work);
    free(work);
    return status;
}
