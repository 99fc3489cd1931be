/*
 * Colour statistics. Sums over a picture are integers and sums over pictures are in their order, so
 * threads do not change a bit of them.
 */
#include "train/statistics.h"

#include <math.h>

enum { SWEEPS_MAX = 50 }; /* convergence is quadratic: five or six do */

static const double STD_MIN = 1.0 / 255;

/* The place of each product of two channels in vgg_moments. */
static const unsigned char products[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};

struct vgg_moments vgg_moments_of(const struct vgg_image *image)
{
    const uint8_t *pixel = image->pixels;
    size_t n = (size_t)image->info.width * image->info.height;
    uint64_t sums[3] = {0}, sums2[6] = {0}; /* below 2^26 pixels * 2^16 */
    struct vgg_moments moments;

    for (size_t i = 0; i < n; i++, pixel += 3) {
        uint32_t r = pixel[0], g = pixel[1], b = pixel[2];

        sums[0] += r;
        sums[1] += g;
        sums[2] += b;
        sums2[0] += r * r;
        sums2[1] += r * g;
        sums2[2] += r * b;
        sums2[3] += g * g;
        sums2[4] += g * b;
        sums2[5] += b * b;
    }
    for (unsigned i = 0; i < 3; i++)
        moments.mean[i] = (double)sums[i] / (255.0 * (double)n);
    for (unsigned i = 0; i < 6; i++)
        moments.product[i] = (double)sums2[i] / (255.0 * 255.0 * (double)n);
    return moments;
}

/* Rotate rows and columns p, q of `a` so that a[p][q] becomes 0; gather the rotations in `v`. */
static void rotate(double a[3][3], double v[3][3], unsigned p, unsigned q)
{
    double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    double t = copysign(1.0, theta) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;

    for (unsigned k = 0; k < 3; k++) {
        double akp = a[k][p], akq = a[k][q], vkp = v[k][p], vkq = v[k][q];

        a[k][p] = c * akp - s * akq;
        a[k][q] = s * akp + c * akq;
        v[k][p] = c * vkp - s * vkq;
        v[k][q] = s * vkp + c * vkq;
    }
    for (unsigned k = 0; k < 3; k++) {
        double apk = a[p][k], aqk = a[q][k];

        a[p][k] = c * apk - s * aqk;
        a[q][k] = s * apk + c * aqk;
    }
    a[p][q] = a[q][p] = 0;
}

static void swap_columns(double vectors[3][3], double values[3], unsigned i, unsigned j)
{
    double value = values[i];

    values[i] = values[j];
    values[j] = value;
    for (unsigned k = 0; k < 3; k++) {
        double entry = vectors[k][i];

        vectors[k][i] = vectors[k][j];
        vectors[k][j] = entry;
    }
}

void vgg_eigen3(const double matrix[3][3], double vectors[3][3], double values[3])
{
    double a[3][3];

    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 3; j++) {
            a[i][j] = matrix[i][j];
            vectors[i][j] = i == j;
        }
    for (unsigned sweep = 0; sweep < SWEEPS_MAX; sweep++) {
        unsigned rotations = 0;

        for (unsigned p = 0; p < 2; p++)
            for (unsigned q = p + 1; q < 3; q++)
                if (fabs(a[p][q]) > 1e-17 * (fabs(a[p][p]) + fabs(a[q][q]))) {
                    rotate(a, vectors, p, q);
                    rotations++;
                }
        if (rotations == 0)
            break;
    }
    for (unsigned i = 0; i < 3; i++)
        values[i] = a[i][i];
    for (unsigned i = 0; i < 2; i++)
        for (unsigned j = i + 1; j < 3; j++)
            if (values[j] > values[i])
                swap_columns(vectors, values, i, j);
}

void vgg_dataset_statistics(struct vgg_dataset *dataset)
{
    double product[6] = {0}, covariance[3][3], vectors[3][3], values[3];
    double *mean = dataset->mean, n = (double)dataset->examples_n;

    for (unsigned c = 0; c < 3; c++)
        mean[c] = 0;
    for (size_t i = 0; i < dataset->examples_n; i++) {
        const struct vgg_moments *moments = &dataset->examples[i].moments;

        for (unsigned c = 0; c < 3; c++)
            mean[c] += moments->mean[c] / n;
        for (unsigned c = 0; c < 6; c++)
            product[c] += moments->product[c] / n;
    }
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 3; j++)
            covariance[i][j] = product[products[i][j]] - mean[i] * mean[j];
    vgg_eigen3(covariance, vectors, values);
    for (unsigned c = 0; c < 3; c++) {
        dataset->std[c] = sqrt(fmax(covariance[c][c], STD_MIN * STD_MIN));
        for (unsigned k = 0; k < 3; k++)
            dataset->shift[c][k] = vectors[c][k] * sqrt(fmax(values[k], 0));
    }
}
