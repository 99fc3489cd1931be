/*
 * Training by the recipe of the paper (section 3.1): mini-batch gradient descent with momentum on
 * random crops of rescaled, mirrored, colour-shifted photographs. A part of libvgg beside vgg.h.
 */
#ifndef VGG_TRAIN_H
#define VGG_TRAIN_H

#include "vgg.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How weights begin; biases are zero. */
enum vgg_train_init {
    VGG_TRAIN_HE,      /* normal, variance 2 / inputs of a unit */
    VGG_TRAIN_GLOROT,  /* normal, variance 2 / (inputs + outputs) */
    VGG_TRAIN_GAUSSIAN /* normal, variance 1e-2: the paper's, for its configuration A */
};

/* A step is done. */
struct vgg_train_progress {
    uint32_t epoch, epochs; /* of which; from 1 on */
    uint32_t step, steps;   /* of this epoch */
    double loss;            /* mean of the epoch so far */
    double images_per_second;
    double best_error; /* of an earlier epoch on the validation set; below 0: none yet */
};

/* An epoch is done. */
struct vgg_train_epoch {
    uint32_t epoch;
    double rate;
    double loss, error;                       /* on the crops trained on: mean loss, top-1 error */
    double validation_loss, validation_error; /* dense evaluation at one scale */
    bool best;                                /* it became the model file */
    double seconds;
    const char *json; /* all of that as the log has it, with its newline; valid during the call */
};

/* Zero fields take the value in brackets, where there is one. */
struct vgg_train_options {
    /* The network. */
    const char *arch;         /* "A" .. "E" ["D"] */
    uint32_t width, fc, crop; /* as in vgg_init_options [64, 4096, 224] */
    bool batch_norm;          /* after each convolution; folded into it in the model file */
    enum vgg_train_init init;
    const char *init_from; /* a model to begin with, or NULL: of another configuration its first
                              four convolutions and FC layers, of the same one all */
    double dropout;        /* of the two hidden FC layers [0.5]; below 0: none */

    /* The data. */
    const char *validation;     /* a directory like `dir`, or NULL: a part of that is split off */
    double validation_fraction; /* of each class, then [0.1]; not below 0 */
    uint32_t scale_min, scale_max; /* shorter side of a picture before the crop [256 to 512] */
    uint32_t validation_scale;     /* [halfway between them] */
    double colour;                 /* deviation of the colour shift [0.1]; below 0: none */
    bool no_mirror;
    uint64_t cache_bytes; /* of decoded pictures to keep in memory */

    /* The descent. */
    uint32_t batch;    /* [256] */
    uint32_t epochs;   /* at most so many [74] */
    uint32_t patience; /* epochs without a better validation before the rate drops [10] */
    uint32_t drops;    /* divisions of the rate by 10, after which training ends [3] */
    double rate;       /* [0.01]; not below 0 */
    double momentum;   /* [0.9]; below 0: none */
    double decay;      /* [5e-4]; below 0: none */
    uint64_t seed;
    unsigned threads; /* 0: vgg_threads_default(); changes no result */

    /* The files. */
    const char *output;          /* the best model so far */
    const char *checkpoint;      /* the state, after each epoch and on a stop */
    const char *log;             /* a line of JSON for each epoch, or NULL */
    const char *validation_list; /* the paths of the validation pictures, a line each, or NULL */
    bool resume;      /* go on from the checkpoint, which must be of these options and data */
    bool half;        /* weights of the model file in F16 */
    const char *name; /* of the model ["D-64", by configuration and width] */
    uint32_t scales[VGG_SCALES_MAX]; /* test scales in the model file's metadata */
    size_t scales_n;

    /* Called by the caller's thread; may be NULL. */
    /* on_skip: a picture, or what might be one, is left out. on_ignore: so is anything else that
     * the directories hold, and a class without pictures. */
    void (*on_skip)(void *user, const char *path, const char *reason);
    void (*on_ignore)(void *user, const char *path, const char *reason);
    void (*on_step)(void *user, const struct vgg_train_progress *progress);
    void (*on_epoch)(void *user, const struct vgg_train_epoch *epoch);
    bool (*stop)(void *user); /* asked after each step: true saves the state and ends */
    /*
     * Asked before anything else, of a single crop, and before the network is made, of the batch:
     * training will take so many bytes beside the pictures. A failure ends it.
     */
    enum vgg_status (*on_memory)(void *user, uint64_t bytes, struct vgg_error *error);
    void *user;
};

/* How it ended. */
struct vgg_train_result {
    uint32_t epochs;     /* done */
    uint32_t best_epoch; /* 0: none */
    double best_error, best_loss;
};

/*
 * Train on DIR/class/picture and write the model of least validation error (of equal ones, least
 * loss). The same options, data and kernels give the same bits, also when stopped and resumed.
 * Errors: BAD_ARGUMENT (no dir, output or checkpoint; options, data, a checkpoint of others), IO
 * (the old files stay whole), NO_MEMORY, BAD_MODEL (a broken init_from or checkpoint; training
 * diverged), CANCELLED (by `stop`). *result is filled in any case.
 */
enum vgg_status vgg_train(const char *dir, const struct vgg_train_options *options,
                          struct vgg_train_result *result, struct vgg_error *error);

#ifdef __cplusplus
}
#endif

#endif
