/* GET of a file that is linked into the program, plain and compressed beforehand. */
#ifndef STATIC_FILE_H
#define STATIC_FILE_H

#include "api/server.h"

struct static_file {
    const char *type;
    const char *begin, *end;
    const char *gzip, *gzip_end; /* the same as gzip leaves it */
};

/*
 * Answer with the form that the request prefers, plain or compressed, or with 304 where its client
 * has that form already. `headers` as in
 * struct http_response.
 */
void static_file_respond(struct server *server, struct http_request *request,
                         const struct static_file *file, const struct http_header *headers);

#endif
