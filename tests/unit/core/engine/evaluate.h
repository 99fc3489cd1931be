/* Made models and pictures on their way through an engine. */
#ifndef VGG_TESTS_CORE_ENGINE_EVALUATE_H
#define VGG_TESTS_CORE_ENGINE_EVALUATE_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/views.h"
#include "image/image.h"
#include "model/model.h"
#include "model_maker.h"

static inline struct vgg_model *load_made(const struct maker *maker)
{
    struct vgg_model *model = NULL;
    size_t size;
    unsigned char *bytes = maker_bytes(maker, &size);

    if (vgg_model_load_memory(bytes, size, "made", NULL, &model, NULL) != VGG_OK)
        abort();
    free(bytes);
    return model;
}

static inline struct vgg_model *make_model(const struct maker_spec *spec)
{
    struct vgg_model *model;
    struct maker maker;

    maker_make(&maker, spec);
    model = load_made(&maker);
    maker_free(&maker);
    return model;
}

static inline struct vgg_image *make_image(uint32_t width, uint32_t height, uint64_t seed)
{
    struct vgg_image *image = vgg_image_create("test", width, height);
    uint8_t *rgb = maker_picture(width, height, seed);

    if (image == NULL)
        abort();
    memcpy(image->pixels, rgb, (size_t)width * height * 3);
    free(rgb);
    return image;
}

/* One picture at a request's scales. */
static inline struct vgg_views *make_views(uint32_t width, uint32_t height, uint64_t seed,
                                           const struct vgg_request *request)
{
    struct vgg_image *image = make_image(width, height, seed);
    struct vgg_views *views = NULL;

    if (vgg_views_create(image, request, &views, NULL) != VGG_OK)
        abort();
    vgg_image_destroy(image);
    return views;
}

/* Views of exactly this size, `scales` times, without rescaling. */
static inline struct vgg_views *exact_views(uint32_t width, uint32_t height, size_t scales,
                                            bool flip)
{
    struct vgg_views *views = calloc(1, sizeof *views);

    if (views == NULL)
        abort();
    views->flip = flip;
    for (; views->scales_n < scales; views->scales_n++)
        views->images[views->scales_n] = make_image(width, height, views->scales_n);
    return views;
}

static inline struct vgg_engine *make_engine(const struct vgg_engine_options *options)
{
    struct vgg_engine *engine = NULL;

    if (vgg_engine_create(options, &engine, NULL) != VGG_OK)
        abort();
    return engine;
}

/* A gate in on_batch: while it is closed, the engine's thread stays at the end of a pass. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    bool closed, occupied;
    size_t passes, views;
    uint64_t macs;
    size_t batches[64]; /* views of each pass */
};

static inline void gate_init(struct gate *gate)
{
    memset(gate, 0, sizeof *gate);
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->moved, NULL);
}

static inline void gate_pass(void *user, const struct vgg_model *model, size_t views, uint64_t macs,
                             uint64_t duration_ns)
{
    struct gate *gate = user;

    (void)model, (void)duration_ns;
    pthread_mutex_lock(&gate->mutex);
    if (gate->passes < sizeof gate->batches / sizeof *gate->batches)
        gate->batches[gate->passes] = views;
    gate->passes++;
    gate->views += views;
    gate->macs += macs;
    gate->occupied = true;
    pthread_cond_broadcast(&gate->moved);
    while (gate->closed)
        pthread_cond_wait(&gate->moved, &gate->mutex);
    gate->occupied = false;
    pthread_mutex_unlock(&gate->mutex);
}

static inline void gate_set(struct gate *gate, bool closed)
{
    pthread_mutex_lock(&gate->mutex);
    gate->closed = closed;
    pthread_cond_broadcast(&gate->moved);
    pthread_mutex_unlock(&gate->mutex);
}

/* Until a pass stands at the closed gate. */
static inline void gate_await(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    while (!gate->occupied || !gate->closed)
        pthread_cond_wait(&gate->moved, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

#endif
