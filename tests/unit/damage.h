/*
 * Bytes that are cut or wrong, of which a reader of files or bodies must take every one.
 *
 *     struct damage damage = damage_of(bytes, size);
 *
 *     while (damage_cut(&damage))
 *         assert_int_equal(read_it(damage.bytes, damage.size), BAD);
 *
 * What is damaged is a copy in a block of exactly its size, so that a sanitizer sees who reads on;
 * the loop may write to it. It lives until the next one: leave the loop at its end only.
 */
#ifndef VGG_TESTS_DAMAGE_H
#define VGG_TESTS_DAMAGE_H

#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct damage {
    const void *whole;
    size_t whole_size;
    uint8_t *bytes;
    size_t size;
    size_t at;    /* of the byte that is wrong */
    size_t tried; /* kinds of damage so far */
};

static inline struct damage damage_of(const void *bytes, size_t size)
{
    return (struct damage){.whole = bytes, .whole_size = size};
}

/* The first `size` bytes, or false after the last of `kinds`. */
static inline bool damage_next(struct damage *damage, size_t kinds, size_t size)
{
    free(damage->bytes);
    damage->bytes = NULL;
    if (damage->tried == kinds) {
        damage->tried = 0;
        return false;
    }
    damage->tried++;
    damage->size = size;
    damage->bytes = malloc(size);
    assert_non_null(damage->bytes);
    memcpy(damage->bytes, damage->whole, size);
    return true;
}

/* Every beginning, from the empty one to that which lacks the last byte. */
static inline bool damage_cut(struct damage *damage)
{
    return damage_next(damage, damage->whole_size, damage->tried);
}

/* Every bit of every byte, turned over. */
static inline bool damage_bit(struct damage *damage)
{
    size_t i = damage->tried;

    if (!damage_next(damage, 8 * damage->whole_size, damage->whole_size))
        return false;
    damage->at = i / 8;
    damage->bytes[damage->at] ^= (uint8_t)(1 << i % 8);
    return true;
}

/* Every byte, as each of the 255 others. */
static inline bool damage_byte(struct damage *damage)
{
    size_t i = damage->tried;

    if (!damage_next(damage, 255 * damage->whole_size, damage->whole_size))
        return false;
    damage->at = i / 255;
    damage->bytes[damage->at] ^= (uint8_t)(1 + i % 255);
    return true;
}

#endif
