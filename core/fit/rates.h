/* How sure a rate of errors is. */
#ifndef VGG_CORE_FIT_RATES_H
#define VGG_CORE_FIT_RATES_H

#include <stddef.h>

/* Wilson's interval for a rate that was `hits` of n >= 1, of 95 %: interval[0] to [1], in 0..1. */
void vgg_binomial_interval(size_t hits, size_t n, double interval[2]);

#endif
