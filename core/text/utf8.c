/* UTF-8. */
#include "text/utf8.h"

#include <string.h>

/* Overlong forms, surrogates, beyond U+10FFFF: by the second byte of three or four. */
static bool is_excluded(const unsigned char *bytes)
{
    return (bytes[0] == 0xE0 && bytes[1] < 0xA0) || (bytes[0] == 0xED && bytes[1] > 0x9F) ||
           (bytes[0] == 0xF0 && bytes[1] < 0x90) || (bytes[0] == 0xF4 && bytes[1] > 0x8F);
}

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
    return length > 2 && is_excluded(bytes) ? 0 : length;
}

bool utf8_valid(const char *string)
{
    size_t left = strlen(string), length = 1;

    for (; left > 0 && length != 0; string += length, left -= length)
        length = utf8_length(string, left);
    return length != 0;
}

/* C0 and C1 controls, line separators, marks that override the direction of what follows. */
bool utf8_is_control(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;

    if (length == 1)
        return bytes[0] < ' ' || bytes[0] == 0x7F;
    if (length == 2)
        return bytes[0] == 0xC2 && bytes[1] < 0xA0;
    if (length != 3 || bytes[0] != 0xE2)
        return false;
    return (bytes[1] == 0x80 && bytes[2] >= 0xA8 && bytes[2] <= 0xAE) || /* U+2028 to 202E */
           (bytes[1] == 0x81 && bytes[2] >= 0xA6 && bytes[2] <= 0xA9);   /* U+2066 to 2069 */
}

size_t utf8_show(const char *text, size_t size, const char **shown, size_t *shown_bytes)
{
    size_t length = utf8_length(text, size);

    *shown = text;
    *shown_bytes = length;
    if (length != 0 && !utf8_is_control(text, length))
        return length;
    *shown = "?";
    *shown_bytes = 1;
    return length != 0 ? length : 1;
}

void utf8_clean(char *text)
{
    char *end = text;

    for (size_t left = strlen(text), taken; left > 0; text += taken, left -= taken) {
        const char *shown;
        size_t bytes;

        taken = utf8_show(text, left, &shown, &bytes);
        memmove(end, shown, bytes);
        end += bytes;
    }
    *end = '\0';
}
