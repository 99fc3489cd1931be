/*
 * Any bytes as the body of an infer request, after two bytes for the length of its JSON: what is
 * read lies in the body or in memory of its own, and is as much as it says.
 */
#include <stdlib.h>
#include <string.h>

#include "v2/v2_body.h"

enum { IMAGES_MAX = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Every byte is read, for a sanitizer to see. */
static unsigned touch(const void *bytes, size_t size)
{
    unsigned sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += ((const unsigned char *)bytes)[i];
    return sum;
}

static void check(const struct v2_request *request)
{
    volatile unsigned sum = 0;

    must(request->n >= 1 && request->n <= IMAGES_MAX);
    for (size_t i = 0; i < request->n; i++) {
        const struct v2_item *item = &request->items[i];

        must((item->pixels != NULL) == (request->width != 0));
        sum += item->pixels == NULL
                   ? touch(item->bytes, item->size)
                   : touch(item->pixels, 3 * sizeof(float) * request->width * request->height);
    }
    must(request->scales.n <= VGG_SCALES_MAX);
    if (request->id.bytes != NULL)
        must(request->id.bytes[0] == '"' && request->id.bytes[request->id.size - 1] == '"');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct v2_request request = {0};
    struct problem problem = {.detail = ""};
    size_t json_size;
    uint8_t *body;

    if (size < 3)
        return 0;
    json_size = (size_t)bytes[0] << 8 | bytes[1];
    size -= 2;
    body = malloc(size); /* of exactly its size, so that a sanitizer sees what reads on */
    must(body != NULL);
    memcpy(body, bytes + 2, size);
    if (v2_request_read(&request, body, size, json_size, IMAGES_MAX, &problem))
        check(&request);
    else
        must(problem.detail[0] != '\0');
    v2_request_fini(&request);
    free(body);
    return 0;
}
