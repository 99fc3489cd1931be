/* Sums over the pixels of pictures; what vgg_dataset_statistics makes of them. */
#ifndef VGG_CORE_TRAIN_STATISTICS_H
#define VGG_CORE_TRAIN_STATISTICS_H

#include "train/dataset.h"

struct vgg_moments vgg_moments_of(const struct vgg_image *image);

/*
 * Eigenvectors (columns) and eigenvalues, descending, of a symmetric matrix, by Jacobi's rotations.
 */
void vgg_eigen3(const double matrix[3][3], double vectors[3][3], double values[3]);

#endif
