/* The arena holds the means over positions, then the working memory of the forward pass. */
#include "engine/compute.h"

#include "engine/maps.h"
#include "image/image.h"
#include "nn/forward.h"

static void find_pixels(const struct vgg_batch *batch, struct vgg_view_pixels *pixels)
{
    for (size_t i = 0; i < batch->n; i++) {
        const struct vgg_views *views = batch->items[i].job->views;
        struct vgg_view view = vgg_views_get(views, batch->items[i].view);
        size_t stride = (size_t)3 * view.image->info.width;
        size_t corner = view.y * stride + (size_t)3 * view.x;

        pixels[i] = (struct vgg_view_pixels){.stride = stride, .mirror = view.mirror};
        if (views->input != NULL)
            pixels[i].input = views->input;
        else
            pixels[i].rgb = view.image->pixels + corner;
    }
}

static bool wants_features(const struct vgg_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        if (batch->items[i].job->features != NULL)
            return true;
    return false;
}

bool vgg_batch_compute(const struct vgg_batch *batch, struct vgg_team *team,
                       struct vgg_arena *arena, bool (*between)(void *user), void *user)
{
    const struct vgg_net *net = &batch->model->net;
    struct vgg_view_pixels pixels[VGG_BATCH_VIEWS_MAX];
    struct vgg_forward_options options = {.between = between, .user = user};
    const bool turn = vgg_net_is_whole(net); /* else what follows wants the map as it is */
    double *logits, *features;
    struct vgg_scores scores;

    if (!vgg_kernels_start(net->kernels) ||
        !vgg_arena_grow(arena, vgg_arena_bytes(net, batch->shape, vgg_team_threads(team)))) {
        for (size_t i = 0; i < batch->n; i++)
            batch->items[i].job->status = VGG_NO_MEMORY;
        return false;
    }
    logits = arena->block;
    features = logits + batch->n * net->classes;
    if (wants_features(batch))
        options.features = features;
    find_pixels(batch, pixels);
    scores = vgg_forward(net, team, &batch->model->normalisation, pixels, batch->shape,
                         (unsigned char *)arena->block + vgg_arena_means_bytes(net, batch->n),
                         logits, &options);
    if (scores.map == NULL)
        return false;
    for (size_t i = 0; i < batch->n; i++) {
        struct vgg_job *job = batch->items[i].job;
        size_t view = batch->items[i].view;

        if (!vgg_job_take(job, view, logits + i * net->classes,
                          features + i * vgg_net_features(net)) ||
            (job->maps != NULL &&
             !vgg_maps_keep(job->maps, view, turn && pixels[i].mirror, &scores, i)))
            job->status = VGG_BAD_MODEL;
    }
    return true;
}
