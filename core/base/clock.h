/* Monotonic time. */
#ifndef VGG_CORE_BASE_CLOCK_H
#define VGG_CORE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t vgg_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline double vgg_seconds_since(uint64_t begun_ns)
{
    return (double)(vgg_now_ns() - begun_ns) / 1e9;
}

#endif
