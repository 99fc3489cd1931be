/* Requests under way. */
#include "background.h"

#include "check.h"

#include <stdio.h>

static void *request_main(void *argument)
{
    struct background *request = argument;

    request->answered = call_try(request->server,
                                 &(struct call){.target = request->target,
                                                .body = request->image.bytes,
                                                .size = request->image.size},
                                 &request->answer);
    return NULL;
}

void background_start(struct background *request, const struct server *server, const char *target)
{
    *request = (struct background){.server = server, .target = target, .image = picture(64, 64)};
    assert_int_equal(pthread_create(&request->thread, NULL, request_main, request), 0);
}

void background_end(struct background *request)
{
    pthread_join(request->thread, NULL);
    blob_free(&request->image);
}

void busy_begin(struct raw *busy, const struct server *server)
{
    struct blob image = picture(64, 64), body;
    struct part parts[BUSY_PICTURES];
    char head[512];

    for (size_t i = 0; i < BUSY_PICTURES; i++)
        parts[i] = (struct part){"a.jpg", image.bytes, image.size};
    body = multipart(parts, BUSY_PICTURES);
    snprintf(head, sizeof head,
             "POST /classify?scales=" BUSY_SCALES " HTTP/1.1\r\nHost: localhost\r\n" MULTIPART_TYPE
             "\r\nContent-Length: %zu\r\n\r\n",
             body.size);
    raw_open(busy, server);
    assert_true(raw_text(busy, head) && raw_send(busy, body.bytes, body.size));
    server_wait_metric_reaches(server, VIEWS_DONE, 2);
    blob_free(&body);
    blob_free(&image);
}
