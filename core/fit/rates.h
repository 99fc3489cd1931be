/* How sure a rate of errors is, and how well a number divides two sets. */
#ifndef VGG_CORE_FIT_RATES_H
#define VGG_CORE_FIT_RATES_H

#include <stddef.h>

/*
 * The probability that one of high[high_n] is above one of low[low_n], equal ones counting half:
 * the area under the ROC curve. Both are sorted; neither is empty, nothing in them is NaN.
 */
double vgg_auroc(double *low, size_t low_n, double *high, size_t high_n);

/* Wilson's interval for a rate that was `hits` of n >= 1, of 95 %: interval[0] to [1], in 0..1. */
void vgg_binomial_interval(size_t hits, size_t n, double interval[2]);

#endif
