/* Encoding of JPEGs. */
#ifndef HTML_REPORT_JPEG_H
#define HTML_REPORT_JPEG_H

#include <stddef.h>
#include <stdint.h>

/*
 * Encode pixels[height][width][3], R G B, sides of 1 to 65535, at a quality of 1 to 100, into
 * bytes[capacity]. The size; 0 where it does not fit or memory ends. Thread-safe.
 */
size_t jpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int quality,
                   unsigned char *bytes, size_t capacity);

#endif
