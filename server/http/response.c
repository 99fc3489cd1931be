/* The headers of answers. */
#include "http/response.h"

#include <stdio.h>

/* Where they go. */
struct sink {
    bool (*add)(void *context, const char *name, const char *value);
    void *context;
};

static bool add_header(const struct sink *sink, const char *name, const char *value)
{
    return value == NULL || value[0] == '\0' || sink->add(sink->context, name, value);
}

/* What lets scripts of other origins read the answer (Fetch standard, CORS). */
static bool add_cors(const struct http_request *request, const struct sink *sink)
{
    const struct http_response *answer = &request->response;

    if (!answer->allow_origin)
        return true;
    return add_header(sink, "Access-Control-Allow-Origin", request->origin) &&
           (answer->preflight_methods != NULL
                ? add_header(sink, "Access-Control-Allow-Methods", answer->preflight_methods) &&
                      add_header(sink, "Access-Control-Allow-Headers", answer->preflight_headers) &&
                      add_header(sink, "Access-Control-Max-Age", "7200")
                : add_header(sink, "Access-Control-Expose-Headers", answer->exposed));
}

static bool add_number(const struct sink *sink, const char *name, size_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%zu", number);
    return sink->add(sink->context, name, text);
}

static bool add_retry_after(const struct sink *sink, const struct http_response *answer)
{
    return answer->retry_after_s == 0 || add_number(sink, "Retry-After", answer->retry_after_s);
}

bool response_headers_bare(const struct http_request *request,
                           bool (*add)(void *context, const char *name, const char *value),
                           void *context)
{
    const struct sink sink = {add, context};

    return add_header(&sink, "Content-Type", request->response.type) &&
           add_header(&sink, "X-Request-Id", request->id) &&
           add_retry_after(&sink, &request->response);
}

bool response_headers(const struct http_request *request, bool closing,
                      bool (*add)(void *context, const char *name, const char *value),
                      void *context)
{
    static const char *const vary[2][2] = {{NULL, "Origin"},
                                           {"Accept-Encoding", "Accept-Encoding, Origin"}};
    const struct http_response *answer = &request->response;
    const struct sink sink = {add, context};

    for (const struct http_header *more = answer->headers; more != NULL && more->name != NULL;
         more++)
        if (!add_header(&sink, more->name, more->value))
            return false;
    return add_header(&sink, "Content-Type", answer->type) &&
           add_header(&sink, "X-Request-Id", request->id) &&
           add_header(&sink, "X-Content-Type-Options", "nosniff") &&
           add_header(&sink, "Cache-Control", answer->etag[0] != '\0' ? "no-cache" : "no-store") &&
           add_header(&sink, "ETag", answer->etag) && add_retry_after(&sink, answer) &&
           add_header(&sink, "Allow", answer->allow) &&
           add_header(&sink, "Accept-Encoding", answer->accept_encoding) &&
           (answer->number_header == NULL ||
            add_number(&sink, answer->number_header, answer->number)) &&
           add_header(&sink, "Content-Encoding", answer->content_encoding) &&
           add_header(&sink, "Vary", vary[answer->vary_encoding][answer->vary_origin]) &&
           add_cors(request, &sink) && add_header(&sink, "WWW-Authenticate", answer->challenge) &&
           add_header(&sink, "Connection", closing ? "close" : NULL);
}
