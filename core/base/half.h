/* IEEE binary16 in plain C: what the conversion instructions do, one number at a time. */
#ifndef VGG_CORE_BASE_HALF_H
#define VGG_CORE_BASE_HALF_H

#include <stdint.h>
#include <string.h>

#define VGG_HALF_MAX 65504.0F /* the largest finite one */

static inline float vgg_half_to_float(uint16_t half)
{
    uint32_t exponent = (half >> 10) & 0x1FU, fraction = half & 0x3FFU, bits;
    float value;

    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24, exact in float */
        value = (float)fraction * 0x1p-24F;
        return half & 0x8000U ? -value : value;
    }
    bits = (uint32_t)(half & 0x8000U) << 16 | fraction << 13 |
           (exponent == 0x1F ? 0x7F800000U : (exponent + (127 - 15)) << 23);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounded to nearest, ties to even. `value` is finite; past VGG_HALF_MAX it may become infinite. */
static inline uint16_t vgg_half_from_float(float value)
{
    uint32_t bits, sign, rest;

    memcpy(&bits, &value, sizeof bits);
    sign = bits >> 16 & 0x8000U;
    rest = bits & 0x7FFFFFFFU;
    if (rest >= 0x477FF000U) /* from halfway between 65504 and 65536 */
        return (uint16_t)(sign | 0x7C00U);
    if (rest <
        0x38800000U) { /* below 2^-14: adding 1/2 leaves multiples of 2^-24 in the fraction */
        float magnitude;

        memcpy(&magnitude, &rest, sizeof magnitude);
        magnitude += 0.5F;
        memcpy(&rest, &magnitude, sizeof rest);
        return (uint16_t)(sign | (rest - 0x3F000000U));
    }
    rest += 0xFFFU + (rest >> 13 & 1U) - ((uint32_t)(127 - 15) << 23);
    return (uint16_t)(sign | rest >> 13);
}

#endif
