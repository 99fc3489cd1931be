/* Checked allocation: overflow, alignment, zero sizes, exhaustion. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fault.h"

/* Sanitizers end the process at an impossible size unless they are told not to. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

enum { HUGE_PAGE_BYTES = 2 << 20 };

static const size_t HALF = (size_t)1 << (sizeof(size_t) * 4); /* its square is one too many */

static void products_that_fit(void **state)
{
    static const size_t sides[][2] = {
        {0, 0},        {0, SIZE_MAX},     {SIZE_MAX, 0},     {1, SIZE_MAX},
        {SIZE_MAX, 1}, {SIZE_MAX / 2, 2}, {3, SIZE_MAX / 3}, {7, 6}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        size_t product = 12345;

        assert_true(vgg_size_mul(sides[i][0], sides[i][1], &product));
        assert_true(product == sides[i][0] * sides[i][1]);
    }
}

static void products_that_do_not(void **state)
{
    const size_t sides[][2] = {{2, SIZE_MAX},
                               {SIZE_MAX, SIZE_MAX},
                               {SIZE_MAX / 2 + 1, 2},
                               {HALF, HALF},
                               {SIZE_MAX / 3 + 1, 3}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        size_t product = 12345;

        assert_false(vgg_size_mul(sides[i][0], sides[i][1], &product));
        assert_int_equal(product, 12345);
        assert_null(vgg_alloc(sides[i][0], sides[i][1]));
        assert_null(vgg_calloc(sides[i][0], sides[i][1]));
        assert_null(vgg_alloc_aligned(sides[i][0], sides[i][1]));
    }
}

/* What the rounding up to an alignment could carry past SIZE_MAX. */
static void no_size_wraps_when_it_is_rounded(void **state)
{
    static const size_t below[] = {
        0, 1, VGG_ALIGN - 1, VGG_ALIGN, HUGE_PAGE_BYTES - 1, HUGE_PAGE_BYTES, HUGE_PAGE_BYTES + 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(below); i++) {
        assert_null(vgg_alloc(SIZE_MAX - below[i], 1));
        assert_null(vgg_alloc_aligned(SIZE_MAX - below[i], 1));
        assert_null(vgg_alloc_aligned(1, SIZE_MAX - below[i]));
    }
}

static void nothing_is_something(void **state)
{
    static const size_t sizes[][2] = {{0, 0}, {0, 8}, {8, 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        void *blocks[] = {vgg_alloc(sizes[i][0], sizes[i][1]), vgg_calloc(sizes[i][0], sizes[i][1]),
                          vgg_alloc_aligned(sizes[i][0], sizes[i][1])};

        for (size_t j = 0; j < 3; j++) {
            assert_non_null(blocks[j]);
            free(blocks[j]);
        }
    }
}

static void calloc_zeroes(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        unsigned char *dirty = vgg_alloc(37, 11), *block;

        assert_non_null(dirty);
        memset(dirty, 0xAA, 37 * 11);
        free(dirty);
        block = vgg_calloc(37, 11);
        assert_non_null(block);
        for (size_t i = 0; i < 37 * 11; i++)
            assert_int_equal(block[i], 0);
        free(block);
    }
}

static void aligned_blocks_are_aligned_and_whole(void **state)
{
    static const size_t sizes[] = {1,
                                   63,
                                   64,
                                   65,
                                   4096,
                                   100000,
                                   HUGE_PAGE_BYTES - 1,
                                   HUGE_PAGE_BYTES,
                                   HUGE_PAGE_BYTES + 1,
                                   5 * HUGE_PAGE_BYTES + 7};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        void *gap = malloc(24); /* so that blocks do not come out aligned by chance */
        unsigned char *block = vgg_alloc_aligned(1, sizes[i]);
        size_t align = sizes[i] < HUGE_PAGE_BYTES ? VGG_ALIGN : HUGE_PAGE_BYTES;

        assert_non_null(block);
        assert_int_equal((uintptr_t)block % align, 0);
        memset(block, 0x5A, sizes[i]);
        assert_int_equal(block[sizes[i] - 1], 0x5A);
        free(block);
        free(gap);
    }
}

static void exhaustion_is_null(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    fault_arm(1);
    assert_null(vgg_alloc(10, 10));
    assert_true(fault_disarm());
    fault_arm(1);
    assert_null(vgg_calloc(10, 10));
    assert_true(fault_disarm());
    fault_arm(1);
    assert_null(vgg_alloc_aligned(10, 10));
    assert_true(fault_disarm());
    fault_arm(1);
    assert_null(vgg_alloc_aligned(HUGE_PAGE_BYTES, 10));
    assert_true(fault_disarm());
}

/* The injection that other tests rely on. */
static void injection_counts(void **state)
{
    long before = fault_outstanding();
    void *first, *second, *third;

    (void)state;
    if (!fault_available())
        skip();
    fault_arm(2);
    first = vgg_alloc(1, 100);
    second = vgg_alloc(1, 100);
    third = vgg_alloc(1, 100);
    assert_true(fault_disarm());
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal(fault_outstanding() - before, 2);
    free(first);
    free(third);
    assert_int_equal(fault_outstanding(), before);

    fault_arm_size(1, 1000);
    first = vgg_alloc(1, 999);
    second = vgg_calloc(10, 100);
    assert_true(fault_disarm());
    assert_non_null(first);
    assert_null(second);
    free(first);

    fault_arm(3);
    first = strdup("twice");
    second = realloc(NULL, 10);
    assert_false(fault_disarm());
    free(first);
    free(second);
    assert_int_equal(fault_outstanding(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_that_fit),
        cmocka_unit_test(products_that_do_not),
        cmocka_unit_test(no_size_wraps_when_it_is_rounded),
        cmocka_unit_test(nothing_is_something),
        cmocka_unit_test(calloc_zeroes),
        cmocka_unit_test(aligned_blocks_are_aligned_and_whole),
        cmocka_unit_test(exhaustion_is_null),
        cmocka_unit_test(injection_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
