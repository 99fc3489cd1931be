/* The description of the HTTP interface. */
#include "api/openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/server.h"
#include "api/static_file.h"
#include "http/coding.h"
#include "net/endpoint.h"
#include "text/text.h"

/* openapi_file.S */
extern const char vgg_openapi[], vgg_openapi_end[];

struct openapi {
    char *json, *gzip;
    size_t size, gzip_size;
};

/* What stands in the file for what only a running server knows. */
struct mark {
    const char *mark;
    char value[96];
};

enum { ADMIN, BATCH, FILES, MARKS_N };

/* The first mark from `at` on; `end` where there is none. */
static const char *find_mark(const char *at, const char *end, const struct mark *marks,
                             const struct mark **found)
{
    const char *first = end;

    for (size_t i = 0; i < MARKS_N; i++) {
        const char *mark = memmem(at, (size_t)(end - at), marks[i].mark, strlen(marks[i].mark));

        if (mark != NULL && mark < first) {
            first = mark;
            *found = &marks[i];
        }
    }
    return first;
}

struct openapi *openapi_create(const char *admin_address, uint32_t images_max)
{
    struct mark marks[MARKS_N] = {[ADMIN] = {.mark = "\"http://localhost:8081\""},
                                  [BATCH] = {.mark = "\"maximum\": 16"},
                                  [FILES] = {.mark = "\"maxItems\": 16"}};
    struct openapi *openapi = calloc(1, sizeof *openapi);
    struct text text = {0};
    char address[ADDRESS_MAX];
    const char *at = vgg_openapi;

    if (openapi == NULL)
        return NULL;
    endpoint_local(admin_address, false, address);
    snprintf(marks[ADMIN].value, sizeof marks[ADMIN].value, "\"http://%s\"", address);
    snprintf(marks[BATCH].value, sizeof marks[BATCH].value, "\"maximum\": %u", images_max);
    snprintf(marks[FILES].value, sizeof marks[FILES].value, "\"maxItems\": %u", images_max);
    while (at < vgg_openapi_end) {
        const struct mark *found = NULL;
        const char *next = find_mark(at, vgg_openapi_end, marks, &found);

        text_append(&text, at, (size_t)(next - at));
        if (found != NULL)
            text_print(&text, "%s", found->value);
        at = next + (found != NULL ? strlen(found->mark) : 0);
    }
    openapi->json = text_take(&text, &openapi->size);
    if (openapi->json != NULL)
        openapi->gzip = coding_gzip(openapi->json, openapi->size, &openapi->gzip_size);
    if (openapi->gzip != NULL)
        return openapi;
    openapi_destroy(openapi);
    return NULL;
}

void openapi_destroy(struct openapi *openapi)
{
    if (openapi == NULL)
        return;
    free(openapi->json);
    free(openapi->gzip);
    free(openapi);
}

const char *openapi_text(const struct openapi *openapi, size_t *size)
{
    *size = openapi->size;
    return openapi->json;
}

void openapi_handle(struct server *server, struct http_request *request)
{
    const struct openapi *openapi = server->openapi;
    const struct static_file file = {"application/json", openapi->json,
                                     openapi->json + openapi->size, openapi->gzip,
                                     openapi->gzip + openapi->gzip_size};

    static_file_respond(server, request, &file, NULL);
}
