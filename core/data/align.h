/*
 * How well two small pictures coincide when one is moved, scaled and turned a little.
 * Path of a search: fingerprint.c -> [this] -> duplicates.c.
 */
#ifndef VGG_CORE_DATA_ALIGN_H
#define VGG_CORE_DATA_ALIGN_H

#include "data/fingerprint.h"

/*
 * Does the correlation of the gradients of `a` and of `b`, moved onto it by an affine map, come to
 * `enough`, above 0 and at most 1? The map goes by steps of a least squares fit (B. Lucas, T.
 * Kanade: An iterative image registration technique, 1981), which is broken off where it leads
 * nowhere. Gradients, as shadows and light over a whole picture say nothing of what it shows; a
 * picture that has none coincides with nothing.
 */
bool vgg_align(const struct vgg_fingerprint *a, const struct vgg_fingerprint *b, double enough);

#endif
