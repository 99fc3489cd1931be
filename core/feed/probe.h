/*
 * The last layer that a descent on a base begins with: fitted to what the base gives (fit/fit.h),
 * so that the layers below it are not disturbed by one that knows nothing yet.
 */
#ifndef VGG_CORE_FEED_PROBE_H
#define VGG_CORE_FEED_PROBE_H

#include "backprop/network.h"
#include "feed/maps.h"

/* Bytes that it takes of so many pictures, beside the network and the maps. */
uint64_t vgg_probe_bytes(const struct vgg_network *network, size_t train, size_t validation,
                         size_t views);

/*
 * Fit the network's last layer on all views of the training pictures. Errors: those of vgg_fit_head
 * and vgg_frozen_view.
 */
enum vgg_status vgg_probe(struct vgg_network *network, struct vgg_team *team,
                          const struct vgg_maps *maps, const double *class_weights,
                          struct vgg_error *error);

#endif
