/*
 * Weights as they lie in a file -> float, with the check that every one of them is finite. Vectors
 * are those that every CPU has (GCC makes loops of longer ones); half precision is converted by the
 * CPU's own instructions where there are any.
 */
#include "model/convert.h"

#include <string.h>

#include "base/half.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

enum { LANES = 4, EXPONENT = 0x7F800000 };

typedef uint32_t bits_vector __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef int32_t mask_vector __attribute__((vector_size(LANES * sizeof(int32_t))));
typedef uint16_t short_vector __attribute__((vector_size(LANES * sizeof(uint16_t))));

static uint16_t read16(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t read32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void store_bits(uint32_t bits, float *out)
{
    memcpy(out, &bits, sizeof bits);
}

/* ---------------------------------------------------------------- from the file -------------- */

static void convert_f32(const unsigned char *bytes, size_t n, float *out)
{
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
        if (bytes != (const unsigned char *)out)
            memcpy(out, bytes, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        store_bits(read32(bytes + 4 * i), &out[i]);
}

static void convert_bf16(const unsigned char *bytes, size_t n, float *out)
{
    size_t i = 0;

    for (; __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && i + LANES <= n; i += LANES) {
        short_vector halves;
        bits_vector wide;

        memcpy(&halves, bytes + 2 * i, sizeof halves);
        wide = __builtin_convertvector(halves, bits_vector) << 16;
        memcpy(out + i, &wide, sizeof wide);
    }
    for (; i < n; i++)
        store_bits((uint32_t)read16(bytes + 2 * i) << 16, &out[i]);
}

#ifdef __x86_64__
/* As many as whole vectors hold; how many they were. */
__attribute__((target("avx,f16c"))) static size_t convert_f16_vectors(const unsigned char *bytes,
                                                                      size_t n, float *out)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(
                                      (const __m128i *)(const void *)(bytes + 2 * i))));
    return i;
}

/* What __builtin_cpu_supports("f16c") says, which clang 14 does not know; "avx": the system's part.
 */
static bool has_f16c(void)
{
    unsigned a, b, c = 0, d;

    return __builtin_cpu_supports("avx") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}
#endif

static void convert_f16(const unsigned char *bytes, size_t n, float *out)
{
    size_t i = 0;

#ifdef __x86_64__
    if (has_f16c())
        i = convert_f16_vectors(bytes, n, out);
#endif
    for (; i < n; i++)
        out[i] = vgg_half_to_float(read16(bytes + 2 * i));
}

/* ---------------------------------------------------------------- checks --------------------- */

/* Is the magnitude of every one, as bits, at most `most`? It orders NaN above infinity. */
static bool within(const float *floats, size_t n, uint32_t most)
{
    mask_vector beyond = {0};
    uint32_t bits, rest = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        bits_vector x;

        memcpy(&x, floats + i, sizeof x);
        beyond |= (mask_vector)(x & 0x7FFFFFFFU) > (int32_t)most;
    }
    for (; i < n; i++) {
        memcpy(&bits, floats + i, sizeof bits);
        rest |= (bits & 0x7FFFFFFFU) > most;
    }
    for (i = 0; i < LANES; i++)
        rest |= (uint32_t)beyond[i];
    return rest == 0;
}

bool vgg_floats_convert(enum vgg_dtype dtype, const unsigned char *bytes, size_t n, float *out)
{
    if (dtype == VGG_DTYPE_F32)
        convert_f32(bytes, n, out);
    else if (dtype == VGG_DTYPE_BF16)
        convert_bf16(bytes, n, out);
    else
        convert_f16(bytes, n, out);
    return within(out, n, EXPONENT - 1);
}

bool vgg_floats_fit_half(const float *floats, size_t n)
{
    const float most = VGG_HALF_MAX;
    uint32_t bits;

    memcpy(&bits, &most, sizeof bits);
    return within(floats, n, bits);
}
