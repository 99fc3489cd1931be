/*
 * Base64 as clients write it: RFC 4648's ordinary or URL-safe alphabet, with or without padding,
 * behind a "data:" URL's prefix or without one.
 */
#ifndef VGG_CORE_TEXT_BASE64_H
#define VGG_CORE_TEXT_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* The six bits of a character, in either alphabet; -1 where it is of none. */
int base64_digit(char c);

/*
 * Decode in place: text[size] becomes bytes[*decoded]. White space is skipped, as browsers do (the
 * Infra standard's forgiving-base64 decode). Padding is whole or left out. False where it is not
 * base64.
 */
bool base64_decode(char *text, size_t size, size_t *decoded);

#endif
