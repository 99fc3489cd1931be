/* Base64. */
#include "base64.h"

#include <stdint.h>

enum { NOT = 64, SKIP = 65, PAD = 66 };

static unsigned value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : c == '=' ? PAD : c == '\n' || c == '\r' ? SKIP : NOT;
}

bool base64_decode(char *text, size_t size, size_t *decoded)
{
    uint32_t group = 0;
    size_t digits = 0, padding = 0, written = 0;

    for (size_t i = 0; i < size; i++) {
        unsigned value = value_of(text[i]);

        if (value == SKIP)
            continue;
        if (value == NOT || (padding != 0 && value != PAD))
            return false;
        padding += value == PAD;
        group = group << 6 | (value == PAD ? 0 : value);
        if (++digits % 4 != 0)
            continue;
        if (padding > 2)
            return false;
        for (size_t byte = 0; byte < 3 - padding; byte++)
            text[written++] = (char)(group >> (16 - 8 * byte));
    }
    *decoded = written;
    return digits % 4 == 0;
}
