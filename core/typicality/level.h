/* The level of p below which a picture is unknown. */
#ifndef VGG_CORE_TYPICALITY_LEVEL_H
#define VGG_CORE_TYPICALITY_LEVEL_H

#include <stddef.h>

#define VGG_REJECT_DEFAULT 0.01

/*
 * The level, at most 0.05 where that is not below the least, at which the share of unknown[n] below
 * it, p of unknown pictures in ascending order, is furthest above the level itself, which is the
 * share of known pictures below it; of equal ones the lowest.
 */
double vgg_level_choose(const double *unknown, size_t n, size_t known_n);

/* The share of ascending p[n] below a level. */
double vgg_level_caught(const double *p, size_t n, double level);

#endif
