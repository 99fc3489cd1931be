/*
 * JSON read in place (RFC 8259): values are slices of the text, and nothing is allocated however
 * long it is. For bodies of megabytes, where a tree of values would take many times their size.
 *
 * The first error sticks: every function returns false after it.
 */
#ifndef VGG_CORE_TEXT_JSON_READER_H
#define VGG_CORE_TEXT_JSON_READER_H

#include "vgg.h"

enum { JSON_DEPTH_MAX = 32 };

/* A value as it stands in the text; bytes NULL: none. */
struct json_slice {
    const char *bytes;
    size_t size;
};

struct json_reader {
    const char *start, *at, *end;
    char error[96]; /* "" while there is none */
};

void json_reader_init(struct json_reader *reader, struct json_slice text);

/* A reader that stands before a value of the same text, which scan_value has checked. */
struct json_reader json_reader_at(const struct json_reader *reader, struct json_slice value);

/* Record an error at the place reached, unless there is one already; returns false. */
bool json_reader_fail(struct json_reader *reader, const char *what);

/* The next value's first character, which tells its kind: one of {["-0..9tfn. '\0' at the end. */
char scan_peek(struct json_reader *reader);

/*
 * Walk an object: scan_begin(reader, '{'), then scan_key until it returns false, reading or
 * skipping a value after each. Arrays: scan_begin(reader, '['), then scan_element. `*first` is
 * true before the first call. `key` is a string slice.
 */
bool scan_begin(struct json_reader *reader, char kind);
bool scan_key(struct json_reader *reader, bool *first, struct json_slice *key);
bool scan_element(struct json_reader *reader, bool *first);

/* Any value, checked whole: grammar, UTF-8, at most JSON_DEPTH_MAX levels. */
bool scan_value(struct json_reader *reader, struct json_slice *value);

/* A value of one kind; the string's slice has its quotes. */
bool scan_string(struct json_reader *reader, struct json_slice *string);
bool scan_whole(struct json_reader *reader, uint64_t *value); /* digits alone, below 2^63 */
bool scan_float(struct json_reader *reader, float *value);    /* finite once rounded */
bool scan_double(struct json_reader *reader, double *value);
bool scan_bool(struct json_reader *reader, bool *value);

/* Nothing but white space is left. */
bool scan_end(struct json_reader *reader);

/* A whole text: one value and nothing else. */
bool scan_document(struct json_reader *reader, struct json_slice *value);

/*
 * Undo the escapes of a checked string: its UTF-8 in text[string.size], without a zero at the end.
 * Returns the number of bytes. Surrogates without their other half become U+FFFD.
 */
size_t scan_unescape(struct json_slice string, char *text);

/* Is that checked value the string `text`? */
bool scan_is(struct json_slice value, const char *text);

#endif
