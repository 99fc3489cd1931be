/*
 * The peaks of `vgg bench`: the loops that are timed count what they do in the numbers they compute
 * with, so a wrong count of operations or lanes, or work that the compiler left out, shows.
 */
#include "check.h"

#include <stdlib.h>

#include "base/mem.h"
#include "kernels/kernels.h"
#include "vgg_bench.h"

enum { FLOATS = 1 << 14 };

static void check_fma(const struct vgg_kernels *table)
{
    for (size_t rounds = 0; rounds < 3000; rounds += 999)
        assert_true(table->peak_fma(rounds) == (double)(rounds * VGG_PEAK_CHAINS * table->lanes));
}

/* Each float once. */
static void check_read(const struct vgg_kernels *table)
{
    static float floats[FLOATS] __attribute__((aligned(VGG_ALIGN)));

    for (size_t i = 0; i < FLOATS; i++)
        floats[i] = (float)(i % 1024);
    for (size_t n = 256; n <= FLOATS; n *= 4) {
        double sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += floats[i];
        assert_true(table->peak_read(floats, n) == sum);
    }
}

static void peaks_count(void **state)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t tables_n = vgg_kernels_runnable(VGG_PRECISION_F32, tables);

    (void)state;
    for (size_t i = 0; i < tables_n; i++) {
        if (tables[i]->peak_fma == NULL)
            continue;
        check_fma(tables[i]);
        check_read(tables[i]);
    }
}

static void measures_each_table(void **state)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t tables_n = vgg_kernels_runnable(VGG_PRECISION_F32, tables);

    (void)state;
    for (size_t i = 0; i < tables_n; i++) {
        struct vgg_machine machine = {0};

        if (tables[i]->peak_fma == NULL)
            continue;
        setenv("VGG_KERNELS", tables[i]->name, 1);
        assert_int_equal(vgg_machine_measure(2, VGG_PRECISION_F32, &machine, NULL), VGG_OK);
        unsetenv("VGG_KERNELS");
        assert_string_equal(machine.isa, tables[i]->name);
        assert_int_equal(machine.threads, 2);
        assert_true(machine.fma_gflops > 0 && machine.read_gbps > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peaks_count),
        cmocka_unit_test(measures_each_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
