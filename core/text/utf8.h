/* UTF-8 (RFC 3629). */
#ifndef VGG_CORE_TEXT_UTF8_H
#define VGG_CORE_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at `text`, 0 where there is none. Reads no further than `size`. */
size_t utf8_length(const char *text, size_t size);

/* Is all of a string UTF-8? */
bool utf8_valid(const char *string);

#endif
