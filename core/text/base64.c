/* Base64. */
#include "text/base64.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { NOT = 64, SKIP = 65, PAD = 66 };

int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

static unsigned value_of(char c)
{
    int digit = base64_digit(c);

    if (digit >= 0)
        return (unsigned)digit;
    if (c == ' ' || (c >= '\t' && c <= '\r' && c != '\v'))
        return SKIP;
    return c == '=' ? PAD : NOT;
}

/* Characters of "data:image/jpeg;base64," at the start, 0 where there is no such prefix. */
static size_t skip_prefix(const char *text, size_t size)
{
    static const char scheme[] = "data:", coding[] = ";base64";
    const size_t scheme_size = sizeof scheme - 1, coding_size = sizeof coding - 1;
    size_t start = 0, end;
    const char *comma;

    while (start < size && value_of(text[start]) == SKIP)
        start++;
    if (size - start < scheme_size || strncasecmp(text + start, scheme, scheme_size) != 0)
        return 0;
    start += scheme_size;
    comma = memchr(text + start, ',', size - start);
    if (comma == NULL)
        return 0;
    end = (size_t)(comma - text);
    return end - start >= coding_size && strncasecmp(comma - coding_size, coding, coding_size) == 0
               ? end + 1
               : 0;
}

bool base64_decode(char *text, size_t size, size_t *decoded)
{
    uint32_t group = 0;
    size_t digits = 0, padding = 0, written = 0;

    for (size_t i = skip_prefix(text, size); i < size; i++) {
        unsigned value = value_of(text[i]);

        if (value == SKIP)
            continue;
        if (value == NOT || (value != PAD && padding != 0))
            return false;
        if (value == PAD) {
            padding++;
            continue;
        }
        group = group << 6 | value;
        if (++digits % 4 == 0)
            for (int shift = 16; shift >= 0; shift -= 8)
                text[written++] = (char)(group >> shift);
    }
    /* A last group of 2 or 3 digits is 1 or 2 bytes; a digit alone is none. */
    group <<= 6 * (4 - digits % 4);
    for (size_t byte = 1; byte < digits % 4; byte++)
        text[written++] = (char)(group >> (24 - 8 * byte));
    *decoded = written;
    return digits % 4 != 1 && (padding == 0 || (padding <= 2 && (digits + padding) % 4 == 0));
}
