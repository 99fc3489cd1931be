/* The description of the HTTP interface. */
#include "openapi.h"

#include <stdlib.h>
#include <string.h>

#include "server.h"

/* openapi_file.S */
extern const char vgg_openapi[], vgg_openapi_end[];

void openapi_handle(struct server *server, struct http_request *request)
{
    size_t size = (size_t)(vgg_openapi_end - vgg_openapi);
    char *body = malloc(size);

    if (body != NULL)
        memcpy(body, vgg_openapi, size);
    server_respond_json(server, request, 200, body, size);
}
