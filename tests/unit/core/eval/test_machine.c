/*
 * The FMA peak of `vgg bench` against another measurement: chains of multiply-adds in assembly,
 * timed in turn with it. Machines are shared, so the median ratio of several turns has to lie
 * within a factor of two: what a wrong count of operations or lanes, or work left out, would
 * exceed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kernels/kernels.h"
#include "vgg_bench.h"

enum { ROUNDS = 1 << 21, CHAINS = 10, TURNS = 5 };

#ifdef __x86_64__
#define CHAIN(register, n) "vfmadd231ps %%" register "14, %%" register "15, %%" register #n "\n\t"
#define CHAINS_OF(register)                                                                        \
    CHAIN(register, 0)                                                                             \
    CHAIN(register, 1)                                                                             \
    CHAIN(register, 2)                                                                             \
    CHAIN(register, 3)                                                                             \
    CHAIN(register, 4)                                                                             \
    CHAIN(register, 5)                                                                             \
    CHAIN(register, 6)                                                                             \
    CHAIN(register, 7)                                                                             \
    CHAIN(register, 8)                                                                             \
    CHAIN(register, 9)
#define CLEAR(n) "vxorps %%xmm" #n ", %%xmm" #n ", %%xmm" #n "\n\t"
#define CLEAR_ALL                                                                                  \
    CLEAR(0)                                                                                       \
    CLEAR(1)                                                                                       \
    CLEAR(2)                                                                                       \
    CLEAR(3)                                                                                       \
    CLEAR(4)                                                                                       \
    CLEAR(5)                                                                                       \
    CLEAR(6)                                                                                       \
    CLEAR(7)                                                                                       \
    CLEAR(8)                                                                                       \
    CLEAR(9)                                                                                       \
    CLEAR(14)                                                                                      \
    CLEAR(15)
#define MEASURE(register)                                                                          \
    do {                                                                                           \
        size_t left_ = ROUNDS;                                                                     \
                                                                                                   \
        __asm__ volatile(CLEAR_ALL "1:\n\t" CHAINS_OF(register) "dec %0\n\tjnz 1b\n\tvzeroupper"   \
                         : "+r"(left_)                                                             \
                         :                                                                         \
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
                           "xmm9", "xmm14", "xmm15", "cc");                                        \
    } while (0)

/* GFLOP/s of one core with the vectors of `kernels`. */
static double peak(const struct vgg_kernels *kernels)
{
    uint64_t start_ns = vgg_now_ns();

    if (kernels->peak_lanes == 16)
        MEASURE("zmm");
    else
        MEASURE("ymm");
    return 2.0 * CHAINS * (double)kernels->peak_lanes * ROUNDS / (double)(vgg_now_ns() - start_ns);
}
#endif

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void peak_agrees(void **state)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t tables_n = vgg_kernels_runnable(tables);

    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("SKIPPED: a sanitizer's build has no peak to measure\n");
    skip();
#endif
    for (size_t t = 0; t < tables_n; t++) {
        double ratios[TURNS];
        struct vgg_machine machine;

        if (tables[t]->peak_fma == NULL)
            continue;
        setenv("VGG_KERNELS", tables[t]->name, 1);
#ifdef __x86_64__
        for (size_t i = 0; i < TURNS; i++) {
            double other = peak(tables[t]);

            assert_int_equal(vgg_machine_measure(1, &machine, NULL), VGG_OK);
            assert_string_equal(machine.isa, tables[t]->name);
            assert_true(machine.read_gbps > 0);
            ratios[i] = machine.fma_gflops / other;
        }
        qsort(ratios, TURNS, sizeof *ratios, compare);
        print_message("%s: %.1f GFLOP/s, %.2f of the other measurement\n", machine.isa,
                      machine.fma_gflops, ratios[TURNS / 2]);
        assert_true(ratios[TURNS / 2] > 0.5 && ratios[TURNS / 2] < 2);
#endif
        unsetenv("VGG_KERNELS");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(peak_agrees)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
