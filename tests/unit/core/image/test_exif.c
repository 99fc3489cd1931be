/* EXIF orientation: both byte orders, and every way in which a segment can be broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"
#include "jpeg_maker.h"

enum { TIFF = 6, DIRECTORY = TIFF + 8, ENTRY = DIRECTORY + 2, ENTRY_BYTES = 12 };

/* Ask about a heap copy of exactly `size` bytes, so that a sanitizer sees any byte too many. */
static unsigned ask(const uint8_t *payload, size_t size)
{
    uint8_t *copy = malloc(size != 0 ? size : 1);
    unsigned orientation;

    assert_non_null(copy);
    memcpy(copy, payload, size);
    orientation = vgg_exif_orientation(copy, size);
    free(copy);
    return orientation;
}

static void reads_both_byte_orders(void **state)
{
    uint8_t payload[JPEG_EXIF_BYTES];

    (void)state;
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        jpeg_exif(orientation, false, payload);
        assert_int_equal(ask(payload, sizeof payload), orientation);
        jpeg_exif(orientation, true, payload);
        assert_int_equal(ask(payload, sizeof payload), orientation);
    }
}

static void values_out_of_range_mean_upright(void **state)
{
    static const unsigned values[] = {0, 9, 255, 256, 0x600, 65535};
    uint8_t payload[JPEG_EXIF_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        jpeg_exif(values[i], false, payload);
        assert_int_equal(ask(payload, sizeof payload), 1);
        jpeg_exif(values[i], true, payload);
        assert_int_equal(ask(payload, sizeof payload), 1);
    }
}

/* The value ends at byte 2 of its 4; before that nothing can be known, from there on all is. */
static void every_truncation(void **state)
{
    const size_t value_end = ENTRY + 8 + 2;
    uint8_t payload[JPEG_EXIF_BYTES];

    (void)state;
    jpeg_exif(6, true, payload);
    for (size_t size = 0; size <= sizeof payload; size++)
        assert_int_equal(ask(payload, size), size >= value_end ? 6 : 1);
}

static void wild_offsets(void **state)
{
    static const uint8_t offsets[][4] = {
        {0xff, 0xff, 0xff, 0xff},
        {0x7f, 0xff, 0xff, 0xff},
        {0, 0, 0, 25},
        {0, 0, 0, 26},
        {0, 0, 0, 27},
        {0xff, 0xff, 0xff, 0xf8},
        {0, 0, 1, 8},
    };
    uint8_t payload[JPEG_EXIF_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        jpeg_exif(6, true, payload);
        memcpy(payload + TIFF + 4, offsets[i], 4);
        assert_int_equal(ask(payload, sizeof payload), 1);
    }
}

static void directory_longer_than_the_segment(void **state)
{
    uint8_t payload[JPEG_EXIF_BYTES];

    (void)state;
    jpeg_exif(6, false, payload);
    memset(payload + DIRECTORY, 0xff, 2); /* 65,535 entries, the first is ours */
    assert_int_equal(ask(payload, sizeof payload), 6);
    payload[ENTRY] ^= 1; /* now it is another tag, and the next one is cut off */
    assert_int_equal(ask(payload, sizeof payload), 1);
}

static void types_and_counts(void **state)
{
    uint8_t payload[JPEG_EXIF_BYTES];

    (void)state;
    jpeg_exif(8, false, payload);
    payload[ENTRY + 2] = 4; /* LONG, little-endian: the same bytes */
    assert_int_equal(ask(payload, sizeof payload), 8);
    payload[ENTRY + 8 + 2] = 1; /* 0x10008 */
    assert_int_equal(ask(payload, sizeof payload), 1);

    for (unsigned type = 0; type <= 13; type++) {
        jpeg_exif(8, false, payload);
        payload[ENTRY + 2] = (uint8_t)type;
        assert_int_equal(ask(payload, sizeof payload), type == 3 || type == 4 ? 8 : 1);
    }
    jpeg_exif(8, false, payload);
    payload[ENTRY + 4] = 2; /* two values */
    assert_int_equal(ask(payload, sizeof payload), 1);
    payload[ENTRY + 4] = 0; /* none */
    assert_int_equal(ask(payload, sizeof payload), 1);
}

static void damaged_headers(void **state)
{
    static const size_t places[] = {0, 3, 4, 5, TIFF, TIFF + 1, TIFF + 2, TIFF + 3};
    uint8_t payload[JPEG_EXIF_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        jpeg_exif(6, false, payload);
        payload[places[i]] ^= 0x55;
        assert_int_equal(ask(payload, sizeof payload), 1);
    }
}

static void finds_the_tag_among_others(void **state)
{
    uint8_t one[JPEG_EXIF_BYTES];
    uint8_t payload[JPEG_EXIF_BYTES + 2 * ENTRY_BYTES];

    (void)state;
    jpeg_exif(5, false, one);
    memset(payload, 0, sizeof payload);
    memcpy(payload, one, ENTRY);
    payload[DIRECTORY] = 3;
    payload[ENTRY] = 0x0f; /* 0x010f: the maker, with an offset that leads nowhere */
    payload[ENTRY + 1] = 0x01;
    memset(payload + ENTRY + 4, 0xff, 8);
    payload[ENTRY + ENTRY_BYTES] = 0x10;
    payload[ENTRY + ENTRY_BYTES + 1] = 0x01;
    memcpy(payload + ENTRY + 2 * ENTRY_BYTES, one + ENTRY, ENTRY_BYTES);
    assert_int_equal(ask(payload, sizeof payload), 5);
    payload[DIRECTORY] = 2; /* the tag is no longer part of the directory */
    assert_int_equal(ask(payload, sizeof payload), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_both_byte_orders),
        cmocka_unit_test(values_out_of_range_mean_upright),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(wild_offsets),
        cmocka_unit_test(directory_longer_than_the_segment),
        cmocka_unit_test(types_and_counts),
        cmocka_unit_test(damaged_headers),
        cmocka_unit_test(finds_the_tag_among_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
