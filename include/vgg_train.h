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

/* What keeps the weights of a base (vgg_train_options.base). */
enum vgg_freeze {
    VGG_FREEZE_NONE,    /* nothing: every layer trains */
    VGG_FREEZE_BLOCKS,  /* the first freeze_blocks of the five blocks of convolutions */
    VGG_FREEZE_CONVS,   /* all convolutions: the FC layers train */
    VGG_FREEZE_FEATURES /* all but the last layer, which is fitted to convergence */
};

/* What training will do, known before it begins. */
struct vgg_train_plan {
    enum vgg_freeze freeze;
    size_t pictures, validation, classes; /* validation is 0 where folds are left out in turn */
    uint32_t folds;                       /* 0: none */
    size_t views;                         /* of a picture that the frozen layers compute */
    size_t cached;                        /* of all views, those that need no computing */
    double seconds;                       /* predicted, by what was measured of its parts */
    uint64_t bytes;                       /* of memory, predicted; with the decoded pictures */
};

/* The frozen layers have computed so many views. */
struct vgg_train_features {
    size_t done, views;
    double seconds_left; /* of the whole training, predicted; 0: not known */
};

/* A narrow network is being fitted to the layers of a wider base. */
struct vgg_train_narrowing {
    uint32_t width, base_width; /* channels of the first layer */
    double done;                /* part of the work; 1: the end */
    double seconds_left;        /* of the whole training, predicted; 0: not known */
    size_t layers;              /* convolutions that are fitted, in order; at the end all */
    const double *explained;    /* [layers]: the part, 0..1, of the variance of the base's channels
                                   that each gives; valid during the call */
};

/* What became of one picture, for a report. */
struct vgg_train_picture {
    const char *path;
    uint32_t label;         /* its class; UINT32_MAX: of _unknown */
    bool validation;        /* not trained on */
    const float *posterior; /* [classes], of a network or layer that has not seen it; NULL: none */
    double typicality;      /* in 0..1, so too; below 0: none */
    size_t group;           /* exact and near duplicates share one */
    bool copy;              /* an exact duplicate of an earlier picture */
};

/* A step is done. */
struct vgg_train_progress {
    uint32_t epoch, epochs; /* of which; from 1 on */
    uint32_t step, steps;   /* of this epoch */
    double loss;            /* mean of the epoch so far */
    double images_per_second;
    double seconds_left; /* of the whole training, predicted; at most, where the rate may drop */
    double best_error;   /* of an earlier epoch, or the start, in validation; below 0: none yet */
};

/* An epoch is done, or, of frozen layers, their last layer is fitted: epoch 0. */
struct vgg_train_epoch {
    uint32_t epoch;
    double rate;                              /* 0 of epoch 0 */
    double loss, error;                       /* on the crops trained on: mean loss, top-1 error;
                                                 NaN of epoch 0 */
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

    /*
     * The base: any model file. Its configuration, widths, crop, preprocessing and test scales are
     * taken unless given here, its classes never. A width below the base's is for VGG_FREEZE_NONE:
     * a network of that width, its other layers as much narrower, whose convolutions are fitted to
     * the base's on the training pictures, by least squares; its FC layers are new, its
     * preprocessing is that of the pictures, and its crop may be smaller.
     */
    const char *base;       /* its path, or the name of base_bytes; NULL: none */
    const void *base_bytes; /* the file in memory, or NULL; not needed after the call */
    size_t base_size;
    enum vgg_freeze freeze;
    uint32_t freeze_blocks;     /* 1 to 4, of VGG_FREEZE_BLOCKS */
    const char *features_cache; /* directory for what the frozen layers compute, or NULL: memory */
    /*
     * A model of the same classes, or NULL: 0.7 of each target is its posterior, softened by a
     * temperature of 2, the rest the label. It looks at each crop, at its own size where that is
     * larger; the crops are then those of 32 epochs, over and over. Where layers are frozen it
     * looks at whole pictures, at its scales with mirrors.
     */
    const char *teacher;

    /*
     * The data. On a base scales are the ends of its test scales; where layers are frozen, the
     * least and 5/4 of it, of which they are shown crops: one in the middle, or, of less than 2/3
     * of the shorter side, one in each corner. A crop is as much of the least as 224 pixels of 256,
     * and at least the base's own.
     */
    const char *validation; /* a directory like `dir`, or NULL: a part of that is split off, or, of
                               VGG_FREEZE_FEATURES where it had fewer than 200 pictures or a class
                               has fewer than 30, pictures are left out in turn */
    double validation_fraction;    /* of each class, then [0.1]; not below 0 */
    uint32_t scale_min, scale_max; /* shorter side of a picture before the crop [256 to 512] */
    uint32_t validation_scale;     /* [halfway between them] */
    double colour;                 /* deviation of the colour shift [0.1]; below 0: none */
    bool no_mirror;
    bool turn;      /* crops are turned too, by any multiple of 90 degrees */
    double squeeze; /* one side of a picture loses up to this part, before the crop; 0: none */
    double mixup;   /* crops are mixed in pairs, by shares of Beta(mixup, mixup); 0: none, to 1 */
    double erase;   /* probability that a rectangle of a crop is erased; 0: none */
    bool balance;   /* weigh classes by their rarity */
    uint64_t cache_bytes; /* of decoded pictures to keep in memory */

    /*
     * The descent. An epoch's pictures are divided evenly among its steps. On a base other defaults
     * hold: batches of 32, of VGG_FREEZE_CONVS 128, 12 epochs, a rate of 0.001, of a narrower
     * network 0.01 with batch_norm and 0.003 without, by the cosine unless patience or drops are
     * given, dropout 0.3, smoothing 0.05; its last layer begins fitted to what frozen layers give.
     * With batch_norm, a pass over the pictures makes that begin as the base.
     */
    uint32_t batch;    /* [256] */
    uint32_t epochs;   /* at most so many [74] */
    uint32_t patience; /* epochs without a better validation before the rate drops [10] */
    uint32_t drops;    /* divisions of the rate by 10, after which training ends [3] */
    double rate;       /* [0.01]; not below 0 */
    double momentum;   /* [0.9]; below 0: none */
    double decay;      /* [5e-4]; below 0: none */
    double smoothing;  /* part of each target that is spread over all classes [0]; below 0: none */
    bool cosine; /* the rate falls to 0 by half a cosine over the epochs; no patience, drops */
    uint64_t seed;
    unsigned threads; /* 0: vgg_threads_default(); changes no result */

    /* The files. */
    const char *output;          /* the best model so far */
    const char *checkpoint;      /* the state, on a stop and after each epoch, with frozen layers
                                    after the best so far; gone when all is done */
    const char *log;             /* a line of JSON for each epoch, or NULL */
    const char *validation_list; /* the paths of the validation pictures, a line each, or NULL;
                                    refused where pictures are left out in turn */
    bool resume;      /* go on from the checkpoint, which must be of these options and data */
    bool half;        /* weights of the model file in F16 */
    const char *name; /* of the model ["D-64", by configuration and width] */
    uint32_t scales[VGG_SCALES_MAX]; /* test scales in the model file's metadata [those trained on:
                                        the ends and the middle, or about a fixed one, by 32] */
    size_t scales_n;

    /* Called by the caller's thread; may be NULL. */
    /* on_skip: a picture, or what might be one, is left out. on_ignore: so is anything else that
     * the directories hold, and a class without pictures. */
    void (*on_skip)(void *user, const char *path, const char *reason);
    void (*on_ignore)(void *user, const char *path, const char *reason);
    /* The features cache cannot be written to: the next training computes once more. Told once. */
    void (*on_unwritten)(void *user, const char *reason);
    /* Once, before the work; a failure ends it. */
    enum vgg_status (*on_plan)(void *user, const struct vgg_train_plan *plan,
                               struct vgg_error *error);
    void (*on_features)(void *user, const struct vgg_train_features *features);
    void (*on_narrowing)(void *user, const struct vgg_train_narrowing *narrowing);
    /* At the end, the names of the classes, and then what became of each picture. */
    void (*on_classes)(void *user, const char *const *classes, size_t classes_n);
    void (*on_picture)(void *user, const struct vgg_train_picture *picture);
    void (*on_step)(void *user, const struct vgg_train_progress *progress);
    void (*on_epoch)(void *user, const struct vgg_train_epoch *epoch);
    bool (*stop)(void *user); /* asked after each step: true saves the state and ends; also while
                                 pictures are read, and compared, and go through the base or a
                                 network that is fitted to it */
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
    uint32_t best_epoch; /* that the file holds; 0: what was begun with, its last layer fitted */
    double best_error, best_loss; /* its validation; best_error below 0: there was none */
    /* Of left-out posteriors as they are served; below 0: not measured. */
    size_t measured;                  /* pictures */
    double error;                     /* top-1 */
    double nll[2], ece[2], ece_noise; /* before and after the temperature; of a calibrated model */
    double temperature;               /* 0: none fitted */
    double strength;                  /* of L2, of VGG_FREEZE_FEATURES */
    size_t typicality;                /* known distances in the file; 0: none */
    char typicality_reason[128];      /* why there are none */
    size_t unknown;                   /* pictures of _unknown */
    double unknown_auroc, unknown_caught; /* of these, at the reject level; below 0: none */
    double reject; /* level of typicality in the file; vgg_reject_level makes it the one in force */
};

/*
 * Train on DIR/class/picture and write the model of least validation error (of equal ones, least
 * loss); with VGG_FREEZE_FEATURES that of the last layer which left-out pictures choose, on the
 * base's own bytes. The same options, data and kernels give the same bits, also when stopped and
 * resumed. Errors: BAD_ARGUMENT (no dir or output, no checkpoint but with VGG_FREEZE_FEATURES;
 * options, also those that differ from the base; data; a checkpoint of others), IO (the old files
 * stay whole), NO_MEMORY, BAD_MODEL (a broken base, init_from or checkpoint; training diverged),
 * CANCELLED (by `stop`; what is in a features cache stays). *result is filled in any case.
 */
enum vgg_status vgg_train(const char *dir, const struct vgg_train_options *options,
                          struct vgg_train_result *result, struct vgg_error *error);

/*
 * The width of a base (options->base, base_bytes), by its header alone. Errors: as vgg_model_load,
 * and BAD_ARGUMENT where options->width and freeze do not suit it.
 */
enum vgg_status vgg_train_base_width(const struct vgg_train_options *options, uint32_t *width,
                                     struct vgg_error *error);

#ifdef __cplusplus
}
#endif

#endif
