/* Headers and lists while memory ends: all of it or NO_MEMORY, and no complaint about good text. */
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

static void check_parse(struct vgg_header *header, enum vgg_status status, bool fired)
{
    if (status == VGG_OK) {
        assert_int_equal(header->tensors_n, 3);
        assert_string_equal(header->tensors[2].name, "c");
        assert_string_equal(vgg_header_get(header, "format"), "pt");
        assert_string_equal(vgg_header_get(header, "k\"1"), "\xC3\xA9");
    } else {
        assert_true(fired);
        assert_null(header->tensors);
    }
    vgg_header_fini(header);
}

/* Either all of it or NO_MEMORY, never half, never a complaint about a good file. */
static void parsing_without_memory(void **state)
{
    const char *json = "{" A "," META "," B "," C "}";
    long before = fault_outstanding();
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        struct vgg_header header = {0};
        enum vgg_status status;

        fault_arm(n);
        status = vgg_header_parse(json, strlen(json), 40, &header, &error);
        fired = fault_disarm();
        if (status != VGG_OK && status != VGG_NO_MEMORY)
            fail_msg("allocation %lu: status %d, \"%s\"", n, (int)status, error.text);
        assert_int_equal(error.status, status);
        check_parse(&header, status, fired);
        assert_int_equal(fault_outstanding(), before);
    }
}

/* Text that costs a parser many times its length, then a string that makes its buffer grow. */
static void parsing_costly_text_without_memory(void **state)
{
    enum { OBJECTS = 2000, LETTERS = 3000 };
    bool fired = fault_available();
    char *json, *at;

    (void)state;
    if (!fired)
        skip();
    json = at = calloc(16 + 3 * OBJECTS + LETTERS, 1);
    assert_non_null(json);
    at += sprintf(at, "{\"w\":[");
    for (size_t i = 0; i < OBJECTS; i++)
        at += sprintf(at, "{},");
    *at++ = '"';
    memset(at, 'x', LETTERS);
    memcpy(at + LETTERS, "\"]}", 3);
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        struct vgg_header header;
        long before = fault_outstanding();
        enum vgg_status status;

        fault_arm(n);
        status = vgg_header_parse(json, strlen(json), 0, &header, &error);
        fired = fault_disarm();
        if (status != VGG_NO_MEMORY && strstr(error.text, "tensor w") == NULL)
            fail_msg("allocation %lu: status %d, \"%s\"", n, (int)status, error.text);
        assert_int_equal(fault_outstanding(), before);
    }
    free(json);
}

static struct vgg_tensor tensors[] = {
    {(char *)"features.0.weight", VGG_DTYPE_F32, 4, {2, 3, 3, 3}, 0, 216},
    {(char *)"scalar", VGG_DTYPE_I64, 0, {0}, 216, 224},
    {(char *)"features.0.bias", VGG_DTYPE_F16, 1, {2}, 224, 228},
};
static struct vgg_metadata metadata[] = {{(char *)"vgg.arch", (char *)"A"},
                                         {(char *)"quoted \"\\\n", (char *)"\xC3\xA9"}};
static const struct vgg_header written = {tensors, 3, metadata, 2};

static void formatting_without_memory(void **state)
{
    bool fired = fault_available();
    char *whole;
    long before;

    (void)state;
    if (!fired)
        skip();
    whole = vgg_header_format(&written);
    before = fault_outstanding();
    for (unsigned long n = 1; fired; n++) {
        char *json;

        fault_arm(n);
        json = vgg_header_format(&written);
        fired = fault_disarm();
        if (json != NULL)
            assert_string_equal(json, whole);
        else
            assert_true(fired);
        free(json);
        assert_int_equal(fault_outstanding(), before);
    }
    free(whole);
}

static void formatting_labels_without_memory(void **state)
{
    struct vgg_label items[] = {{NULL, "cat"}, {"n1", "dog, hound"}};
    const struct vgg_labels labels = {.items = items, .items_n = 2};
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    for (unsigned long n = 1; fired; n++) {
        long before = fault_outstanding();
        char *json;

        fault_arm(n);
        json = vgg_labels_format(&labels);
        fired = fault_disarm();
        if (json != NULL)
            assert_string_equal(json, "[\"cat\",[\"n1\",\"dog, hound\"]]");
        else
            assert_true(fired);
        free(json);
        assert_int_equal(fault_outstanding(), before);
    }
}

static void numbers_without_memory(void **state)
{
    long before = fault_outstanding();
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        double numbers[3];
        size_t count;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_json_numbers("[0.5, 2, -1e3]", numbers, 3, &count, &error);
        fired = fault_disarm();
        if (status != VGG_OK && status != VGG_NO_MEMORY)
            fail_msg("allocation %lu: status %d, \"%s\"", n, (int)status, error.text);
        if (status == VGG_OK)
            assert_true(count == 3 && numbers[2] == -1000);
        assert_int_equal(fault_outstanding(), before);
    }
}

static void labels_without_memory(void **state)
{
    const char *json = "[\"cat\", [\"n1\", \"dog, hound\"], \"\"]";
    long before = fault_outstanding();
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        struct vgg_labels labels;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_json_labels(json, &labels, &error);
        fired = fault_disarm();
        if (status != VGG_OK && status != VGG_NO_MEMORY)
            fail_msg("allocation %lu: status %d, \"%s\"", n, (int)status, error.text);
        if (status == VGG_OK)
            assert_string_equal(labels.items[1].label, "dog, hound");
        vgg_labels_fini(&labels);
        assert_int_equal(fault_outstanding(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing_without_memory),
        cmocka_unit_test(parsing_costly_text_without_memory),
        cmocka_unit_test(formatting_without_memory),
        cmocka_unit_test(formatting_labels_without_memory),
        cmocka_unit_test(numbers_without_memory),
        cmocka_unit_test(labels_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
