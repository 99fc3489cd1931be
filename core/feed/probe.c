/* A linear layer on the features of a network in training. */
#include "feed/probe.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "fit/fit.h"

/*
 * What features add to a score or take from it, apart from how much of that cancels: dropout leaves
 * some of them out. Where features differ by little more than what they have in common a fitted
 * layer's is so large that nothing can be learnt under it.
 */
#define REACH_MAX 3.0

/* Features of all views of all pictures: rows[pictures][views][dims]. */
static enum vgg_status compute_rows(struct vgg_network *network, struct vgg_team *team,
                                    const struct vgg_maps *maps, float *rows,
                                    struct vgg_error *error)
{
    const struct vgg_frozen *frozen = &maps->frozen;
    size_t views = frozen->pictures_n * frozen->views, dims = vgg_net_features(&network->net);
    float *inputs = vgg_alloc(network->batch, frozen->floats * sizeof *inputs);
    enum vgg_status status = inputs != NULL ? VGG_OK : vgg_fail_memory(error);

    for (size_t done = 0; done < views && status == VGG_OK; done += network->batch) {
        size_t n = vgg_min_size(views - done, network->batch);

        status = vgg_maps_read(maps, team, done, n, inputs, error);
        if (status == VGG_OK)
            vgg_network_evaluate(network, team, inputs, (uint32_t)n, NULL, rows + done * dims);
    }
    free(inputs);
    return status;
}

/* The pictures from `first` on as a set to fit; labels and weights are of all. */
static struct vgg_fit_set set_of(const struct vgg_network *network, const struct vgg_maps *maps,
                                 const float *rows, const uint32_t *labels, size_t first, size_t n)
{
    size_t dims = vgg_net_features(&network->net), views = maps->frozen.views;

    return (struct vgg_fit_set){.rows = rows + first * views * dims,
                                .pictures = n,
                                .views = views,
                                .dims = dims,
                                .labels = labels + first,
                                .classes = network->net.classes};
}

/* The root of the mean, over rows and classes, of the sum of the squares of weight times feature.
 */
static double reach_of(const struct vgg_fit_set *set, const float *weights)
{
    size_t rows = set->pictures * set->views, dims = set->dims;
    double sum = 0;

    for (size_t i = 0; i < dims; i++) {
        double weight = 0, feature = 0;

        for (size_t c = 0; c < set->classes; c++)
            weight += (double)weights[c * dims + i] * (double)weights[c * dims + i];
        for (size_t row = 0; row < rows; row++)
            feature += (double)set->rows[row * dims + i] * (double)set->rows[row * dims + i];
        sum += weight / set->classes * (feature / (double)rows);
    }
    return sqrt(sum);
}

/* Copied in a size that the layers below can learn under. */
static void copy_head(struct vgg_dense *last, const struct vgg_fit_set *train,
                      const struct vgg_fit_head *head)
{
    double reach = reach_of(train, head->weights);
    float part = (float)(reach > REACH_MAX ? REACH_MAX / reach : 1);

    for (size_t i = 0; i < last->weight.n; i++)
        last->weight.value[i] = part * head->weights[i];
    for (size_t i = 0; i < last->bias.n; i++)
        last->bias.value[i] = part * head->bias[i];
}

static enum vgg_status fit(struct vgg_network *network, struct vgg_team *team,
                           const struct vgg_maps *maps, const float *rows, const uint32_t *labels,
                           const double *weights, struct vgg_error *error)
{
    size_t n = maps->train_n;
    struct vgg_dense *last = &network->dense[VGG_FCS - 1];
    struct vgg_fit_set train = set_of(network, maps, rows, labels, 0, n);
    const struct vgg_fit_set validation =
        set_of(network, maps, rows, labels, n, maps->frozen.pictures_n - n);
    const struct vgg_fit_options options = {.team = team,
                                            .validation = &validation,
                                            .stop = maps->settings->stop,
                                            .user = maps->settings->user};
    struct vgg_fit_head head;
    enum vgg_status status;

    train.weights = weights;
    status = vgg_fit_head(&train, &options, &head, error);
    if (status != VGG_OK)
        return status;
    copy_head(last, &train, &head);
    vgg_fit_head_fini(&head);
    return VGG_OK;
}

uint64_t vgg_probe_bytes(const struct vgg_network *network, size_t train, size_t validation,
                         size_t views)
{
    const struct vgg_shape *map = &network->in;
    size_t pictures = train + validation;
    struct vgg_fit_set set = {.pictures = train,
                              .views = views,
                              .dims = vgg_net_features(&network->net),
                              .classes = network->net.classes};
    const struct vgg_fit_set measured = {.pictures = validation, .views = views};
    const struct vgg_fit_options options = {.validation = &measured};
    uint64_t inputs = (uint64_t)network->batch * map->c * map->h * map->w * sizeof(float);
    uint64_t fitting = vgg_fit_bytes(&set, &options);

    return pictures * (views * set.dims * sizeof(float) + sizeof(uint32_t) + sizeof(double)) +
           (inputs > fitting ? inputs : fitting);
}

enum vgg_status vgg_probe(struct vgg_network *network, struct vgg_team *team,
                          const struct vgg_maps *maps, const double *class_weights,
                          struct vgg_error *error)
{
    size_t pictures = maps->frozen.pictures_n;
    float *rows =
        vgg_alloc(pictures * maps->frozen.views, vgg_net_features(&network->net) * sizeof *rows);
    uint32_t *labels = vgg_alloc(pictures, sizeof *labels);
    double *weights = vgg_alloc(pictures, sizeof *weights);
    enum vgg_status status = rows != NULL && labels != NULL && weights != NULL
                                 ? compute_rows(network, team, maps, rows, error)
                                 : vgg_fail_memory(error);

    for (size_t i = 0; i < pictures && status == VGG_OK; i++) {
        labels[i] = maps->pictures[i]->label;
        weights[i] = class_weights != NULL ? class_weights[labels[i]] : 1;
    }
    if (status == VGG_OK)
        status = fit(network, team, maps, rows, labels, weights, error);
    free(rows);
    free(labels);
    free(weights);
    return status;
}
