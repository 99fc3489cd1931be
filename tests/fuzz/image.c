/*
 * Any bytes as a picture: peek and decode agree, every pixel is there, it can be rescaled, and a
 * decode is no more work than peek predicts.
 */
#include <stdlib.h>
#include <string.h>

#include "vgg.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Polls of a decode beside those of its work: Huffman tables, chunks. */
enum { POLLS_BESIDE = 1 << 16 };

static enum vgg_status count_poll(void *user)
{
    ++*(unsigned long *)user;
    return VGG_OK;
}

/* Reads all pixels, so that a sanitizer sees those that are not there. */
static void check_pixels(const struct vgg_image *image)
{
    struct vgg_image_info info = vgg_image_get_info(image);
    size_t n = (size_t)info.width * info.height * 3;
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + vgg_image_pixels(image)[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    unsigned long polls = 0;
    const struct vgg_image_limits limits = {
        .pixels_max = 1 << 18, .poll = count_poll, .user = &polls};
    struct vgg_error peek_error = {0}, error = {0};
    struct vgg_image_info info = {0}, decoded;
    struct vgg_image *image = NULL, *scaled = NULL;
    enum vgg_status peeked = vgg_image_peek(bytes, size, &limits, &info, &peek_error);
    enum vgg_status status;

    polls = 0;
    status = vgg_image_decode(bytes, size, &limits, &image, &error);
    must(polls <= info.work + POLLS_BESIDE);
    must(status == VGG_OK || status == VGG_UNSUPPORTED_FORMAT || status == VGG_BAD_IMAGE ||
         status == VGG_TOO_LARGE);
    must((status == VGG_OK) == (image != NULL) && (status == VGG_OK) == (error.text[0] == '\0'));
    must(peeked == VGG_OK || (peeked == status && strcmp(peek_error.text, error.text) == 0));
    if (status == VGG_OK) {
        decoded = vgg_image_get_info(image);
        must(decoded.width == info.width && decoded.height == info.height);
        must(strcmp(decoded.format, info.format) == 0);
        check_pixels(image);
        if ((uint64_t)info.width * info.height < 1 << 14 && info.width < 32 * info.height &&
            info.height < 32 * info.width)
            must(vgg_image_rescale(image, 32, &scaled, NULL) == VGG_OK);
    }
    vgg_image_destroy(scaled);
    vgg_image_destroy(image);
    return 0;
}
