/* The matrix that transforms the filters of a Winograd convolution. */
#include "kernels/winograd.h"

enum { SIDE = 3, IN_MAX = VGG_WINOGRAD_SIDE_MAX };

/* The finite points that a tile size has beside 0, each with both signs. */
struct points {
    size_t pairs;
    double p[3];
};

static const struct points points_4 = {2, {VGG_F4_A, VGG_F4_B}};
static const struct points points_6 = {3, {VGG_F6_A, VGG_F6_B, VGG_F6_C}};

void vgg_winograd_filter_matrix(size_t tile, double g[IN_MAX][SIDE])
{
    const struct points *points = tile == 4 ? &points_4 : &points_6;
    size_t n = tile + 2;
    double finite[IN_MAX - 1] = {0};

    for (size_t i = 0; i < points->pairs; i++) {
        finite[1 + 2 * i] = points->p[i];
        finite[2 + 2 * i] = -points->p[i];
    }
    for (size_t i = 0; i + 1 < n; i++) {
        double scale = 1;

        for (size_t j = 0; j + 1 < n; j++)
            if (j != i)
                scale *= finite[i] - finite[j];
        for (size_t j = 0; j < SIDE; j++)
            g[i][j] = (j == 0 ? 1 : j == 1 ? finite[i] : finite[i] * finite[i]) / scale;
    }
    g[n - 1][0] = g[n - 1][1] = 0;
    g[n - 1][2] = 1;
}
