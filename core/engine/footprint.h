/* What an engine takes of memory, before it is taken. */
#ifndef VGG_CORE_ENGINE_FOOTPRINT_H
#define VGG_CORE_ENGINE_FOOTPRINT_H

#include "nn/net.h"

/* What runs between the layers of a pass has at most half as many pixels, so half the memory. */
enum { VGG_BETWEEN_PART = 2 };

/* The options of an engine with the defaults in; `given` may be NULL. */
struct vgg_engine_options vgg_engine_complete(const struct vgg_engine_options *given);

/* Bytes of the arenas, of a pass and of those between its layers, for any batch on `net`. */
void vgg_engine_demand(const struct vgg_engine_options *options, const struct vgg_net *net,
                       size_t bytes[2]);

#endif
