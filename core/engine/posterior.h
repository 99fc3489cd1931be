/* From logits to the answer, all in double: soft-max, mean over views, top-k. */
#ifndef VGG_CORE_ENGINE_POSTERIOR_H
#define VGG_CORE_ENGINE_POSTERIOR_H

#include "vgg.h"

/* Soft-max of logits[n], in place. False where the result is not finite (a broken model). */
bool vgg_softmax(double *logits, size_t n);

/*
 * Mean of `count` rows of rows[][n], those of order[count] or, where that is NULL, the first;
 * summed in that order, rounded once: out[n].
 */
void vgg_mean_rows(const double *rows, const uint32_t *order, size_t count, size_t n, float *out);

#endif
