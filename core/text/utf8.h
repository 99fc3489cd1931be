/* UTF-8 (RFC 3629). */
#ifndef VGG_CORE_TEXT_UTF8_H
#define VGG_CORE_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at `text`, 0 where there is none. Reads no further than `size`. */
size_t utf8_length(const char *text, size_t size);

/* Is all of a string UTF-8? */
bool utf8_valid(const char *string);

/*
 * Is the character of `length` bytes at `text` one that moves the cursor, ends the line or turns
 * the direction of what follows?
 */
bool utf8_is_control(const char *text, size_t length);

/*
 * The character at `text` as a terminal or a log line may have it, in *shown of *shown_bytes: "?"
 * for what moves the cursor, ends the line, turns the direction of the text, or is no UTF-8.
 * Returns how many bytes it stands for; `size` is not 0.
 */
size_t utf8_show(const char *text, size_t size, const char **shown, size_t *shown_bytes);

/* The same for a string, in place: it becomes no longer. */
void utf8_clean(char *text);

#endif
