/*
 * JPEGs for tests, encoded by libjpeg from a synthetic picture whose samples a test can compute,
 * and ways to damage them. Every function that gives bytes gives malloc'ed ones.
 */
#ifndef VGG_TESTS_JPEG_MAKER_H
#define VGG_TESTS_JPEG_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jpeg_color { JPEG_YCBCR, JPEG_RGB, JPEG_GREY, JPEG_CMYK, JPEG_YCCK };

/* What to encode. Zero fields but the dimensions are the plainest choice. */
struct jpeg_spec {
    uint32_t width, height; /* pixels as stored, before orientation */
    enum jpeg_color color;  /* CMYK and YCCK are stored inverted, with Adobe's marker */
    int quality;            /* 1..100; 0: 95 */
    int luma_h, luma_v;     /* sampling factors of the first component; 0: 1, that is 4:4:4 */
    bool progressive;
    bool arithmetic;           /* arithmetic coding instead of Huffman */
    unsigned restart_interval; /* MCUs; 0: no restart markers */
    unsigned orientation;      /* 1..8 in an EXIF segment; 0: no EXIF */
    bool big_endian;           /* of the EXIF segment */
    bool flat;                 /* one colour (128 in every sample) instead of the picture */
};

/* Sample `c` of the picture at x, y: what was encoded (grey: c = 0; CMYK: as stored). */
uint8_t jpeg_sample(const struct jpeg_spec *spec, uint32_t x, uint32_t y, unsigned c);

/* Encode. False (and nothing to free) where libjpeg refuses or memory ends. */
bool jpeg_make(const struct jpeg_spec *spec, uint8_t **bytes, size_t *size);

/*
 * A progressive bomb: a flat grey picture of width x height whose only AC scan is repeated until
 * there are `scans` scans, all of them valid.
 */
bool jpeg_make_bomb(uint32_t width, uint32_t height, unsigned scans, bool arithmetic,
                    uint8_t **bytes, size_t *size);

/*
 * The same with scans that refine what the ones before gave: ten for all AC coefficients, from the
 * highest bit on, again and again.
 */
bool jpeg_make_refinements(uint32_t width, uint32_t height, unsigned scans, uint8_t **bytes,
                           size_t *size);

/* Offset of the first marker segment 0xff `code` before the first scan; 0 where there is none. */
size_t jpeg_find_segment(const uint8_t *bytes, size_t size, uint8_t code);

/* Rewrite the frame header in place; false where none is found. */
bool jpeg_patch_dimensions(uint8_t *bytes, size_t size, uint16_t width, uint16_t height);
bool jpeg_patch_precision(uint8_t *bytes, size_t size, uint8_t bits);
bool jpeg_patch_process(uint8_t *bytes, size_t size, uint8_t sof_code); /* 0xc3: lossless */

/* A copy with `length` bytes of `piece` inserted at `offset`; NULL where memory ends. */
uint8_t *jpeg_insert(const uint8_t *bytes, size_t size, size_t offset, const void *piece,
                     size_t length);

/*
 * The payload of an APP1 segment ("Exif\0\0", TIFF header, a directory of one entry): exactly
 * JPEG_EXIF_BYTES at `payload`.
 */
enum { JPEG_EXIF_BYTES = 32 };
void jpeg_exif(unsigned orientation, bool big_endian, uint8_t payload[JPEG_EXIF_BYTES]);

#endif
