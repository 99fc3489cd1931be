/*
 * Random numbers that are the same everywhere: xoshiro256** by Blackman and Vigna (public domain
 * algorithm), seeded by splitmix64. Not for secrets.
 */
#ifndef VGG_CORE_BASE_RANDOM_H
#define VGG_CORE_BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vgg_random {
    uint64_t state[4];
    double spare; /* the second normal of a pair */
    bool has_spare;
};

/* Advance a splitmix64 state: a sequence of seeds out of one. */
uint64_t vgg_splitmix64(uint64_t *state);

void vgg_random_init(struct vgg_random *random, uint64_t seed);

/*
 * A stream for a tuple of keys (seed, purpose, epoch, index ...): whoever draws, whenever, gets the
 * same numbers, and there is no state to save.
 */
void vgg_random_init_keyed(struct vgg_random *random, const uint64_t *keys, size_t n);

/* 64 random bits. */
uint64_t vgg_random_next(struct vgg_random *random);

/* Uniform in [0, 1), 53 bits. */
double vgg_random_uniform(struct vgg_random *random);

/* Standard normal. */
double vgg_random_normal(struct vgg_random *random);

/* Uniform in 0 .. n - 1, all equally likely; n >= 1. */
uint64_t vgg_random_below(struct vgg_random *random, uint64_t n);

#endif
