/*
 * GET / and the files of the page: bytes of the program, with headers that let the page load
 * nothing else and talk to this server alone.
 */
#include "api/page.h"

#include <string.h>

#include "api/page_files.h"
#include "api/static_file.h"

struct page_file {
    const char *path;
    struct static_file file;
};

#define PAGE_DECLARE(name, path, file, type)                                                       \
    extern const char vgg_page_##name[], vgg_page_##name##_end[], vgg_page_##name##_gzip_end[];
PAGE_FILES(PAGE_DECLARE)

static const struct page_file files[] = {
#define PAGE_ROW(name, path, file, type)                                                           \
    {path,                                                                                         \
     {type, vgg_page_##name, vgg_page_##name##_end, vgg_page_##name##_end,                         \
      vgg_page_##name##_gzip_end}},
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

void page_handle(struct server *server, struct http_request *request)
{
    const struct page_file *page = files;

    while (strcmp(page->path, request->path) != 0)
        page++;
    static_file_respond(server, request, &page->file, headers);
}
