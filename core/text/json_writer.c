/* Writing JSON. */
#include "text/json_writer.h"

#include <inttypes.h>
#include <string.h>

void json_write(struct json_writer *writer, const char *text)
{
    text_append(&writer->text, text, strlen(text));
}

static void append_escape(struct json_writer *writer, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = strchr(from, c);

    if (found != NULL)
        text_print(&writer->text, "\\%c", to[found - from]);
    else
        text_print(&writer->text, "\\u%04X", c);
}

void json_write_string(struct json_writer *writer, const char *string)
{
    json_write(writer, "\"");
    while (*string != '\0') {
        size_t plain = 0;

        while ((unsigned char)string[plain] >= ' ' && string[plain] != '"' && string[plain] != '\\')
            plain++;
        text_append(&writer->text, string, plain);
        string += plain;
        if (*string != '\0')
            append_escape(writer, (unsigned char)*string++);
    }
    json_write(writer, "\"");
}

void json_write_whole(struct json_writer *writer, uint64_t value)
{
    text_print(&writer->text, "%" PRIu64, value);
}

char *json_writer_finish(struct json_writer *writer)
{
    size_t size;

    text_append(&writer->text, "", 1);
    return text_take(&writer->text, &size);
}
