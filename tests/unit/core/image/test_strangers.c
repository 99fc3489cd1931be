/* What is said of bytes that are no picture, and what their sender is told to do. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "image/strangers.h"

#define BYTES(text) text, sizeof(text) - 1

/* Of a copy of exactly its size, so that a sanitizer sees a read past its end. */
static bool find(const char *bytes, size_t size, struct vgg_stranger *stranger)
{
    uint8_t *copy = malloc(size + (size == 0));
    bool found;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    found = vgg_stranger_find(copy, size, stranger);
    free(copy);
    return found;
}

static void names_and_advice(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *name, *advice;
    } cases[] = {
        {BYTES("GIF89a\1\0\1\0"), "GIF", "convert"},
        {BYTES("GIF89a, and all of it printable"), "GIF", "convert"},
        {BYTES("BMW is a word"), "plain text", "send the bytes"},
        {BYTES("BM\x36\0\0\0\0\0\0\0"), "BMP", "convert"},
        {BYTES("II*\0\x08\0\0\0"), "TIFF", "convert"},
        {BYTES("\0\0\0\x18"
               "ftypheic\0\0\0\0"),
         "HEIC", "convert"},
        {BYTES("\0\0\0\x20"
               "ftypavif\0\0\0\0"),
         "AVIF", "convert"},
        {BYTES("\0\0\0\x18"
               "ftypcrx \0\0\0\0"),
         "raw photograph", "convert"},
        {BYTES("\0\0\0\x18"
               "ftypisom\0\0\0\0"),
         "MP4", "frame"},
        {BYTES("\x1a\x45\xdf\xa3\x01\0"), "WebM", "frame"},
        {BYTES("RIFF\x24\0\0\0AVI LIST"), "AVI", "frame"},
        {BYTES("RIFF\x24WEBPVP8 \x10"), "damaged WebP", "send the bytes"},
        /* texts, however they begin */
        {BYTES("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), "PDF", "render"},
        {BYTES("\r\n %pdf-1.7"), "PDF", "render"},
        {BYTES("%!PS-Adobe-3.0"), "PostScript", "render"},
        {BYTES("<svg xmlns="), "SVG", "render"},
        {BYTES("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- x -->\n<!DOCTYPE svg>\n<svg>"), "SVG",
         "render"},
        {BYTES(" \n\t<SVG><title>a</title></SVG>"), "SVG", "render"},
        {BYTES("<!DOCTYPE html><html><body><svg></svg>"), "HTML", "send the bytes"},
        {BYTES("\n<html lang=en>"), "HTML", "send the bytes"},
        {BYTES("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"), "XML",
         "send the bytes"},
        {BYTES("{\"image\": \"/9j/4AAQSkZJRgABAQEASABIAAD\"}"), "JSON", "send the bytes"},
        {BYTES("[1, 2]"), "JSON", "send the bytes"},
        {BYTES("\"/9j/4AAQSkZJRgABAQEASABIAAD/2wBD\""), "JSON", "send the bytes"},
        {BYTES("photo.jpg"), "plain text", "send the bytes"},
        {BYTES("caf\xc3\xa9"), "plain text", "send the bytes"},
        {BYTES("image=%2F9j%2F4AAQSkZJRg"), "plain text", "send the bytes"},
        {BYTES(" \r\n\t "), "blanks", "send the bytes"},
        {BYTES("\xef\xbb\xbf"), "blanks", "send the bytes"},
        {BYTES("\xff\xfe<\0s\0v\0g\0"), "UTF-16", "send the bytes"},
        {BYTES("https://example.com/a.jpg"), "web address", "send the bytes"},
        {BYTES("data:image/jpeg;base64,/9j/4AAQSkZJRg=="), "data: URL", "decode"},
        {BYTES("DATA:image/png;base64,iVBORw0KGgo"), "data: URL", "decode"},
        {BYTES(
             "--XyZ\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\n\xff\xd8"),
         "multipart form", "multipart/form-data"},
        {BYTES("--XyZ\r\nContent-Type: image/jpeg\r\ncontent-disposition: form-data\r\n\r\n\0"),
         "multipart form", "multipart/form-data"},
        /* encoded pictures: both alphabets, padded or not, in lines */
        {BYTES("/9j/4AAQSkZJRgABAQEASABIAAD/2wBD"), "base64 text (JPEG)", "decode"},
        {BYTES("_9j_4AAQSkZJRgABAQEASABIAAD_2wBD"), "base64 text (JPEG)", "decode"},
        {BYTES("/9j/4AAQSkZJRgABAQ\r\nEASABIAAD/2wBDAA==\n"), "base64 text (JPEG)", "decode"},
        {BYTES("\n/9j/4AAQSkZJRgABAQEASABIAAD"), "base64 text (JPEG)", "decode"},
        {BYTES("iVBORw0KGgoAAAANSUhEUgAAAAE="), "base64 text (PNG)", "decode"},
        {BYTES("UklGRiQAAABXRUJQVlA4IBgAAAAw"), "base64 text (WebP)", "decode"},
        {BYTES("R0lGODlhAQABAIAAAP///wAAACwA"), "base64 text (GIF)", "decode"},
        {BYTES("AAAAGGZ0eXBoZWljAAAAAG1pZjE="), "base64 text (HEIC)", "decode"},
        {BYTES("H4sIAAAAAAAAA0tMBADFGm1nAgAA"), "base64 text (gzip data)", "decode"},
        {BYTES("AAECAwQFBgcICQoLDA0ODxAREhMU"), "base64 text", "decode"},
        {BYTES("ffd8ffe000104a464946000101"), "hexadecimal text (JPEG)", "decode"},
        {BYTES("89504E470D0A1A0A0000000D49"), "hexadecimal text (PNG)", "decode"},
        /* what unpacks to something else */
        {BYTES("\x1f\x8b\x08\0\0\0\0\0"), "gzip", "unpack"},
        {BYTES("\x78\x9c\x4b\x04\0"), "zlib", "unpack"},
        {BYTES("\x28\xb5\x2f\xfd\x04\0"), "Zstandard", "unpack"},
        {BYTES("BZh91AY&SY\0"), "bzip2", "unpack"},
        {BYTES("\xfd\x37zXZ\0\0"), "xz", "unpack"},
        {BYTES("PK\3\4\x14\0"), "ZIP", "unpack"},
        {BYTES("7z\xbc\xaf\x27\x1c\0"), "7-Zip", "unpack"},
        {BYTES("\x93NUMPY\1\0"), "NumPy", "JPEG"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_stranger stranger = {0};
        char name[160];

        if (!find(cases[i].bytes, cases[i].size, &stranger))
            fail_msg("case %zu: nothing is known of %s", i, cases[i].name);
        snprintf(name, sizeof name, "%s%s", stranger.name, stranger.of);
        if (strstr(name, cases[i].name) == NULL || strstr(stranger.advice, cases[i].advice) == NULL)
            fail_msg("case %zu: %s: %s, not %s", i, name, stranger.advice, cases[i].name);
    }
}

static void tar_archives(void **state)
{
    char bytes[512] = "photo.jpg";
    struct vgg_stranger stranger;

    (void)state;
    memcpy(bytes + 257, "ustar", 5);
    assert_true(find(bytes, sizeof bytes, &stranger));
    assert_non_null(strstr(stranger.name, "tar"));
}

static void nothing_known(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {{BYTES("\1\1\1\1ft")}, {BYTES("\xff")}, {BYTES("\xc3\xa9")}, {BYTES("\0")},
                 {BYTES("--XyZ\1")},    {BYTES("<\1")},  {BYTES("{\1}")}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_stranger stranger;

        if (find(cases[i].bytes, cases[i].size, &stranger))
            fail_msg("case %zu: %s", i, stranger.name);
    }
}

/* Words are not base64, and base64 with anything else in it is text. */
static void not_encoded(void **state)
{
    static const char *const texts[] = {"hello", "/9j/", "ffd8", "a b c d e f g h i j k l",
                                        "/9j/4AAQSkZJRgABAQEASABIAAD!"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct vgg_stranger stranger;

        assert_true(find(texts[i], strlen(texts[i]), &stranger));
        assert_string_equal(stranger.name, "plain text");
    }
}

/* In the error of peek and decode, whole. */
static void in_the_detail(void **state)
{
    static const char base64[] = "/9j/4AAQSkZJRgABAQEASABIAAD/2wBD";
    static const char expected[] =
        "not an image format we read (JPEG, PNG, WebP); the bytes look like base64 text (JPEG): "
        "decode it first, to the bytes of the picture";
    struct vgg_error error = {0};
    struct vgg_image_info info;
    struct vgg_image *image = NULL;

    (void)state;
    assert_int_equal(vgg_image_peek(base64, sizeof base64 - 1, NULL, &info, &error),
                     VGG_UNSUPPORTED_FORMAT);
    assert_string_equal(error.text, expected);
    error = (struct vgg_error){0};
    assert_int_equal(vgg_image_decode(base64, sizeof base64 - 1, NULL, &image, &error),
                     VGG_UNSUPPORTED_FORMAT);
    assert_string_equal(error.text, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_advice), cmocka_unit_test(tar_archives),
        cmocka_unit_test(nothing_known),    cmocka_unit_test(not_encoded),
        cmocka_unit_test(in_the_detail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
