/* Statistics. Sums are in the order of the pictures, so threads do not change a bit. */
#include "data/statistics.h"

#include <math.h>
#include <string.h>

enum { SWEEPS_MAX = 50 }; /* convergence is quadratic: five or six do */

static const double STD_MIN = 1.0 / 255;

/* The place of each product of two channels in vgg_moments. */
static const unsigned char products[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};

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

void vgg_dataset_normalise_as(struct vgg_dataset *dataset, const struct vgg_model_info *model)
{
    bool bgr = strcmp(model->channels, "BGR") == 0;

    for (size_t c = 0; c < 3; c++) {
        dataset->mean[c] = model->mean[bgr ? 2 - c : c];
        dataset->std[c] = model->std[bgr ? 2 - c : c];
    }
}

void vgg_dataset_class_weights(const struct vgg_dataset *dataset, double *weights)
{
    double classes = 0, n = (double)dataset->examples_n;

    for (size_t c = 0; c < dataset->classes_n; c++)
        weights[c] = 0;
    for (size_t i = 0; i < dataset->examples_n; i++)
        classes += weights[dataset->examples[i].label]++ == 0;
    for (size_t c = 0; c < dataset->classes_n; c++)
        if (weights[c] > 0)
            weights[c] = n / (classes * weights[c]);
}
