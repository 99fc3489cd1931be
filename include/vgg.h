/*
 * libvgg: VGG-16/19 image classification on CPUs by the test protocol of Simonyan & Zisserman,
 * "Very Deep Convolutional Networks for Large-Scale Image Recognition" (arXiv 1409.1556): the image
 * is rescaled to several sizes, each size and its mirror image (a "view") goes through the network
 * as a fully-convolutional one, and the soft-max posteriors of all views are averaged.
 *
 * The path of one image:
 *
 *     vgg_image_peek -> vgg_request_check -> vgg_image_decode -> vgg_views_create
 *         -> vgg_engine_submit -> vgg_job_wait -> vgg_job_posterior, vgg_top_k
 *
 * Functions that can fail return a status. Where they take a `struct vgg_error *` (which may be
 * NULL) they also describe the failure in one line of text; a status is never stored twice: the
 * first error wins. No function writes to standard output or ends the process.
 */
#ifndef VGG_H
#define VGG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgg_image.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VGG_VERSION "0.1.0"

/* ---------------------------------------------------------------- models --------------------- */

/* How weights are held and what their products are summed in. */
enum vgg_precision {
    VGG_PRECISION_F32, /* floats */
    VGG_PRECISION_I8,  /* 8 bits with scales, exact sums; the first layer in floats */
    VGG_PRECISION_AUTO /* to ask for: I8 where this machine has kernels for it, else F32 */
};

/* A loaded network: immutable, reference-counted, shared freely between threads. */
struct vgg_model;

/* What a model says of itself. All pointers live as long as the model. */
struct vgg_model_info {
    const char *name;
    const char *arch;    /* column of the paper's table 1: "A", "A-LRN", "B", "C", "D" or "E" */
    const char *version; /* "sha256:" and 64 hexadecimal digits of the whole file */
    bool trained;
    bool batch_norm;   /* the file held batch-norm, folded into the convolutions */
    const char *dtype; /* of the file's weights: "F32", "F16", "BF16" or "mixed" */
    uint32_t classes;
    uint32_t features;   /* units of the last hidden layer */
    uint32_t crop;       /* pixels: the side that gives one position (224 for the published nets) */
    uint64_t parameters; /* weights and biases of the network as evaluated */
    uint64_t file_bytes;
    uint64_t memory_bytes;           /* weights and biases as they are held */
    uint32_t scales[VGG_SCALES_MAX]; /* default test scales, ascending */
    size_t scales_n;
    double mean[3]; /* on the 0-1 range, in channel order */
    double std[3];
    const char *channels;   /* "RGB" or "BGR" */
    const char *kernel;     /* the kernels that will run it: "portable", ... */
    const char *precision;  /* of those: "f32" or "i8" */
    const char *fc_weights; /* how FC weights are held: as `precision` says, or "f16" */
    uint32_t typicality;    /* known distances (vgg_typicality.h); 0: it has no typicality */
    double reject;          /* the level of vgg_reject_level; 0: likewise */
};

/* One convolution; FC layers are convolutions whose kernel covers the map. */
struct vgg_layer_info {
    const char *name; /* "conv3_1", "fc6" */
    uint32_t in, out; /* channels */
    uint32_t kernel;  /* side of the square kernel */
    bool lrn;         /* local response normalisation follows the ReLU */
    bool pool;        /* 2x2 max-pool, stride 2, follows */
    uint64_t parameters;
};

/* How to load; NULL stands for all zero. What is loaded does not depend on the threads. */
struct vgg_load_options {
    unsigned threads; /* that check and pack, the caller's among them; 0: vgg_threads_default() */
    enum vgg_precision precision; /* of the kernels that it is packed for */
    bool fc_half;        /* FC layers' weights in half precision; with VGG_PRECISION_F32 alone */
    uint64_t memory_max; /* bytes that loading may take; more is NO_MEMORY. 0: no limit */
    /* Called after each chunk of work, by the caller's thread: may sleep; false gives up. */
    bool (*on_chunk)(void *user);
    void *user;
};

/*
 * Load a safetensors file (F32, F16, BF16; torchvision and timm tensor names, batch-norm folded).
 * The file is read once, front to back, and hashed, checked and packed on the way; it must not
 * change meanwhile and is not needed afterwards. The model's name is what its metadata say, else
 * the file's without ".safetensors". Errors: IO (missing, unreadable, not a regular file, changed
 * while read), BAD_MODEL (anything wrong in it; the text names tensor and reason), NO_MEMORY,
 * CANCELLED (by on_chunk), BAD_ARGUMENT (no path; no kernels of that precision on this machine, or
 * none that VGG_KERNELS in the environment names; fc_half with another precision; too many
 * threads). The caller owns one reference. Thread-safe.
 */
enum vgg_status vgg_model_load(const char *path, const struct vgg_load_options *options,
                               struct vgg_model **model, struct vgg_error *error);

/* The same for an open file, from its beginning; fd stays the caller's, `path` names it. */
enum vgg_status vgg_model_load_fd(int fd, const char *path, const struct vgg_load_options *options,
                                  struct vgg_model **model, struct vgg_error *error);

/* The same for a file held in memory, called `name`; `bytes` is not needed after the call. */
enum vgg_status vgg_model_load_memory(const void *bytes, size_t size, const char *name,
                                      const struct vgg_load_options *options,
                                      struct vgg_model **model, struct vgg_error *error);

/* Take and drop a reference; the last one frees the model. NULL is allowed. Thread-safe. */
struct vgg_model *vgg_model_retain(struct vgg_model *model);
void vgg_model_release(struct vgg_model *model);

const struct vgg_model_info *vgg_model_get_info(const struct vgg_model *model);

/* Class `index`: its id ("n02123045") and label; NULL where the model has none. */
void vgg_model_get_label(const struct vgg_model *model, uint32_t index, const char **id,
                         const char **label);

size_t vgg_model_layer_count(const struct vgg_model *model);
/* All zero from `index` vgg_model_layer_count on. */
struct vgg_layer_info vgg_model_get_layer(const struct vgg_model *model, size_t index);

/* Multiply-accumulates of one view of width x height pixels, as direct convolution. */
uint64_t vgg_model_view_macs(const struct vgg_model *model, uint32_t width, uint32_t height);

/* A new, untrained network for vgg_model_init_file. Zero fields take the value in brackets. */
struct vgg_init_options {
    const char *arch; /* "A" .. "E" ["D"] */
    uint32_t width;   /* channels of the first convolution [64]; stages have 1, 2, 4, 8, 8 of it */
    uint32_t fc;      /* units of the two hidden FC layers [4096] */
    uint32_t classes; /* [1000] */
    uint32_t crop;    /* pixels, a multiple of 32 [224] */
    uint64_t seed;    /* any; the same seed gives the same bytes */
};

/*
 * Write an F32 safetensors file with seeded He-normal weights and zero biases, marked untrained.
 * The file appears under its name only when it is whole; an older one is replaced then. Errors:
 * BAD_ARGUMENT, IO (the text says what: a full disk leaves nothing behind), NO_MEMORY.
 */
enum vgg_status vgg_model_init_file(const char *path, const struct vgg_init_options *options,
                                    struct vgg_error *error);

/* The same network in memory. Errors: BAD_ARGUMENT, NO_MEMORY. The caller owns one reference. */
enum vgg_status vgg_model_init(const struct vgg_init_options *options,
                               const struct vgg_load_options *load, struct vgg_model **model,
                               struct vgg_error *error);

/* ---------------------------------------------------------------- requests ------------------- */

/* What to compute of one image. */
struct vgg_request {
    uint32_t scales[VGG_SCALES_MAX]; /* shorter sides in pixels, ascending, distinct */
    size_t scales_n;                 /* at least 1 */
    bool flip;                       /* the mirror image of each scale is evaluated too */
    /* As those of vgg_image_limits, asked while pictures are rescaled. */
    enum vgg_status (*poll)(void *user);
    void *user;
};

/*
 * Check a request against a model and a picture of width x height, before any decoding, and
 * predict its cost: *macs is the number of multiply-accumulates over all views. Errors:
 * BAD_ARGUMENT (no scales or too many, one below the model's crop or over VGG_SCALE_MAX, a side of
 * 0), TOO_LARGE (a view of more than view_pixels_max pixels). Pure; thread-safe.
 */
enum vgg_status vgg_request_check(const struct vgg_model *model, const struct vgg_request *request,
                                  uint32_t width, uint32_t height, uint64_t view_pixels_max,
                                  uint64_t *macs, struct vgg_error *error);

/* Sort and de-duplicate scales[n] in place and return how many are left. Pure. */
size_t vgg_scales_normalise(uint32_t *scales, size_t n);

/* An image rescaled to each scale of a request, ready for the network. */
struct vgg_views;

/*
 * Rescale `image` for each scale of `request`. The image stays the caller's and is not needed
 * afterwards. Errors: BAD_ARGUMENT (no scales or too many, one of 0), TOO_LARGE (as
 * vgg_image_rescale), NO_MEMORY, what request->poll says. The caller owns *views. Thread-safe.
 */
enum vgg_status vgg_views_create(const struct vgg_image *image, const struct vgg_request *request,
                                 struct vgg_views **views, struct vgg_error *error);

/*
 * Multi-crop evaluation (paper, section 3.2) instead: of each scale grid x grid crops of crop x
 * crop pixels, evenly spaced from edge to edge, row by row. Those that coincide are computed once.
 * Errors: also BAD_ARGUMENT for a crop not in 1..scale and a grid not in 1..32.
 */
enum vgg_status vgg_views_create_crops(const struct vgg_image *image,
                                       const struct vgg_request *request, uint32_t crop,
                                       uint32_t grid, struct vgg_views **views,
                                       struct vgg_error *error);

/*
 * One view that is already what the network takes: floats [3][height][width] at any address,
 * normalised, in the model's channel order. They are copied. Errors: BAD_ARGUMENT (a side of 0, a
 * value that is not finite), NO_MEMORY. The caller owns *views. Thread-safe.
 */
enum vgg_status vgg_views_create_input(const void *input, uint32_t width, uint32_t height,
                                       struct vgg_views **views, struct vgg_error *error);
void vgg_views_destroy(struct vgg_views *views);

/* ---------------------------------------------------------------- the engine ----------------- */

/* Threads that this process may keep busy: affinity mask and cgroup quota (v1, v2), at least 1. */
unsigned vgg_threads_default(void);

struct vgg_engine_options {
    unsigned threads;         /* 0: vgg_threads_default() */
    uint64_t view_pixels_max; /* pixels of the largest view, and of a batch of views; 0: 1 Mi */
    /* Told of each computed pass, less what ran between its layers, on the engine's thread. */
    void (*on_batch)(void *user, const struct vgg_model *model, size_t views, uint64_t macs,
                     uint64_t duration_ns);
    void *user;
};

/*
 * The executor: its threads work together on one pass at a time, a batch of views of equal shape
 * from any jobs. Of the jobs whose predicted work is at most twice the least, the first submitted
 * has the next pass; it may be computed between two layers of a larger pass. A fifth of the work
 * goes to the oldest job whatever its size. So a job ends before the engine has done five times the
 * work submitted up to it and four times its last pass. For any models and submitting threads.
 */
struct vgg_engine;

/* `options` may be NULL. Errors: BAD_ARGUMENT (over 65535 threads), NO_MEMORY (for threads too). */
enum vgg_status vgg_engine_create(const struct vgg_engine_options *options,
                                  struct vgg_engine **engine, struct vgg_error *error);

/* Stop and free. Every job must have been waited for. NULL is allowed. */
void vgg_engine_destroy(struct vgg_engine *engine);

/*
 * Allocate what the largest view needs on `model`, so that no later job can fail for want of it.
 * Errors: NO_MEMORY. Thread-safe; waits for the pass under way.
 */
enum vgg_status vgg_engine_reserve(struct vgg_engine *engine, const struct vgg_model *model,
                                   struct vgg_error *error);

/* Bytes that would add to what the engine has. */
uint64_t vgg_engine_reserve_bytes(struct vgg_engine *engine, const struct vgg_model *model);

/*
 * Evaluate a fixed picture at the model's first scale: a model that has passed gives finite scores,
 * and its weights and working memory have been touched. Errors: BAD_MODEL, NO_MEMORY. Thread-safe.
 */
enum vgg_status vgg_engine_canary(struct vgg_engine *engine, struct vgg_model *model,
                                  struct vgg_error *error);

/* How long a job may take and what it is a part of. Zeros do; the callbacks must not block. */
struct vgg_job_options {
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; what is not computed by then is dropped; 0: none */
    uint64_t macs;        /* of all jobs it belongs with, for its turn; 0: it stands alone */
    /* Polled before each pass and between layers; true drops the job. */
    bool (*cancelled)(void *user);
    /* A view is computed. */
    void (*on_view)(void *user, uint64_t macs);
    /* vgg_job_wait will return at once. Must not call the engine. */
    void (*on_done)(void *user);
    void *user;      /* of the callbacks, which the engine's thread calls */
    bool maps;       /* keep the class score maps, for vgg_job_map */
    bool features;   /* keep the image features, for vgg_job_features */
    bool typicality; /* compute it, for vgg_job_typicality (vgg_typicality.h) */
};

/*
 * Is a job of these options still wanted? CANCELLED, DEADLINE where it has passed by now_ns
 * (CLOCK_MONOTONIC), or OK. Calls `cancelled`.
 */
enum vgg_status vgg_job_verdict(const struct vgg_job_options *options, uint64_t now_ns);

/* One image's views on their way through the engine, then its posteriors. */
struct vgg_job;

/*
 * Queue `views` for evaluation on `model` (retained meanwhile). On success the job owns the views;
 * on failure they stay the caller's. Errors: BAD_ARGUMENT (a view below the model's crop or over
 * the engine's limit), NO_MEMORY. Thread-safe, never blocks on compute.
 */
enum vgg_status vgg_engine_submit(struct vgg_engine *engine, struct vgg_model *model,
                                  struct vgg_views *views, const struct vgg_job_options *options,
                                  struct vgg_job **job, struct vgg_error *error);

/*
 * Wait until the job is done. Errors: DEADLINE, CANCELLED, NO_MEMORY, BAD_MODEL (its scores are not
 * finite). Then only destroy it.
 */
enum vgg_status vgg_job_wait(struct vgg_job *job, struct vgg_error *error);

/* Nanoseconds from submission to the first pass that held a view of this job. */
uint64_t vgg_job_wait_ns(const struct vgg_job *job);

/* From there to its end; 0 where it had no pass. */
uint64_t vgg_job_run_ns(const struct vgg_job *job);

/*
 * Posterior [classes] of a finished job: over all views, or of one view alone (`view` counts scale
 * 0 original, scale 0 mirrored, of crops the other crops of scale 0, scale 1 original ...).
 * Computed in double precision and rounded once. NULL for a view there is none of. Valid until
 * vgg_job_destroy.
 */
const float *vgg_job_posterior(const struct vgg_job *job);
size_t vgg_job_view_count(const struct vgg_job *job);
const float *vgg_job_view_posterior(const struct vgg_job *job, size_t view);

/*
 * The class score map of one view: logits [classes][rows][columns], the directions those of the
 * upright picture. Position (r, c) stands for the window of width x height pixels whose corner is
 * at (x + c * step_x, y + r * step_y) of the picture; its convolutions see some way beyond. The
 * soft-max of the mean over positions is the posterior of the view.
 */
struct vgg_score_map {
    uint32_t classes, rows, columns;
    double x, y, width, height, step_x, step_y;
    const float *logits;
};

/* That of a view of a finished job whose options asked for maps, else NULL; valid as above. */
const struct vgg_score_map *vgg_job_map(const struct vgg_job *job, size_t view);

/*
 * At each position the logarithm of the sum of all classes' exponentials, sums[rows][columns]:
 * exp(logit - sum) is a class's soft-max there. Pure.
 */
void vgg_score_map_log_sums(const struct vgg_score_map *map, float *sums);

/*
 * Image features (paper, appendix B): the activations of the last hidden layer, after its ReLU,
 * averaged over positions, then over views as the posterior is; [vgg_model_info.features], rounded
 * once. The paper then scales them to unit length. Of a finished job whose options asked for them;
 * valid until vgg_job_destroy. Else NULL.
 */
const float *vgg_job_features(const struct vgg_job *job);

/* Free a job that was waited for. NULL is allowed. */
void vgg_job_destroy(struct vgg_job *job);

/*
 * Indices of the k best of posterior[classes], descending; ties go to the lower index. k is cut to
 * `classes`. Returns how many were written to top[]. O(classes * log k). Pure.
 */
size_t vgg_top_k(const float *posterior, uint32_t classes, size_t k, uint32_t *top);
/* How many classes that puts before class `index`. Pure. */
uint32_t vgg_class_rank(const float *posterior, uint32_t classes, uint32_t index);

#ifdef __cplusplus
}
#endif

#endif
