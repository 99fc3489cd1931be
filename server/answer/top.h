/* The best classes of a posterior, for those who show them. */
#ifndef TOP_H
#define TOP_H

#include "vgg.h"

/*
 * The `k` best classes, or all where there are fewer: *n of them, the best first, malloc'ed. NULL
 * when out of memory.
 */
uint32_t *top_classes(const struct vgg_model *model, const float *posterior, uint64_t k, size_t *n);

#endif
