/* Bodies that are whole. */
#include "http/content.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/media_type.h"

static bool is_multipart(const char *type)
{
    static const char multipart[] = "multipart/";

    return type != NULL && strncasecmp(type, multipart, sizeof multipart - 1) == 0;
}

void content_init(struct content *content, struct body_budget *budget)
{
    body_init(&content->body, budget);
}

void content_fini(struct content *content)
{
    free(content->form.parts);
    body_fini(&content->body);
}

/* Split the body into the parts of its media type. */
static enum http_body split(struct content *content, const char *type)
{
    static const enum http_body ends[] = {[MULTIPART_DONE] = HTTP_BODY_MULTIPART,
                                          [MULTIPART_MANY] = HTTP_BODY_MANY,
                                          [MULTIPART_BAD] = HTTP_BODY_BAD};
    struct multipart *form = &content->form;
    char boundary[MULTIPART_BOUNDARY_MAX + 1];

    if (!media_type_is(type, "multipart/form-data"))
        form->error = "of the multipart types only multipart/form-data is read";
    else if (!multipart_boundary(type, boundary))
        form->error = "the Content-Type names no usable boundary";
    else
        return ends[multipart_parse(form, content->body.bytes, content->body.size, boundary)];
    return HTTP_BODY_BAD;
}

/* Show the parts of a body without a coding. */
static void show(struct content *content, struct http_request *request)
{
    struct multipart *form = &content->form;

    if (is_multipart(request->content_type))
        request->body = split(content, request->content_type);
    else {
        request->body = HTTP_BODY_PLAIN;
        form->parts[form->parts_n++] = (struct http_part){content->body.bytes, content->body.size};
    }
    request->body_error = form->error;
    if (request->body != HTTP_BODY_PLAIN && request->body != HTTP_BODY_MULTIPART)
        return;
    request->parts = form->parts;
    request->parts_n = form->parts_n;
    request->fields = form->fields;
    request->fields_n = form->fields_n;
}

void content_end(struct content *content, struct http_request *request, size_t images_max)
{
    struct multipart *form = &content->form;

    form->parts = calloc(images_max, sizeof *form->parts);
    form->parts_max = images_max;
    if (content->body.starved || form->parts == NULL)
        request->body = HTTP_BODY_NO_MEMORY;
    else if (request->coding != CODING_IDENTITY && content->body.size != 0)
        request->body = HTTP_BODY_CODED;
    else
        show(content, request);
}

void content_inflate(struct content *content, struct http_request *request, size_t bytes_max,
                     bool (*stop)(void *user), void *user)
{
    static const enum http_body ends[] = {[CODING_CORRUPT] = HTTP_BODY_CORRUPT,
                                          [CODING_LONG] = HTTP_BODY_LONG,
                                          [CODING_NO_MEMORY] = HTTP_BODY_NO_MEMORY,
                                          [CODING_STOPPED] = HTTP_BODY_LATE};
    struct body whole;
    enum coding_result result;

    body_init(&whole, content->body.budget);
    result = coding_undo(request->coding, &content->body, &whole, bytes_max, stop, user,
                         &request->body_error);
    body_fini(&content->body);
    content->body = whole;
    if (result == CODING_DONE)
        show(content, request);
    else {
        request->body = ends[result];
        body_fini(&content->body);
    }
}
