/* Working memory: it grows, keeps what it has where it cannot, and is sized for any batch. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/engine/evaluate.h"
#include "engine/arena.h"
#include "fault.h"

static void grows_and_never_shrinks(void **state)
{
    struct vgg_arena arena = {NULL, 0};
    void *block;

    (void)state;
    assert_true(vgg_arena_grow(&arena, 0));
    assert_null(arena.block);
    assert_true(vgg_arena_grow(&arena, 1000));
    assert_int_equal(arena.bytes, 1000);
    assert_int_equal((uintptr_t)arena.block % VGG_ALIGN, 0);
    memset(arena.block, 1, 1000);
    block = arena.block;
    assert_true(vgg_arena_grow(&arena, 999));
    assert_ptr_equal(arena.block, block);
    if (fault_available()) {
        fault_arm(1);
        assert_false(vgg_arena_grow(&arena, 2000));
        assert_true(fault_disarm());
        assert_ptr_equal(arena.block, block);
        assert_int_equal(arena.bytes, 1000);
    }
    assert_true(vgg_arena_grow(&arena, 2000));
    assert_int_equal(arena.bytes, 2000);
    memset(arena.block, 1, 2000);
    vgg_arena_fini(&arena);
    assert_null(arena.block);
    assert_int_equal(arena.bytes, 0);
    vgg_arena_fini(&arena);
}

static void the_largest_batch(void **state)
{
    struct vgg_model *model = make_model(&(struct maker_spec){.width = 2}); /* crop 32 */
    const struct vgg_net *net = &model->net;
    const size_t means = 3 * (net->classes + vgg_net_features(net)) * sizeof(double);

    (void)state;
    assert_int_equal(vgg_arena_largest_bytes(net, 32 * 32 - 1, 1), 0);
    assert_int_equal(vgg_arena_largest_bytes(net, 32 * 32, 1),
                     vgg_arena_bytes(net, (struct vgg_shape){1, 3, 32, 32}, 1));
    for (uint64_t pixels = 1024; pixels < 40000; pixels += 977) {
        size_t largest = vgg_arena_largest_bytes(net, pixels, 2);

        assert_true(largest <= vgg_arena_largest_bytes(net, pixels + 977, 2));
        for (uint32_t n = 1; n <= 16; n++)
            for (uint32_t h = 32; n * h * 32 <= pixels; h += 7) {
                struct vgg_shape shape = {n, 3, h, (uint32_t)(pixels / n / h)};

                assert_true(vgg_arena_bytes(net, shape, 2) <= largest);
            }
    }
    assert_in_range(vgg_arena_means_bytes(net, 3), means, means + VGG_ALIGN - 1);
    vgg_model_release(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_never_shrinks),
        cmocka_unit_test(the_largest_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
