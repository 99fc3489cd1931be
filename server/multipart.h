/*
 * multipart/form-data (RFC 7578) in a body that is whole in memory. libmicrohttpd's parser works on
 * pieces as they come and cannot tell an empty file from the start of the next one.
 */
#ifndef MULTIPART_H
#define MULTIPART_H

#include "http.h"

enum { MULTIPART_BOUNDARY_MAX = 70 }; /* characters, RFC 2046 */

/* The boundary parameter of a Content-Type. False where there is none that can be used. */
bool multipart_boundary(const char *content_type, char boundary[MULTIPART_BOUNDARY_MAX + 1]);

/*
 * Find the files of a body: parts[*n], which point into it. Answers HTTP_BODY_MULTIPART,
 * HTTP_BODY_MANY (more than parts_max) or HTTP_BODY_BAD with the reason in *error (static storage).
 */
enum http_body multipart_parse(const uint8_t *bytes, size_t size, const char *boundary,
                               struct http_part *parts, size_t parts_max, size_t *n,
                               const char **error);

#endif
