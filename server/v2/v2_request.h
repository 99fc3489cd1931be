/*
 * The body of POST /v2/models/{model}/infer (Open Inference Protocol v2 with Triton's binary-data
 * and classification extensions), read and checked. What it holds stays in the body where it can.
 */
#ifndef V2_REQUEST_H
#define V2_REQUEST_H

#include "answer/problem.h"
#include "process/options.h"
#include "text/json_reader.h"

/* Names that /v2/models/{model} shows. */
#define V2_IMAGE "image"           /* BYTES [N] or [N,1]: encoded pictures */
#define V2_PIXELS "pixels"         /* FP32 [N,3,H,W]: normalised, in the model's channel order */
#define V2_POSTERIORS "posteriors" /* FP32 [N,classes], or BYTES [N,k] */
#define V2_FEATURES "features"     /* FP32 [N,features]: image features, where asked for */

/* One picture of a batch. */
struct v2_item {
    const uint8_t *bytes; /* encoded; or NULL */
    size_t size;
    const void *pixels; /* [3][height][width] floats at any address; or NULL */
    char *decoded;      /* owned; what `bytes` points to if it came as base64 */
};

enum { V2_OUTPUTS_MAX = 2 };

/* One output of the answer. */
struct v2_output {
    bool features;           /* else posteriors */
    bool binary;             /* as binary data */
    uint64_t classification; /* 0: posteriors; else that many classes */
};

/* Zero-initialise. */
struct v2_request {
    struct json_slice id; /* as it stands in the body; bytes NULL: none */
    struct option_scales scales;
    bool has_flip, flip;
    uint64_t timeout_us; /* 0: none */

    struct v2_item *items; /* owned */
    size_t n;
    uint32_t width, height; /* of pixels */
    float *values;          /* owned; pixels that came as JSON */

    bool binary;                              /* outputs as binary data unless they say otherwise */
    struct v2_output outputs[V2_OUTPUTS_MAX]; /* each kind at most once, in the order asked for */
    size_t outputs_n;                         /* at least 1 */
};

/*
 * Read body[size], of which the first json_size bytes are JSON; 0: all of it is one picture. Needs
 * memory of at most twice the body. False with the problem: BAD_PARAMETER, TOO_MANY_IMAGES,
 * NO_MEMORY. The body must stay as long as the request.
 */
bool v2_request_read(struct v2_request *request, const uint8_t *body, size_t size, size_t json_size,
                     size_t images_max, struct problem *problem);

void v2_request_fini(struct v2_request *request);

#endif
