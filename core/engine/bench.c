/* Timing the network layer by layer. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/team.h"
#include "model/model.h"
#include "nn/forward.h"
#include "vgg_bench.h"

_Static_assert((int)VGG_BENCH_LAYERS_MAX == (int)VGG_LAYERS_MAX,
               "the public array holds every layer");

static const uint64_t PIXELS_MAX = UINT64_C(1) << 30; /* of a pass: far beyond any use */

static double lower(double best, double value)
{
    return best == 0 || value < best ? value : best;
}

/* Names and work of the layers. */
static void describe(struct vgg_bench *bench, const struct vgg_net *net, struct vgg_shape shape)
{
    *bench = (struct vgg_bench){.layers_n = net->layers_n};
    for (size_t i = 0; i < net->layers_n; i++) {
        const struct vgg_layer *layer = &net->layers[i];
        struct vgg_shape out = vgg_conv_unpooled(&layer->conv, shape);

        bench->layers[i].name = layer->name;
        bench->layers[i].algorithm = net->kernels->algorithm(&layer->conv, shape);
        bench->layers[i].gflop = 2e-9 * (double)vgg_layer_weights(layer) * out.n * out.h * out.w;
        bench->layers[i].weights_bytes = (double)net->kernels->weights_bytes(&layer->conv);
        shape = vgg_conv_output(&layer->conv, shape);
    }
}

static void record(struct vgg_bench *bench, const struct vgg_net *net, const uint64_t *layer_ns)
{
    double conv_ms = 0, fc_ms = 0, total_ms = (double)layer_ns[0] / 1e6;

    for (size_t i = 0; i < net->layers_n; i++) {
        double ms = (double)layer_ns[i + 1] / 1e6;

        bench->layers[i].ms = lower(bench->layers[i].ms, ms);
        *(i < net->arch->convs_n ? &conv_ms : &fc_ms) += ms;
        total_ms += ms;
    }
    bench->conv_ms = lower(bench->conv_ms, conv_ms);
    bench->fc_ms = lower(bench->fc_ms, fc_ms);
    bench->total_ms = lower(bench->total_ms, total_ms);
}

enum vgg_status vgg_bench_run(const struct vgg_model *model, uint32_t width, uint32_t height,
                              uint32_t batch, unsigned threads, unsigned repeats,
                              struct vgg_bench *bench, struct vgg_error *error)
{
    const struct vgg_net *net = &model->net;
    struct vgg_shape shape = {batch, 3, height, width};
    uint32_t crop = vgg_net_crop(net);
    uint64_t layer_ns[1 + VGG_LAYERS_MAX];
    struct vgg_view_pixels *views = NULL;
    uint8_t *rgb = NULL;
    double *mean = NULL;
    struct vgg_team *team = NULL;
    enum vgg_status status = VGG_OK;
    void *arena = NULL;

    if (threads == 0)
        threads = vgg_threads_default();
    if (width < crop || height < crop)
        status = vgg_fail(error, VGG_BAD_ARGUMENT, "%ux%u is below the model's crop of %u", width,
                          height, crop);
    else if (batch == 0 || repeats == 0 || PIXELS_MAX / width / height / batch == 0)
        status = vgg_fail(error, VGG_BAD_ARGUMENT,
                          "%u repeats of %u views of %ux%u: at least 1, and at most %" PRIu64
                          " pixels a pass",
                          repeats, batch, width, height, PIXELS_MAX);
    else if (threads > VGG_TEAM_THREADS_MAX)
        status = vgg_fail(error, VGG_BAD_ARGUMENT, "%u threads are over the limit of %d", threads,
                          VGG_TEAM_THREADS_MAX);
    else {
        views = vgg_calloc(batch, sizeof *views);
        rgb = vgg_calloc((size_t)width * height, 3);
        mean = vgg_calloc(batch, net->classes * sizeof *mean);
        arena = vgg_alloc_aligned(vgg_forward_arena_bytes(net, shape, threads), 1);
    }
    if (status == VGG_OK && (views == NULL || rgb == NULL || mean == NULL || arena == NULL ||
                             !vgg_kernels_start(net->kernels)))
        status = vgg_fail_memory(error);
    if (status == VGG_OK)
        status = vgg_team_create(threads, &team, error);
    if (status == VGG_OK) {
        /* Noise: a flat picture would leave most ReLUs shut and denormals in the rest. */
        for (size_t i = 0; i < (size_t)width * height * 3; i++)
            rgb[i] = (uint8_t)(i * 2654435761U >> 13);
        for (uint32_t i = 0; i < batch; i++)
            views[i] = (struct vgg_view_pixels){.rgb = rgb, .mirror = i % 2 == 1};
        describe(bench, net, shape);
        for (unsigned i = 0; i <= repeats; i++) {
            vgg_forward(net, team, &model->normalisation, views, shape, arena, mean,
                        &(struct vgg_forward_options){.layer_ns = layer_ns});
            if (i > 0)
                record(bench, net, layer_ns);
        }
    }
    vgg_team_destroy(team);
    free(arena);
    free(mean);
    free(rgb);
    free(views);
    return status;
}
