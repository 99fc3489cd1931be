/* Inside v2_body: a tensor of a request, and what is needed while reading one. */
#ifndef V2_TENSOR_H
#define V2_TENSOR_H

#include "answer/problem.h"
#include "v2/v2_request.h"

enum { V2_RANK_MAX = 4 };

/* A checked description of an input. */
struct v2_tensor {
    bool pixels; /* else encoded pictures */
    uint64_t shape[V2_RANK_MAX];
    size_t rank;
    size_t elements;
    struct json_slice data;
    bool is_binary;
    uint64_t binary_size;
};

/* What is needed while reading. */
struct v2_context {
    struct v2_request *request;
    struct json_reader reader; /* of the JSON part; every other one reads the same text */
    const uint8_t *binary;     /* after the JSON */
    size_t binary_size;
    size_t images_max;
    struct v2_tensor tensor; /* the input; request->n is not 0 once it is there */
    struct problem *problem;
};

/* Each sets the problem and returns false. */
bool v2_refuse(struct v2_context *context, const char *what);
bool v2_no_memory(struct v2_context *context);
bool v2_malformed(struct v2_context *context, const struct json_reader *reader); /* it has failed */

/* Fill request->items, of which there are request->n. */
bool v2_tensor_read(struct v2_context *context, const struct v2_tensor *tensor);

#endif
