/* Escaping. */
#include "report/markup.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "text/utf8.h"

enum { CONVERSION_BYTES = 12 };

/* A piece of text that is one character, or the entity that stands for it. */
static void append_character(struct text *text, const char *shown, size_t bytes)
{
    static const struct {
        char character;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (shown[0] == entities[i].character) {
            text_append(text, entities[i].entity, strlen(entities[i].entity));
            return;
        }
    text_append(text, shown, bytes);
}

void markup_text(struct text *text, const char *string)
{
    for (size_t left = strlen(string), taken; left > 0; string += taken, left -= taken) {
        const char *shown;
        size_t bytes;

        taken = utf8_show(string, left, &shown, &bytes);
        append_character(text, shown, bytes);
    }
}

static void append_name(struct text *text, const char *name)
{
    size_t length = strlen(name);

    if (length > MARKUP_NAME_BYTES) {
        text_append(text, "…", strlen("…"));
        name += length - MARKUP_NAME_BYTES;
        while (((unsigned char)*name & 0xC0U) == 0x80) /* the rest of a character */
            name++;
    }
    markup_text(text, name);
}

static void append_real(struct text *text, const char *conversion, double value)
{
    if (isfinite(value))
        text_print(text, conversion, value);
    else
        text_append(text, "–", strlen("–"));
}

void markup_print(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    while (*format != '\0') {
        size_t plain = strcspn(format, "%"), length;
        char conversion[CONVERSION_BYTES] = "";

        text_append(text, format, plain);
        format += plain;
        if (*format == '\0')
            break;
        length = strspn(format + 1, "0123456789.-+z") + 2;
        assert(length < sizeof conversion);
        memcpy(conversion, format, length);
        format += length;
        switch (conversion[length - 1]) {
        case 's':
            append_name(text, va_arg(args, const char *));
            break;
        case 'u':
            text_print(text, "%zu",
                       conversion[1] == 'z' ? va_arg(args, size_t) : va_arg(args, unsigned));
            break;
        case 'f':
        case 'g':
            append_real(text, conversion, va_arg(args, double));
            break;
        default:
            assert(conversion[1] == '%');
            text_append(text, "%", 1);
        }
    }
    va_end(args);
}
