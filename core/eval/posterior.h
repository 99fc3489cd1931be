/* From logits to the answer, all in double: soft-max, mean over views, top-k. */
#ifndef VGG_CORE_EVAL_POSTERIOR_H
#define VGG_CORE_EVAL_POSTERIOR_H

#include "vgg.h"

/* Soft-max of logits[n], in place. False where the result is not finite (a broken model). */
bool vgg_softmax(double *logits, size_t n);

/* Mean of rows[count][n], summed in order of rows, rounded once: out[n]. */
void vgg_mean_rows(const double *rows, size_t count, size_t n, float *out);

#endif
