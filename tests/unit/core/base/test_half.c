/* Half precision: every one of its numbers, and the rounding between each two of them. */
#include "check.h"

#include <math.h>

#include "base/half.h"

enum { HALVES = 0x7C00 }; /* positive finite ones, in ascending order; the next is infinite */

/* From the format's definition. */
static double value_of(unsigned half)
{
    unsigned exponent = half >> 10, fraction = half & 0x3FF;

    return exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, (int)exponent - 25);
}

static void every_number(void **state)
{
    (void)state;
    for (unsigned half = 0; half < HALVES; half++) {
        float value = (float)value_of(half);

        assert_true(vgg_half_to_float((uint16_t)half) == value);
        assert_true(vgg_half_to_float((uint16_t)(half | 0x8000)) == -value);
        assert_int_equal(vgg_half_from_float(value), half);
        assert_int_equal(vgg_half_from_float(-value), half | 0x8000);
    }
    assert_true(signbit(vgg_half_to_float(0x8000)));
    assert_true(isinf(vgg_half_to_float(0x7C00)) && isinf(vgg_half_to_float(0xFC00)));
    assert_true(isnan(vgg_half_to_float(0x7C01)) && isnan(vgg_half_to_float(0xFFFF)));
    assert_true((double)VGG_HALF_MAX == value_of(HALVES - 1));
}

/* Halfway goes to the even neighbour, anything else to the nearer one. */
static void every_rounding(void **state)
{
    (void)state;
    for (unsigned half = 0; half < HALVES; half++) {
        float middle = (float)((value_of(half) + value_of(half + 1)) / 2);

        assert_int_equal(vgg_half_from_float(middle), half + half % 2);
        assert_int_equal(vgg_half_from_float(nextafterf(middle, 0)), half);
        assert_int_equal(vgg_half_from_float(nextafterf(middle, INFINITY)), half + 1);
        assert_int_equal(vgg_half_from_float(-nextafterf(middle, 0)), half | 0x8000);
    }
    assert_int_equal(vgg_half_from_float(1e-30F), 0);
    assert_int_equal(vgg_half_from_float(3e38F), 0x7C00);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number),
        cmocka_unit_test(every_rounding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
