/*
 * Pictures made to cost more than their pixels or bytes say, one of each kind, and ordinary ones of
 * the kinds that cost most.
 */
#ifndef VGG_TESTS_BOMBS_H
#define VGG_TESTS_BOMBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bomb {
    const char *format, *name;
    /* Of about side x side pixels where its size matters; malloc'ed. False where it fails. */
    bool (*make)(uint32_t side, uint8_t **bytes, size_t *size);
};

extern const struct bomb bombs[];
extern const size_t bombs_n;

/* The first of a format, the worst. */
const struct bomb *bomb_find(const char *format);

#endif
