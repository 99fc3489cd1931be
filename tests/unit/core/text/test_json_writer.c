/* JSON as it is written: escapes, order, and what an allocation that fails leaves. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "text/json_reader.h"
#include "text/json_writer.h"

static void what_is_called_is_written(void **state)
{
    struct json_writer writer = {0};
    char *text;

    (void)state;
    json_write(&writer, "{");
    json_write_string(&writer, "a");
    json_write(&writer, ":[");
    json_write_whole(&writer, 0);
    json_write(&writer, ",");
    json_write_whole(&writer, UINT64_MAX);
    json_write(&writer, "]}");
    text = json_writer_finish(&writer);
    assert_string_equal(text, "{\"a\":[0,18446744073709551615]}");
    free(text);
    text = json_writer_finish(&writer);
    assert_string_equal(text, "");
    free(text);
}

/* Every character that there is, one a string: what is read back is what was written. */
static void strings_come_back(void **state)
{
    static const char *const more[] = {"\xC3\xA9", "\xE2\x98\x83", "\xF0\x9F\x90\xB1", "\x7F", ""};
    struct json_writer writer = {0};
    struct json_reader reader;
    struct json_slice whole, string;
    char character[2] = "", plain[8], *text;
    bool first = true;

    (void)state;
    json_write(&writer, "[");
    for (int c = 1; c < 0x80; c++) {
        character[0] = (char)c;
        json_write_string(&writer, character);
        json_write(&writer, ",");
    }
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        json_write_string(&writer, more[i]);
        json_write(&writer, i + 1 < COUNT_OF(more) ? "," : "]");
    }
    text = json_writer_finish(&writer);
    assert_non_null(text);
    assert_non_null(strstr(text, "[\"\\u0001\","));
    assert_non_null(strstr(text, ",\"\\n\","));
    json_reader_init(&reader, (struct json_slice){text, strlen(text)});
    assert_true(scan_document(&reader, &whole));
    reader = json_reader_at(&reader, whole);
    assert_true(scan_begin(&reader, '['));
    for (int c = 1; c < 0x80; c++) {
        assert_true(scan_element(&reader, &first) && scan_string(&reader, &string));
        assert_int_equal(scan_unescape(string, plain), 1);
        assert_int_equal(plain[0], c);
    }
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        assert_true(scan_element(&reader, &first) && scan_string(&reader, &string));
        assert_true(scan_is(string, more[i]));
    }
    assert_false(scan_element(&reader, &first));
    free(text);
}

static void without_memory(void **state)
{
    bool fired = fault_available();
    long before = fault_outstanding();

    (void)state;
    if (!fired)
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct json_writer writer = {0};
        char *text;

        fault_arm(n);
        for (int i = 0; i < 1000; i++)
            json_write_string(&writer, "some text\n");
        text = json_writer_finish(&writer);
        fired = fault_disarm();
        assert_true(fired ? text == NULL : strlen(text) == 13000);
        free(text);
        assert_int_equal(fault_outstanding(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_called_is_written),
        cmocka_unit_test(strings_come_back),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests_name("json_writer", tests, NULL, NULL);
}
