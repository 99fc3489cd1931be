/* Fitting typicality: folded features, whitened, then each picture's distance without it. */
#include "typicality/fit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/vectors.h"
#include "typicality/folding.h"
#include "typicality/left_out.h"
#include "typicality/level.h"
#include "typicality/whitening.h"
#include "vgg_typicality.h"

enum {
    FILE_BYTES_MAX = 2000000, /* of the tensors in a model file, F16 but for the distances */
    KNOWN_MAX = 1 << 14,      /* distances in it: below a p of 0.001 are still 16 of them */
    DIMS_MIN = 16             /* fewer tell nothing apart */
};

static const double TRANSFORMED_MAX = 4096; /* well within half precision */

struct fitting {
    const struct vgg_typicality_set *set;
    const struct vgg_typicality_options *options;
    struct vgg_typicality *typicality;
    struct vgg_folding folding;
    struct vgg_whitening whitening;
    double *inverses;  /* [n]: 1 / length of the features, 0 where that is 0 */
    double *rows;      /* folded, [dims][n], then whitened, [n][dims] */
    double *sums;      /* [dims][classes], then [classes][dims] */
    double *distances; /* [n] */
    size_t *class_n;   /* [classes] */
};

/* Into how many dimensions, for the file not to be too large. */
static uint32_t choose_dims(const struct vgg_typicality_set *set)
{
    uint64_t room = FILE_BYTES_MAX - (set->n < KNOWN_MAX ? set->n : KNOWN_MAX) * sizeof(float);
    uint64_t dims = room / (((uint64_t)set->features + set->classes) * sizeof(uint16_t));

    if (dims > VGG_TYPICALITY_DIMS_MAX)
        dims = VGG_TYPICALITY_DIMS_MAX;
    return dims < set->features ? (uint32_t)dims : set->features;
}

/* ---------------------------------------------------------------- the transform -------------- */

/* Item: a picture, to a column. */
static void fold_column(void *context, size_t item, unsigned thread)
{
    const struct fitting *fitting = context;
    const struct vgg_typicality_set *set = fitting->set;

    (void)thread;
    vgg_fold(&fitting->folding, set->rows + item * set->features, fitting->inverses[item],
             fitting->rows + item, set->n);
}

/* Item: a dimension, less the means of classes. */
static void centre(void *context, size_t item, unsigned thread)
{
    const struct fitting *fitting = context;
    const struct vgg_typicality_set *set = fitting->set;
    double *values = fitting->rows + item * set->n, *sums = fitting->sums + item * set->classes;

    (void)thread;
    memset(sums, 0, set->classes * sizeof *sums);
    for (size_t i = 0; i < set->n; i++)
        sums[set->labels[i]] += values[i];
    for (size_t i = 0; i < set->n; i++)
        values[i] -= sums[set->labels[i]] / (double)fitting->class_n[set->labels[i]];
}

static float round_half(double value)
{
    return vgg_half_to_float(vgg_half_from_float((float)value));
}

/*
 * Scale the whitening by a power of two, which changes no p, so that nothing transformed is over
 * TRANSFORMED_MAX, and round it as the file will.
 */
static void round_whitening(struct fitting *fitting)
{
    size_t dims = fitting->typicality->dims;
    double longest = 0, scale;

    for (size_t i = 0; i < dims; i++) {
        const double *row = fitting->whitening.matrix + i * dims;

        longest = fmax(longest, vgg_dot(row, row, i + 1));
    }
    longest = sqrt(longest * ceil((double)fitting->set->features / (double)dims));
    scale = exp2(floor(log2(TRANSFORMED_MAX / longest)));
    for (size_t i = 0; i < dims; i++)
        for (size_t j = 0; j <= i; j++) {
            double *entry = &fitting->whitening.matrix[i * dims + j];

            *entry = (double)round_half(*entry * scale);
        }
    fitting->whitening.weight /= scale * scale;
}

/* Item: a picture, whitened as the rounded transform will. */
static void whiten(void *context, size_t item, unsigned thread)
{
    const struct fitting *fitting = context;
    const struct vgg_typicality_set *set = fitting->set;
    size_t dims = fitting->typicality->dims;
    double *row = fitting->rows + item * dims;

    (void)thread;
    vgg_fold(&fitting->folding, set->rows + item * set->features, fitting->inverses[item], row, 1);
    for (size_t d = dims; d-- > 0;)
        row[d] = vgg_dot(fitting->whitening.matrix + d * dims, row, d + 1);
}

/* Item: a class. */
static void average(void *context, size_t item, unsigned thread)
{
    const struct fitting *fitting = context;
    const struct vgg_typicality_set *set = fitting->set;
    size_t dims = fitting->typicality->dims;
    double *sums = fitting->sums + item * dims;

    (void)thread;
    memset(sums, 0, dims * sizeof *sums);
    for (size_t i = 0; i < set->n; i++)
        for (size_t d = 0; d < dims && set->labels[i] == item; d++)
            sums[d] += fitting->rows[i * dims + d];
    for (size_t d = 0; d < dims; d++)
        fitting->typicality->means[item * dims + d] =
            round_half(sums[d] / (double)fitting->class_n[item]);
}

/* The whitening's matrix is NULL where the pictures of a class do not differ. */
static enum vgg_status fit_transform(struct fitting *fitting, struct vgg_error *error)
{
    const struct vgg_typicality_set *set = fitting->set;
    struct vgg_team *team = fitting->options->team;
    size_t dims = fitting->typicality->dims;
    enum vgg_status status;

    vgg_team_run(team, fold_column, fitting, set->n);
    vgg_team_run(team, centre, fitting, dims);
    status = vgg_whitening_fit(fitting->rows, set->n, dims, set->classes, team, &fitting->whitening,
                               error);
    if (status != VGG_OK || fitting->whitening.matrix == NULL)
        return status;
    round_whitening(fitting);
    vgg_unfold(&fitting->folding, fitting->whitening.matrix, fitting->typicality->transform);
    vgg_team_run(team, whiten, fitting, set->n);
    vgg_team_run(team, average, fitting, set->classes);
    return VGG_OK;
}

/* ---------------------------------------------------------------- distances ------------------ */

static int ascending(const void *a, const void *b)
{
    float first = *(const float *)a, second = *(const float *)b;

    return (first > second) - (first < second);
}

/* All of them, or KNOWN_MAX evenly among them. */
static enum vgg_status keep_distances(const struct fitting *fitting, struct vgg_error *error)
{
    struct vgg_typicality *typicality = fitting->typicality;
    size_t n = fitting->set->n, kept = n < KNOWN_MAX ? n : KNOWN_MAX;
    float *distances = vgg_alloc(n, sizeof *distances);

    if (distances == NULL)
        return vgg_fail_memory(error);
    for (size_t i = 0; i < n; i++)
        distances[i] = (float)fitting->distances[i];
    qsort(distances, n, sizeof *distances, ascending);
    for (size_t i = 0; i < kept; i++)
        distances[i] = distances[(2 * i + 1) * n / (2 * kept)];
    typicality->distances = distances;
    typicality->known_n = kept;
    return VGG_OK;
}

/* A known picture is among the known; its typicality is that among the others. */
static void judge_known(const struct fitting *fitting, double *known)
{
    double n = (double)fitting->typicality->known_n;

    for (size_t i = 0; i < fitting->set->n; i++) {
        double p = vgg_typicality_p(fitting->typicality, (double)(float)fitting->distances[i]);

        known[i] = fmax(p * (n + 1) - 1, 1) / n;
    }
}

static void judge_unknown(const struct fitting *fitting, double *unknown)
{
    const struct vgg_typicality *typicality = fitting->typicality;
    const struct vgg_typicality_options *options = fitting->options;

    for (size_t i = 0; i < options->unknown_n; i++) {
        double distance =
            vgg_typicality_distance(typicality, options->unknown + i * typicality->features);

        unknown[i] = vgg_typicality_p(typicality, distance);
    }
}

/* By copies, which are sorted. */
static enum vgg_status choose_level(const struct fitting *fitting,
                                    struct vgg_typicality_found *found, struct vgg_error *error)
{
    struct vgg_typicality *typicality = fitting->typicality;
    size_t known_n = fitting->set->n, unknown_n = fitting->options->unknown_n;
    double *known = vgg_alloc(known_n + unknown_n, sizeof *known), *unknown = known + known_n;

    if (known == NULL)
        return vgg_fail_memory(error);
    memcpy(known, found->known, known_n * sizeof *known);
    memcpy(unknown, found->unknown, unknown_n * sizeof *unknown);
    found->auroc = vgg_auroc(unknown, unknown_n, known, known_n);
    typicality->reject = vgg_level_choose(unknown, unknown_n, typicality->known_n);
    found->caught = vgg_level_caught(unknown, unknown_n, typicality->reject);
    free(known);
    return VGG_OK;
}

static enum vgg_status fit_distances(struct fitting *fitting, struct vgg_typicality_found *found,
                                     struct vgg_error *error)
{
    const struct vgg_left_out left_out = {.n = fitting->set->n,
                                          .dims = fitting->typicality->dims,
                                          .classes = fitting->set->classes,
                                          .rows = fitting->rows,
                                          .means = fitting->typicality->means,
                                          .labels = fitting->set->labels,
                                          .groups = fitting->set->groups,
                                          .weight = fitting->whitening.weight};
    enum vgg_status status =
        vgg_left_out_distances(&left_out, fitting->options->team, fitting->distances, error);

    if (status == VGG_OK)
        status = keep_distances(fitting, error);
    if (status != VGG_OK)
        return status;
    judge_known(fitting, found->known);
    judge_unknown(fitting, found->unknown);
    return fitting->options->unknown_n != 0 ? choose_level(fitting, found, error) : VGG_OK;
}

/* ---------------------------------------------------------------- the fit -------------------- */

static enum vgg_status allocate(struct fitting *fitting, struct vgg_typicality_found *found,
                                struct vgg_error *error)
{
    const struct vgg_typicality_set *set = fitting->set;
    struct vgg_typicality *typicality = fitting->typicality;
    size_t dims = typicality->dims;
    bool signs = vgg_folding_init(&fitting->folding, set->features, dims);

    fitting->inverses = vgg_alloc(set->n, sizeof *fitting->inverses);
    fitting->rows = vgg_alloc(dims * set->n, sizeof *fitting->rows);
    fitting->sums = vgg_alloc(dims * set->classes, sizeof *fitting->sums);
    fitting->distances = vgg_alloc(set->n, sizeof *fitting->distances);
    fitting->class_n = vgg_calloc(set->classes, sizeof *fitting->class_n);
    typicality->transform = vgg_alloc(dims * set->features, sizeof *typicality->transform);
    typicality->means = vgg_alloc(dims * set->classes, sizeof *typicality->means);
    found->known = vgg_alloc(set->n, sizeof *found->known);
    found->unknown = vgg_calloc(fitting->options->unknown_n + 1, sizeof *found->unknown);
    if (signs && fitting->inverses != NULL && fitting->rows != NULL && fitting->sums != NULL &&
        fitting->distances != NULL && fitting->class_n != NULL && typicality->transform != NULL &&
        typicality->means != NULL && found->known != NULL && found->unknown != NULL)
        return VGG_OK;
    return vgg_fail_memory(error);
}

static void fitting_fini(struct fitting *fitting)
{
    vgg_folding_fini(&fitting->folding);
    free(fitting->whitening.matrix);
    free(fitting->inverses);
    free(fitting->rows);
    free(fitting->sums);
    free(fitting->distances);
    free(fitting->class_n);
}

/* The squared length of features. */
static double squares(const float *row, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)row[i] * (double)row[i];
    return sum;
}

static enum vgg_status measure(struct fitting *fitting, struct vgg_error *error)
{
    const struct vgg_typicality_set *set = fitting->set;
    const struct vgg_typicality_options *options = fitting->options;
    bool finite = true;

    for (size_t i = 0; i < set->n; i++) {
        double length = sqrt(squares(set->rows + i * set->features, set->features));

        finite = finite && isfinite(length);
        fitting->inverses[i] = length > 0 ? 1 / length : 0;
        fitting->class_n[set->labels[i]]++;
    }
    for (size_t i = 0; i < options->unknown_n; i++)
        finite = finite && isfinite(squares(options->unknown + i * set->features, set->features));
    return finite ? VGG_OK : vgg_fail(error, VGG_BAD_ARGUMENT, "features are not finite");
}

/* Is a picture of each class left when one is left out? */
static bool has_pairs(const struct fitting *fitting)
{
    for (size_t c = 0; c < fitting->set->classes; c++)
        if (fitting->class_n[c] < 2)
            return false;
    return true;
}

/* True: there can be no typicality, for a reason. */
static bool refuse(const struct fitting *fitting, char reason[VGG_TYPICALITY_REASON_BYTES])
{
    const struct vgg_typicality_set *set = fitting->set;
    uint32_t dims = fitting->typicality->dims;

    if (fitting->options->trained && set->n < VGG_TYPICALITY_TRAINED_MIN)
        snprintf(reason, VGG_TYPICALITY_REASON_BYTES,
                 "where features are trained it takes %d validation pictures, and there are %zu",
                 VGG_TYPICALITY_TRAINED_MIN, set->n);
    else if (dims < DIMS_MIN && dims < set->features)
        snprintf(reason, VGG_TYPICALITY_REASON_BYTES,
                 "%" PRIu32 " features and %" PRIu32 " classes would take over %d bytes",
                 set->features, set->classes, FILE_BYTES_MAX);
    else
        return false;
    return true;
}

static enum vgg_status fit(struct fitting *fitting, struct vgg_typicality_found *found,
                           struct vgg_error *error)
{
    enum vgg_status status = allocate(fitting, found, error);
    bool pairs = false;

    if (status == VGG_OK)
        status = measure(fitting, error);
    if (status == VGG_OK && (pairs = has_pairs(fitting)))
        status = fit_transform(fitting, error);
    if (status != VGG_OK || fitting->whitening.matrix != NULL)
        return status == VGG_OK ? fit_distances(fitting, found, error) : status;
    snprintf(found->reason, sizeof found->reason, "%s",
             pairs ? "the features of the pictures of each class are all the same"
                   : "it takes two pictures of each class that features were not trained on");
    return VGG_OK;
}

enum vgg_status vgg_typicality_fit(const struct vgg_typicality_set *set,
                                   const struct vgg_typicality_options *options,
                                   struct vgg_typicality *typicality,
                                   struct vgg_typicality_found *found, struct vgg_error *error)
{
    struct fitting fitting = {.set = set, .options = options, .typicality = typicality};
    enum vgg_status status = VGG_OK;

    *found = (struct vgg_typicality_found){.auroc = -1, .caught = -1};
    *typicality = (struct vgg_typicality){.features = set->features,
                                          .dims = choose_dims(set),
                                          .classes = set->classes,
                                          .reject = VGG_REJECT_DEFAULT};
    if (!refuse(&fitting, found->reason))
        status = fit(&fitting, found, error);
    fitting_fini(&fitting);
    if (status != VGG_OK || found->reason[0] != '\0') {
        vgg_typicality_fini(typicality);
        vgg_typicality_found_fini(found);
    }
    return status;
}

void vgg_typicality_found_fini(struct vgg_typicality_found *found)
{
    free(found->known);
    free(found->unknown);
    found->known = found->unknown = NULL;
}
