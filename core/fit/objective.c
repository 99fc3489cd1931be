/*
 * The rows are cut into blocks, each an item of a loop: scores, soft-max, gradient, by two products
 * of matrices while the block is in the cache. What blocks give is added in their order, in double.
 */
#include "fit/objective.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/vectors.h"
#include "blas/gemm.h"

enum {
    ROWS = 128, /* of a block, or twice, four times .. as many: */
    ROWS_MAX = 1024,
    FEW = 1000000,          /* multiplications; OpenBLAS is 20 times slower where there are fewer */
    SLOTS = 16,             /* at most */
    SLOTS_BYTES = 64 << 20, /* so are there fewer of wide layers, but 2 */
    SLICE = 4096            /* weights of an item that adds gradients */
};

struct pass {
    struct vgg_objective *objective;
    struct vgg_layer *const *layers;
    size_t n, outputs;    /* layers, and their classes together */
    size_t rows;          /* of a block */
    size_t first, blocks; /* of those that are kept at the same time */
};

size_t vgg_objective_unknowns(size_t classes, size_t dims)
{
    return classes * (dims + 1);
}

static size_t slots_of(size_t outputs, size_t dims)
{
    size_t n = SLOTS_BYTES / (outputs * dims * sizeof(float) + 1);

    return n < 2 ? 2 : n < SLOTS ? n : SLOTS;
}

static size_t rows_of(size_t outputs, size_t dims)
{
    size_t rows = ROWS;

    while (rows < ROWS_MAX && rows * outputs * dims <= FEW)
        rows *= 2;
    return rows;
}

/* Of a block, for so many layers or fewer. */
static size_t scores_of(size_t outputs, size_t dims)
{
    size_t few = 2 * FEW / dims, usual = ROWS * outputs;

    few = few < ROWS_MAX * outputs ? few : ROWS_MAX * outputs;
    return few > usual ? few : usual;
}

uint64_t vgg_objective_bytes(size_t classes, size_t dims, size_t layers)
{
    uint64_t outputs = (uint64_t)classes * layers, slots = slots_of(outputs, dims);

    return (outputs * dims * (1 + slots) + scores_of(outputs, dims) * slots) * sizeof(float) +
           slots * (outputs + layers + classes) * sizeof(double);
}

enum vgg_status vgg_objective_init(struct vgg_objective *objective, size_t layers,
                                   struct vgg_error *error)
{
    size_t outputs = layers * objective->set->classes, slots = slots_of(outputs, objective->dims);

    objective->layers = layers;
    objective->slots = slots;
    objective->weights = vgg_alloc_aligned(outputs * objective->dims, sizeof(float));
    objective->scores =
        vgg_alloc_aligned(slots * scores_of(outputs, objective->dims), sizeof(float));
    objective->gradients = vgg_alloc_aligned(slots * outputs * objective->dims, sizeof(float));
    objective->sums = vgg_alloc(slots * (outputs + layers), sizeof(double));
    objective->posteriors = vgg_alloc(slots * objective->set->classes, sizeof(double));
    if (objective->weights == NULL || objective->scores == NULL || objective->gradients == NULL ||
        objective->sums == NULL || objective->posteriors == NULL)
        return vgg_fail_memory(error);
    return VGG_OK;
}

void vgg_objective_fini(struct vgg_objective *objective)
{
    free(objective->weights);
    free(objective->scores);
    free(objective->gradients);
    free(objective->sums);
    free(objective->posteriors);
    *objective = (struct vgg_objective){.set = NULL};
}

/* ---------------------------------------------------------------- a block -------------------- */

/*
 * One view's scores, without the bias, become the gradient of its loss by them. Returns the loss;
 * bias_sums grow by the gradient. posterior[classes] is scratch.
 */
static double soften(float *scores, const double *bias, size_t classes, uint32_t label,
                     double weight, double *posterior, double *bias_sums)
{
    double most = -INFINITY, sum = 0, truth = (double)scores[label] + bias[label];

    for (size_t c = 0; c < classes; c++) {
        posterior[c] = (double)scores[c] + bias[c];
        most = posterior[c] > most ? posterior[c] : most;
    }
    for (size_t c = 0; c < classes; c++)
        sum += posterior[c] = exp(posterior[c] - most);
    for (size_t c = 0; c < classes; c++) {
        double gradient = weight * (posterior[c] / sum - (c == label));

        scores[c] = (float)gradient;
        bias_sums[c] += gradient;
    }
    return weight * (log(sum) + most - truth);
}

/* Item: a block of rows. */
static void block_item(void *context, size_t item, unsigned thread)
{
    const struct pass *pass = context;
    const struct vgg_objective *objective = pass->objective;
    const struct vgg_fit_set *set = objective->set;
    size_t first = (pass->first + item) * pass->rows, end = set->pictures * set->views;
    size_t n = end - first < pass->rows ? end - first : pass->rows, dims = objective->dims;
    size_t outputs = pass->outputs, classes = set->classes;
    const float *rows = objective->rows + first * dims;
    float *scores = objective->scores + item * pass->rows * outputs;
    float *gradients = objective->gradients + item * outputs * dims;
    double *losses = objective->sums + item * (outputs + pass->n), *bias_sums = losses + pass->n;

    (void)thread;
    memset(losses, 0, (outputs + pass->n) * sizeof *losses);
    memset(scores, 0, n * outputs * sizeof *scores);
    memset(gradients, 0, outputs * dims * sizeof *gradients);
    vgg_gemm_add_transposed(false, true, n, outputs, dims, rows, dims, objective->weights, dims,
                            scores, outputs);
    for (size_t row = 0; row < n; row++) {
        size_t picture = (first + row) / set->views;

        for (size_t i = 0; i < pass->n; i++) {
            const struct vgg_layer *layer = pass->layers[i];
            double weight = layer->weights[picture] / (double)set->views;
            float *own = scores + row * outputs + i * classes;

            if (weight > 0)
                losses[i] +=
                    soften(own, layer->x + classes * dims, classes, set->labels[picture], weight,
                           objective->posteriors + item * classes, bias_sums + i * classes);
            else
                memset(own, 0, classes * sizeof *own);
        }
    }
    vgg_gemm_add_transposed(true, false, outputs, dims, n, scores, outputs, rows, dims, gradients,
                            dims);
}

/* ---------------------------------------------------------------- all of them ---------------- */

static size_t slices_of(const struct pass *pass)
{
    return (pass->objective->set->classes * pass->objective->dims + SLICE - 1) / SLICE;
}

/* A slice of a layer's weights, by the item's number: which layer, from where, how many. */
static struct vgg_layer *find_slice(const struct pass *pass, size_t item, size_t *first, size_t *n)
{
    size_t weights = pass->objective->set->classes * pass->objective->dims;

    *first = item % slices_of(pass) * SLICE;
    *n = weights - *first < SLICE ? weights - *first : SLICE;
    return pass->layers[item / slices_of(pass)];
}

/* Item: a slice begins, with the penalty's gradient; its weights are rounded for the products. */
static void begin_item(void *context, size_t item, unsigned thread)
{
    const struct pass *pass = context;
    size_t weights = pass->objective->set->classes * pass->objective->dims, first, n;
    struct vgg_layer *layer = find_slice(pass, item, &first, &n);
    float *rounded = pass->objective->weights + item / slices_of(pass) * weights;

    (void)thread;
    for (size_t i = first; i < first + n; i++) {
        rounded[i] = (float)layer->x[i];
        layer->gradient[i] = layer->strength * layer->x[i];
    }
}

/* Item: a slice, of which blocks are added in order. */
static void add_item(void *context, size_t item, unsigned thread)
{
    const struct pass *pass = context;
    size_t weights = pass->objective->set->classes * pass->objective->dims, first, n;
    struct vgg_layer *layer = find_slice(pass, item, &first, &n);
    const float *added = pass->objective->gradients + item / slices_of(pass) * weights;

    (void)thread;
    for (size_t block = 0; block < pass->blocks; block++, added += pass->n * weights)
        for (size_t i = first; i < first + n; i++)
            layer->gradient[i] += (double)added[i];
}

static void add_sums(const struct pass *pass)
{
    size_t classes = pass->objective->set->classes, weights = classes * pass->objective->dims;

    for (size_t block = 0; block < pass->blocks; block++) {
        const double *losses = pass->objective->sums + block * (pass->outputs + pass->n);

        for (size_t i = 0; i < pass->n; i++) {
            pass->layers[i]->loss += losses[i];
            for (size_t c = 0; c < classes; c++)
                pass->layers[i]->gradient[weights + c] += losses[pass->n + i * classes + c];
        }
    }
}

enum vgg_status vgg_objective_evaluate(struct vgg_objective *objective,
                                       struct vgg_layer *const *layers, size_t n,
                                       struct vgg_error *error)
{
    const struct vgg_fit_set *set = objective->set;
    size_t weights = set->classes * objective->dims, blocks;
    struct pass pass = {
        .objective = objective, .layers = layers, .n = n, .outputs = n * set->classes};

    pass.rows = rows_of(pass.outputs, objective->dims);
    blocks = (set->pictures * set->views + pass.rows - 1) / pass.rows;
    vgg_team_run(objective->team, begin_item, &pass, n * slices_of(&pass));
    for (size_t i = 0; i < n; i++) {
        layers[i]->loss = layers[i]->strength / 2 * vgg_dot(layers[i]->x, layers[i]->x, weights);
        memset(layers[i]->gradient + weights, 0, set->classes * sizeof *layers[i]->gradient);
    }
    for (; pass.first < blocks; pass.first += pass.blocks) {
        if (objective->stop != NULL && objective->stop(objective->user))
            return vgg_fail(error, VGG_CANCELLED, "stopped while the last layer was fitted");
        pass.blocks =
            blocks - pass.first < objective->slots ? blocks - pass.first : objective->slots;
        vgg_team_run(objective->team, block_item, &pass, pass.blocks);
        vgg_team_run(objective->team, add_item, &pass, n * slices_of(&pass));
        add_sums(&pass);
    }
    return VGG_OK;
}
