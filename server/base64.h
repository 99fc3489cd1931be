/* Base64 (RFC 4648, the ordinary alphabet). */
#ifndef BASE64_H
#define BASE64_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Decode in place: text[size] becomes bytes[*decoded]. Line ends are skipped, as encoders for mail
 * make them; padding is needed. False where it is not base64.
 */
bool base64_decode(char *text, size_t size, size_t *decoded);

#endif
