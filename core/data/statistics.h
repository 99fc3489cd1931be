/* Statistics of a set: of its colours, and of its classes. */
#ifndef VGG_CORE_DATA_STATISTICS_H
#define VGG_CORE_DATA_STATISTICS_H

#include "data/set.h"

/*
 * Mean, deviation and principal components of the colours, each picture weighing the same. A
 * deviation is at least 1/255.
 */
void vgg_dataset_statistics(struct vgg_dataset *dataset);

/* Instead: mean and deviation in RGB as a model wants them, in whatever order it takes colours. */
void vgg_dataset_normalise_as(struct vgg_dataset *dataset, const struct vgg_model_info *model);

/*
 * weights[classes] of the losses of each class's pictures, the inverse of how many there are; their
 * mean over all pictures is 1. A class without pictures has 0.
 */
void vgg_dataset_class_weights(const struct vgg_dataset *dataset, double *weights);

/*
 * Eigenvectors (columns) and eigenvalues, descending, of a symmetric matrix, by Jacobi's rotations.
 */
void vgg_eigen3(const double matrix[3][3], double vectors[3][3], double values[3]);

#endif
