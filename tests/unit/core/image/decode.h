/* What the tests of the decoders share: peek and decode of a copy, and what a refusal must be. */
#ifndef VGG_TESTS_CORE_IMAGE_DECODE_H
#define VGG_TESTS_CORE_IMAGE_DECODE_H

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "image/image.h"

struct file {
    uint8_t *bytes;
    size_t size;
};

/*
 * Decode a copy of exactly `size` bytes, so that a sanitizer sees what reads on; a refusal has to
 * say why, and what peek refuses decode has to refuse alike. *image may be NULL.
 */
static inline enum vgg_status try_decode(const uint8_t *bytes, size_t size,
                                         const struct vgg_image_limits *limits,
                                         struct vgg_image **image, struct vgg_error *error)
{
    struct vgg_image *decoded = NULL;
    struct vgg_image_info info = {0};
    struct vgg_error peek_error = {0};
    uint8_t *copy = malloc(size != 0 ? size : 1);
    enum vgg_status peeked, status;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    *error = (struct vgg_error){0};
    peeked = vgg_image_peek(copy, size, limits, &info, &peek_error);
    status = vgg_image_decode(copy, size, limits, &decoded, error);
    free(copy);
    assert_int_equal(status, error->status);
    assert_true((status == VGG_OK) == (decoded != NULL));
    assert_true((status == VGG_OK) == (error->text[0] == '\0'));
    if (peeked != VGG_OK) {
        assert_int_equal(peeked, status);
        assert_string_equal(peek_error.text, error->text);
    } else if (status == VGG_OK) {
        assert_string_equal(info.format, decoded->info.format);
        assert_int_equal(info.width, decoded->info.width);
        assert_int_equal(info.height, decoded->info.height);
    }
    if (image != NULL)
        *image = decoded;
    else
        vgg_image_destroy(decoded);
    return status;
}

static inline void expect(const uint8_t *bytes, size_t size, const struct vgg_image_limits *limits,
                          enum vgg_status status, const char *text)
{
    struct vgg_error error;

    if (try_decode(bytes, size, limits, NULL, &error) != status)
        fail_msg("status %d: %s", (int)error.status, error.text);
    if (strstr(error.text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, text);
}

static inline struct vgg_image *must_decode(const struct file *file)
{
    struct vgg_image *image = NULL;
    struct vgg_error error;

    if (try_decode(file->bytes, file->size, NULL, &image, &error) != VGG_OK)
        fail_msg("%s", error.text);
    return image;
}

/* To be called before anything is allocated: it leaves the test. */
static inline void skip_without_faults(void)
{
    if (fault_available())
        return;
    printf("SKIPPED: allocations cannot be failed under this sanitizer\n");
    skip();
}

/* Every allocation of peek and decode fails once: out of memory each time, and nothing is lost. */
static inline void fail_each_allocation(const struct file *file, unsigned failures_min)
{
    unsigned failures = 0;
    bool fired = true;

    for (unsigned n = 1; fired && n < 1000; n++) {
        struct vgg_image_info info;
        struct vgg_error error = {0};
        struct vgg_image *image = NULL;
        long live = fault_outstanding();
        enum vgg_status status;

        fault_arm(n);
        status = vgg_image_peek(file->bytes, file->size, NULL, &info, &error);
        if (status == VGG_OK)
            status = vgg_image_decode(file->bytes, file->size, NULL, &image, &error);
        fired = fault_disarm();
        vgg_image_destroy(image);
        assert_int_equal(fault_outstanding(), live);
        if (status != VGG_OK) {
            assert_true(fired);
            assert_int_equal(status, VGG_NO_MEMORY);
            assert_string_equal(error.text, "out of memory");
            failures++;
        }
    }
    assert_false(fired);
    assert_true(failures >= failures_min);
}

#endif
