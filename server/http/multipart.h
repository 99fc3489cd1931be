/*
 * multipart/form-data (RFC 7578) in a body that is whole in memory. libmicrohttpd's parser works on
 * pieces as they come and cannot tell an empty file from the start of the next one.
 */
#ifndef MULTIPART_H
#define MULTIPART_H

#include "http/http.h"

enum { MULTIPART_BOUNDARY_MAX = 70 }; /* characters, RFC 2046 */

/* The boundary parameter of a Content-Type. False where there is none that can be used. */
bool multipart_boundary(const char *content_type, char boundary[MULTIPART_BOUNDARY_MAX + 1]);

/* What a form holds. All of it points into the body. */
struct multipart {
    struct http_part *parts; /* room for parts_max */
    size_t parts_max, parts_n;
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t fields_n;
    const char *error; /* of HTTP_BODY_BAD; static storage */
};

/*
 * Find the files and the text fields of a body, in whose bytes the fields' names and values are
 * ended by zeros. A file is a part with a file name or with the Content-Type of a picture or of any
 * bytes; a file input where nothing was chosen (no name, no bytes) is left out. Answers
 * HTTP_BODY_MULTIPART, HTTP_BODY_MANY (more than parts_max) or HTTP_BODY_BAD.
 */
enum http_body multipart_parse(struct multipart *form, uint8_t *bytes, size_t size,
                               const char *boundary);

#endif
