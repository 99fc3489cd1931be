/* Statistics of the colours of a set. */
#ifndef VGG_CORE_DATA_STATISTICS_H
#define VGG_CORE_DATA_STATISTICS_H

#include "data/dataset.h"

/*
 * Mean, deviation and principal components of the colours, each picture weighing the same. A
 * deviation is at least 1/255.
 */
void vgg_dataset_statistics(struct vgg_dataset *dataset);

/*
 * Eigenvectors (columns) and eigenvalues, descending, of a symmetric matrix, by Jacobi's rotations.
 */
void vgg_eigen3(const double matrix[3][3], double vectors[3][3], double values[3]);

#endif
