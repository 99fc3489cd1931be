/*
 * Every file below $VGG_SHARED/data/torture through peek and decode: collections of valid, strange
 * and broken pictures. Each must decode or be refused with a status of the contract and a text, and
 * peek must not contradict decode.
 */
#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/image.h"

enum { PATH_BYTES = 1024 };

struct tally {
    unsigned decoded;
    unsigned refused;
};

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    uint8_t *bytes;

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    *size = (size_t)info.st_size;
    bytes = malloc(*size != 0 ? *size : 1); /* exactly: a sanitizer sees what reads on */
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static bool is_refusal(enum vgg_status status)
{
    return status == VGG_UNSUPPORTED_FORMAT || status == VGG_BAD_IMAGE || status == VGG_TOO_LARGE;
}

static void check_file(const char *path, struct tally *tally)
{
    struct vgg_error peek_error = {0};
    struct vgg_error error = {0};
    struct vgg_image_info info = {0};
    struct vgg_image *image = NULL;
    size_t size;
    uint8_t *bytes = read_file(path, &size);
    enum vgg_status peeked = vgg_image_peek(bytes, size, NULL, &info, &peek_error);
    enum vgg_status status = vgg_image_decode(bytes, size, NULL, &image, &error);

    if (status != VGG_OK && !is_refusal(status))
        fail_msg("%s: status %d", path, (int)status);
    if (peeked != VGG_OK && (status != peeked || strcmp(error.text, peek_error.text) != 0))
        fail_msg("%s: peek says \"%s\", decode \"%s\"", path, peek_error.text, error.text);
    if (status == VGG_OK) {
        assert_int_equal(info.width, image->info.width);
        assert_int_equal(info.height, image->info.height);
        tally->decoded++;
    } else {
        assert_null(image);
        assert_int_not_equal(error.text[0], '\0');
        tally->refused++;
    }
    if (getenv("VGG_VERBOSE") != NULL)
        printf("%s: %s\n", path, status == VGG_OK ? "ok" : error.text);
    vgg_image_destroy(image);
    free(bytes);
}

static void check_directory(const char *path, struct tally *tally)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    if (directory == NULL)
        fail_msg("cannot open %s", path);
    while ((entry = readdir(directory)) != NULL) {
        char child[PATH_BYTES];
        struct stat info;

        if (entry->d_name[0] == '.')
            continue;
        assert_true(snprintf(child, sizeof child, "%s/%s", path, entry->d_name) < PATH_BYTES);
        assert_int_equal(stat(child, &info), 0);
        if (S_ISDIR(info.st_mode))
            check_directory(child, tally);
        else
            check_file(child, tally);
    }
    closedir(directory);
}

static void torture_files(void **state)
{
    const char *shared = getenv("VGG_SHARED");
    char path[PATH_BYTES];
    struct tally tally = {0};

    (void)state;
    if (shared == NULL || shared[0] == '\0') {
        printf("SKIPPED: VGG_SHARED is not set, the torture files were not decoded\n");
        skip();
    }
    assert_true(snprintf(path, sizeof path, "%s/data/torture", shared) < PATH_BYTES);
    check_directory(path, &tally);
    printf("torture: %u decoded, %u refused\n", tally.decoded, tally.refused);
    assert_true(tally.decoded > 0);
    assert_true(tally.refused > 0);
}

/* What is known of single files, so that "refuse everything" is no way through. */
static void known_answers(void **state)
{
    static const struct {
        const char *path;
        enum vgg_status status;
        uint32_t width, height;
    } known[] = {
        {"exif-orientation/Landscape_6.jpg", VGG_OK, 1800, 1200},
        {"exif-orientation/Landscape_2.jpg", VGG_OK, 1800, 1200},
        {"exif-orientation/Portrait_8.jpg", VGG_OK, 1200, 1800},
        {"jpeg-decoder/reftest/images/ycck.jpg", VGG_OK, 500, 333},
        {"jpeg-decoder/reftest/images/rgb.jpg", VGG_OK, 500, 333},
        {"jpeg-decoder/reftest/images/mjpeg.jpg", VGG_OK, 960, 720},
        {"jpeg-decoder/reftest/images/extraneous-data.jpg", VGG_OK, 16, 16},
        {"jpeg-decoder/reftest/images/restarts.jpg", VGG_OK, 33, 33},
        {"jpeg-decoder/reftest/images/progressive3.jpg", VGG_OK, 650, 470},
        {"jpeg-decoder/reftest/images/mozilla/jpg-cmyk-2.jpg", VGG_OK, 256, 256},
        {"jpeg-decoder/reftest/images/mozilla/jpg-size-1x1.jpg", VGG_OK, 1, 1},
        {"libjpeg-turbo/testimgari.jpg", VGG_OK, 227, 149},
        {"libjpeg-turbo/monkey12.jpg", VGG_BAD_IMAGE, 0, 0},
        /* A PNG in spite of its name. */
        {"jpeg-decoder/reftest/images/mozilla/jpg-size-6x6.jpg", VGG_OK, 6, 6},
        {"jpeg-decoder/reftest/images/partial_progressive.jpg", VGG_BAD_IMAGE, 0, 0},
        {"jpeg-decoder/reftest/images/progressive-missing-dc.jpg", VGG_BAD_IMAGE, 0, 0},
        {"jpeg-decoder/reftest/images/lossless/1/jpeg_lossless_sel1-8bit.jpg", VGG_BAD_IMAGE, 0, 0},
        {"jpeg-decoder/crashtest/images/null_height.jpg", VGG_BAD_IMAGE, 0, 0},
        {"jpeg-decoder/crashtest/images/max_size.jpg", VGG_TOO_LARGE, 0, 0},
        {"jpeg-decoder/crashtest/images/empty.jpg", VGG_UNSUPPORTED_FORMAT, 0, 0},
        {"jpeg-decoder/crashtest/images/extraneous-bytes-after-sos.jpg", VGG_OK, 1744, 2464},
    };
    const char *shared = getenv("VGG_SHARED");

    (void)state;
    if (shared == NULL || shared[0] == '\0')
        skip();
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct vgg_image *image = NULL;
        char path[PATH_BYTES];
        size_t size;
        uint8_t *bytes;
        enum vgg_status status;

        assert_true(snprintf(path, sizeof path, "%s/data/torture/%s", shared, known[i].path) <
                    PATH_BYTES);
        bytes = read_file(path, &size);
        status = vgg_image_decode(bytes, size, NULL, &image, NULL);
        if (status != known[i].status)
            fail_msg("%s: %s", known[i].path, vgg_status_text(status));
        if (status == VGG_OK) {
            assert_int_equal(image->info.width, known[i].width);
            assert_int_equal(image->info.height, known[i].height);
        }
        vgg_image_destroy(image);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torture_files),
        cmocka_unit_test(known_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
