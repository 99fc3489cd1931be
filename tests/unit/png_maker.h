/*
 * PNGs for tests, written by libpng from a synthetic picture whose samples a test can compute, and
 * ways to damage them. Every function that gives bytes gives malloc'ed ones.
 */
#ifndef VGG_TESTS_PNG_MAKER_H
#define VGG_TESTS_PNG_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum png_colour { PNG_GREY, PNG_COLOUR, PNG_INDEXED, PNG_GREY_ALPHA, PNG_COLOUR_ALPHA };

struct png_spec {
    uint32_t width, height; /* as stored, before orientation */
    enum png_colour colour;
    int depth; /* bits of a sample; 0: 8 */
    bool interlaced;
    unsigned orientation; /* 1..8 in an eXIf chunk; 0: none */
};

/* Sample `c` at x, y as stored, below 2^depth. */
uint16_t png_sample(const struct png_spec *spec, uint32_t x, uint32_t y, unsigned c);

/* The palette's entry `index`, channel c. */
uint8_t png_palette(unsigned index, unsigned c);

/* Encode. False (and nothing to free) where libpng refuses or memory ends. */
bool png_make(const struct png_spec *spec, uint8_t **bytes, size_t *size);

/* Offset of the nth chunk (from 0) of a type: of its length field; 0 where there is none. */
size_t png_find_chunk(const uint8_t *bytes, size_t size, const char *type, unsigned nth);

/* Make the checksum of the chunk at `offset` right again. */
void png_fix_crc(uint8_t *bytes, size_t offset);

/*
 * A copy with a chunk of `length` bytes (its checksum right) inserted before the one at `offset`,
 * `count` times; NULL where memory ends.
 */
uint8_t *png_insert_chunk(const uint8_t *bytes, size_t *size, size_t offset, const char *type,
                          const void *data, uint32_t length, size_t count);

#endif
