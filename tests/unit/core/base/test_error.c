/* Status texts and error records. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static const struct {
    enum vgg_status status;
    const char *name;
} statuses[] = {
#define STATUS(name, text) {VGG_##name, #name},
    VGG_STATUS_MAP(STATUS)
#undef STATUS
};

enum { STATUSES = COUNT_OF(statuses) };

static void every_status_has_its_own_text(void **state)
{
    (void)state;
    assert_int_equal(VGG_OK, 0);
    for (size_t i = 0; i < STATUSES; i++) {
        assert_int_equal(statuses[i].status, i);
        assert_true(strlen(vgg_status_text(statuses[i].status)) >= 2);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(vgg_status_text(statuses[i].status),
                                    vgg_status_text(statuses[j].status));
    }
    assert_string_equal(vgg_status_text(VGG_OK), "ok");
    assert_string_equal(vgg_status_text(VGG_NO_MEMORY), "out of memory");
    assert_string_equal(vgg_status_text(VGG_DEADLINE), "deadline passed");
}

static void a_status_outside_the_enum_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(vgg_status_text((enum vgg_status)STATUSES), "unknown status");
    assert_string_equal(vgg_status_text((enum vgg_status)1000000), "unknown status");
    assert_string_equal(vgg_status_text((enum vgg_status) - 1), "unknown status");
}

static void fills_the_record(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(vgg_fail(&error, VGG_BAD_IMAGE, "%s has %d scans", "it", 7), VGG_BAD_IMAGE);
    assert_int_equal(error.status, VGG_BAD_IMAGE);
    assert_string_equal(error.text, "it has 7 scans");
}

static void the_first_error_wins(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(vgg_fail(&error, VGG_IO, "first"), VGG_IO);
    assert_int_equal(vgg_fail(&error, VGG_BAD_MODEL, "second"), VGG_BAD_MODEL);
    assert_int_equal(vgg_fail_memory(&error), VGG_NO_MEMORY);
    assert_int_equal(error.status, VGG_IO);
    assert_string_equal(error.text, "first");
}

static void no_record_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 1; i < STATUSES; i++)
        assert_int_equal(vgg_fail(NULL, statuses[i].status, "%d", 1), statuses[i].status);
    assert_int_equal(vgg_fail_memory(NULL), VGG_NO_MEMORY);
}

static void long_texts_are_cut(void **state)
{
    struct {
        struct vgg_error error;
        char guard[16];
    } record = {.guard = "0123456789abcde"};
    char text[2 * sizeof record.error.text];

    (void)state;
    for (size_t length = sizeof record.error.text - 3; length < sizeof text; length++) {
        size_t kept = length < sizeof record.error.text ? length : sizeof record.error.text - 1;

        memset(text, 'x', length);
        text[length] = '\0';
        memset(&record.error, 0, sizeof record.error);
        assert_int_equal(vgg_fail(&record.error, VGG_IO, "%s", text), VGG_IO);
        assert_int_equal(strlen(record.error.text), kept);
        assert_memory_equal(record.error.text, text, kept);
        assert_string_equal(record.guard, "0123456789abcde");
    }
}

static void out_of_memory_has_one_text(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(vgg_fail_memory(&error), VGG_NO_MEMORY);
    assert_int_equal(error.status, VGG_NO_MEMORY);
    assert_string_equal(error.text, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_text),
        cmocka_unit_test(a_status_outside_the_enum_has_a_text),
        cmocka_unit_test(fills_the_record),
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(no_record_is_allowed),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(out_of_memory_has_one_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
