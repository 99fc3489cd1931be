/* UTF-8 (RFC 3629). */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/* Bytes of the character at `text`, 0 where there is none. Reads no further than `size`. */
size_t utf8_length(const char *text, size_t size);

#endif
