/*
 * One image through the library: decode, rescale, submit, wait. Shared by the server's workers,
 * `vgg classify` and `vgg eval`, so that all give the same answer.
 */
#ifndef EVALUATION_H
#define EVALUATION_H

#include "answer/problem.h"

enum { EVALUATION_MAP_CLASSES = 100 }; /* a map of more would be megabytes of text */

/* What a request asks for, checked. */
struct evaluation_params {
    struct vgg_request request; /* scales and flip, complete */
    uint32_t grid;              /* crops a side of each scale; 0: whole views */
    uint32_t top_k;
    bool views;    /* show each view's top-k */
    bool map;      /* show each view's class score map, of at most EVALUATION_MAP_CLASSES classes */
    bool features; /* show the image features */
    double reject; /* level of typicality below which a picture is unknown; 0: the model's */
};

/* Is the picture like those that the model knows? */
struct evaluation_typicality {
    double p;      /* vgg_job_typicality; 0: none, and the rest says nothing */
    double reject; /* the level that decides */
    bool known;
};

/* One image on its way. Zero-initialise. */
struct evaluation {
    const uint8_t *bytes; /* encoded; the caller's */
    size_t size;
    const void *pixels;         /* or the input itself, [3][height][width] floats; the caller's */
    struct vgg_image_info info; /* after evaluation_check; of pixels before it */
    bool failed;
    struct problem problem; /* if failed */
    struct vgg_job *job;    /* after evaluation_begin */
    uint64_t macs;          /* after evaluation_check */
    uint64_t view_pixels;   /* of the picture at all scales; after evaluation_check */
    struct evaluation_typicality typicality; /* after evaluation_end */
    uint64_t begun_ns, submitted_ns;
    uint64_t decode_ns, rescale_ns, wait_ns, infer_ns;
};

/* Scales for `model` where the request names none; all of it must suit the model. */
bool evaluation_params_complete(struct evaluation_params *params, const struct vgg_model *model,
                                const uint32_t *scales, size_t scales_n, struct problem *problem);

/* Why no picture asked about with these complete parameters has typicality; NULL: each has. */
const char *evaluation_objection(const struct evaluation_params *params,
                                 const struct vgg_model *model);

/* Header, limits and cost; cheap. Marks the evaluation failed where something is wrong. */
void evaluation_check(struct evaluation *evaluation, const struct vgg_model *model,
                      const struct evaluation_params *params, const struct vgg_image_limits *limits,
                      uint64_t view_pixels_max);

/*
 * Decode, rescale and submit. Gives up where the deadline of `options` passes meanwhile
 * (PROBLEM_DEADLINE), or where `options` say that nobody waits any more (PROBLEM_DRAINING). Does
 * nothing where the evaluation has failed already.
 */
void evaluation_begin(struct evaluation *evaluation, struct vgg_engine *engine,
                      struct vgg_model *model, const struct evaluation_params *params,
                      const struct vgg_image_limits *limits, const struct vgg_job_options *options);

/* Wait for the result. Does nothing where the evaluation has failed already. */
void evaluation_end(struct evaluation *evaluation);

void evaluation_fini(struct evaluation *evaluation);

#endif
