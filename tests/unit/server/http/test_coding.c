/* Compressed bodies: every form of them, every beginning of one, bombs, and too little memory. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "damage.h"
#include "fault.h"
#include "http/coding.h"

enum { ROOM = 1 << 20, BODY_MAX = 8 << 20 };

static struct body_budget budget = {.max = 64 << 20};
static struct body packed, inflated; /* of the last call */
static const char *error;
static unsigned asked, asked_max; /* stop is answered with yes after that many; 0: never */

static int setup(void **state)
{
    (void)state;
    asked_max = 0;
    body_init(&packed, &budget);
    body_init(&inflated, &budget);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    body_fini(&packed);
    body_fini(&inflated);
    return atomic_load(&budget.used) == 0 ? 0 : -1;
}

/* ---------------------------------------------------------------- packing -------------------- */

enum { GZIP = 31, ZLIB = 15, RAW = -15 }; /* as deflateInit2 has it */

static void pack(int window_bits, const void *bytes, size_t size)
{
    static uint8_t out[ROOM];
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes,
                       .avail_in = (uInt)size,
                       .next_out = out,
                       .avail_out = sizeof out};

    assert_int_equal(
        deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY),
        Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    body_append(&packed, out, sizeof out - stream.avail_out);
    deflateEnd(&stream);
}

static void pack_text(int window_bits, const char *text)
{
    pack(window_bits, text, strlen(text));
}

static bool stop(void *user)
{
    assert_ptr_equal(user, &asked);
    asked++;
    return asked_max != 0 && asked > asked_max;
}

static enum coding_result undo_to(enum coding coding, size_t bytes_max)
{
    body_fini(&inflated);
    body_init(&inflated, &budget);
    asked = 0;
    error = NULL;
    return coding_undo(coding, &packed, &inflated, bytes_max, stop, &asked, &error);
}

static enum coding_result undo(enum coding coding)
{
    return undo_to(coding, BODY_MAX);
}

static void check_text(enum coding coding, const char *text)
{
    assert_int_equal(undo(coding), CODING_DONE);
    assert_int_equal(inflated.size, strlen(text));
    if (inflated.size != 0)
        assert_memory_equal(inflated.bytes, text, inflated.size);
}

static void check_corrupt(enum coding coding, const char *why)
{
    assert_int_equal(undo(coding), CODING_CORRUPT);
    assert_non_null(error);
    if (strstr(error, why) == NULL)
        fail_msg("%s, not %s", error, why);
}

static void repack(int window_bits, const char *text)
{
    body_fini(&packed);
    body_init(&packed, &budget);
    pack_text(window_bits, text);
}

/* ---------------------------------------------------------------- headers -------------------- */

static void names(void **state)
{
    static const struct {
        const char *first, *second;
        enum coding coding;
    } cases[] = {
        {"", NULL, CODING_IDENTITY},
        {" , ,", NULL, CODING_IDENTITY},
        {"identity", NULL, CODING_IDENTITY},
        {"Identity, IDENTITY", NULL, CODING_IDENTITY},
        {"gzip", NULL, CODING_GZIP},
        {"GZIP", NULL, CODING_GZIP},
        {"x-gzip", NULL, CODING_GZIP},
        {" gzip\t", NULL, CODING_GZIP},
        {",gzip,", NULL, CODING_GZIP},
        {"identity, gzip", NULL, CODING_GZIP},
        {"gzip,identity", NULL, CODING_GZIP},
        {"deflate", NULL, CODING_DEFLATE},
        {"Deflate", NULL, CODING_DEFLATE},
        {"identity", "deflate", CODING_DEFLATE},
        {"gzip", "", CODING_GZIP},
        {"gzip", "gzip", CODING_UNKNOWN},
        {"gzip, gzip", NULL, CODING_UNKNOWN},
        {"deflate, gzip", NULL, CODING_UNKNOWN},
        {"br", NULL, CODING_UNKNOWN},
        {"zstd", "identity", CODING_UNKNOWN},
        {"gzi", NULL, CODING_UNKNOWN},
        {"gzipp", NULL, CODING_UNKNOWN},
        {"gzip;q=1", NULL, CODING_UNKNOWN},
        {"*", NULL, CODING_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum coding coding = CODING_IDENTITY;

        coding_add(&coding, cases[i].first);
        if (cases[i].second != NULL)
            coding_add(&coding, cases[i].second);
        if (coding != cases[i].coding)
            fail_msg("\"%s\": %d", cases[i].first, (int)coding);
    }
}

/* ---------------------------------------------------------------- good ----------------------- */

static void forms(void **state)
{
    (void)state;
    repack(GZIP, "a picture");
    check_text(CODING_GZIP, "a picture");
    repack(ZLIB, "a picture");
    check_text(CODING_DEFLATE, "a picture");
    repack(RAW, "a picture");
    check_text(CODING_DEFLATE, "a picture");
    repack(GZIP, "");
    check_text(CODING_GZIP, "");
    repack(ZLIB, "");
    check_text(CODING_DEFLATE, "");
    repack(RAW, "");
    check_text(CODING_DEFLATE, "");
    repack(GZIP, "a ");
    pack_text(GZIP, "");
    pack_text(GZIP, "picture");
    check_text(CODING_GZIP, "a picture");
}

/* Whatever the first byte of a bare stream, it is not taken for zlib's. */
static void bare_streams(void **state)
{
    uint8_t bytes[300];

    (void)state;
    for (size_t size = 0; size < sizeof bytes; size++) {
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(i * size);
        body_fini(&packed);
        body_init(&packed, &budget);
        pack(RAW, bytes, size);
        assert_int_equal(undo(CODING_DEFLATE), CODING_DONE);
        assert_int_equal(inflated.size, size);
        if (size != 0)
            assert_memory_equal(inflated.bytes, bytes, size);
    }
}

/* Larger than a step, and than the block a body begins with. */
static void large(void **state)
{
    static uint8_t bytes[1 << 19];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i >> 7);
    pack(GZIP, bytes, sizeof bytes);
    assert_int_equal(undo(CODING_GZIP), CODING_DONE);
    assert_int_equal(inflated.size, sizeof bytes);
    assert_memory_equal(inflated.bytes, bytes, sizeof bytes);
}

/* ---------------------------------------------------------------- bad ------------------------ */

static void every_beginning_is_bad(void **state)
{
    static const struct {
        int window_bits;
        enum coding coding;
    } kinds[] = {{GZIP, CODING_GZIP}, {ZLIB, CODING_DEFLATE}, {RAW, CODING_DEFLATE}};

    (void)state;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct body whole;
        struct damage damage;

        repack(kinds[k].window_bits, "a picture a picture a picture");
        whole = packed;
        damage = damage_of(whole.bytes, whole.size);
        while (damage_cut(&damage))
            if (damage.size != 0) {
                packed.bytes = damage.bytes;
                packed.size = damage.size;
                /* Two bytes of zlib's look like a bare stream of any kind; both are bad. */
                assert_int_equal(undo(kinds[k].coding), CODING_CORRUPT);
                assert_non_null(error);
            }
        packed = whole;
    }
    repack(GZIP, "a picture");
    packed.size -= 4;
    check_corrupt(CODING_GZIP, "ends before");
}

static void damaged(void **state)
{
    (void)state;
    repack(GZIP, "a picture");
    packed.bytes[packed.size - 6] ^= 1; /* its sum */
    check_corrupt(CODING_GZIP, "damaged");
    repack(ZLIB, "a picture");
    packed.bytes[packed.size - 1] ^= 1;
    check_corrupt(CODING_DEFLATE, "damaged");
    repack(ZLIB, "a picture"); /* one coding is not the other */
    check_corrupt(CODING_GZIP, "damaged");
    repack(GZIP, "a picture");
    check_corrupt(CODING_DEFLATE, "damaged");
}

static void something_follows(void **state)
{
    static const char *const tails[] = {"x", "\0\0\0\0", "\x1f\x8b junk that is no member", "\x1f"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        size_t size = i == 1 ? 4 : strlen(tails[i]);

        repack(GZIP, "a picture");
        body_append(&packed, tails[i], size);
        check_corrupt(CODING_GZIP, "follows");
        repack(ZLIB, "a picture");
        body_append(&packed, tails[i], size);
        check_corrupt(CODING_DEFLATE, "follows");
        repack(RAW, "a picture");
        body_append(&packed, tails[i], size);
        check_corrupt(CODING_DEFLATE, "follows");
    }
    repack(GZIP, "a picture");
    pack_text(ZLIB, "a picture");
    check_corrupt(CODING_GZIP, "follows");
}

/* ---------------------------------------------------------------- bounds --------------------- */

static void exactly_the_limit(void **state)
{
    (void)state;
    repack(GZIP, "a picture");
    assert_int_equal(undo_to(CODING_GZIP, 9), CODING_DONE);
    assert_int_equal(undo_to(CODING_GZIP, 8), CODING_LONG);
    pack_text(GZIP, "x"); /* of all members together */
    assert_int_equal(undo_to(CODING_GZIP, 9), CODING_LONG);
    assert_int_equal(undo_to(CODING_GZIP, 10), CODING_DONE);
}

/* A thousand times its size: no more is held than may be, and not much more is made. */
static void bombs(void **state)
{
    uint8_t *zeros = calloc(1, 64 << 20);

    (void)state;
    assert_non_null(zeros);
    pack(GZIP, zeros, 64 << 20);
    free(zeros);
    assert_true(packed.size < 100000);
    assert_int_equal(undo_to(CODING_GZIP, 1 << 20), CODING_LONG);
    assert_true(inflated.size <= 1 << 20);
    assert_true(asked <= 70);
}

/* It is asked between any two steps, whether they make anything or not. */
static void stopped(void **state)
{
    uint8_t *zeros = calloc(1, 4 << 20);

    (void)state;
    assert_non_null(zeros);
    pack(GZIP, zeros, 4 << 20);
    free(zeros);
    asked_max = 10;
    assert_int_equal(undo(CODING_GZIP), CODING_STOPPED);
    assert_true(inflated.size <= 1 << 20);
    body_fini(&packed);
    body_init(&packed, &budget);
    for (size_t i = 0; i < 100; i++)
        pack_text(GZIP, "");
    assert_int_equal(undo(CODING_GZIP), CODING_STOPPED);
    asked_max = 0;
    assert_int_equal(undo(CODING_GZIP), CODING_DONE);
}

static void without_room(void **state)
{
    size_t max = budget.max;

    (void)state;
    repack(GZIP, "a picture");
    budget.max = budget.used;
    assert_int_equal(undo(CODING_GZIP), CODING_NO_MEMORY);
    budget.max = max;
    check_text(CODING_GZIP, "a picture");
}

static void without_memory(void **state)
{
    bool fired = true;
    unsigned long n;

    (void)state;
    if (!fault_available())
        skip();
    repack(GZIP, "a picture");
    for (n = 1; fired; n++) {
        long before;
        enum coding_result result;

        body_fini(&inflated);
        before = fault_outstanding();
        fault_arm(n);
        result = undo(CODING_GZIP);
        fired = fault_disarm();
        assert_int_equal(result, fired ? CODING_NO_MEMORY : CODING_DONE);
        body_fini(&inflated);
        assert_int_equal(fault_outstanding(), before);
    }
    assert_true(n > 3); /* zlib's and the body's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names, setup, teardown),
        cmocka_unit_test_setup_teardown(forms, setup, teardown),
        cmocka_unit_test_setup_teardown(bare_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(large, setup, teardown),
        cmocka_unit_test_setup_teardown(every_beginning_is_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(something_follows, setup, teardown),
        cmocka_unit_test_setup_teardown(exactly_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(bombs, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
