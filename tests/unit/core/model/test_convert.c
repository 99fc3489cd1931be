/* Every bit pattern of the short formats against its definition, and the finiteness check. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/convert.h"

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The value of a float of 1 + `exponent_bits` + `fraction_bits` bits, by its definition. */
static double define(uint32_t bits, int exponent_bits, int fraction_bits)
{
    int exponent = (int)(bits >> fraction_bits & ((1U << exponent_bits) - 1));
    uint32_t fraction = bits & ((1U << fraction_bits) - 1);
    int bias = (1 << (exponent_bits - 1)) - 1;
    double size;

    if (exponent == (1 << exponent_bits) - 1)
        size = fraction != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        size = ldexp(fraction, 1 - bias - fraction_bits);
    else
        size = ldexp(fraction + (1U << fraction_bits), exponent - bias - fraction_bits);
    return bits >> (exponent_bits + fraction_bits) & 1 ? -size : size;
}

static void check_all_patterns(enum vgg_dtype dtype, int exponent_bits, int fraction_bits)
{
    for (uint32_t bits = 0; bits < 65536; bits++) {
        const unsigned char bytes[2] = {(unsigned char)bits, (unsigned char)(bits >> 8)};
        double expected = define(bits, exponent_bits, fraction_bits);
        float value;
        bool finite = vgg_floats_convert(dtype, bytes, 1, &value);

        assert_int_equal(finite, isfinite(expected) != 0);
        if (isnan(expected))
            assert_true(isnan(value));
        else if (bits_of(value) != bits_of((float)expected))
            fail_msg("%s %04x: %a instead of %a", vgg_dtype_name(dtype), bits, (double)value,
                     expected);
    }
}

static void every_f16(void **state)
{
    (void)state;
    check_all_patterns(VGG_DTYPE_F16, 5, 10);
}

static void every_bf16(void **state)
{
    (void)state;
    check_all_patterns(VGG_DTYPE_BF16, 8, 7);
}

static void f16_by_hand(void **state)
{
    static const struct {
        unsigned char bytes[2];
        float value;
    } cases[] = {
        {{0x00, 0x3C}, 1.0F},       {{0x00, 0xC0}, -2.0F},      {{0xFF, 0x7B}, 65504.0F},
        {{0x01, 0x00}, 0x1p-24F},   {{0xFF, 0x03}, 0x3FFp-24F}, {{0x00, 0x04}, 0x1p-14F},
        {{0x55, 0x35}, 0x555p-12F},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        float value;

        assert_true(vgg_floats_convert(VGG_DTYPE_F16, cases[i].bytes, 1, &value));
        assert_true(value == cases[i].value);
    }
}

/* F32 bytes arrive bit for bit, little-endian, from any address. */
static void f32_is_copied(void **state)
{
    static const float values[] = {0.0F,   -0.0F,  1.0F,           -1.5F,   3.14159274F,
                                   1e-45F, 1e-38F, 3.40282347e38F, -1e-40F, 123456.789F};
    enum { N = COUNT_OF(values) };
    unsigned char bytes[1 + 4 * N];

    (void)state;
    for (size_t i = 0; i < N; i++)
        for (unsigned b = 0; b < 4; b++)
            bytes[1 + 4 * i + b] = (unsigned char)(bits_of(values[i]) >> 8 * b);
    for (size_t n = 0; n <= N; n++) {
        float out[N + 1];

        out[n] = 77;
        assert_true(vgg_floats_convert(VGG_DTYPE_F32, bytes + 1, n, out));
        for (size_t i = 0; i < n; i++)
            assert_int_equal(bits_of(out[i]), bits_of(values[i]));
        assert_true(out[n] == 77);
    }
}

/* One bad element anywhere among good ones, also where the next is good again. */
static void not_finite_is_found_anywhere(void **state)
{
    static const struct {
        enum vgg_dtype dtype;
        size_t bytes;
        uint32_t bits;
    } cases[] = {
        {VGG_DTYPE_F32, 4, 0x7F800000}, {VGG_DTYPE_F32, 4, 0xFF800000},
        {VGG_DTYPE_F32, 4, 0x7FC00000}, {VGG_DTYPE_F32, 4, 0x7F800001},
        {VGG_DTYPE_F32, 4, 0xFFFFFFFF}, {VGG_DTYPE_F16, 2, 0x7C00},
        {VGG_DTYPE_F16, 2, 0xFC00},     {VGG_DTYPE_F16, 2, 0x7C01},
        {VGG_DTYPE_BF16, 2, 0x7F80},    {VGG_DTYPE_BF16, 2, 0xFFC0},
    };
    enum { N = 37 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t place = 0; place <= N; place++) {
            unsigned char bytes[4 * (N + 1)] = {0};
            float out[N];

            /* place == N: just past the end, which does not count. */
            for (size_t b = 0; b < cases[i].bytes; b++)
                bytes[place * cases[i].bytes + b] = (unsigned char)(cases[i].bits >> 8 * b);
            assert_int_equal(vgg_floats_convert(cases[i].dtype, bytes, N, out), place == N);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16),
        cmocka_unit_test(every_bf16),
        cmocka_unit_test(f16_by_hand),
        cmocka_unit_test(f32_is_copied),
        cmocka_unit_test(not_finite_is_found_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
