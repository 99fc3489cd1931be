/* Weights as they lie in a file -> float, with the check that every one of them is finite. */
#include <string.h>

#include "model/load.h"

static uint32_t half_to_float_bits(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000U) << 16;
    uint32_t exponent = (half >> 10) & 0x1FU, fraction = half & 0x3FFU;

    if (exponent == 0x1F)
        return sign | 0x7F800000U | fraction << 13;
    if (exponent == 0) {
        /* Subnormal: fraction * 2^-24, exact in float. */
        float value = (float)fraction * 0x1p-24F;
        uint32_t bits;

        memcpy(&bits, &value, sizeof bits);
        return sign | bits;
    }
    return sign | (exponent + (127 - 15)) << 23 | fraction << 13;
}

static uint16_t read16(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t read32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

bool vgg_floats_convert(enum vgg_dtype dtype, const unsigned char *bytes, size_t n, float *out)
{
    uint32_t special = 0; /* becomes 1 at the first exponent of all ones */

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        if (dtype == VGG_DTYPE_F32)
            bits = read32(bytes + 4 * i);
        else if (dtype == VGG_DTYPE_BF16)
            bits = (uint32_t)read16(bytes + 2 * i) << 16;
        else
            bits = half_to_float_bits(read16(bytes + 2 * i));
        special |= (bits & 0x7F800000U) == 0x7F800000U;
        memcpy(&out[i], &bits, sizeof bits);
    }
    return special == 0;
}
