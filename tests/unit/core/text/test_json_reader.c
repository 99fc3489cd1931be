/* JSON read in place: what is valid, what is not, and never a byte past the end. */
#include "check.h"

#include <float.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "damage.h"
#include "text/json_reader.h"

/* A copy of exactly that size: a sanitizer sees a read past its end. */
static char *copy_of(const char *text, size_t size)
{
    char *copy = malloc(size + (size == 0));

    assert_non_null(copy);
    memcpy(copy, text, size);
    return copy;
}

/* Is it one value, by our reader? */
static bool accepts(const char *text, size_t size)
{
    char *copy = copy_of(text, size);
    struct json_reader reader;
    struct json_slice value;
    bool good;

    json_reader_init(&reader, (struct json_slice){copy, size});
    good = scan_value(&reader, &value) && scan_end(&reader);
    assert_true(good == (reader.error[0] == '\0'));
    assert_true(reader.at >= reader.start && reader.at <= reader.end);
    free(copy);
    return good;
}

static void agrees_with_jansson(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        " [ ] ",
        "{\"a\":1}",
        "[1,2.5,-3e5,0,-0,1E+2,1e-2,0.5]",
        "[true,false,null]",
        "{\"a\":{\"b\":[{\"c\":[]}]}}",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"]",
        "[\"\\ud83d\\ude00\"]",
        "[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]",
        "\t\r\n[1]\n",
        "{\"a\":1,\"b\":[1,[2,[3]]],\"c\":\"\"}",
        /* and what is none */
        "",
        "{",
        "[",
        "]",
        "}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "['a']",
        "[01]",
        "[+1]",
        "[1.]",
        "[.5]",
        "[1e]",
        "[1e+]",
        "[-]",
        "[--1]",
        "[0x1]",
        "[tru]",
        "[nulll]",
        "[True]",
        "[NaN]",
        "[Infinity]",
        "[\"]",
        "[\"\\\"]",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[\"\\u12g4\"]",
        "[\"\x01\"]",
        "[\"\n\"]",
        "[\"\xff\"]",
        "[\"\xc0\xaf\"]",
        "[\"\xed\xa0\x80\"]",
        "[\"\xc3\"]",
        "[\"\xf5\x80\x80\x80\"]",
        "[1]]",
        "[1}",
        "{\"a\":1]",
        "{}{}",
        "[1]x",
        "\xef\xbb\xbf[]",
        "[\"\xe2\x82\"]",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *root = json_loadb(texts[i], strlen(texts[i]), JSON_ALLOW_NUL, NULL);

        if (accepts(texts[i], strlen(texts[i])) != (root != NULL))
            fail_msg("%s", texts[i]);
        json_decref(root);
    }
}

/* Cut anywhere, a byte of it changed to any other: the same verdict as jansson's. */
static void agrees_on_damage(void **state)
{
    static const char good[] =
        "{\"a\":[1,-2.5e3,{\"b\\n\":\"\\u00e9\xc3\xa9\"}],\"c\":[true,null]}";
    struct damage damage = damage_of(good, sizeof good - 1);
    size_t refused = 0;

    (void)state;
    while (damage_cut(&damage))
        assert_false(accepts((const char *)damage.bytes, damage.size));
    while (damage_byte(&damage)) {
        const char *text = (const char *)damage.bytes;
        json_t *root = json_loadb(text, damage.size, JSON_ALLOW_NUL, NULL);

        if (accepts(text, damage.size) != (root != NULL))
            fail_msg("byte %zu is %u", damage.at, damage.bytes[damage.at]);
        refused += root == NULL;
        json_decref(root);
    }
    assert_true(refused > 1000);
}

static void depth_is_bounded(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 4];

    (void)state;
    for (size_t depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(accepts(text, 2 * depth), depth <= JSON_DEPTH_MAX);
    }
}

/* Of the one element of an array. */
static struct json_reader reader_of(const char *text)
{
    struct json_reader reader;

    json_reader_init(&reader, (struct json_slice){text, strlen(text)});
    assert_true(scan_begin(&reader, '['));
    return reader;
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        float value;
    } floats[] = {{"[0]", 0},
                  {"[-0.0]", -0.0F},
                  {"[1e-50]", 0},
                  {"[0.1]", 0.1F},
                  {"[0.10000000149011612]", 0.1F},
                  {"[3.4028234663852886e+38]", FLT_MAX},
                  {"[16777217]", 16777216},
                  {"[-1.17549435e-38]", -FLT_MIN}};
    static const char *const not_floats[] = {"[1e39]", "[-3.5e38]", "[\"1\"]",
                                             "[]",     "[inf]",     "[-]"};
    static const char *const not_whole[] = {"[1.0]",
                                            "[1e3]",
                                            "[-1]",
                                            "[\"1\"]",
                                            "[true]",
                                            "[1000000000000000000]",
                                            "[99999999999999999999999999]"};
    uint64_t whole;
    float value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(floats); i++) {
        struct json_reader reader = reader_of(floats[i].text);

        assert_true(scan_float(&reader, &value));
        assert_memory_equal(&value, &floats[i].value, sizeof value);
    }
    for (size_t i = 0; i < COUNT_OF(not_floats); i++) {
        struct json_reader reader = reader_of(not_floats[i]);

        assert_false(scan_float(&reader, &value));
        assert_true(reader.error[0] != '\0');
    }
    for (size_t i = 0; i < COUNT_OF(not_whole); i++) {
        struct json_reader reader = reader_of(not_whole[i]);

        assert_false(scan_whole(&reader, &whole));
    }
    {
        struct json_reader reader = reader_of("[999999999999999999]");

        assert_true(scan_whole(&reader, &whole));
        assert_true(whole == UINT64_C(999999999999999999));
    }
}

static void strings(void **state)
{
    static const struct {
        const char *text, *plain;
    } cases[] = {{"[\"\"]", ""},
                 {"[\"name\"]", "name"},
                 {"[\"n\\u0061m\\u0065\"]", "name"},
                 {"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "\"\\/\b\f\n\r\t"},
                 {"[\"\\u00e9\\u20AC\\ud83d\\ude00\"]", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
                 {"[\"\\ud83d\"]", "\xef\xbf\xbd"},
                 {"[\"\\ude00x\"]", "\xef\xbf\xbdx"},
                 {"[\"\\ud83d\\n\"]", "\xef\xbf\xbd\n"},
                 {"[\"\\ud83d\\u0041\"]", "\xef\xbf\xbd"
                                          "A"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_reader reader = reader_of(cases[i].text);
        struct json_slice string;
        char plain[64];
        size_t size;

        assert_true(scan_string(&reader, &string));
        size = scan_unescape(string, plain);
        assert_int_equal(size, strlen(cases[i].plain));
        assert_memory_equal(plain, cases[i].plain, size);
        assert_true(scan_is(string, cases[i].plain));
        assert_false(scan_is(string, "other"));
    }
}

/* Another kind of value is no string, not even where its inside looks like one. */
static void no_strings(void **state)
{
    static const char *const texts[] = {"1", "12", "0", "[]", "{}", "null", "1a1", "[a]"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct json_slice value = {texts[i], strlen(texts[i])};

        assert_false(scan_is(value, ""));
        assert_false(scan_is(value, "a"));
    }
}

static void a_value_is_where_it_stands(void **state)
{
    const char *text = " {\"a\" : [1, {\"b\":2}] , \"c\":\"x\" } ";
    struct json_slice key, value;
    struct json_reader reader, inside;
    bool first = true;
    uint64_t whole;

    (void)state;
    json_reader_init(&reader, (struct json_slice){text, strlen(text)});
    assert_true(scan_begin(&reader, '{'));
    assert_true(scan_key(&reader, &first, &key) && scan_is(key, "a"));
    assert_true(scan_value(&reader, &value));
    assert_int_equal(value.size, strlen("[1, {\"b\":2}]"));
    assert_memory_equal(value.bytes, "[1, {\"b\":2}]", value.size);
    assert_true(scan_key(&reader, &first, &key) && scan_is(key, "c"));
    assert_true(scan_value(&reader, &key));
    assert_false(scan_key(&reader, &first, &key));
    assert_true(scan_end(&reader));
    inside = json_reader_at(&reader, value);
    first = true;
    assert_true(scan_begin(&inside, '[') && scan_element(&inside, &first));
    assert_true(scan_whole(&inside, &whole) && whole == 1);
    assert_true(scan_element(&inside, &first));
    assert_false(scan_whole(&inside, &whole));
    assert_non_null(strstr(inside.error, "at byte"));
    assert_false(scan_element(&inside, &first)); /* it sticks */
}

/* Whatever the locale of the program that the library is part of says. */
static void the_point_is_a_point(void **state)
{
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C"};
    struct json_reader reader;
    bool first = true;
    double value;
    float single;

    (void)state;
    for (size_t i = 0; i < 4 && setlocale(LC_NUMERIC, commas[i]) == NULL; i++)
        continue;
    json_reader_init(&reader, (struct json_slice){"[0.5, -1.25e2, 1e999]", 21});
    assert_true(scan_begin(&reader, '[') && scan_element(&reader, &first));
    assert_true(scan_double(&reader, &value) && value == 0.5);
    assert_true(scan_element(&reader, &first) && scan_float(&reader, &single) && single == -125);
    assert_true(scan_element(&reader, &first) && !scan_double(&reader, &value));
    setlocale(LC_NUMERIC, "C");
}

static void a_document_is_one_value(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {{" [1] ", true}, {"[1] 2", false}, {"", false}, {"[1", false}, {"{}{}", false}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_reader reader;
        struct json_slice whole;

        json_reader_init(&reader, (struct json_slice){cases[i].text, strlen(cases[i].text)});
        assert_int_equal(scan_document(&reader, &whole), cases[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_point_is_a_point),
        cmocka_unit_test(a_document_is_one_value),
        cmocka_unit_test(agrees_with_jansson),
        cmocka_unit_test(agrees_on_damage),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(numbers),
        cmocka_unit_test(strings),
        cmocka_unit_test(no_strings),
        cmocka_unit_test(a_value_is_where_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
