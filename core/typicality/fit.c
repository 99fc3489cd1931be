/*
 * Fitting typicality. Features beyond VGG_TYPICALITY_DIMS_MAX, or more than the file has room for,
 * are folded into fewer dimensions first: feature i is added to dimension i modulo their number,
 * with a random sign, an orthogonal projection that owes nothing to the pictures. (A subspace of
 * theirs lies: what is left out in turn was among those that chose it. Of 512 features folded into
 * 256 dimensions AUROC was 0.958 where all gave 0.960, 0.946 into 128; the first principal
 * components did worse and called no unknown picture strange.)
 */
#include "typicality/fit.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/vectors.h"
#include "typicality/left_out.h"
#include "typicality/level.h"
#include "typicality/whitening.h"
#include "vgg_typicality.h"

enum {
    FILE_BYTES_MAX = 2000000, /* of tensors in a model file: transform, means, distances */
    KNOWN_MAX = 1 << 14,      /* distances in it: a p of a thousandth is still many of them */
    DIMS_MIN = 16
};

static const float TRANSFORMED_MAX = 4096; /* a power of two well within half precision */

struct fitting {
    const struct vgg_typicality_set *set;
    const struct vgg_typicality_options *options;
    struct vgg_typicality *typicality;
    float *signs;      /* [features] */
    double *inverses;  /* [n]: 1 / length of the features, 0 where that is 0 */
    double *rows;      /* [dims][n], then [n][dims] */
    double *sums;      /* [dims][classes] */
    double *distances; /* [n] */
    size_t *class_n;   /* [classes] */
    struct vgg_whitening whitening;
};

/* ---------------------------------------------------------------- folding -------------------- */

/* Into how many dimensions, for the file not to be too large; 0: into none. */
static uint32_t choose_dims(const struct vgg_typicality_set *set)
{
    uint64_t room = FILE_BYTES_MAX - (set->n < KNOWN_MAX ? set->n : KNOWN_MAX) * sizeof(float);
    uint64_t dims = room / (((uint64_t)set->features + set->classes) * sizeof(uint16_t));

    if (dims > VGG_TYPICALITY_DIMS_MAX)
        dims = VGG_TYPICALITY_DIMS_MAX;
    if (dims >= set->features)
        return set->features;
    return dims < DIMS_MIN ? 0 : (uint32_t)dims;
}

static void draw_signs(float *signs, size_t n)
{
    struct vgg_random random;

    vgg_random_init(&random, 0);
    for (size_t i = 0; i < n; i++)
        signs[i] = vgg_random_next(&random) >> 63 != 0 ? 1 : -1;
}

/* Features of unit length, folded: out[0], out[stride] ... */
static void fold(const struct fitting *fitting, size_t picture, double *out, size_t stride)
{
    const struct vgg_typicality_set *set = fitting->set;
    const float *row = set->rows + picture * set->features;
    size_t dims = fitting->typicality->dims;

    for (size_t d = 0; d < dims; d++) {
        double sum = 0;

        for (size_t i = d; i < set->features; i += dims)
            sum += (double)row[i] * (double)fitting->signs[i];
        out[d * stride] = sum * fitting->inverses[picture];
    }
}

static void fold_column(void *context, size_t item, unsigned thread)
{
    const struct fitting *fitting = context;

    (void)thread;
    fold(fitting, item, fitting->rows + item, fitting->set->n);
}

/* Item: a dimension. Less the means of classes. */
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

/* ---------------------------------------------------------------- the transform -------------- */

static float round_half(double value)
{
    return vgg_half_to_float(vgg_half_from_float((float)value));
}

/*
 * Scale the whitening, which changes no p, so that nothing transformed is over TRANSFORMED_MAX, and
 * round it as the file will.
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
    scale = exp2(floor(log2((double)TRANSFORMED_MAX / longest)));
    for (size_t i = 0; i < dims; i++)
        for (size_t j = 0; j <= i; j++) {
            double *entry = &fitting->whitening.matrix[i * dims + j];

            *entry = (double)round_half(*entry * scale);
        }
    fitting->whitening.weight /= scale * scale;
}

static void unfold(const struct fitting *fitting)
{
    struct vgg_typicality *typicality = fitting->typicality;
    size_t dims = typicality->dims, features = typicality->features;

    for (size_t d = 0; d < dims; d++)
        for (size_t i = 0; i < features; i++) {
            size_t j = i % dims;

            typicality->transform[d * features + i] =
                j <= d ? fitting->signs[i] * (float)fitting->whitening.matrix[d * dims + j] : 0;
        }
}

/* Item: a picture, whitened. */
static void whiten(void *context, size_t item, unsigned thread)
{
    const struct fitting *fitting = context;
    size_t dims = fitting->typicality->dims;
    double *row = fitting->rows + item * dims;

    (void)thread;
    fold(fitting, item, row, 1);
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
static void judge_known(const struct fitting *fitting, struct vgg_typicality_found *found)
{
    double n = (double)fitting->typicality->known_n;

    for (size_t i = 0; i < fitting->set->n; i++) {
        double p = vgg_typicality_p(fitting->typicality, (double)(float)fitting->distances[i]);

        found->known[i] = fmax(p * (n + 1) - 1, 1) / n;
    }
}

static void judge_unknown(const struct fitting *fitting, struct vgg_typicality_found *found)
{
    const struct vgg_typicality *typicality = fitting->typicality;
    const struct vgg_typicality_options *options = fitting->options;

    for (size_t i = 0; i < options->unknown_n; i++) {
        double distance =
            vgg_typicality_distance(typicality, options->unknown + i * typicality->features);

        found->unknown[i] = vgg_typicality_p(typicality, distance);
    }
}

/* Of copies, which are sorted. */
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

/* ---------------------------------------------------------------- the fit -------------------- */

static enum vgg_status prepare(struct fitting *fitting, struct vgg_error *error)
{
    const struct vgg_typicality_set *set = fitting->set;

    for (size_t i = 0; i < set->n; i++) {
        double squares = 0;

        for (size_t j = 0; j < set->features; j++) {
            double value = (double)set->rows[i * set->features + j];

            squares += value * value;
        }
        if (!isfinite(squares))
            return vgg_fail(error, VGG_BAD_ARGUMENT, "features that are not finite");
        fitting->inverses[i] = squares > 0 ? 1 / sqrt(squares) : 0;
        fitting->class_n[set->labels[i]]++;
    }
    for (size_t c = 0; c < set->classes; c++)
        assert(fitting->class_n[c] >= 2);
    draw_signs(fitting->signs, set->features);
    return VGG_OK;
}

static enum vgg_status fit_transform(struct fitting *fitting, struct vgg_error *error)
{
    const struct vgg_typicality_set *set = fitting->set;
    struct vgg_team *team = fitting->options->team;
    enum vgg_status status;

    vgg_team_run(team, fold_column, fitting, set->n);
    vgg_team_run(team, centre, fitting, fitting->typicality->dims);
    status = vgg_whitening_fit(fitting->rows, set->n, fitting->typicality->dims, set->classes, team,
                               &fitting->whitening, error);
    if (status != VGG_OK || fitting->whitening.matrix == NULL)
        return status;
    round_whitening(fitting);
    unfold(fitting);
    vgg_team_run(team, whiten, fitting, set->n);
    vgg_team_run(team, average, fitting, set->classes);
    return VGG_OK;
}

static enum vgg_status fit_distances(struct fitting *fitting, struct vgg_typicality_found *found,
                                     struct vgg_error *error)
{
    const struct vgg_typicality_set *set = fitting->set;
    const struct vgg_left_out left_out = {.n = set->n,
                                          .dims = fitting->typicality->dims,
                                          .classes = set->classes,
                                          .rows = fitting->rows,
                                          .means = fitting->typicality->means,
                                          .labels = set->labels,
                                          .groups = set->groups,
                                          .weight = fitting->whitening.weight};
    enum vgg_status status =
        vgg_left_out_distances(&left_out, fitting->options->team, fitting->distances, error);

    if (status == VGG_OK)
        status = keep_distances(fitting, error);
    if (status != VGG_OK)
        return status;
    judge_known(fitting, found);
    judge_unknown(fitting, found);
    return fitting->options->unknown_n != 0 ? choose_level(fitting, found, error) : VGG_OK;
}

static bool allocate(struct fitting *fitting, struct vgg_typicality_found *found)
{
    const struct vgg_typicality_set *set = fitting->set;
    struct vgg_typicality *typicality = fitting->typicality;
    size_t dims = typicality->dims;

    fitting->signs = vgg_alloc(set->features, sizeof *fitting->signs);
    fitting->inverses = vgg_alloc(set->n, sizeof *fitting->inverses);
    fitting->rows = vgg_alloc(dims * set->n, sizeof *fitting->rows);
    fitting->sums = vgg_alloc(dims * set->classes, sizeof *fitting->sums);
    fitting->distances = vgg_alloc(set->n, sizeof *fitting->distances);
    fitting->class_n = vgg_calloc(set->classes, sizeof *fitting->class_n);
    typicality->transform = vgg_alloc(dims * set->features, sizeof *typicality->transform);
    typicality->means = vgg_alloc(dims * set->classes, sizeof *typicality->means);
    found->known = vgg_alloc(set->n, sizeof *found->known);
    found->unknown = vgg_alloc(fitting->options->unknown_n + 1, sizeof *found->unknown);
    return fitting->signs != NULL && fitting->inverses != NULL && fitting->rows != NULL &&
           fitting->sums != NULL && fitting->distances != NULL && fitting->class_n != NULL &&
           typicality->transform != NULL && typicality->means != NULL && found->known != NULL &&
           found->unknown != NULL;
}

static void fitting_fini(struct fitting *fitting)
{
    free(fitting->signs);
    free(fitting->inverses);
    free(fitting->rows);
    free(fitting->sums);
    free(fitting->distances);
    free(fitting->class_n);
    free(fitting->whitening.matrix);
}

/* What can be known beforehand to give none. */
static bool refuse(const struct fitting *fitting, struct vgg_typicality_found *found)
{
    const struct vgg_typicality_set *set = fitting->set;

    if (fitting->options->trained && set->n < VGG_TYPICALITY_TRAINED_MIN)
        snprintf(found->reason, sizeof found->reason,
                 "it takes %d validation pictures where features were trained, and there are %zu",
                 VGG_TYPICALITY_TRAINED_MIN, set->n);
    else if (fitting->typicality->dims == 0)
        snprintf(found->reason, sizeof found->reason,
                 "%" PRIu32 " features and %" PRIu32 " classes take over %d bytes", set->features,
                 set->classes, FILE_BYTES_MAX);
    return found->reason[0] != '\0';
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
    if (!refuse(&fitting, found)) {
        status = allocate(&fitting, found) ? prepare(&fitting, error) : vgg_fail_memory(error);
        if (status == VGG_OK)
            status = fit_transform(&fitting, error);
        if (status == VGG_OK && fitting.whitening.matrix != NULL)
            status = fit_distances(&fitting, found, error);
        else if (status == VGG_OK)
            snprintf(found->reason, sizeof found->reason,
                     "the features of the pictures of a class do not differ");
    }
    fitting_fini(&fitting);
    if (typicality->known_n == 0 || status != VGG_OK)
        vgg_typicality_fini(typicality);
    if (status != VGG_OK)
        vgg_typicality_found_fini(found);
    return status;
}

void vgg_typicality_found_fini(struct vgg_typicality_found *found)
{
    free(found->known);
    free(found->unknown);
    *found = (struct vgg_typicality_found){.auroc = -1, .caught = -1};
}
