/* Base64 in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base64.h"

static bool decode(const char *text, char *bytes, size_t *size)
{
    char *copy = malloc(strlen(text) + 1);
    bool good;

    assert_non_null(copy);
    memcpy(copy, text, strlen(text) + 1);
    good = base64_decode(copy, strlen(text), size);
    assert_true(!good || *size <= strlen(text) / 4 * 3);
    if (good)
        memcpy(bytes, copy, *size);
    free(copy);
    return good;
}

/* RFC 4648, section 10, and line ends. */
static void known_texts(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"Zg==", "f"},
                                           {"Zm8=", "fo"},
                                           {"Zm9v", "foo"},
                                           {"Zm9vYg==", "foob"},
                                           {"Zm9vYmE=", "fooba"},
                                           {"Zm9vYmFy", "foobar"},
                                           {"+/+/", "\xfb\xff\xbf"},
                                           {"Zm9v\r\nYmFy\n", "foobar"},
                                           {"Z\nm\n8\n=\n", "fo"},
                                           {"\n", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char bytes[16];
        size_t size = 99;

        assert_true(decode(pairs[i][0], bytes, &size));
        assert_int_equal(size, strlen(pairs[i][1]));
        assert_memory_equal(bytes, pairs[i][1], size);
    }
}

static void everything_else_is_none(void **state)
{
    static const char *const texts[] = {"Z",     "Zg",         "Zg=",     "Zm9",      "=",
                                        "==",    "====",       "Z===",    "Zg==Zg==", "Zg=a",
                                        "Zg===", "Zg======",   "Zm8=\n=", "Zm9v ",    " Zm9v",
                                        "Zm-_",  "Zm9v\tYmFy", "Zm9\xff", "Zm9v."};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
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
