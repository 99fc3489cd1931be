/*
 * The oracle: a naive double-precision VGG against which libvgg is checked. It shares no code with
 * the library: plain loops over arrays [channel][row][column], batch-norm as a layer of its own,
 * its own reader of model files. It takes pictures that are already rescaled.
 *
 * oracle_layers.c and oracle_eight.c need only libm and may be linked alone; oracle_model.c needs
 * jansson. Running out of memory ends the process.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>

/* ---------------------------------------------------------------- layers --------------------- */

/*
 * Convolution, stride 1, `pad` zeros on every side. in[in_c][h][w],
 * weight[out_c][in_c][kernel][kernel], bias[out_c] (NULL: zeros), out[out_c][oh][ow] with
 * oh = h + 2 pad - kernel + 1 and ow = w + 2 pad - kernel + 1, both at least 1. No overlap.
 */
void oracle_conv(const double *in, size_t in_c, size_t h, size_t w, const double *weight,
                 const double *bias, size_t out_c, size_t kernel, size_t pad, double *out);

/*
 * The same in eight bits: inputs of a position are rounded to multiples of their largest magnitude
 * / 127, and weights of an output channel to theirs; the products are added as integers.
 */
void oracle_conv_eight(const double *in, size_t in_c, size_t h, size_t w, const double *weight,
                       const double *bias, size_t out_c, size_t kernel, size_t pad, double *out);

/*
 * The same by Winograd's F(4x4,3x3), kernel 3 and pad 1: what is rounded are the transformed inputs
 * of a tile at each point, and the transformed weights of an output channel at each point.
 */
void oracle_winograd_eight(const double *in, size_t in_c, size_t h, size_t w, const double *weight,
                           const double *bias, size_t out_c, double *out);

/* Batch normalisation of x[c][n] in place by running statistics, all [c]; eps is 1e-5. */
void oracle_batch_norm(double *x, size_t c, size_t n, const double *gamma, const double *beta,
                       const double *mean, const double *var);

/* x[n] = max(x, 0) in place. */
void oracle_relu(double *x, size_t n);

/*
 * Local response normalisation across channels, in[c][h][w] to out[c][h][w], no overlap:
 * b = a / (2 + 1e-4 * sum a'^2)^0.75 over the five channels around a's, fewer at the edges.
 */
void oracle_lrn(const double *in, size_t c, size_t h, size_t w, double *out);

/* Max-pool 2x2, stride 2: in[c][h][w] to out[c][h/2][w/2]; an odd last row or column is dropped. */
void oracle_maxpool(const double *in, size_t c, size_t h, size_t w, double *out);

/* Mean over positions: in[c][n] to out[c]. */
void oracle_mean(const double *in, size_t c, size_t n, double *out);

/* Soft-max of in[n] to out[n]; may be in place. */
void oracle_softmax(const double *in, size_t n, double *out);

/* ---------------------------------------------------------------- models --------------------- */

enum { ORACLE_LAYERS_MAX = 19 };

/* Convolution, then batch-norm, ReLU, LRN and pool where present. FC layers are convolutions. */
struct oracle_layer {
    size_t in, out; /* channels */
    size_t kernel, pad;
    double *weight;                    /* [out][in][kernel][kernel] */
    double *bias;                      /* [out] */
    double *gamma, *beta, *mean, *var; /* [out] each; NULL without batch-norm */
    bool relu, lrn, pool;
};

struct oracle_net {
    char arch[8]; /* "A" .. "E" */
    struct oracle_layer layers[ORACLE_LAYERS_MAX];
    size_t layers_n;
    size_t classes;
    size_t crop;            /* pixels of the side that gives one position */
    double mean[3], std[3]; /* on the 0-1 range, in channel order */
    bool bgr;
};

/*
 * Read a safetensors file (F32, F16, BF16) with torchvision's or timm's names. Returns NULL, or
 * what is wrong with the file (static storage, valid until the next call); then *net is empty.
 */
const char *oracle_net_load(const char *path, struct oracle_net *net);
void oracle_net_free(struct oracle_net *net);

/* ---------------------------------------------------------------- evaluation ----------------- */

/* A rescaled picture: pixels [height][width][3], R G B. */
struct oracle_picture {
    size_t width, height;
    const unsigned char *pixels;
};

/* A class score map: logits [classes][height][width]. */
struct oracle_map {
    size_t height, width;
    double *logits;
};

/* Whether a picture gives at least one position. */
bool oracle_net_fits(const struct oracle_net *net, const struct oracle_picture *picture);

/* The score map of one view; `mirror` takes the picture's mirror image. Free map->logits. */
void oracle_net_map(const struct oracle_net *net, const struct oracle_picture *picture, bool mirror,
                    struct oracle_map *map);

/* Spatial mean of the score map, then soft-max: posterior[classes] of one view. */
void oracle_net_view(const struct oracle_net *net, const struct oracle_picture *picture,
                     bool mirror, double *posterior);

/*
 * The whole protocol: the mean posterior[classes] over pictures[n], with flip also over their
 * mirror images. views (may be NULL) takes the single ones, [n][classes] or with flip
 * [n][2][classes], an original before its mirror image.
 */
void oracle_net_posterior(const struct oracle_net *net, const struct oracle_picture *pictures,
                          size_t n, bool flip, double *posterior, double *views);

/* Units of the last hidden layer. */
size_t oracle_net_features_n(const struct oracle_net *net);

/*
 * Image features: the last hidden layer, its mean over positions, then over pictures[n] and, with
 * flip, their mirror images: features[oracle_net_features_n].
 */
void oracle_net_features(const struct oracle_net *net, const struct oracle_picture *pictures,
                         size_t n, bool flip, double *features);

#endif
