/* The class score maps of a job that asked for them, kept from the pass that computed its scores.
 */
#ifndef VGG_CORE_ENGINE_MAPS_H
#define VGG_CORE_ENGINE_MAPS_H

#include "engine/views.h"
#include "nn/forward.h"

struct vgg_maps;

/* Room for the maps of all views of a job; NULL when out of memory. free() it. */
struct vgg_maps *vgg_maps_create(const struct vgg_net *net, const struct vgg_views *views);

/*
 * Copy view `n` of a pass to `view` of the job; that of a mirror image is turned back. False where
 * a score is not finite (a broken model).
 */
bool vgg_maps_keep(struct vgg_maps *maps, size_t view, bool mirror, const struct vgg_scores *scores,
                   size_t n);

const struct vgg_score_map *vgg_maps_get(const struct vgg_maps *maps, size_t view);

#endif
