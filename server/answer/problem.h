/* Everything that can go wrong with a request, once: its type, HTTP status and title (RFC 9457). */
#ifndef PROBLEM_H
#define PROBLEM_H

#include "vgg.h"

/*
 * X(name, slug of its type, HTTP status, title). The first of a status is the one for malformed
 * HTTP (problem_of_http). A new one also has its advice in api/page/problem.js, which a test asks
 * for.
 */
#define PROBLEM_MAP(X)                                                                             \
    X(BAD_REQUEST, "bad-request", 400, "Malformed request")                                        \
    X(BAD_PARAMETER, "bad-parameter", 400, "Bad parameter")                                        \
    X(EMPTY_BODY, "empty-body", 400, "Empty body")                                                 \
    X(BAD_MULTIPART, "bad-multipart", 400, "Bad multipart body")                                   \
    X(BAD_ENCODING, "bad-encoding", 400, "Bad compressed body")                                    \
    X(UNAUTHORIZED, "unauthorized", 401, "Unauthorized")                                           \
    X(CROSS_ORIGIN, "cross-origin", 403, "Cross-origin request")                                   \
    X(NOT_FOUND, "not-found", 404, "Not found")                                                    \
    X(BAD_METHOD, "method-not-allowed", 405, "Method not allowed")                                 \
    X(RELOADING, "reload-in-progress", 409, "Reload in progress")                                  \
    X(NO_PREVIOUS, "no-previous-model", 409, "No previous model")                                  \
    X(BODY_TOO_LARGE, "body-too-large", 413, "Body too large")                                     \
    X(IMAGE_TOO_LARGE, "image-too-large", 413, "Image too large")                                  \
    X(TOO_MANY_IMAGES, "too-many-images", 413, "Too many images")                                  \
    X(TOO_COSTLY, "too-costly", 413, "Request too costly")                                         \
    X(URI_TOO_LONG, "uri-too-long", 414, "Request line too long")                                  \
    X(UNSUPPORTED_FORMAT, "unsupported-format", 415, "Unsupported image format")                   \
    X(MEDIA_TYPE, "unsupported-media-type", 415, "Unsupported media type")                         \
    X(EXPECTATION, "expectation-failed", 417, "Expectation failed")                                \
    X(BAD_MODEL, "bad-model", 422, "Model cannot be served")                                       \
    X(BAD_IMAGE, "bad-image", 422, "Image cannot be decoded")                                      \
    X(HEADERS_TOO_LARGE, "headers-too-large", 431, "Headers too large")                            \
    X(INTERNAL, "internal", 500, "Internal error")                                                 \
    X(NOT_IMPLEMENTED, "not-implemented", 501, "Not implemented")                                  \
    X(QUEUE_FULL, "queue-full", 503, "Queue full")                                                 \
    X(DRAINING, "draining", 503, "Shutting down")                                                  \
    X(NO_MEMORY, "out-of-memory", 503, "Out of memory")                                            \
    X(DEADLINE, "deadline", 504, "Deadline passed")                                                \
    X(HTTP_VERSION, "http-version", 505, "HTTP version not supported")

enum problem_kind {
#define PROBLEM_ENUM(name, slug, status, title) PROBLEM_##name,
    PROBLEM_MAP(PROBLEM_ENUM)
#undef PROBLEM_ENUM
        PROBLEM_KINDS
};

/* A problem with one request or one of its images. */
struct problem {
    enum problem_kind kind;
    char detail[sizeof(((struct vgg_error *)0)->text)];
};

const char *problem_type(enum problem_kind kind); /* "urn:vgg:problem:bad-image" */
const char *problem_title(enum problem_kind kind);
unsigned problem_status(enum problem_kind kind);

/* The kind of a request that HTTP itself refuses with this status: the first one that has it. */
enum problem_kind problem_of_http(unsigned status);

/* The kind for a failure of the library. */
enum problem_kind problem_of_status(enum vgg_status status);

void problem_set(struct problem *problem, enum problem_kind kind, const char *format, ...)
    VGG_PRINTF(3, 4);
void problem_set_error(struct problem *problem, const struct vgg_error *error);

#endif
