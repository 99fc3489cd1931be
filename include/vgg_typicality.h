/*
 * Typicality: is a picture like those that a model knows? A part of libvgg beside vgg.h.
 *
 * The model file holds the means of its classes and a whitening of its image features, and how far
 * pictures that it knows are from the nearest mean although it was not fitted to them. The
 * typicality of another picture is p = (1 + number of known at least as far) / (n + 1): of
 * pictures of the known classes a share of about p is at most so typical.
 */
#ifndef VGG_TYPICALITY_H
#define VGG_TYPICALITY_H

#include "vgg.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Typicality of the picture of a finished job, in 1 / (n + 1) to 1, into *p. False (and *p
 * untouched) where its options did not ask for it, where the model has none
 * (vgg_model_info.typicality is 0), and where the views are not those that it was fitted to: whole
 * views of the model's default scales, with mirrors. Valid until vgg_job_destroy.
 */
bool vgg_job_typicality(const struct vgg_job *job, double *p);

/*
 * The level below which a picture is called unknown: `asked`, or the model's where that is not
 * above 0; but at least 2 / (n + 1), since no p is under 1 / (n + 1). 0 of a model without
 * typicality. Pure.
 */
double vgg_reject_level(const struct vgg_model_info *info, double asked);

/*
 * The probability that one of high[high_n] is above one of low[low_n], equal ones counting half:
 * the area under the ROC curve. Sorts both; neither is empty, nothing in them is NaN.
 */
double vgg_auroc(double *low, size_t low_n, double *high, size_t high_n);

#ifdef __cplusplus
}
#endif

#endif
