/* Text that grows while it is printed, and knows whether all of it is there. */
#ifndef VGG_CORE_TEXT_TEXT_H
#define VGG_CORE_TEXT_TEXT_H

#include "vgg.h"

/* Zero-initialise. */
struct text {
    char *bytes; /* malloc'ed */
    size_t size, capacity;
    bool failed; /* out of memory: some of it is missing */
};

void text_print(struct text *text, const char *format, ...) VGG_PRINTF(2, 3);

void text_append(struct text *text, const void *bytes, size_t size);

/* A JSON string; what is not UTF-8 becomes "?". */
void text_json(struct text *text, const char *string);

/* A word of a shell's command line, in single quotes where it needs some. */
void text_shell(struct text *text, const char *word);

/* Base64 (RFC 4648), with padding. */
void text_base64(struct text *text, const void *bytes, size_t size);

/*
 * What a client has written, for a line of ours, which it can add neither words nor lines to:
 * blanks and control characters as in a URL, "%20". At most as many bytes of it as the name says.
 */
enum { TEXT_QUOTED_MAX = 100 };
struct text_quoted {
    char text[3 * TEXT_QUOTED_MAX + 1];
};
struct text_quoted text_quote(const char *bytes, size_t size);

/* Hand over the bytes, or free them and return NULL where some are missing. */
char *text_take(struct text *text, size_t *size);

#endif
