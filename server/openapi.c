/* The description of the HTTP interface. */
#include "openapi.h"

#include "static_file.h"

/* openapi_file.S */
extern const char vgg_openapi[], vgg_openapi_end[], vgg_openapi_gzip_end[];

void openapi_handle(struct server *server, struct http_request *request)
{
    static const struct static_file file = {"application/json", vgg_openapi, vgg_openapi_end,
                                            vgg_openapi_end, vgg_openapi_gzip_end};

    static_file_respond(server, request, &file, NULL);
}
