/* Base64 in place. */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "text/base64.h"

static bool decode(const char *text, char *bytes, size_t *size)
{
    char *copy = malloc(strlen(text) + 1);
    bool good;

    assert_non_null(copy);
    memcpy(copy, text, strlen(text) + 1);
    good = base64_decode(copy, strlen(text), size);
    assert_true(!good || *size <= strlen(text) * 3 / 4);
    if (good)
        memcpy(bytes, copy, *size);
    free(copy);
    return good;
}

/* RFC 4648, section 10; then what clients make of it. */
static void known_texts(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {"+/+/", "\xfb\xff\xbf"},
        /* URL-safe. */
        {"-_-_", "\xfb\xff\xbf"},
        {"-_+/", "\xfb\xff\xbf"},
        {"_w==", "\xff"},
        /* Without padding. */
        {"Zg", "f"},
        {"Zm8", "fo"},
        {"Zm9vYg", "foob"},
        {"Zm9vYmE", "fooba"},
        {"_w", "\xff"},
        /* White space. */
        {"Zm9v\r\nYmFy\n", "foobar"},
        {"Z\nm\n8\n=\n", "fo"},
        {" Zm9v\n    YmFy\t", "foobar"},
        {"Zg\n", "f"},
        {"Zg= =", "f"},
        {"\n", ""},
        /* "data:" URLs. */
        {"data:image/jpeg;base64,Zm9v", "foo"},
        {"data:image/png;base64,Zm8=", "fo"},
        {"data:;base64,Zg", "f"},
        {"DATA:image/webp;name=a.webp;Base64,_w==", "\xff"},
        {"data:image/svg+xml;charset=utf-8;base64,\nZm9v\n", "foo"},
        {" data:image/jpeg;base64,Zm9v", "foo"},
        {"data:image/jpeg;base64,", ""},
        /* No prefix but digits. */
        {"data", "u\xab\x5a"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        char bytes[16];
        size_t size = 99;

        if (!decode(pairs[i][0], bytes, &size) || size != strlen(pairs[i][1]) ||
            memcmp(bytes, pairs[i][1], size) != 0)
            fail_msg("%s", pairs[i][0]);
    }
}

static void everything_else_is_none(void **state)
{
    static const char *const texts[] = {"Z",
                                        "Zg=",
                                        "=",
                                        "==",
                                        "====",
                                        "Z===",
                                        "Zg==Zg==",
                                        "Zg=a",
                                        "Zg===",
                                        "Zg======",
                                        "Zm8==",
                                        "Zm8=\n=",
                                        "Zm9v=",
                                        "Zm9v====",
                                        "Zm9vY",
                                        "Zm9vYmE==",
                                        "Zm9v\vYmFy",
                                        "Zm9\xff",
                                        "Zm9v.",
                                        "b'Zm9v'",
                                        "data:",
                                        "data:image/jpeg;base64",
                                        "data:image/jpeg;base64;Zm9v",
                                        "data:image/jpeg,Zm9v",
                                        "data:base64,Zm9v",
                                        "data:image/jpeg;base64,Z",
                                        "data:image/jpeg;base64,Zg=",
                                        "data:image/jpeg;base64,data:image/jpeg;base64,Zm9v",
                                        "image/jpeg;base64,Zm9v",
                                        "base64,Zm9v"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char bytes[16];
        size_t size;

        if (decode(texts[i], bytes, &size))
            fail_msg("%s", texts[i]);
    }
}

static void every_byte_comes_back(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[4 * 86 + 1] = "";
    uint8_t bytes[3 * 86];
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 86);
    for (size_t i = 0; i < sizeof bytes / 3; i++) {
        unsigned group =
            (unsigned)bytes[3 * i] << 16 | (unsigned)bytes[3 * i + 1] << 8 | bytes[3 * i + 2];

        for (size_t digit = 0; digit < 4; digit++)
            text[4 * i + digit] = alphabet[group >> (18 - 6 * digit) & 63];
    }
    assert_true(base64_decode(text, sizeof text - 1, &size));
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(text, bytes, sizeof bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts),
        cmocka_unit_test(everything_else_is_none),
        cmocka_unit_test(every_byte_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
