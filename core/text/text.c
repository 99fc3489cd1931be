/* Growing text. (glibc's open_memstream does not tell that it had no memory.) */
#include "text/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"

enum { FIRST_BYTES = 16 << 10 };

static bool reserve(struct text *text, size_t more)
{
    size_t capacity = text->capacity != 0 ? text->capacity : FIRST_BYTES;
    char *bytes;

    while (capacity - text->size < more)
        capacity *= 2;
    if (capacity == text->capacity)
        return true;
    bytes = realloc(text->bytes, capacity);
    if (bytes == NULL)
        return false;
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_print(struct text *text, const char *format, ...)
{
    va_list args, again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    if (length < 0 || !reserve(text, (size_t)length + 1))
        text->failed = true;
    else {
        vsnprintf(text->bytes + text->size, (size_t)length + 1, format, again);
        text->size += (size_t)length;
    }
    va_end(again);
    va_end(args);
}

void text_append(struct text *text, const void *bytes, size_t size)
{
    if (!reserve(text, size)) {
        text->failed = true;
        return;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

/* The code point of a control character, which has at most three bytes. */
static unsigned code_of(const char *string, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)string;

    if (length == 1)
        return bytes[0];
    if (length == 2)
        return (bytes[0] & 0x1FU) << 6 | (bytes[1] & 0x3FU);
    return (bytes[0] & 0x0FU) << 12 | (bytes[1] & 0x3FU) << 6 | (bytes[2] & 0x3FU);
}

void text_json(struct text *text, const char *string)
{
    size_t left = strlen(string), length;

    text_append(text, "\"", 1);
    for (; left > 0; string += length, left -= length) {
        length = utf8_length(string, left);
        if (length == 0) {
            text_append(text, "?", 1);
            length = 1;
        } else if (utf8_is_control(string, length))
            text_print(text, "\\u%04x", code_of(string, length));
        else {
            if (*string == '"' || *string == '\\')
                text_append(text, "\\", 1);
            text_append(text, string, length);
        }
    }
    text_append(text, "\"", 1);
}

void text_shell(struct text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=:,./@%";

    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        text_print(text, "%s", word);
        return;
    }
    text_append(text, "'", 1);
    for (; *word != '\0'; word++)
        if (*word == '\'')
            text_print(text, "'\\''");
        else
            text_append(text, word, 1);
    text_append(text, "'", 1);
}

void text_base64(struct text *text, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *next = bytes;

    for (size_t i = 0; i < size; i += 3) {
        size_t n = size - i < 3 ? size - i : 3;
        uint32_t group = (uint32_t)next[i] << 16 | (n > 1 ? (uint32_t)next[i + 1] << 8 : 0) |
                         (n > 2 ? next[i + 2] : 0);
        char quad[4] = {digits[group >> 18], digits[group >> 12 & 63], '=', '='};

        if (n > 1)
            quad[2] = digits[group >> 6 & 63];
        if (n > 2)
            quad[3] = digits[group & 63];
        text_append(text, quad, sizeof quad);
    }
}

struct text_quoted text_quote(const char *bytes, size_t size)
{
    struct text_quoted quoted = {""};
    char *to = quoted.text;

    for (size_t i = 0, left = 0; i < size && i < TEXT_QUOTED_MAX; i++) {
        size_t length = utf8_length(bytes + i, size - i);

        if (length != 0 && (bytes[i] == ' ' || utf8_is_control(bytes + i, length)))
            left = length; /* of a character that is not shown as it is */
        if (left > 0)
            to += sprintf(to, "%%%02x", (unsigned char)bytes[i]);
        else
            *to++ = bytes[i];
        left -= left > 0;
    }
    return quoted;
}

char *text_take(struct text *text, size_t *size)
{
    char *bytes = text->bytes;

    *size = text->size;
    if (text->failed) {
        free(bytes);
        bytes = NULL;
    }
    *text = (struct text){0};
    return bytes;
}
