/*
 * JSON written into a growing string, compact and in the order of the calls. Running out of memory
 * sticks: json_writer_finish then returns NULL.
 */
#ifndef VGG_CORE_TEXT_JSON_WRITER_H
#define VGG_CORE_TEXT_JSON_WRITER_H

#include "text/text.h"

/* Zero-initialise it. */
struct json_writer {
    struct text text;
};

/* Punctuation or words, as they are. */
void json_write(struct json_writer *writer, const char *text);

/* A string of valid UTF-8 with quotes and escapes; a number. */
void json_write_string(struct json_writer *writer, const char *string);
void json_write_whole(struct json_writer *writer, uint64_t value);

/* The text with a zero at its end, malloc'ed, or NULL; the writer is then empty again. */
char *json_writer_finish(struct json_writer *writer);

#endif
