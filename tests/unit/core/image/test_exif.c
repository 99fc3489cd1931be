/* EXIF orientation: both byte orders, and every way in which a segment can be broken. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "damage.h"
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
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        jpeg_exif(values[i], false, payload);
        assert_int_equal(ask(payload, sizeof payload), 1);
        jpeg_exif(values[i], true, payload);
        assert_int_equal(ask(payload, sizeof payload), 1);
    }
}

/* An entry that is cut counts for nothing, even where its value is there. */
static void every_truncation(void **state)
{
    const size_t entry_end = ENTRY + ENTRY_BYTES;
    uint8_t payload[JPEG_EXIF_BYTES];
    struct damage damage = damage_of(payload, sizeof payload);

    (void)state;
    jpeg_exif(6, true, payload);
    while (damage_cut(&damage))
        assert_int_equal(ask(damage.bytes, damage.size), damage.size >= entry_end ? 6 : 1);
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
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
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

enum { SHORT = 3, LONG, RATIONAL, SBYTE, SSHORT = 8, SLONG, SRATIONAL, FLOAT, DOUBLE, IFD };
enum { LONG8 = 16 };

/* An entry of a type and a count; `values` of `bytes` bytes, behind the directory where they do not
 * fit. Returns the orientation. */
static unsigned ask_values(unsigned type, unsigned count, const void *values, size_t bytes)
{
    uint8_t payload[JPEG_EXIF_BYTES + 16] = {0};
    uint8_t *entry = payload + ENTRY;

    jpeg_exif(8, false, payload);
    entry[2] = (uint8_t)type;
    entry[4] = (uint8_t)count;
    memset(entry + 8, 0, 4);
    if (bytes <= 4) {
        memcpy(entry + 8, values, bytes);
        return ask(payload, JPEG_EXIF_BYTES);
    }
    entry[8] = JPEG_EXIF_BYTES - TIFF;
    memcpy(payload + JPEG_EXIF_BYTES, values, bytes);
    return ask(payload, JPEG_EXIF_BYTES + bytes);
}

/* Little-endian, as this machine and the payload are. */
static void every_type(void **state)
{
    static const uint8_t text[] = {8}, shorts[] = {8, 0, 3, 0, 3, 0}, rest[8] = {0};
    const int8_t sbyte = 8;
    const int16_t sshort = 8, negative = -8;
    const int32_t slong = 8, ratio[] = {-16, -2}, uneven[] = {17, 2}, infinite[] = {8, 0};
    const uint64_t long8 = 8, huge = UINT64_C(1) << 32 | 8;
    const float real = 8, half = 8.5F, nan = (float)(0.0 / 0.0);
    const double wide = 8;

    (void)state;
    assert_int_equal(ask_values(SHORT, 1, shorts, 2), 8);
    assert_int_equal(ask_values(SHORT, 2, shorts, 4), 8); /* the first of several */
    assert_int_equal(ask_values(SHORT, 3, shorts, 6), 8);
    assert_int_equal(ask_values(SHORT, 0, shorts, 2), 1);
    assert_int_equal(ask_values(LONG, 1, &slong, 4), 8);
    assert_int_equal(ask_values(IFD, 1, &slong, 4), 8);
    assert_int_equal(ask_values(SBYTE, 1, &sbyte, 1), 8);
    assert_int_equal(ask_values(SSHORT, 1, &sshort, 2), 8);
    assert_int_equal(ask_values(SSHORT, 1, &negative, 2), 1);
    assert_int_equal(ask_values(SLONG, 1, &slong, 4), 8);
    assert_int_equal(ask_values(SRATIONAL, 1, ratio, 8), 8);
    assert_int_equal(ask_values(SRATIONAL, 1, uneven, 8), 1);
    assert_int_equal(ask_values(RATIONAL, 1, infinite, 8), 1);
    assert_int_equal(ask_values(FLOAT, 1, &real, 4), 8);
    assert_int_equal(ask_values(FLOAT, 1, &half, 4), 1);
    assert_int_equal(ask_values(FLOAT, 1, &nan, 4), 1);
    assert_int_equal(ask_values(DOUBLE, 1, &wide, 8), 8);
    assert_int_equal(ask_values(LONG8, 1, &long8, 8), 8);
    assert_int_equal(ask_values(LONG8, 1, &huge, 8), 1);
    for (unsigned type = 0; type <= 255; type++) /* text, and what is no type */
        if (type < SHORT || type == 7 || type == 14 || type == 15 || type > LONG8)
            assert_int_equal(ask_values(type, 1, text, 1), 1);
    assert_int_equal(ask_values(RATIONAL, 1, rest, 8), 1);
}

/* Values that are not there end the directory; what was found before them stays. */
static void values_beyond_the_segment(void **state)
{
    uint8_t one[JPEG_EXIF_BYTES];
    uint8_t payload[JPEG_EXIF_BYTES + ENTRY_BYTES];

    (void)state;
    jpeg_exif(5, false, one);
    for (unsigned first = 0; first <= 1; first++) {
        uint8_t *wild = payload + ENTRY + (first ? 0 : ENTRY_BYTES);

        memset(payload, 0, sizeof payload);
        memcpy(payload, one, ENTRY);
        memcpy(payload + ENTRY + (first ? ENTRY_BYTES : 0), one + ENTRY, ENTRY_BYTES);
        payload[DIRECTORY] = 2;
        memcpy(wild, one + ENTRY, ENTRY_BYTES);
        wild[0] ^= 1;              /* another tag */
        memset(wild + 4, 0xff, 2); /* 65,535 values */
        assert_int_equal(ask(payload, sizeof payload), first ? 1 : 5);
        wild[2] = 77; /* of no known type: passed over */
        assert_int_equal(ask(payload, sizeof payload), 5);
    }
}

/* Of two entries for the tag the last one that has a value counts. */
static void twice(void **state)
{
    uint8_t one[JPEG_EXIF_BYTES];
    uint8_t payload[JPEG_EXIF_BYTES + ENTRY_BYTES];
    unsigned orientation;

    (void)state;
    jpeg_exif(5, false, one);
    memcpy(payload, one, sizeof one);
    payload[DIRECTORY] = 2;
    jpeg_exif(3, false, one);
    memcpy(payload + ENTRY + ENTRY_BYTES, one + ENTRY, ENTRY_BYTES);
    assert_int_equal(ask(payload, sizeof payload), 3);
    payload[ENTRY + ENTRY_BYTES + 4] = 0;
    assert_int_equal(ask(payload, sizeof payload), 5);
    payload[ENTRY + 8] = 77; /* a wrong orientation is one */
    assert_true(vgg_exif_find_orientation(payload, sizeof payload, &orientation));
    assert_int_equal(orientation, 1);
    payload[ENTRY] ^= 1; /* now there is none */
    assert_false(vgg_exif_find_orientation(payload, sizeof payload, &orientation));
    assert_int_equal(orientation, 1);
}

static void damaged_headers(void **state)
{
    static const size_t places[] = {0, 3, 4, 5, TIFF, TIFF + 1, TIFF + 2, TIFF + 3};
    uint8_t payload[JPEG_EXIF_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
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
        cmocka_unit_test(every_type),
        cmocka_unit_test(values_beyond_the_segment),
        cmocka_unit_test(twice),
        cmocka_unit_test(damaged_headers),
        cmocka_unit_test(finds_the_tag_among_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
