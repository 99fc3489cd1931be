/* The scatter, its shrinkage, and the inverse of the factor of what comes of it. */
#include "typicality/whitening.h"

#include <math.h>
#include <stdlib.h>

#include "base/cholesky.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/vectors.h"

enum { ROWS = 8 }; /* of the scatter, for which the residuals pass through the caches once */

static const double SHRINKAGE_MIN = 1e-4; /* leaves nothing singular */

struct scatter {
    const double *residuals;
    size_t n, dims;
    double *sums; /* [dims][dims], the lower triangle: of products over pictures */
};

/* Item: ROWS rows. */
static void add_products(void *context, size_t item, unsigned thread)
{
    const struct scatter *scatter = context;
    size_t first = item * ROWS, end = first + ROWS < scatter->dims ? first + ROWS : scatter->dims;

    (void)thread;
    for (size_t j = 0; j < end; j++)
        for (size_t i = j > first ? j : first; i < end; i++)
            scatter->sums[i * scatter->dims + j] =
                vgg_dot(scatter->residuals + i * scatter->n, scatter->residuals + j * scatter->n,
                        scatter->n);
}

/* Sum over pictures of the fourth power of their length. */
static double fourth_powers(const struct scatter *scatter, double *squares)
{
    double sum = 0;

    for (size_t d = 0; d < scatter->dims; d++)
        for (size_t i = 0; i < scatter->n; i++) {
            double value = scatter->residuals[d * scatter->n + i];

            squares[i] += value * value;
        }
    for (size_t i = 0; i < scatter->n; i++)
        sum += squares[i] * squares[i];
    return sum;
}

static double trace(const struct scatter *scatter)
{
    double sum = 0;

    for (size_t i = 0; i < scatter->dims; i++)
        sum += scatter->sums[i * scatter->dims + i];
    return sum;
}

/*
 * The part of the identity in the best combination with the covariance S of n pictures x: the mean
 * of |x x' - S|^2 over n, which is how far S is from the truth, over |S - m I|^2, which is how far
 * S is from the identity times its mean variance m; both are divided by the dimensions here.
 */
static double shrinkage(const struct scatter *scatter, double fourth)
{
    double n = (double)scatter->n, dims = (double)scatter->dims, squares = 0;
    double mean = trace(scatter) / n / dims, apart, noise;

    for (size_t i = 0; i < scatter->dims; i++)
        for (size_t j = 0; j <= i; j++) {
            double value = scatter->sums[i * scatter->dims + j] / n;

            squares += (j < i ? 2 : 1) * value * value;
        }
    apart = squares / dims - mean * mean;
    noise = (fourth / n - squares) / n / dims;
    return apart > noise ? fmax(noise / apart, SHRINKAGE_MIN) : 1;
}

/* From the scatter to the covariance, unbiased and shrunk, and from that to what whitens it. */
static void whiten(const struct scatter *scatter, double freedom, double shrink, double *row)
{
    double weight = (1 - shrink) / freedom;
    double ridge = shrink * trace(scatter) / freedom / (double)scatter->dims;

    for (size_t i = 0; i < scatter->dims; i++) {
        for (size_t j = 0; j <= i; j++)
            scatter->sums[i * scatter->dims + j] *= weight;
        scatter->sums[i * scatter->dims + i] += ridge;
    }
    vgg_cholesky(scatter->sums, scatter->dims, ridge);
    vgg_cholesky_invert(scatter->sums, scatter->dims, row);
}

enum vgg_status vgg_whitening_fit(const double *residuals, size_t n, size_t dims, size_t classes,
                                  struct vgg_team *team, struct vgg_whitening *whitening,
                                  struct vgg_error *error)
{
    struct scatter scatter = {.residuals = residuals, .n = n, .dims = dims};
    double *scratch = vgg_calloc(n > dims ? n : dims, sizeof *scratch);
    double freedom = (double)(n - classes), shrink;

    *whitening = (struct vgg_whitening){0};
    scatter.sums = vgg_calloc(dims * dims, sizeof *scatter.sums);
    if (scratch == NULL || scatter.sums == NULL) {
        free(scratch);
        free(scatter.sums);
        return vgg_fail_memory(error);
    }
    vgg_team_run(team, add_products, &scatter, (dims + ROWS - 1) / ROWS);
    if (trace(&scatter) > 0) {
        shrink = shrinkage(&scatter, fourth_powers(&scatter, scratch));
        whiten(&scatter, freedom, shrink, scratch);
        *whitening = (struct vgg_whitening){scatter.sums, (1 - shrink) / freedom};
    } else
        free(scatter.sums);
    free(scratch);
    return VGG_OK;
}
