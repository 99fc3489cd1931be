/*
 * HTML as text. What is printed by %s is escaped, for contents and for quoted attributes alike, so
 * that a name from outside is never markup; scripts and styles hold no names.
 */
#ifndef HTML_REPORT_MARKUP_H
#define HTML_REPORT_MARKUP_H

#include "text/text.h"

enum { MARKUP_NAME_BYTES = 500 }; /* at most, of a name */

/*
 * printf with %s (escaped, its last MARKUP_NAME_BYTES), %u, %zu, %f, %g with a precision, and %%.
 * Numbers that are not finite become a dash. In strings, control characters, those that turn the
 * direction of the text, and what is no UTF-8 become "?".
 */
void markup_print(struct text *text, const char *format, ...) VGG_PRINTF(2, 3);

/* A string, escaped, all of it. */
void markup_text(struct text *text, const char *string);

/* 1 picture, 2 pictures: "s" but for 1. */
static inline const char *markup_plural(size_t n)
{
    return n == 1 ? "" : "s";
}

#endif
