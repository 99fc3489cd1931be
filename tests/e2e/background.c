/* Requests under way. */
#include "background.h"

#include "check.h"

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
