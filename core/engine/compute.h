/* A batch of views through the network, and what comes of it to the jobs. */
#ifndef VGG_CORE_ENGINE_COMPUTE_H
#define VGG_CORE_ENGINE_COMPUTE_H

#include "base/team.h"
#include "engine/arena.h"
#include "engine/batch.h"

/*
 * Compute a batch in `arena`, which grows if need be, and leave in each job what its views gave:
 * the posterior, and maps and features where asked for. Jobs without a finite result fail.
 * `between` is called between two layers; false ends the pass, and the jobs get nothing. False:
 * nothing was computed, because `between` said so or for want of memory, of which every job is
 * told.
 */
bool vgg_batch_compute(const struct vgg_batch *batch, struct vgg_team *team,
                       struct vgg_arena *arena, bool (*between)(void *user), void *user);

#endif
