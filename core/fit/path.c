/* Several solvers move at once, each where its own search leads, and share passes over the rows. */
#include "fit/path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/vectors.h"

enum {
    ABREAST = 16,              /* layers that are sought at once, at most */
    ABREAST_BYTES = 256 << 20, /* of their solvers; one always is */
};

/* A gradient's length that rounding of scores alone makes. */
static const double NOISE = 1e-9;

struct round {
    struct vgg_path *path;
    struct vgg_layer layers[ABREAST];
    struct vgg_layer *active[ABREAST];
    bool moved[ABREAST];
    size_t n; /* active */
    double precision;
};

static size_t abreast_of(size_t unknowns, size_t layers)
{
    uint64_t n = ABREAST_BYTES / (vgg_lbfgs_bytes(unknowns) + 1);

    n = n < 1 ? 1 : n < ABREAST ? n : ABREAST;
    return n < layers ? (size_t)n : layers;
}

uint64_t vgg_path_bytes(size_t pictures, size_t classes, size_t dims, size_t layers)
{
    size_t unknowns = vgg_objective_unknowns(classes, dims);
    size_t abreast = abreast_of(unknowns, layers);

    return layers * (unknowns + pictures + 2) * (uint64_t)sizeof(double) +
           abreast * (vgg_lbfgs_bytes(unknowns) + sizeof(struct vgg_lbfgs)) +
           vgg_objective_bytes(classes, dims, abreast);
}

/* Weights of the pictures that a layer is fitted on, those of the others 0. */
static void weigh(const struct vgg_fit_set *set, const uint32_t *folds, size_t fold,
                  double *weights)
{
    double sum = 0;

    for (size_t i = 0; i < set->pictures; i++) {
        bool out = folds != NULL && folds[i] == fold;

        weights[i] = out ? 0 : set->weights != NULL ? set->weights[i] : 1;
        sum += weights[i];
    }
    for (size_t i = 0; i < set->pictures && sum > 0; i++)
        weights[i] /= sum;
}

static enum vgg_status init_layers(struct vgg_path *path, const uint32_t *folds,
                                   struct vgg_error *error)
{
    const struct vgg_fit_set *set = path->objective.set;
    size_t unknowns = vgg_objective_unknowns(set->classes, path->objective.dims);

    for (size_t i = 0; i < path->layers; i++) {
        path->x[i] = vgg_calloc(unknowns, sizeof *path->x[i]);
        path->weights[i] = vgg_alloc(set->pictures, sizeof *path->weights[i]);
        if (path->x[i] == NULL || path->weights[i] == NULL)
            return vgg_fail_memory(error);
        weigh(set, folds, i, path->weights[i]);
    }
    for (size_t i = 0; i < path->abreast; i++)
        if (!vgg_lbfgs_init(&path->solvers[i], unknowns))
            return vgg_fail_memory(error);
    return vgg_objective_init(&path->objective, path->abreast, error);
}

enum vgg_status vgg_path_init(struct vgg_path *path, const uint32_t *folds, size_t folds_n,
                              struct vgg_error *error)
{
    const struct vgg_fit_set *set = path->objective.set;

    path->layers = folds != NULL ? folds_n : 1;
    path->abreast =
        abreast_of(vgg_objective_unknowns(set->classes, path->objective.dims), path->layers);
    path->x = vgg_calloc(path->layers, sizeof *path->x);
    path->weights = vgg_calloc(path->layers, sizeof *path->weights);
    path->solvers = vgg_calloc(path->abreast, sizeof *path->solvers);
    if (path->x == NULL || path->weights == NULL || path->solvers == NULL)
        return vgg_fail_memory(error);
    return init_layers(path, folds, error);
}

void vgg_path_fini(struct vgg_path *path)
{
    for (size_t i = 0; i < path->layers; i++) {
        if (path->x != NULL)
            free(path->x[i]);
        if (path->weights != NULL)
            free(path->weights[i]);
    }
    for (size_t i = 0; i < path->abreast && path->solvers != NULL; i++)
        vgg_lbfgs_fini(&path->solvers[i]);
    free(path->x);
    free(path->weights);
    free(path->solvers);
    vgg_objective_fini(&path->objective);
    *path = (struct vgg_path){.layers = 0};
}

/* ---------------------------------------------------------------- a round -------------------- */

/*
 * Item: an active layer moves on. The penalty makes the function so convex that the distance to the
 * minimum is at most |gradient| / strength.
 */
static void move_item(void *context, size_t item, unsigned thread)
{
    struct round *round = context;
    struct vgg_layer *layer = round->active[item];
    size_t index = (size_t)(layer - round->layers);
    size_t weights = round->path->objective.set->classes * round->path->objective.dims;
    double length = sqrt(vgg_dot(layer->x, layer->x, weights));

    (void)thread;
    round->moved[index] = vgg_lbfgs_step(&round->path->solvers[index], layer->loss,
                                         fmax(round->precision * layer->strength * length, NOISE));
}

static void forget_the_still(struct round *round)
{
    size_t kept = 0;

    for (size_t i = 0; i < round->n; i++)
        if (round->moved[round->active[i] - round->layers])
            round->active[kept++] = round->active[i];
    round->n = kept;
}

/* `n` layers from `first` on, to their minima. */
static enum vgg_status fit_abreast(struct vgg_path *path, size_t first, size_t n, double strength,
                                   double precision, struct vgg_error *error)
{
    struct round round = {.path = path, .n = n, .precision = precision};
    size_t bytes =
        vgg_objective_unknowns(path->objective.set->classes, path->objective.dims) * sizeof(double);

    for (size_t i = 0; i < n; i++) {
        struct vgg_lbfgs *solver = &path->solvers[i];

        memcpy(solver->x, path->x[first + i], bytes);
        vgg_lbfgs_start(solver);
        round.layers[i] = (struct vgg_layer){.x = solver->x,
                                             .gradient = solver->gradient,
                                             .strength = strength,
                                             .weights = path->weights[first + i]};
        round.active[i] = &round.layers[i];
    }
    while (round.n > 0) {
        enum vgg_status status =
            vgg_objective_evaluate(&path->objective, round.active, round.n, error);

        if (status != VGG_OK)
            return status;
        path->passes++;
        vgg_team_run(path->objective.team, move_item, &round, round.n);
        forget_the_still(&round);
    }
    for (size_t i = 0; i < n; i++)
        memcpy(path->x[first + i], path->solvers[i].x, bytes);
    return VGG_OK;
}

enum vgg_status vgg_path_fit(struct vgg_path *path, double strength, double precision,
                             struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;

    for (size_t i = 0; i < path->layers && status == VGG_OK; i += path->abreast) {
        size_t n = path->layers - i < path->abreast ? path->layers - i : path->abreast;

        status = fit_abreast(path, i, n, strength, precision, error);
    }
    return status;
}
