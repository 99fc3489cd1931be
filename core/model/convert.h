/* Weights as they lie in a file, to floats. */
#ifndef VGG_CORE_MODEL_CONVERT_H
#define VGG_CORE_MODEL_CONVERT_H

#include "model/header.h"

/*
 * Little-endian IEEE bytes -> float; false where an element is NaN or infinite. F32 may be
 * converted in place.
 */
bool vgg_floats_convert(enum vgg_dtype dtype, const unsigned char *bytes, size_t n, float *out);

/* Is none of them too large for half precision? */
bool vgg_floats_fit_half(const float *floats, size_t n);

#endif
