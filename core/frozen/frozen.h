/*
 * What the frozen layers of a base compute of pictures, by the engine: features of each view, or
 * the map of a block of convolutions. Path of a training on a base: data/dataset.c -> [this] ->
 * fit/fit.c (features), backprop/network.c (maps).
 */
#ifndef VGG_CORE_FROZEN_FROZEN_H
#define VGG_CORE_FROZEN_FROZEN_H

#include "base/team.h"
#include "frozen/parts.h"

struct vgg_frozen_options {
    /*
     * A whole model gives features: the mean over positions of its last hidden layer. One of its
     * first blocks (vgg_model_load_source) gives the last map, of crops only.
     */
    struct vgg_model *model;
    struct vgg_engine *engine; /* whose largest view holds every view (vgg_frozen_pixels) */
    struct vgg_team *team;
    const struct vgg_frozen_part *parts; /* at most VGG_SCALES_MAX; not needed after init */
    size_t parts_n;
    const char *cache; /* a directory (vgg_cache_open), or NULL */
    bool in_files;     /* values stay in the cache, for vgg_frozen_view: too many for memory */
    bool half;         /* of maps: in memory they are rounded to half precision, which is as good as
                          the noise of training; values over 65504 become that */
    /* Called by the caller's thread; may be NULL. */
    void (*on_views)(void *user, size_t done, size_t views); /* a picture is done */
    void (*on_unwritten)(void *user, const char *reason); /* once: the cache cannot be written to */
    bool (*stop)(void *user);                             /* asked after each picture */
    void *user;
};

struct vgg_frozen {
    struct vgg_frozen_options options;
    struct vgg_frozen_part parts[VGG_SCALES_MAX];
    const struct vgg_example *const *pictures; /* [pictures_n], the caller's */
    size_t pictures_n;
    size_t views;      /* of a picture, mirror images among them: part by part */
    size_t floats;     /* of a view: features, or [channels][side][side] of a map */
    float *values;     /* [pictures_n][views][floats]; owned; NULL where they are elsewhere: */
    uint16_t *halves;  /* the same in half precision, or, where both are NULL, in files */
    uint8_t *absent;   /* [pictures_n]: bit `part` set where it is still to be computed; owned */
    size_t next;       /* picture to be computed */
    size_t done;       /* views that are there, of pictures_n * views */
    size_t cached;     /* of these, found in the cache */
    uint64_t macs;     /* of those that are to be computed */
    uint64_t macs_max; /* of a picture */
    bool unwritten;
};

/*
 * Bytes that init and compute take at most: values, pictures under way, and what the engine grows
 * by on `net` with this limit of pixels; of these *held afterwards (NULL: nobody asks).
 */
uint64_t vgg_frozen_bytes(const struct vgg_net *net, const struct vgg_frozen_options *options,
                          uint64_t pixels_max, unsigned threads,
                          const struct vgg_example *const *pictures, size_t n, uint64_t *held);

/*
 * Make room, and find what is in the cache. `pictures` must outlive *frozen. Errors: NO_MEMORY;
 * *frozen is then empty.
 */
enum vgg_status vgg_frozen_init(struct vgg_frozen *frozen, const struct vgg_frozen_options *options,
                                const struct vgg_example *const *pictures, size_t n,
                                struct vgg_error *error);

/*
 * Compute the next so many pictures that have absent views; all of them with SIZE_MAX. The same
 * bits whatever the cache held, for any number of threads. Errors: IO, BAD_IMAGE and so on of a
 * picture that has vanished or changed (the text names it), BAD_MODEL (a broken base), NO_MEMORY,
 * CANCELLED (by `stop`), IO (in_files, and the cache cannot be written to).
 */
enum vgg_status vgg_frozen_compute(struct vgg_frozen *frozen, size_t pictures,
                                   struct vgg_error *error);

/*
 * The same of the first pictures, which tell how long the others will take: *rate is the seconds of
 * a multiply-accumulate; 0 where there was none to compute.
 */
enum vgg_status vgg_frozen_measure(struct vgg_frozen *frozen, size_t pictures, double *rate,
                                   struct vgg_error *error);

/* The mean of a picture's views, as vgg_job_features has it: out[floats]. */
void vgg_frozen_mean(const struct vgg_frozen *frozen, size_t picture, float *out);

/*
 * One view of a picture, wherever it is kept: out[floats]. Errors: IO (in files: not there, or
 * damaged since). Thread-safe.
 */
enum vgg_status vgg_frozen_view(const struct vgg_frozen *frozen, size_t picture, size_t view,
                                float *out, struct vgg_error *error);

void vgg_frozen_fini(struct vgg_frozen *frozen);

#endif
