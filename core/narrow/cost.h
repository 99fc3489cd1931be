/* On how much a narrow network is fitted, and what that takes. Path: [this] -> narrow.c. */
#ifndef VGG_CORE_NARROW_COST_H
#define VGG_CORE_NARROW_COST_H

#include "nn/net.h"

/* So many crops, some at a time, and at most so many places of each of their maps. */
struct vgg_narrow_sizes {
    size_t crops, batch, places;
};

struct vgg_narrow_sizes vgg_narrow_sizes(const struct vgg_net *net, uint32_t crop);

/* What a unit multiplies. */
size_t vgg_narrow_inputs(const struct vgg_conv *conv);

/* Of the map that goes into a layer, or with layer + 1 comes from it, the places of all crops. */
size_t vgg_narrow_rows(const struct vgg_net *net, uint32_t crop, size_t layer);

/* Floats of the rows of a batch, of the base's largest layer. */
size_t vgg_narrow_batch_floats(const struct vgg_narrow_sizes *sizes, const struct vgg_net *base);

/* Bytes, with the base's weights. */
uint64_t vgg_narrow_bytes(const struct vgg_net *base, const struct vgg_net *net, uint32_t crop,
                          unsigned threads);

/* Multiply-accumulates: of the first `layers` on all crops; of fitting one; of everything. */
double vgg_narrow_pass_macs(const struct vgg_net *net, const struct vgg_narrow_sizes *sizes,
                            uint32_t crop, size_t layers);
double vgg_narrow_fit_macs(const struct vgg_net *net, uint32_t crop, size_t layer);
double vgg_narrow_macs(const struct vgg_net *base, const struct vgg_net *net, uint32_t crop);

#endif
