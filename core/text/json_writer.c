/* Writing JSON. */
#include "text/json_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

/* Room for `more` bytes and a zero. */
static bool reserve(struct json_writer *writer, size_t more)
{
    size_t capacity = writer->capacity != 0 ? writer->capacity : CAPACITY_MIN;
    char *text;

    if (writer->failed)
        return false;
    while (capacity - writer->size <= more && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    if (capacity == writer->capacity)
        return true;
    text = capacity - writer->size > more ? realloc(writer->text, capacity) : NULL;
    writer->failed = text == NULL;
    if (text == NULL)
        return false;
    writer->text = text;
    writer->capacity = capacity;
    return true;
}

static void append(struct json_writer *writer, const char *bytes, size_t size)
{
    if (!reserve(writer, size))
        return;
    memcpy(writer->text + writer->size, bytes, size);
    writer->size += size;
}

void json_write(struct json_writer *writer, const char *text)
{
    append(writer, text, strlen(text));
}

static void append_escape(struct json_writer *writer, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = strchr(from, c);
    char escape[8];

    if (found != NULL)
        snprintf(escape, sizeof escape, "\\%c", to[found - from]);
    else
        snprintf(escape, sizeof escape, "\\u%04X", c);
    json_write(writer, escape);
}

void json_write_string(struct json_writer *writer, const char *string)
{
    json_write(writer, "\"");
    while (*string != '\0') {
        size_t plain = 0;

        while ((unsigned char)string[plain] >= ' ' && string[plain] != '"' && string[plain] != '\\')
            plain++;
        append(writer, string, plain);
        string += plain;
        if (*string != '\0')
            append_escape(writer, (unsigned char)*string++);
    }
    json_write(writer, "\"");
}

void json_write_whole(struct json_writer *writer, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRIu64, value);
    json_write(writer, digits);
}

char *json_writer_finish(struct json_writer *writer)
{
    char *text = NULL;

    if (reserve(writer, 0)) {
        text = writer->text;
        text[writer->size] = '\0';
    } else
        free(writer->text);
    *writer = (struct json_writer){0};
    return text;
}
