/*
 * What a request holds: its body while it arrives, and then its coding undone and split into the
 * files and fields of its media type, in the members of struct http_request.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "http/body.h"
#include "http/request.h"

struct content {
    struct body body;
    struct multipart form;
};

/* A zeroed content may be passed to content_fini too. */
void content_init(struct content *content, struct body_budget *budget);
void content_fini(struct content *content);

/* Its body is whole: fill request->body and what goes with it. */
void content_end(struct content *content, struct http_request *request, size_t images_max);

/* The same of an HTTP_BODY_CODED, inflated first. `stop` as for coding_undo. */
void content_inflate(struct content *content, struct http_request *request, size_t bytes_max,
                     bool (*stop)(void *user), void *user);

#endif
