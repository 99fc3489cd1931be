/* safetensors headers and the lists in their metadata: good ones and bad ones. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "model/header.h"
#include "model/lists.h"

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define B "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]}"
#define C "\"c\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[32,40]}"
#define META "\"__metadata__\":{\"format\":\"pt\",\"k\\\"1\":\"\\u00e9\"}"

static enum vgg_status parse(const char *json, uint64_t data_bytes, struct vgg_header *header,
                             struct vgg_error *error)
{
    /* A copy of exactly its length, so that reading past the end is found. */
    size_t size = strlen(json);
    char *copy = malloc(size + 1);
    enum vgg_status status;

    memcpy(copy, json, size);
    copy[size] = '"';
    status = vgg_header_parse(copy, size, data_bytes, header, error);
    free(copy);
    return status;
}

static void a_good_header(void **state)
{
    struct vgg_header header;

    (void)state;
    /* Sorted by offset, whatever the order in the text. */
    assert_int_equal(parse("{" C "," META "," A "," B "}   ", 40, &header, NULL), VGG_OK);
    assert_int_equal(header.tensors_n, 3);
    assert_string_equal(header.tensors[0].name, "a");
    assert_int_equal(header.tensors[0].dtype, VGG_DTYPE_F32);
    assert_int_equal(header.tensors[0].dims, 2);
    assert_int_equal(header.tensors[0].shape[0], 2);
    assert_int_equal(header.tensors[0].shape[1], 3);
    assert_int_equal(header.tensors[0].begin, 0);
    assert_int_equal(header.tensors[0].end, 24);
    assert_string_equal(header.tensors[1].name, "b");
    assert_int_equal(header.tensors[1].dtype, VGG_DTYPE_I64);
    assert_int_equal(header.tensors[1].dims, 0);
    assert_string_equal(header.tensors[2].name, "c");
    assert_int_equal(header.tensors[2].dtype, VGG_DTYPE_BF16);
    assert_string_equal(vgg_header_get(&header, "format"), "pt");
    assert_string_equal(vgg_header_get(&header, "k\"1"), "\xC3\xA9");
    assert_null(vgg_header_get(&header, "forma"));
    vgg_header_fini(&header);
    assert_int_equal(header.tensors_n, 0);
    assert_null(header.tensors);
}

static void headers_without_metadata_or_tensors(void **state)
{
    struct vgg_header header;

    (void)state;
    assert_int_equal(parse("{}", 0, &header, NULL), VGG_OK);
    assert_int_equal(header.tensors_n, 0);
    assert_null(vgg_header_get(&header, "format"));
    vgg_header_fini(&header);
    assert_int_equal(parse("{\"__metadata__\":{}}", 0, &header, NULL), VGG_OK);
    assert_int_equal(header.metadata_n, 0);
    vgg_header_fini(&header);
}

#define T(dtype, shape, offsets)                                                                   \
    "{\"w\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void bad_headers(void **state)
{
    static const struct {
        const char *json;
        uint64_t data_bytes;
        const char *text; /* in the message */
    } cases[] = {
        {"", 0, "not valid JSON"},
        {"{", 0, "not valid JSON"},
        {"{}}", 0, "not valid JSON"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "tensor a: dtype is there twice"},
        {"{\"__metadata__\":{\"k\":\"1\",\"\\u006b\":\"2\"}}", 0, "__metadata__: k is there twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice"},
        {"{" A "," A "}", 24, "tensor a is there twice"},
        {"\x89PNG", 0, "not valid JSON"},
        {"{\"\xFF\":1}", 0, "not valid JSON"},
        {"{\"a\\u0000b\":1}", 0, "zero character"},
        {"[]", 0, "object"},
        {"{\"w\":1}", 0, "tensor w"},
        {"{\"w\":[]}", 0, "tensor w"},
        {"{\"w\":{}}", 0, "tensor w: dtype"},
        {T("\"F64\"", "[1]", "[0,8]"), 8, "tensor w: dtype F64"},
        {T("\"f32\"", "[1]", "[0,4]"), 4, "tensor w: dtype f32"},
        {T("\"\"", "[1]", "[0,4]"), 4, "tensor w: dtype"},
        {T("7", "[1]", "[0,4]"), 4, "tensor w: dtype"},
        {T("\"F32\"", "1", "[0,4]"), 4, "tensor w: shape"},
        {T("\"F32\"", "{}", "[0,4]"), 4, "tensor w: shape"},
        {T("\"F32\"", "[1,1,1,1,1]", "[0,4]"), 4, "tensor w: shape"},
        {T("\"F32\"", "[0]", "[0,0]"), 0, "tensor w: size 0"},
        {T("\"F32\"", "[1,-1]", "[0,4]"), 4, "tensor w: size 1"},
        {T("\"F32\"", "[1.0]", "[0,4]"), 4, "tensor w: size 0"},
        {T("\"F32\"", "[\"1\"]", "[0,4]"), 4, "tensor w: size 0"},
        {T("\"F32\"", "[null]", "[0,4]"), 4, "tensor w: size 0"},
        /* 2^60 and its like: one side, and products that wrap around to something small. */
        {T("\"F32\"", "[1152921504606846976]", "[0,4]"), 4, "tensor w: size 0"},
        {T("\"F32\"", "[1073741824,1073741824]", "[0,4]"), 4, "tensor w"},
        {T("\"F32\"", "[1073741824,1073741824,16]", "[0,0]"), 0, "tensor w: its shape"},
        {T("\"F32\"", "[1073741824,1073741824,4]", "[0,0]"), 0, "tensor w: its shape"},
        {T("\"F32\"", "[99999999999999999999]", "[0,4]"), 4, "tensor w: size 0"},
        {T("\"F32\"", "[2]", "[0,4]"), 4, "tensor w: its shape"},
        {T("\"F16\"", "[2]", "[0,8]"), 8, "tensor w: its shape"},
        {T("\"F32\"", "[1]", "[0]"), 4, "tensor w: data_offsets"},
        {T("\"F32\"", "[1]", "[0,4,8]"), 4, "tensor w: data_offsets"},
        {T("\"F32\"", "[1]", "4"), 4, "tensor w: data_offsets"},
        {T("\"F32\"", "[1]", "[0.0,4]"), 4, "tensor w: data_offsets"},
        {T("\"F32\"", "[1]", "[-4,0]"), 4, "tensor w: data_offsets"},
        {T("\"F32\"", "[1]", "[4,0]"), 4, "tensor w: data_offsets"},
        {T("\"F32\"", "[1]", "[4,8]"), 8, "tensor w: its data leaves a gap"},
        {T("\"F32\"", "[1]", "[0,4]"), 3, "truncated: tensor w"},
        {T("\"F32\"", "[1]", "[0,4]"), 5, "1 bytes after the last tensor"},
        {T("\"F32\"", "[1]", "[9223372036854775803,9223372036854775807]"), 4, "tensor w"},
        {"{}", 1, "1 bytes after"},
        {"{" A "," C "}", 40, "tensor c: its data leaves a gap"},
        {"{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[20,40]}}", 40,
         "tensor b: its data overlaps"},
        {"{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}", 24, "overlaps"},
        {"{\"__metadata__\":[]}", 0, "__metadata__"},
        {"{\"__metadata__\":\"x\"}", 0, "__metadata__"},
        {"{\"__metadata__\":{\"vgg.mean\":[1]}}", 0, "__metadata__: vgg.mean"},
        {"{\"__metadata__\":{\"a\":\"b\",\"c\":null}}", 0, "__metadata__: c"},
    };
    long before = fault_outstanding();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_error error = {0};
        struct vgg_header header = {.tensors_n = 99};

        assert_int_equal(parse(cases[i].json, cases[i].data_bytes, &header, &error), VGG_BAD_MODEL);
        assert_int_equal(error.status, VGG_BAD_MODEL);
        if (strstr(error.text, cases[i].text) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].json, error.text, cases[i].text);
        assert_int_equal(header.tensors_n + header.metadata_n, 0);
        assert_null(header.tensors);
        assert_int_equal(parse(cases[i].json, cases[i].data_bytes, &header, NULL), VGG_BAD_MODEL);
    }
    assert_int_equal(fault_outstanding(), before);
}

/* The text of an error is one line, whatever a file calls its tensors. */
static void names_cannot_break_the_line(void **state)
{
    struct vgg_error error = {0};
    struct vgg_header header;

    (void)state;
    assert_int_equal(parse("{\"a\\nb\\r\\u001b[31m\":{\"dtype\":\"F32\"}}", 0, &header, &error),
                     VGG_BAD_MODEL);
    for (const char *at = error.text; *at != '\0'; at++)
        assert_true((unsigned char)*at >= ' ');
}

static void deep_nesting_is_refused(void **state)
{
    enum { DEPTH = 200000 };
    char *json = malloc(DEPTH + 1);
    struct vgg_header header;

    (void)state;
    memset(json, '[', DEPTH);
    json[DEPTH] = '\0';
    assert_int_equal(parse(json, 0, &header, NULL), VGG_BAD_MODEL);
    free(json);
}

/* ---------------------------------------------------------------- writing -------------------- */

static struct vgg_tensor tensors[] = {
    {(char *)"features.0.weight", VGG_DTYPE_F32, 4, {2, 3, 3, 3}, 0, 216},
    {(char *)"scalar", VGG_DTYPE_I64, 0, {0}, 216, 224},
    {(char *)"features.0.bias", VGG_DTYPE_F16, 1, {2}, 224, 228},
};
static struct vgg_metadata metadata[] = {{(char *)"vgg.arch", (char *)"A"},
                                         {(char *)"quoted \"\\\n", (char *)"\xC3\xA9"}};
static const struct vgg_header written = {tensors, 3, metadata, 2};

static void what_is_formatted_is_parsed(void **state)
{
    char *json = vgg_header_format(&written);
    struct vgg_header header;

    (void)state;
    assert_non_null(json);
    assert_int_equal(strlen(json) % 8, 0);
    assert_int_equal(json[0], '{');
    assert_int_equal(parse(json, 228, &header, NULL), VGG_OK);
    assert_int_equal(header.tensors_n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(header.tensors[i].name, tensors[i].name);
        assert_int_equal(header.tensors[i].dtype, tensors[i].dtype);
        assert_int_equal(header.tensors[i].dims, tensors[i].dims);
        assert_memory_equal(header.tensors[i].shape, tensors[i].shape,
                            tensors[i].dims * sizeof *tensors[i].shape);
        assert_int_equal(header.tensors[i].begin, tensors[i].begin);
        assert_int_equal(header.tensors[i].end, tensors[i].end);
    }
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(vgg_header_get(&header, metadata[i].key), metadata[i].value);
    vgg_header_fini(&header);
    free(json);
}

/* ---------------------------------------------------------------- lists ---------------------- */

static void lists_of_numbers(void **state)
{
    double numbers[4] = {0};
    size_t n = 99;

    (void)state;
    assert_int_equal(vgg_json_numbers("[0.5, 2, -1e3]", numbers, 3, &n, NULL), VGG_OK);
    assert_int_equal(n, 3);
    assert_true(numbers[0] == 0.5 && numbers[1] == 2 && numbers[2] == -1000);
    assert_int_equal(vgg_json_numbers("[]", numbers, 3, &n, NULL), VGG_OK);
    assert_int_equal(n, 0);
    assert_true(numbers[3] == 0);
}

static void what_is_no_list_of_numbers(void **state)
{
    static const char *const texts[] = {"",      "1",       "{}",      "[1,2,3,4]", "[1,\"2\"]",
                                        "[1,]",  "[1] [2]", "[null]",  "[true]",    "[[1]]",
                                        "[NaN]", "0.5,0.5", "[1e999]", "[1",        "\"[1]\""};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        double numbers[4] = {7, 7, 7, 7};
        struct vgg_error error = {0};
        size_t n = 0;

        if (vgg_json_numbers(texts[i], numbers, 3, &n, &error) != VGG_BAD_MODEL)
            fail_msg("%s passes", texts[i]);
        assert_int_equal(error.status, VGG_BAD_MODEL);
        assert_true(numbers[3] == 7);
    }
}

static void both_forms_of_labels(void **state)
{
    struct vgg_labels labels;

    (void)state;
    assert_int_equal(vgg_json_labels("[\"cat\", [\"n1\", \"dog, hound\"], \"\"]", &labels, NULL),
                     VGG_OK);
    assert_int_equal(labels.items_n, 3);
    assert_null(labels.items[0].id);
    assert_string_equal(labels.items[0].label, "cat");
    assert_string_equal(labels.items[1].id, "n1");
    assert_string_equal(labels.items[1].label, "dog, hound");
    assert_null(labels.items[2].id);
    assert_string_equal(labels.items[2].label, "");
    vgg_labels_fini(&labels);
    assert_null(labels.items);
    assert_int_equal(vgg_json_labels("[]", &labels, NULL), VGG_OK);
    assert_int_equal(labels.items_n, 0);
    vgg_labels_fini(&labels);
}

static void labels_are_formatted(void **state)
{
    struct vgg_label items[] = {{NULL, "gr\xC3\xBCn \"x\"\n"}, {"n1", "b, c"}, {NULL, ""}};
    struct vgg_labels labels = {.items = items, .items_n = 3}, back;
    char *json = vgg_labels_format(&labels);

    (void)state;
    assert_string_equal(json, "[\"gr\xC3\xBCn \\\"x\\\"\\n\",[\"n1\",\"b, c\"],\"\"]");
    assert_int_equal(vgg_json_labels(json, &back, NULL), VGG_OK);
    assert_int_equal(back.items_n, 3);
    assert_string_equal(back.items[0].label, items[0].label);
    assert_string_equal(back.items[1].id, "n1");
    vgg_labels_fini(&back);
    free(json);
    labels.items_n = 0;
    json = vgg_labels_format(&labels);
    assert_string_equal(json, "[]");
    free(json);
}

static void what_are_no_labels(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {{"", "vgg.labels is not valid JSON"},
                 {"{}", "must be a JSON list"},
                 {"\"cat\"", "vgg.labels"},
                 {"[\"cat\", 1]", "element 1"},
                 {"[[]]", "element 0"},
                 {"[[\"a\"]]", "element 0"},
                 {"[\"x\",\"y\",[\"a\",\"b\",\"c\"]]", "element 2"},
                 {"[[1,\"b\"]]", "element 0"},
                 {"[[\"a\",null]]", "element 0"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_labels labels = {.items_n = 99};
        struct vgg_error error = {0};

        assert_int_equal(vgg_json_labels(cases[i].json, &labels, &error), VGG_BAD_MODEL);
        assert_non_null(strstr(error.text, cases[i].text));
        assert_int_equal(labels.items_n, 0);
        assert_null(labels.items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_header),
        cmocka_unit_test(headers_without_metadata_or_tensors),
        cmocka_unit_test(bad_headers),
        cmocka_unit_test(names_cannot_break_the_line),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(what_is_formatted_is_parsed),
        cmocka_unit_test(lists_of_numbers),
        cmocka_unit_test(what_is_no_list_of_numbers),
        cmocka_unit_test(both_forms_of_labels),
        cmocka_unit_test(labels_are_formatted),
        cmocka_unit_test(what_are_no_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
