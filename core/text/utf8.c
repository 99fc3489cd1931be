/* UTF-8. */
#include "text/utf8.h"

#include <string.h>

size_t utf8_length(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length;

    if (size == 0)
        return 0;
    length = bytes[0] < 0x80   ? 1
             : bytes[0] < 0xC2 ? 0
             : bytes[0] < 0xE0 ? 2
             : bytes[0] < 0xF0 ? 3
             : bytes[0] < 0xF5 ? 4
                               : 0;
    if (length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, beyond U+10FFFF. */
    if ((bytes[0] == 0xE0 && bytes[1] < 0xA0) || (bytes[0] == 0xED && bytes[1] > 0x9F) ||
        (bytes[0] == 0xF0 && bytes[1] < 0x90) || (bytes[0] == 0xF4 && bytes[1] > 0x8F))
        return 0;
    return length;
}

bool utf8_valid(const char *string)
{
    size_t left = strlen(string), length = 1;

    for (; left > 0 && length != 0; string += length, left -= length)
        length = utf8_length(string, left);
    return length != 0;
}
