/*
 * GET / and the files of the page: bytes of the program, with headers that let the page load
 * nothing else and talk to this server alone.
 */
#include "page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

struct page_file {
    const char *path, *type;
    const char *begin, *end;
};

#define PAGE_DECLARE(name, path, file, type)                                                       \
    extern const char vgg_page_##name[], vgg_page_##name##_end[];
PAGE_FILES(PAGE_DECLARE)

static const struct page_file files[] = {
#define PAGE_ROW(name, path, file, type) {path, type, vgg_page_##name, vgg_page_##name##_end},
    PAGE_FILES(PAGE_ROW)
#undef PAGE_ROW
};

static const struct http_header headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
     "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
     "require-trusted-types-for 'script'; trusted-types 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {NULL, NULL},
};

/* FNV-1a: it need only differ between versions of a file. */
static uint64_t hash(const struct page_file *file)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);

    for (const char *at = file->begin; at < file->end; at++)
        value = (value ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    return value;
}

void page_handle(struct server *server, struct http_request *request)
{
    const struct page_file *file = files;
    size_t size;
    bool known;
    char *body;

    while (strcmp(file->path, request->path) != 0)
        file++;
    snprintf(request->response.etag, sizeof request->response.etag, "\"%016" PRIx64 "\"",
             hash(file));
    known = request->if_none_match != NULL &&
            strstr(request->if_none_match, request->response.etag) != NULL;
    size = known ? 0 : (size_t)(file->end - file->begin);
    body = malloc(size + 1);
    if (body != NULL)
        memcpy(body, file->begin, size);
    request->response.headers = headers;
    server_respond(server, request, known ? 304 : 200, file->type, body, size);
}
