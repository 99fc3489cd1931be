/*
 * WebP files for tests: encoded by libwebp from a smooth synthetic picture, put in a container by
 * hand. Every function that gives bytes gives malloc'ed ones.
 */
#ifndef VGG_TESTS_WEBP_MAKER_H
#define VGG_TESTS_WEBP_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct webp_spec {
    uint32_t width, height; /* of the picture, before orientation */
    bool lossless, alpha;
    unsigned orientation; /* 1..8 in an EXIF chunk; 0: none */
    bool exif_prefix;     /* "Exif\0\0" before the TIFF structure */
    unsigned frames;      /* an animation of so many frames, all alike; 0: a still picture */
    uint32_t canvas_width, canvas_height; /* 0: the picture's */
    uint32_t x, y;                        /* of the frames on the canvas; even */
};

/* Channel c (0..3) at x, y, as encoded; alpha is never 0. */
uint8_t webp_sample(uint32_t x, uint32_t y, unsigned c);

/* Encode. False (and nothing to free) where libwebp refuses or memory ends. */
bool webp_make(const struct webp_spec *spec, uint8_t **bytes, size_t *size);

/*
 * A lossless bomb: a valid picture of side x side pixels in which every tile of 4 x 4 has Huffman
 * codes of its own. The side is a multiple of 4, at most 1024.
 */
bool webp_make_bomb(uint32_t side, uint8_t **bytes, size_t *size);

/* The same with 65,536 groups of codes, of which two are used: libwebp reads and drops the rest. */
bool webp_make_idle_bomb(uint8_t **bytes, size_t *size);

/* Offset of the nth chunk (from 0) of a type, frames' own included; 0 where there is none. */
size_t webp_find_chunk(const uint8_t *bytes, size_t size, const char *type, unsigned nth);

#endif
