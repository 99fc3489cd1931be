/* The strength, by what layers say of pictures that they have not seen; then the layer. */
#include "fit/fit.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "blas/gemm.h"
#include "fit/calibration.h"
#include "fit/path.h"
#include "fit/rotation.h"

enum {
    STRENGTHS = 17, /* 1, 10^-1/2 .. 10^-8 */
    WORSE = 2,      /* successive ones that lead nowhere end the path */
    PICTURES = 32   /* of an item of scores */
};

/*
 * A weaker layer is better where the loss is less than this part of the other's. On real features
 * that errs no more than the least loss does, which may be anywhere on a plateau.
 */
static const double BETTER = 0.99;

/* Of weights, relative: the path's layers are compared, the last one is served. */
static const double ON_PATH = 1e-2, AT_END = 1e-5;

struct fit {
    const struct vgg_fit_set *set;
    const struct vgg_fit_options *options;
    struct vgg_rotation rotation;
    struct vgg_path path;
    /*
     * The path's layers as floats: of each fold, for rotated rows, which are the left-out ones; or
     * of all, for the validation set's own.
     */
    size_t dims;
    float *weights; /* [path.layers][classes][dims] */
    float *bias;    /* [path.layers][classes] */
    /* What they say of the pictures that are left out. */
    const struct vgg_fit_set *measured;
    float *logits, *best_logits; /* [measured->pictures][views][classes] */
};

static void fit_fini(struct fit *fit)
{
    vgg_rotation_fini(&fit->rotation);
    vgg_path_fini(&fit->path);
    free(fit->weights);
    free(fit->bias);
    free(fit->logits);
    free(fit->best_logits);
}

static enum vgg_status start_path(struct fit *fit, const uint32_t *folds, uint32_t folds_n,
                                  struct vgg_error *error)
{
    vgg_path_fini(&fit->path);
    fit->path.objective = (struct vgg_objective){.set = fit->set,
                                                 .rows = fit->rotation.rows,
                                                 .dims = fit->rotation.rank,
                                                 .team = fit->options->team,
                                                 .stop = fit->options->stop,
                                                 .user = fit->options->user};
    return vgg_path_init(&fit->path, folds, folds_n, error);
}

/* ---------------------------------------------------------------- left-out pictures ---------- */

/* Consecutive left-out pictures that one layer has not seen. */
static void score_run(const struct fit *fit, size_t layer, size_t first, size_t n)
{
    const float *rows = fit->options->folds != NULL ? fit->rotation.rows : fit->measured->rows;
    size_t classes = fit->set->classes, views = fit->set->views, dims = fit->dims;
    float *out = fit->logits + first * views * classes;

    for (size_t v = 0; v < n * views; v++)
        memcpy(out + v * classes, fit->bias + layer * classes, classes * sizeof *out);
    vgg_gemm_add_transposed(false, true, n * views, classes, dims, rows + first * views * dims,
                            dims, fit->weights + layer * classes * dims, dims, out, classes);
}

/* Item: some left-out pictures. */
static void score_item(void *context, size_t item, unsigned thread)
{
    const struct fit *fit = context;
    const uint32_t *folds = fit->options->folds;
    size_t first = item * PICTURES, end = first + PICTURES;

    (void)thread;
    end = end < fit->measured->pictures ? end : fit->measured->pictures;
    for (size_t next; first < end; first = next) {
        uint32_t layer = folds != NULL ? folds[first] : 0;

        for (next = first + 1; next < end && (folds == NULL || folds[next] == layer);)
            next++;
        score_run(fit, layer, first, next - first);
    }
}

static void score(struct fit *fit)
{
    size_t classes = fit->set->classes, weights = classes * fit->dims;

    if (fit->options->folds == NULL)
        vgg_rotation_return(&fit->rotation, classes, fit->path.x[0], 1, fit->weights, fit->bias);
    else
        for (size_t layer = 0; layer < fit->path.layers; layer++) {
            for (size_t i = 0; i < weights; i++)
                fit->weights[layer * weights + i] = (float)fit->path.x[layer][i];
            for (size_t c = 0; c < classes; c++)
                fit->bias[layer * classes + c] = (float)fit->path.x[layer][weights + c];
        }
    vgg_team_run(fit->options->team, score_item, fit,
                 (fit->measured->pictures + PICTURES - 1) / PICTURES);
}

static struct vgg_logits logits_of(const struct fit *fit, const float *rows)
{
    return (struct vgg_logits){.rows = rows,
                               .pictures = fit->measured->pictures,
                               .views = fit->set->views,
                               .classes = fit->set->classes,
                               .labels = fit->measured->labels};
}

/* Of the averaged posteriors. */
static double left_out_loss(struct fit *fit, double *posteriors)
{
    struct vgg_logits logits = logits_of(fit, fit->logits);

    score(fit);
    vgg_temperature_apply(&logits, 1, fit->options->team, posteriors);
    return vgg_log_loss(posteriors, logits.pictures, logits.classes, logits.labels,
                        fit->measured->weights);
}

/* ---------------------------------------------------------------- strength ------------------- */

/* The left-out posteriors of the layers that the path has reached, and their loss. */
struct choice {
    double first, least, kept; /* losses: of the strongest layers, of the best, of those chosen */
    unsigned worse;            /* successive strengths that led nowhere */
};

/*
 * Whether a loss makes its strength the chosen one. It leads nowhere if it is above another, or if
 * it is hardly below where much has been learned: many classes begin with small steps.
 */
static bool choose_by(struct choice *choice, double loss)
{
    bool better = loss < BETTER * choice->kept;

    if (loss >= choice->least || (!better && loss < choice->first / 2))
        choice->worse++;
    else
        choice->worse = 0;
    choice->least = fmin(choice->least, loss);
    if (better)
        choice->kept = loss;
    return better;
}

static void keep_logits(struct fit *fit)
{
    float *logits = fit->logits;

    fit->logits = fit->best_logits;
    fit->best_logits = logits;
}

static enum vgg_status choose(struct fit *fit, struct vgg_fit_head *head, struct vgg_error *error)
{
    struct choice choice = {.worse = 0};
    double given = fit->options->strength;

    for (int i = 0; i < STRENGTHS && choice.worse < WORSE && (i == 0 || given <= 0); i++) {
        double strength = given > 0 ? given : pow(10, -i / 2.0), loss;
        enum vgg_status status = vgg_path_fit(&fit->path, strength, ON_PATH, error);

        if (status != VGG_OK)
            return status;
        loss = left_out_loss(fit, head->posteriors);
        if (i == 0)
            choice = (struct choice){.first = loss, .least = INFINITY, .kept = INFINITY};
        if (choose_by(&choice, loss)) {
            head->strength = strength;
            keep_logits(fit);
        }
    }
    return VGG_OK;
}

static enum vgg_status calibrate(struct fit *fit, struct vgg_fit_head *head,
                                 struct vgg_error *error)
{
    struct vgg_logits logits = logits_of(fit, fit->best_logits);
    struct vgg_team *team = fit->options->team;
    struct vgg_calibration before, after;
    enum vgg_status status = vgg_temperature_fit(&logits, team, &head->temperature, error);

    if (status != VGG_OK)
        return status;
    vgg_temperature_apply(&logits, 1, team, head->posteriors);
    before = vgg_calibration_of(head->posteriors, logits.pictures, logits.classes, logits.labels);
    vgg_temperature_apply(&logits, head->temperature, team, head->posteriors);
    after = vgg_calibration_of(head->posteriors, logits.pictures, logits.classes, logits.labels);
    head->nll[0] = before.nll;
    head->nll[1] = after.nll;
    head->ece[0] = before.ece;
    head->ece[1] = after.ece;
    head->ece_noise = after.noise;
    head->error = after.error;
    return VGG_OK;
}

static enum vgg_status allocate(struct fit *fit, struct vgg_fit_head *head, struct vgg_error *error)
{
    size_t layers = fit->path.layers, classes = fit->set->classes, n = fit->measured->pictures;

    fit->weights = vgg_alloc(layers * classes * fit->dims, sizeof *fit->weights);
    fit->bias = vgg_alloc(layers * classes, sizeof *fit->bias);
    fit->logits = vgg_alloc(n * fit->set->views * classes, sizeof *fit->logits);
    fit->best_logits = vgg_alloc(n * fit->set->views * classes, sizeof *fit->best_logits);
    head->posteriors = vgg_alloc(n * classes, sizeof *head->posteriors);
    return fit->weights != NULL && fit->bias != NULL && fit->logits != NULL &&
                   fit->best_logits != NULL && head->posteriors != NULL
               ? VGG_OK
               : vgg_fail_memory(error);
}

/* The strength, and what is said with it of the pictures that are left out. */
static enum vgg_status follow_path(struct fit *fit, struct vgg_fit_head *head,
                                   struct vgg_error *error)
{
    const struct vgg_fit_options *options = fit->options;
    enum vgg_status status;

    fit->measured = options->folds != NULL ? fit->set : options->validation;
    fit->dims = options->folds != NULL ? fit->rotation.rank : fit->set->dims;
    status = start_path(fit, options->folds, options->folds_n, error);
    if (status == VGG_OK)
        status = allocate(fit, head, error);
    if (status == VGG_OK)
        status = choose(fit, head, error);
    head->passes += fit->path.passes;
    return status;
}

/* ---------------------------------------------------------------- the layer ------------------ */

/* The layer on all pictures. A validation set's posteriors are those of this very layer. */
static enum vgg_status fit_all(struct fit *fit, struct vgg_fit_head *head, struct vgg_error *error)
{
    enum vgg_status status = start_path(fit, NULL, 0, error);

    if (status == VGG_OK)
        status = vgg_path_fit(&fit->path, head->strength, AT_END, error);
    head->passes += fit->path.passes;
    if (status == VGG_OK && fit->measured != NULL && fit->options->folds == NULL) {
        score(fit);
        keep_logits(fit);
    }
    return status;
}

static enum vgg_status finish(struct fit *fit, struct vgg_fit_head *head, struct vgg_error *error)
{
    size_t classes = fit->set->classes;
    double temperature = fit->measured != NULL ? head->temperature : fit->options->temperature;

    head->weights = vgg_alloc(classes * fit->set->dims, sizeof *head->weights);
    head->bias = vgg_alloc(classes, sizeof *head->bias);
    if (head->weights == NULL || head->bias == NULL)
        return vgg_fail_memory(error);
    vgg_rotation_return(&fit->rotation, classes, fit->path.x[0], temperature > 0 ? temperature : 1,
                        head->weights, head->bias);
    return VGG_OK;
}

enum vgg_status vgg_fit_head(const struct vgg_fit_set *set, const struct vgg_fit_options *options,
                             struct vgg_fit_head *head, struct vgg_error *error)
{
    struct fit fit = {.set = set, .options = options};
    bool measured = options->folds != NULL || options->validation != NULL;
    enum vgg_status status;

    assert(set->pictures > 0 && set->views > 0 && set->dims > 0 && set->classes > 0);
    assert(measured || options->strength > 0);
    *head = (struct vgg_fit_head){.strength = options->strength};
    if (!vgg_gemm_start())
        return vgg_fail_memory(error);
    status = vgg_rotation_init(&fit.rotation, set, options, error);
    if (status == VGG_OK && measured)
        status = follow_path(&fit, head, error);
    if (status == VGG_OK)
        status = fit_all(&fit, head, error);
    if (status == VGG_OK && measured)
        status = calibrate(&fit, head, error);
    if (status == VGG_OK)
        status = finish(&fit, head, error);
    fit_fini(&fit);
    if (status != VGG_OK)
        vgg_fit_head_fini(head);
    return status;
}

void vgg_fit_head_fini(struct vgg_fit_head *head)
{
    free(head->weights);
    free(head->bias);
    free(head->posteriors);
    *head = (struct vgg_fit_head){.weights = NULL};
}

/* ---------------------------------------------------------------- memory --------------------- */

uint64_t vgg_fit_bytes(const struct vgg_fit_set *set, const struct vgg_fit_options *options)
{
    const struct vgg_fit_set *measured = options->folds != NULL ? set : options->validation;
    size_t rows = set->pictures * set->views,
           layers = options->folds != NULL ? options->folds_n : 1;
    size_t dims = vgg_rotation_reduces(rows, set->dims) ? rows : set->dims;
    size_t own = options->folds != NULL ? dims : set->dims;
    uint64_t held, making = vgg_rotation_bytes(rows, set->dims, &held), then;

    then = held + vgg_path_bytes(set->pictures, set->classes, dims, layers) +
           (uint64_t)set->classes * (own + 1) * layers * sizeof(float) +
           (uint64_t)set->classes * (set->dims + 1) * sizeof(float);
    if (measured != NULL)
        then += (uint64_t)measured->pictures * set->classes *
                (2 * set->views * sizeof(float) + 2 * sizeof(double));
    return making > then ? making : then;
}
