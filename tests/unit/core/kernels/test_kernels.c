/* Shape arithmetic, and a complete table for this machine. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "core/kernels/layer.h"

static void shapes_after_a_convolution(void **state)
{
    static const struct {
        struct vgg_conv conv;
        uint32_t h, w, out_h, out_w;
    } cases[] = {
        /* 3x3, pad 1 keeps the size. */
        {{3, 64, 3, 1, true, false, false, false}, 224, 224, 224, 224},
        {{3, 64, 3, 1, true, false, false, false}, 1, 1, 1, 1},
        {{3, 64, 3, 1, true, false, false, false}, 1, 17, 1, 17},
        /* Pooling halves and rounds down. */
        {{3, 64, 3, 1, true, false, true, false}, 224, 225, 112, 112},
        {{3, 64, 3, 1, true, false, true, false}, 3, 2, 1, 1},
        {{3, 64, 3, 1, true, true, true, false}, 1, 9, 0, 4},
        /* 1x1. */
        {{3, 64, 1, 0, true, false, false, false}, 5, 7, 5, 7},
        {{3, 64, 1, 0, true, false, true, false}, 5, 7, 2, 3},
        /* An FC layer: where it fits. */
        {{512, 4096, 7, 0, true, false, false, false}, 7, 7, 1, 1},
        {{512, 4096, 7, 0, true, false, false, false}, 8, 16, 2, 10},
        {{512, 4096, 7, 0, true, false, false, false}, 6, 7, 0, 0},
        {{512, 4096, 7, 0, true, false, false, false}, 7, 6, 0, 0},
        {{512, 4096, 7, 0, true, false, false, false}, 0, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_shape in = {5, cases[i].conv.in, cases[i].h, cases[i].w};
        struct vgg_shape out = vgg_conv_output(&cases[i].conv, in);

        assert_int_equal(out.n, 5);
        assert_int_equal(out.c, cases[i].conv.out);
        assert_int_equal(out.h, cases[i].out_h);
        assert_int_equal(out.w, cases[i].out_w);
    }
}

static void the_table_is_complete(void **state)
{
    const struct vgg_kernels *tables[TABLES_MAX];
    size_t n = tables_all(tables);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_non_null(tables[i]);
        assert_true(strlen(tables[i]->name) > 0);
        assert_non_null(tables[i]->algorithm);
        assert_non_null(tables[i]->map_bytes);
        assert_non_null(tables[i]->weights_bytes);
        assert_non_null(tables[i]->weights_pack);
        assert_non_null(tables[i]->input);
        assert_non_null(tables[i]->conv_scratch_bytes);
        assert_non_null(tables[i]->conv);
        assert_non_null(tables[i]->spatial_mean);
        assert_non_null(tables[i]->scores);
    }
    n = vgg_kernels_runnable(VGG_PRECISION_F32, tables);
    assert_ptr_equal(tables[n - 1], &vgg_kernels_portable);
    assert_string_equal(vgg_kernels_portable.name, "portable");
}

/* Every value of a view in its place, and nothing written beyond. */
static void scores_are_read_in_order(void **state)
{
    static const struct vgg_shape shapes[] = {{1, 1, 1, 1}, {3, 5, 2, 7}, {2, 33, 4, 1}};
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_F32, tables);

    (void)state;
    for (size_t i = 0; i < n * 3; i++) {
        struct vgg_shape shape = shapes[i / n];
        size_t view = (size_t)shape.c * shape.h * shape.w;
        float *values = layer_random(shape.n * view, 1, i);
        struct guard map, out;

        guard_init(&map, tables[i % n]->map_bytes(shape));
        map_write(tables[i % n], shape, values, map.block);
        for (size_t v = 0; v < shape.n; v++) {
            guard_init(&out, view * sizeof(float));
            tables[i % n]->scores(map.block, shape, v, (float *)(void *)out.block);
            assert_memory_equal(out.block, values + v * view, view * sizeof(float));
            assert_true(guard_fini(&out));
        }
        assert_true(guard_fini(&map));
        free(values);
    }
}

static void the_environment_names_a_table(void **state)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_F32, tables);
    struct vgg_error error = {0};

    (void)state;
    for (size_t i = 0; i < n; i++) {
        setenv("VGG_KERNELS", tables[i]->name, 1);
        assert_ptr_equal(vgg_kernels_select(VGG_PRECISION_F32, NULL), tables[i]);
    }
    setenv("VGG_KERNELS", "", 1);
    assert_ptr_equal(vgg_kernels_select(VGG_PRECISION_F32, NULL), tables[0]);
    unsetenv("VGG_KERNELS");
    assert_ptr_equal(vgg_kernels_select(VGG_PRECISION_F32, NULL), tables[0]);

    setenv("VGG_KERNELS", "mmx", 1);
    assert_null(vgg_kernels_select(VGG_PRECISION_F32, &error));
    assert_int_equal(error.status, VGG_BAD_ARGUMENT);
    assert_non_null(strstr(error.text, "VGG_KERNELS=mmx: this machine runs "));
    assert_non_null(strstr(error.text, "portable"));
    unsetenv("VGG_KERNELS");
}

static void the_precision_chooses(void **state)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX], *i8, *best;
    size_t n = vgg_kernels_runnable(VGG_PRECISION_I8, tables);
    struct vgg_error error = {0};

    (void)state;
    unsetenv("VGG_KERNELS");
    assert_ptr_equal(tables[n - 1], &vgg_kernels_portable_i8);
    i8 = n > 1 ? tables[0] : NULL;
    best = vgg_kernels_select(VGG_PRECISION_F32, NULL);
    assert_int_equal(best->precision, VGG_PRECISION_F32);
    assert_ptr_equal(vgg_kernels_select(VGG_PRECISION_I8, &error), i8);
    assert_ptr_equal(vgg_kernels_select(VGG_PRECISION_AUTO, NULL), i8 != NULL ? i8 : best);
    assert_int_equal(error.status, i8 != NULL ? VGG_OK : VGG_BAD_ARGUMENT);
    assert_true(i8 != NULL || strstr(error.text, "no instruction") != NULL);

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(tables[i]->precision, VGG_PRECISION_I8);
        setenv("VGG_KERNELS", tables[i]->name, 1);
        assert_ptr_equal(vgg_kernels_select(VGG_PRECISION_I8, NULL), tables[i]);
        assert_ptr_equal(vgg_kernels_select(VGG_PRECISION_AUTO, NULL), tables[i]);
        error = (struct vgg_error){0};
        assert_null(vgg_kernels_select(VGG_PRECISION_F32, &error));
        assert_int_equal(error.status, VGG_BAD_ARGUMENT);
        assert_non_null(strstr(error.text, "computes in i8, not in f32"));
    }
    setenv("VGG_KERNELS", "portable", 1);
    assert_null(vgg_kernels_select(VGG_PRECISION_I8, NULL));
    assert_ptr_equal(vgg_kernels_select(VGG_PRECISION_AUTO, NULL), &vgg_kernels_portable);
    unsetenv("VGG_KERNELS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_after_a_convolution),
        cmocka_unit_test(the_table_is_complete),
        cmocka_unit_test(scores_are_read_in_order),
        cmocka_unit_test(the_environment_names_a_table),
        cmocka_unit_test(the_precision_chooses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
