/* The generator and its distributions. */
#include "base/random.h"

#include <assert.h>
#include <math.h>

static const uint64_t GOLDEN = 0x9E3779B97F4A7C15U; /* 2^64 over the golden ratio */

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return z ^ z >> 31;
}

uint64_t vgg_splitmix64(uint64_t *state)
{
    return mix(*state += GOLDEN);
}

void vgg_random_init(struct vgg_random *random, uint64_t seed)
{
    *random = (struct vgg_random){0};
    for (size_t i = 0; i < 4; i++)
        random->state[i] = vgg_splitmix64(&seed);
}

/* Each step is a bijection of the key, so that tuples that differ in one key never collide. */
void vgg_random_init_keyed(struct vgg_random *random, const uint64_t *keys, size_t n)
{
    uint64_t seed = n;

    for (size_t i = 0; i < n; i++)
        seed = mix((seed ^ keys[i]) + GOLDEN);
    vgg_random_init(random, seed);
}

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t vgg_random_next(struct vgg_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double vgg_random_uniform(struct vgg_random *random)
{
    return (double)(vgg_random_next(random) >> 11) * 0x1p-53;
}

/* Marsaglia's polar method. */
double vgg_random_normal(struct vgg_random *random)
{
    double u, v, s;

    if (random->has_spare) {
        random->has_spare = false;
        return random->spare;
    }
    do {
        u = 2 * vgg_random_uniform(random) - 1;
        v = 2 * vgg_random_uniform(random) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    s = sqrt(-2 * log(s) / s);
    random->spare = v * s;
    random->has_spare = true;
    return u * s;
}

/* The lowest 2^64 mod n values are drawn again: of the others each remainder has as many. */
uint64_t vgg_random_below(struct vgg_random *random, uint64_t n)
{
    uint64_t value;

    assert(n >= 1);
    do
        value = vgg_random_next(random);
    while (value < -n % n);
    return value % n;
}
