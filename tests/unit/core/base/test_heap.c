/* The bounded heap: its bound, blocks freed in any order, steps that are left, real exhaustion. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "fault.h"

struct work {
    struct vgg_heap heap;
    size_t size, times;
    unsigned char *blocks[8];
    size_t reached;
};

static void allocate(void *user)
{
    struct work *work = user;

    for (work->reached = 0; work->reached < work->times; work->reached++) {
        work->blocks[work->reached] = vgg_heap_malloc(work->size);
        memset(work->blocks[work->reached], 0xa5, work->size);
    }
}

static void free_in_another_order(void *user)
{
    static const unsigned char order[] = {3, 0, 7, 5, 1, 2, 6, 4};
    struct work *work = user;

    for (size_t i = 0; i < sizeof order; i++)
        vgg_heap_free(work->blocks[order[i]]);
    vgg_heap_free(NULL);
}

static void blocks_come_and_go(void **state)
{
    struct work work = {.size = 1000, .times = 8};
    long live = fault_outstanding();

    (void)state;
    assert_int_equal(vgg_heap_run(&work.heap, 1 << 20, allocate, &work), VGG_OK);
    assert_true(work.heap.bytes >= 8 * 1000);
    assert_int_equal(vgg_heap_run(&work.heap, 1 << 20, free_in_another_order, &work), VGG_OK);
    assert_int_equal(work.heap.bytes, 0);
    assert_null(work.heap.blocks);
    assert_int_equal(fault_outstanding(), live);
    vgg_heap_fini(&work.heap);
}

/* The bound counts what is in use, over several steps; the end frees what is left. */
static void the_bound(void **state)
{
    struct work work = {.size = 1000, .times = 4};
    long live = fault_outstanding();

    (void)state;
    assert_int_equal(vgg_heap_run(&work.heap, 6000, allocate, &work), VGG_OK);
    assert_int_equal(vgg_heap_run(&work.heap, 6000, allocate, &work), VGG_TOO_LARGE);
    assert_int_equal(work.reached, 1);
    assert_true(work.heap.bytes <= 6000);
    vgg_heap_fini(&work.heap);
    assert_int_equal(work.heap.bytes, 0);
    assert_int_equal(fault_outstanding(), live);
}

static void allocate_product(void *user)
{
    const size_t *factors = user;

    vgg_heap_calloc(factors[0], factors[1]);
}

static void sizes_that_overflow(void **state)
{
    static size_t cases[][2] = {
        {SIZE_MAX, 2}, {1, SIZE_MAX}, {SIZE_MAX / 2 + 1, 2}, {1, SIZE_MAX - 8}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_heap heap = {0};

        assert_int_equal(vgg_heap_run(&heap, SIZE_MAX, allocate_product, cases[i]), VGG_TOO_LARGE);
        vgg_heap_fini(&heap);
    }
}

static void allocate_zeros(void *user)
{
    unsigned char **block = user;

    *block = vgg_heap_calloc(50, 40);
}

static void calloc_gives_zeros(void **state)
{
    struct vgg_heap heap = {0};
    unsigned char *block = NULL;

    (void)state;
    assert_int_equal(vgg_heap_run(&heap, 1 << 20, allocate_zeros, &block), VGG_OK);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
    for (size_t i = 0; i < 50 * 40; i++)
        assert_int_equal(block[i], 0);
    vgg_heap_fini(&heap);
}

static void memory_that_is_not_there(void **state)
{
    struct work work = {.size = 1000, .times = 4};
    long live = fault_outstanding();

    (void)state;
    if (!fault_available())
        skip();
    fault_arm(3);
    assert_int_equal(vgg_heap_run(&work.heap, 1 << 20, allocate, &work), VGG_NO_MEMORY);
    assert_true(fault_disarm());
    assert_int_equal(work.reached, 2);
    vgg_heap_fini(&work.heap);
    assert_int_equal(fault_outstanding(), live);
}

static void leave_late(void *user)
{
    allocate(user);
    vgg_heap_leave(vgg_heap_current(), VGG_DEADLINE);
}

/* What a step has left is freed with the heap. */
static void a_step_that_leaves(void **state)
{
    struct work work = {.size = 1000, .times = 3};
    long live = fault_outstanding();

    (void)state;
    assert_int_equal(vgg_heap_run(&work.heap, 1 << 20, leave_late, &work), VGG_DEADLINE);
    vgg_heap_fini(&work.heap);
    assert_int_equal(fault_outstanding(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_and_go),       cmocka_unit_test(the_bound),
        cmocka_unit_test(sizes_that_overflow),      cmocka_unit_test(calloc_gives_zeros),
        cmocka_unit_test(memory_that_is_not_there), cmocka_unit_test(a_step_that_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
