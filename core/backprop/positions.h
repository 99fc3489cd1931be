/*
 * The windows of the last map that the first fully-connected layer takes: where the crop is larger
 * than the network's, it stands at several positions, as it does in inference (section 3.2).
 */
#ifndef VGG_CORE_BACKPROP_POSITIONS_H
#define VGG_CORE_BACKPROP_POSITIONS_H

#include "base/team.h"

struct vgg_positions {
    size_t channels, rows, columns; /* of the map of one example */
    size_t kernel;                  /* side of a window, at most rows and columns */
};

/* Of one example. */
size_t vgg_positions_count(const struct vgg_positions *positions);

/* Floats of a window, and of the map. */
size_t vgg_positions_window(const struct vgg_positions *positions);
size_t vgg_positions_map(const struct vgg_positions *positions);

/*
 * maps[n][channels][rows][columns] -> windows[n][positions][channels][kernel][kernel], positions
 * row by row.
 */
void vgg_positions_gather(const struct vgg_positions *positions, struct vgg_team *team,
                          const float *maps, size_t n, float *windows);

/* Its gradient: of the windows to that of the maps. */
void vgg_positions_scatter(const struct vgg_positions *positions, struct vgg_team *team,
                           const float *windows, size_t n, float *maps);

#endif
