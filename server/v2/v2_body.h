/* The body of POST /v2/models/{model}/infer, read and checked. */
#ifndef V2_BODY_H
#define V2_BODY_H

#include "answer/problem.h"
#include "v2/v2_request.h"

/*
 * Read body[size], of which the first json_size bytes are JSON; 0: all of it is one picture. Needs
 * memory of at most twice the body. False with the problem: BAD_PARAMETER, TOO_MANY_IMAGES,
 * NO_MEMORY. The body must stay as long as the request.
 */
bool v2_request_read(struct v2_request *request, const uint8_t *body, size_t size, size_t json_size,
                     size_t images_max, struct problem *problem);

#endif
