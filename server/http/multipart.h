/*
 * multipart/form-data (RFC 7578) in a body that is whole in memory. libmicrohttpd's parser works on
 * pieces as they come and cannot tell an empty file from the start of the next one.
 */
#ifndef MULTIPART_H
#define MULTIPART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MULTIPART_BOUNDARY_MAX = 70, /* characters, RFC 2046 */
    HTTP_FIELDS_MAX = 16         /* text fields of one form */
};

/* One file of a multipart body, or the whole of any other body. */
struct http_part {
    const uint8_t *bytes;
    size_t size;
};

/* One text field of a multipart body. A zero byte in either is the name "\\0". */
struct http_field {
    const char *name, *value;
};

/* The boundary parameter of a Content-Type. False where there is none that can be used. */
bool multipart_boundary(const char *content_type, char boundary[MULTIPART_BOUNDARY_MAX + 1]);

/* What a form holds. All of it points into the body. */
struct multipart {
    struct http_part *parts; /* room for parts_max */
    size_t parts_max, parts_n;
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t fields_n;
    const char *error; /* of MULTIPART_BAD; static storage */
};

enum multipart_result {
    MULTIPART_DONE,
    MULTIPART_MANY, /* there are more files than parts_max */
    MULTIPART_BAD
};

/*
 * Find the files and the text fields of a body, in whose bytes the fields' names and values are
 * ended by zeros. A file is a part with a file name or with the Content-Type of a picture or of any
 * bytes; a file input where nothing was chosen (no name, no bytes) is left out.
 */
enum multipart_result multipart_parse(struct multipart *form, uint8_t *bytes, size_t size,
                                      const char *boundary);

#endif
