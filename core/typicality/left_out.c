/*
 * With m of a class's n pictures left out, of residuals r (from the mean of all), the mean moves by
 * -sum(r) / (n - m), and the scatter loses sum(r r') + sum(r) sum(r)' / (n - m) = R K R' with
 * K = I + 1 1' / (n - m), whose inverse is I - 1 1' / n. In whitened space the covariance is I;
 * less weight * R K R' its inverse is, by Woodbury's formula, I + weight * R (K^-1 - weight R'
 * R)^-1 R': the distance of v gains weight * |L^-1 R' v|^2, L the factor of the matrix in brackets,
 * m x m.
 */
#include "typicality/left_out.h"

#include <math.h>
#include <stdlib.h>

#include "base/cholesky.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/vectors.h"

static const double PIVOT_MIN = 1e-6; /* a picture that makes its direction's variance alone */

struct place {
    uint32_t label;
    size_t group, picture;
};

/* Pictures left out together: places[first .. first + n). */
struct block {
    size_t first, n;
    size_t of; /* pictures of their class */
};

struct work {
    const struct vgg_left_out *set;
    struct place *places; /* [n], by class and group */
    struct block *blocks;
    size_t blocks_n, largest;
    double *scratch; /* [threads][scratch_n] */
    size_t scratch_n;
    double *distances;
};

/* ---------------------------------------------------------------- blocks --------------------- */

static int by_class_and_group(const void *a, const void *b)
{
    const struct place *first = a, *second = b;

    if (first->label != second->label)
        return first->label < second->label ? -1 : 1;
    if (first->group != second->group)
        return first->group < second->group ? -1 : 1;
    return first->picture < second->picture ? -1 : 1;
}

static void add_block(struct work *work, size_t first, size_t n, size_t of)
{
    work->blocks[work->blocks_n++] = (struct block){first, n, of};
    if (n > work->largest)
        work->largest = n;
}

/* The groups of the class in places[first .. end). */
static void divide_class(struct work *work, size_t first, size_t end)
{
    size_t next;

    for (size_t i = first; i < end; i = next) {
        for (next = i + 1; next < end && work->places[next].group == work->places[i].group; next++)
            ;
        if (next - i < end - first)
            add_block(work, i, next - i, end - first);
        else
            for (size_t j = i; j < next; j++)
                add_block(work, j, 1, end - first);
    }
}

static void divide(struct work *work)
{
    const struct vgg_left_out *set = work->set;
    size_t end;

    for (size_t i = 0; i < set->n; i++)
        work->places[i] =
            (struct place){set->labels[i], set->groups != NULL ? set->groups[i] : i, i};
    qsort(work->places, set->n, sizeof *work->places, by_class_and_group);
    for (size_t i = 0; i < set->n; i = end) {
        for (end = i + 1; end < set->n && work->places[end].label == work->places[i].label; end++)
            ;
        divide_class(work, i, end);
    }
}

/* ---------------------------------------------------------------- distances ------------------ */

/* What leaving a block out takes; `largest` is the stride of the residuals' products. */
struct scratch {
    double *residuals; /* [largest][dims] */
    double *mean;      /* [dims]: of the class without them */
    double *apart;     /* [dims]: from a mean */
    double *factor;    /* [n][n] of the block */
    double *products;  /* [largest] */
};

static size_t scratch_doubles(size_t dims, size_t largest)
{
    return largest * dims + 2 * dims + largest * largest + largest;
}

static struct scratch scratch_of(const struct work *work, unsigned thread)
{
    size_t dims = work->set->dims, largest = work->largest;
    struct scratch scratch;

    scratch.residuals = work->scratch + thread * work->scratch_n;
    scratch.mean = scratch.residuals + largest * dims;
    scratch.apart = scratch.mean + dims;
    scratch.factor = scratch.apart + dims;
    scratch.products = scratch.factor + largest * largest;
    return scratch;
}

/* Residuals, the class's mean without them, the factor. */
static void leave_out(const struct work *work, const struct block *block,
                      const struct scratch *scratch)
{
    const struct vgg_left_out *set = work->set;
    const struct place *places = work->places + block->first;
    const float *mean = set->means + places->label * set->dims;
    size_t dims = set->dims, m = block->n;

    for (size_t d = 0; d < dims; d++) {
        double sum = 0;

        for (size_t i = 0; i < m; i++) {
            double residual = set->rows[places[i].picture * dims + d] - (double)mean[d];

            scratch->residuals[i * dims + d] = residual;
            sum += residual;
        }
        scratch->mean[d] = (double)mean[d] - sum / (double)(block->of - m);
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++)
            scratch->factor[i * m + j] = (i == j ? 1 : 0) - 1 / (double)block->of -
                                         set->weight * vgg_dot(scratch->residuals + i * dims,
                                                               scratch->residuals + j * dims, dims);
    vgg_cholesky(scratch->factor, m, PIVOT_MIN);
}

/* Of what lies `apart` from a mean, by the covariance without the block. */
static double squared(const struct work *work, const struct block *block,
                      const struct scratch *scratch)
{
    size_t dims = work->set->dims, m = block->n;

    for (size_t i = 0; i < m; i++)
        scratch->products[i] = vgg_dot(scratch->residuals + i * dims, scratch->apart, dims);
    vgg_cholesky_solve(scratch->factor, m, scratch->products);
    return vgg_dot(scratch->apart, scratch->apart, dims) +
           work->set->weight * vgg_dot(scratch->products, scratch->products, m);
}

/*
 * The mean of n pictures has 1/n of one's variance. A picture is as far from the mean of fewer than
 * the model will have as it is from the model's, but for that.
 */
static double fewer(const struct block *block)
{
    return (1 + 1 / (double)block->of) / (1 + 1 / (double)(block->of - block->n));
}

static double nearest(const struct work *work, const struct block *block,
                      const struct scratch *scratch, const struct place *place)
{
    const struct vgg_left_out *set = work->set;
    const double *row = set->rows + place->picture * set->dims;
    double least = INFINITY;

    for (size_t c = 0; c < set->classes; c++) {
        const float *mean = set->means + c * set->dims;
        bool own = c == place->label;

        for (size_t d = 0; d < set->dims; d++)
            scratch->apart[d] = row[d] - (own ? scratch->mean[d] : (double)mean[d]);
        least = fmin(least, squared(work, block, scratch) * (own ? fewer(block) : 1));
    }
    return least;
}

/* Item: a block. */
static void measure_block(void *context, size_t item, unsigned thread)
{
    const struct work *work = context;
    const struct block *block = &work->blocks[item];
    struct scratch scratch = scratch_of(work, thread);

    leave_out(work, block, &scratch);
    for (size_t i = block->first; i < block->first + block->n; i++)
        work->distances[work->places[i].picture] = nearest(work, block, &scratch, &work->places[i]);
}

enum vgg_status vgg_left_out_distances(const struct vgg_left_out *set, struct vgg_team *team,
                                       double *distances, struct vgg_error *error)
{
    struct work work = {.set = set, .distances = distances};
    enum vgg_status status = VGG_OK;

    work.places = vgg_alloc(set->n, sizeof *work.places);
    work.blocks = vgg_alloc(set->n, sizeof *work.blocks);
    if (work.places != NULL && work.blocks != NULL) {
        divide(&work);
        work.scratch_n = scratch_doubles(set->dims, work.largest);
        work.scratch = vgg_alloc(vgg_team_threads(team) * work.scratch_n, sizeof *work.scratch);
    }
    if (work.scratch != NULL)
        vgg_team_run(team, measure_block, &work, work.blocks_n);
    else
        status = vgg_fail_memory(error);
    free(work.scratch);
    free(work.blocks);
    free(work.places);
    return status;
}
