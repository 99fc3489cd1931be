/* Filters of Winograd convolutions: G g G' for every pair of channels, in double. */
#include "kernels/winograd.h"

#include <string.h>

enum { SIDE = 3, IN_MAX = VGG_WINOGRAD_TILE_MAX + 2 };

/* The finite points that a tile size has beside 0, each with both signs. */
struct points {
    size_t pairs;
    double p[3];
};

static const struct points points_4 = {2, {VGG_F4_A, VGG_F4_B}};
static const struct points points_6 = {3, {VGG_F6_A, VGG_F6_B, VGG_F6_C}};

/* Rows of G: (1, p, p^2) over the product of p - q for all other finite points q. */
static void filter_matrix(const struct points *points, double g[IN_MAX][SIDE])
{
    size_t n = 2 * points->pairs + 2;
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

static double dot(const double g[SIDE], double x0, double x1, double x2)
{
    return g[0] * x0 + g[1] * x1 + g[2] * x2;
}

/* One filter w[3][3] into out[n * n], `stride` floats apart. */
static void transform(const double g[IN_MAX][SIDE], size_t n, const float *w, float *out,
                      size_t stride)
{
    double rows[IN_MAX][SIDE];

    for (size_t i = 0; i < n; i++)
        for (size_t x = 0; x < SIDE; x++)
            rows[i][x] = dot(g[i], (double)w[x], (double)w[SIDE + x], (double)w[2 * SIDE + x]);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            out[(i * n + j) * stride] = (float)dot(g[j], rows[i][0], rows[i][1], rows[i][2]);
}

void vgg_winograd_pack(const struct vgg_conv *conv, const struct vgg_winograd_layout *layout,
                       uint32_t row, uint32_t rows, const float *weights, float *packed)
{
    size_t n = layout->tile + 2, panels = vgg_ceil_div(conv->out, layout->panel);
    size_t panel = vgg_ceil_div(conv->in, layout->lanes) * layout->lanes * layout->panel;
    double g[IN_MAX][SIDE];

    filter_matrix(layout->tile == 4 ? &points_4 : &points_6, g);
    if (row == 0 && (conv->in % layout->lanes != 0 || conv->out % layout->panel != 0))
        memset(packed, 0, n * n * panels * panel * sizeof *packed);
    for (size_t c = 0; c < conv->in; c++)
        for (size_t r = row; r < (size_t)row + rows; r++)
            transform(g, n, weights + ((r - row) * conv->in + c) * SIDE * SIDE,
                      packed + r / layout->panel * panel + c * layout->panel + r % layout->panel,
                      panels * panel);
}
