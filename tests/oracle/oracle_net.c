/*
 * Evaluation: a rescaled picture is normalised, goes through the layers one after another, and
 * comes out as a score map; its spatial mean through the soft-max is the posterior of one view.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

static double *new_array(size_t n)
{
    double *array = malloc((n ? n : 1) * sizeof(*array));
    if (!array) {
        fprintf(stderr, "oracle: out of memory\n");
        abort();
    }
    return array;
}

/* [height][width][3] bytes to [3][height][width]: (v / 255 - mean) / std in channel order. */
static double *normalise(const struct oracle_net *net, const struct oracle_picture *picture,
                         bool mirror)
{
    size_t h = picture->height;
    size_t w = picture->width;
    double *out = new_array(3 * h * w);
    for (size_t c = 0; c < 3; c++) {
        for (size_t y = 0; y < h; y++) {
            for (size_t x = 0; x < w; x++) {
                size_t from_x = mirror ? w - 1 - x : x;
                size_t from_c = net->bgr ? 2 - c : c;
                double value = picture->pixels[(y * w + from_x) * 3 + from_c] / 255.0;
                out[(c * h + y) * w + x] = (value - net->mean[c]) / net->std[c];
            }
        }
    }
    return out;
}

/* One layer: takes x[in][*h][*w], frees it, returns [out][*h][*w] with the new *h and *w. */
static double *run_layer(const struct oracle_layer *layer, double *x, size_t *h, size_t *w)
{
    size_t oh = *h + 2 * layer->pad - layer->kernel + 1;
    size_t ow = *w + 2 * layer->pad - layer->kernel + 1;
    double *y = new_array(layer->out * oh * ow);
    oracle_conv(x, layer->in, *h, *w, layer->weight, layer->bias, layer->out, layer->kernel,
                layer->pad, y);
    free(x);
    if (layer->gamma) {
        oracle_batch_norm(y, layer->out, oh * ow, layer->gamma, layer->beta, layer->mean,
                          layer->var);
    }
    if (layer->relu) {
        oracle_relu(y, layer->out * oh * ow);
    }
    if (layer->lrn) {
        double *normal = new_array(layer->out * oh * ow);
        oracle_lrn(y, layer->out, oh, ow, normal);
        free(y);
        y = normal;
    }
    if (layer->pool) {
        double *small = new_array(layer->out * (oh / 2) * (ow / 2));
        oracle_maxpool(y, layer->out, oh, ow, small);
        free(y);
        y = small;
        oh /= 2;
        ow /= 2;
    }
    *h = oh;
    *w = ow;
    return y;
}

bool oracle_net_fits(const struct oracle_net *net, const struct oracle_picture *picture)
{
    return picture->width >= net->crop && picture->height >= net->crop;
}

void oracle_net_map(const struct oracle_net *net, const struct oracle_picture *picture, bool mirror,
                    struct oracle_map *map)
{
    assert(oracle_net_fits(net, picture));
    size_t h = picture->height;
    size_t w = picture->width;
    double *x = normalise(net, picture, mirror);
    for (size_t i = 0; i < net->layers_n; i++) {
        x = run_layer(&net->layers[i], x, &h, &w);
    }
    *map = (struct oracle_map){.height = h, .width = w, .logits = x};
}

void oracle_net_view(const struct oracle_net *net, const struct oracle_picture *picture,
                     bool mirror, double *posterior)
{
    struct oracle_map map;
    oracle_net_map(net, picture, mirror, &map);
    oracle_mean(map.logits, net->classes, map.height * map.width, posterior);
    oracle_softmax(posterior, net->classes, posterior);
    free(map.logits);
}

void oracle_net_posterior(const struct oracle_net *net, const struct oracle_picture *pictures,
                          size_t n, bool flip, double *posterior, double *views)
{
    size_t classes = net->classes;
    size_t sides = flip ? 2 : 1;
    double *view = new_array(classes);
    memset(posterior, 0, classes * sizeof(*posterior));
    for (size_t i = 0; i < n * sides; i++) {
        oracle_net_view(net, &pictures[i / sides], i % sides == 1, view);
        for (size_t j = 0; j < classes; j++) {
            posterior[j] += view[j] / (double)(n * sides);
        }
        if (views) {
            memcpy(views + i * classes, view, classes * sizeof(*view));
        }
    }
    free(view);
}

size_t oracle_net_features_n(const struct oracle_net *net)
{
    return net->layers[net->layers_n - 1].in;
}

void oracle_net_features(const struct oracle_net *net, const struct oracle_picture *pictures,
                         size_t n, bool flip, double *features)
{
    struct oracle_net hidden = *net;
    size_t units = oracle_net_features_n(net);
    size_t sides = flip ? 2 : 1;
    double *view = new_array(units);
    hidden.layers_n--;
    memset(features, 0, units * sizeof(*features));
    for (size_t i = 0; i < n * sides; i++) {
        struct oracle_map map;
        oracle_net_map(&hidden, &pictures[i / sides], i % sides == 1, &map);
        oracle_mean(map.logits, units, map.height * map.width, view);
        for (size_t j = 0; j < units; j++) {
            features[j] += view[j] / (double)(n * sides);
        }
        free(map.logits);
    }
    free(view);
}
