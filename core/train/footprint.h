/* What training takes of memory, before it is taken. */
#ifndef VGG_CORE_TRAIN_FOOTPRINT_H
#define VGG_CORE_TRAIN_FOOTPRINT_H

#include "backprop/network.h"

/*
 * Bytes of a network in training, and, where all of it trains, of its validation by an engine of
 * these threads: the model as a file, packed, and working memory.
 */
uint64_t vgg_train_predict(const struct vgg_arch *arch, const struct vgg_kernels *kernels,
                           const struct vgg_net_sizes *sizes,
                           const struct vgg_network_options *options, unsigned threads);

#endif
