/* Files of the program: which form of them, and whether the client has it. */
#include "api/static_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept_encoding.h"
#include "api/respond.h"

static void add_wish(void *wish, const char *header)
{
    accept_encoding_add(wish, header);
}

static bool prefers_gzip(const struct http_request *request)
{
    struct accept_encoding wish = ACCEPT_ENCODING_NONE;

    http_headers(request, "Accept-Encoding", add_wish, &wish);
    return accept_encoding_gzip(&wish);
}

/* FNV-1a: it need only differ between versions of a file. */
static uint64_t hash(const char *begin, const char *end)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);

    for (const char *at = begin; at < end; at++)
        value = (value ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    return value;
}

/* Does If-None-Match hold the answer's tag, or "*"? */
static bool is_known(const struct http_request *request)
{
    const char *tags = request->if_none_match;

    if (tags == NULL)
        return false;
    tags += strspn(tags, " \t");
    return (tags[0] == '*' && tags[1 + strspn(tags + 1, " \t")] == '\0') ||
           strstr(tags, request->response.etag) != NULL;
}

void static_file_respond(struct server *server, struct http_request *request,
                         const struct static_file *file, const struct http_header *headers)
{
    struct http_response *response = &request->response;
    bool gzip = file->gzip_end - file->gzip < file->end - file->begin && prefers_gzip(request);
    const char *begin = gzip ? file->gzip : file->begin;
    size_t size = (size_t)((gzip ? file->gzip_end : file->end) - begin);
    bool known;
    char *body;

    snprintf(response->etag, sizeof response->etag, "\"%016" PRIx64 "%s\"",
             hash(file->begin, file->end), gzip ? "-gz" : "");
    known = is_known(request);
    if (known)
        size = 0;
    body = malloc(size + 1);
    if (body != NULL)
        memcpy(body, begin, size);
    response->headers = headers;
    response->vary_encoding = true;
    response->content_encoding = gzip && !known ? "gzip" : NULL;
    respond_bytes(server, request, known ? 304 : 200, file->type, body, size);
}
