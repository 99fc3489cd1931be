/*
 * What POST /v2/models/{model}/infer asks for (Open Inference Protocol v2 with Triton's binary-data
 * and classification extensions). What the body holds stays there where it can.
 */
#ifndef V2_REQUEST_H
#define V2_REQUEST_H

#include "process/options.h"
#include "text/json_reader.h"

/* Names that /v2/models/{model} shows. */
#define V2_IMAGE "image"           /* BYTES [N] or [N,1]: encoded pictures */
#define V2_PIXELS "pixels"         /* FP32 [N,3,H,W]: normalised, in the model's channel order */
#define V2_POSTERIORS "posteriors" /* FP32 [N,classes], or BYTES [N,k] */
#define V2_FEATURES "features"     /* FP32 [N,features]: image features, where asked for */
#define V2_TYPICALITY "typicality" /* FP32 [N,1], where asked for; of models that have it */
#define V2_KNOWN "known"           /* BOOL [N,1]: it is not below the reject level; likewise */

/* One picture of a batch. */
struct v2_item {
    const uint8_t *bytes; /* encoded; or NULL */
    size_t size;
    const void *pixels; /* [3][height][width] floats at any address; or NULL */
    char *decoded;      /* owned; what `bytes` points to if it came as base64 */
};

/* Of models without typicality the first two. */
enum v2_output_kind {
    V2_OUTPUT_POSTERIORS,
    V2_OUTPUT_FEATURES,
    V2_OUTPUT_TYPICALITY,
    V2_OUTPUT_KNOWN,
    V2_OUTPUTS_N
};

extern const char *const v2_output_names[V2_OUTPUTS_N];

/* One output of the answer. */
struct v2_output {
    enum v2_output_kind kind;
    bool binary;             /* as binary data */
    uint64_t classification; /* 0: posteriors; else that many classes */
};

/* Zero-initialise. */
struct v2_request {
    struct json_slice id; /* as it stands in the body; bytes NULL: none */
    struct option_scales scales;
    bool has_flip, flip;
    double reject;       /* 0: the model's */
    uint64_t timeout_us; /* 0: none */

    struct v2_item *items; /* owned */
    size_t n;
    uint32_t width, height; /* of pixels */
    float *values;          /* owned; pixels that came as JSON */

    bool binary;                            /* outputs as binary data unless they say otherwise */
    struct v2_output outputs[V2_OUTPUTS_N]; /* each kind at most once, in the order asked for */
    size_t outputs_n;                       /* at least 1 */
};

/* Is an output of that kind asked for? */
bool v2_request_wants(const struct v2_request *request, enum v2_output_kind kind);

void v2_request_fini(struct v2_request *request);

#endif
