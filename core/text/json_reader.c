/* Reading JSON in place. */
#include "text/json_reader.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/hex.h"
#include "text/utf8.h"

void json_reader_init(struct json_reader *reader, struct json_slice text)
{
    *reader = (struct json_reader){text.bytes, text.bytes, text.bytes + text.size, ""};
}

struct json_reader json_reader_at(const struct json_reader *reader, struct json_slice value)
{
    return (struct json_reader){reader->start, value.bytes, reader->end, ""};
}

bool json_reader_fail(struct json_reader *reader, const char *what)
{
    if (reader->error[0] == '\0')
        snprintf(reader->error, sizeof reader->error, "%s at byte %zu", what,
                 (size_t)(reader->at - reader->start));
    return false;
}

char scan_peek(struct json_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
                                        *reader->at == '\n' || *reader->at == '\r'))
        reader->at++;
    return reader->at < reader->end && reader->error[0] == '\0' ? *reader->at : '\0';
}

/* One character of punctuation, after white space. */
static bool take(struct json_reader *reader, char expected)
{
    if (scan_peek(reader) != expected || expected == '\0')
        return false;
    reader->at++;
    return true;
}

/* ---------------------------------------------------------------- strings -------------------- */

/* Bytes of the escape at `at`, 0 where there is none. */
static size_t escape_length(const char *at, const char *end)
{
    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? 2 : 0;
    if (end - at < 6)
        return 0;
    for (size_t i = 2; i < 6; i++)
        if (hex_digit(at[i]) < 0)
            return 0;
    return 6;
}

bool scan_string(struct json_reader *reader, struct json_slice *string)
{
    if (scan_peek(reader) != '"')
        return json_reader_fail(reader, "a string was expected");
    string->bytes = reader->at++;
    while (reader->at < reader->end && *reader->at != '"') {
        unsigned char c = (unsigned char)*reader->at;
        size_t length = 1;

        if (c == '\\')
            length = escape_length(reader->at, reader->end);
        else if (c < ' ' || c >= 0x80)
            length = c < ' ' ? 0 : utf8_length(reader->at, (size_t)(reader->end - reader->at));
        if (length == 0)
            return json_reader_fail(reader, "a string holds what it must not");
        reader->at += length;
    }
    if (reader->at == reader->end)
        return json_reader_fail(reader, "a string has no end");
    string->size = (size_t)(++reader->at - string->bytes);
    return true;
}

static unsigned read_hex(const char *digits)
{
    unsigned value = 0;

    for (size_t i = 0; i < 4; i++)
        value = value << 4 | (unsigned)hex_digit(digits[i]);
    return value;
}

static size_t write_utf8(unsigned code, char *text)
{
    size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char marks[] = {0, 0xC0, 0xE0, 0xF0};

    for (size_t i = more; i > 0; i--, code >>= 6)
        text[i] = (char)(0x80 | (code & 0x3F));
    text[0] = (char)(marks[more] | code);
    return more + 1;
}

/* The code point of the \u escape at *at, and the second half of a pair with it. */
static unsigned read_code(const char **at, const char *end)
{
    unsigned code = read_hex(*at + 2), low;

    *at += 6;
    if (code < 0xD800 || code > 0xDFFF)
        return code;
    if (code > 0xDBFF || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return 0xFFFD;
    low = read_hex(*at + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0xFFFD;
    *at += 6;
    return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

size_t scan_unescape(struct json_slice string, char *text)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *at = string.bytes + 1, *end = string.bytes + string.size - 1;
    size_t size = 0;

    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape != NULL ? escape : end) - at);

        memmove(text + size, at, plain);
        size += plain;
        at += plain;
        if (escape == NULL)
            break;
        if (at[1] == 'u')
            size += write_utf8(read_code(&at, end), text + size);
        else {
            const char *found = strchr(from, at[1]);

            text[size++] = found != NULL ? to[found - from] : at[1];
            at += 2;
        }
    }
    return size;
}

bool scan_is(struct json_slice value, const char *text)
{
    char plain[256]; /* names are far shorter, even with every character as \u and four digits */
    size_t length = strlen(text);

    return value.bytes[0] == '"' && value.size <= sizeof plain &&
           scan_unescape(value, plain) == length && memcmp(plain, text, length) == 0;
}

/* ---------------------------------------------------------------- numbers, words ------------- */

static size_t skip_digits(struct json_reader *reader)
{
    const char *start = reader->at;

    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return (size_t)(reader->at - start);
}

static bool at_one_of(const struct json_reader *reader, const char *set)
{
    return reader->at < reader->end && *reader->at != '\0' && strchr(set, *reader->at) != NULL;
}

static bool number(struct json_reader *reader, struct json_slice *slice)
{
    bool good;

    (void)scan_peek(reader);
    slice->bytes = reader->at;
    if (at_one_of(reader, "-"))
        reader->at++;
    if (at_one_of(reader, "0")) {
        reader->at++;
        good = true;
    } else
        good = skip_digits(reader) != 0;
    if (good && at_one_of(reader, ".")) {
        reader->at++;
        good = skip_digits(reader) != 0;
    }
    if (good && at_one_of(reader, "eE")) {
        reader->at++;
        if (at_one_of(reader, "+-"))
            reader->at++;
        good = skip_digits(reader) != 0;
    }
    slice->size = (size_t)(reader->at - slice->bytes);
    /* strtof and strtoull end where the number does: something must follow it. */
    return (good && reader->at < reader->end) || json_reader_fail(reader, "a number was expected");
}

bool scan_whole(struct json_reader *reader, uint64_t *value)
{
    struct json_slice slice;

    if (!number(reader, &slice))
        return false;
    if (slice.size > 18 || strspn(slice.bytes, "0123456789") < slice.size) {
        reader->at = slice.bytes;
        return json_reader_fail(reader, "a whole number below 10^18 was expected");
    }
    *value = strtoull(slice.bytes, NULL, 10);
    return true;
}

/* "." is the decimal point whatever the program's locale says; this one is static storage. */
static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* A finite number, rounded once; `large` says what is wrong with another. */
static bool real(struct json_reader *reader, bool single, double *value, const char *large)
{
    struct json_slice slice;

    if (!number(reader, &slice))
        return false;
    *value = single ? (double)strtof_l(slice.bytes, NULL, c_locale())
                    : strtod_l(slice.bytes, NULL, c_locale());
    if (isfinite(*value))
        return true;
    reader->at = slice.bytes;
    return json_reader_fail(reader, large);
}

bool scan_float(struct json_reader *reader, float *value)
{
    double wide;

    if (!real(reader, true, &wide, "a number is too large for FP32"))
        return false;
    *value = (float)wide;
    return true;
}

bool scan_double(struct json_reader *reader, double *value)
{
    return real(reader, false, value, "a number is too large");
}

static bool word(struct json_reader *reader, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, text, length) != 0)
        return json_reader_fail(reader, "a value was expected");
    reader->at += length;
    return true;
}

bool scan_bool(struct json_reader *reader, bool *value)
{
    *value = scan_peek(reader) == 't';
    if (*value || scan_peek(reader) == 'f')
        return word(reader, *value ? "true" : "false");
    return json_reader_fail(reader, "true or false was expected");
}

/* ---------------------------------------------------------------- structure ------------------ */

bool scan_begin(struct json_reader *reader, char kind)
{
    return take(reader, kind) || json_reader_fail(reader, kind == '{' ? "an object was expected"
                                                                      : "an array was expected");
}

/* Is there another member or element? */
static bool another(struct json_reader *reader, bool *first, char close)
{
    bool was_first = *first;

    *first = false;
    if (take(reader, close))
        return false;
    if (was_first)
        return reader->error[0] == '\0';
    return take(reader, ',') ||
           json_reader_fail(reader, close == '}' ? "\",\" or \"}\" was expected"
                                                 : "\",\" or \"]\" was expected");
}

bool scan_key(struct json_reader *reader, bool *first, struct json_slice *key)
{
    return another(reader, first, '}') && scan_string(reader, key) &&
           (take(reader, ':') || json_reader_fail(reader, "\":\" was expected"));
}

bool scan_element(struct json_reader *reader, bool *first)
{
    return another(reader, first, ']');
}

static bool scalar(struct json_reader *reader)
{
    struct json_slice slice;
    bool value;

    switch (scan_peek(reader)) {
    case '"':
        return scan_string(reader, &slice);
    case 't':
    case 'f':
        return scan_bool(reader, &value);
    case 'n':
        return word(reader, "null");
    default:
        return number(reader, &slice);
    }
}

bool scan_value(struct json_reader *reader, struct json_slice *value)
{
    char open[JSON_DEPTH_MAX]; /* what is open, outermost first */
    bool first[JSON_DEPTH_MAX];
    size_t depth = 0;

    (void)scan_peek(reader);
    value->bytes = reader->at;
    do {
        struct json_slice key;
        char kind;

        if (depth > 0 && !(open[depth - 1] == '{' ? scan_key(reader, &first[depth - 1], &key)
                                                  : scan_element(reader, &first[depth - 1]))) {
            depth--;
            continue;
        }
        kind = scan_peek(reader);
        if (kind != '{' && kind != '[') {
            (void)scalar(reader);
            continue;
        }
        if (depth == JSON_DEPTH_MAX)
            return json_reader_fail(reader, "values are nested too deep");
        (void)scan_begin(reader, kind);
        open[depth] = kind;
        first[depth++] = true;
    } while (depth > 0 && reader->error[0] == '\0');
    value->size = (size_t)(reader->at - value->bytes);
    return reader->error[0] == '\0';
}

bool scan_end(struct json_reader *reader)
{
    return (scan_peek(reader) == '\0' && reader->at == reader->end && reader->error[0] == '\0') ||
           json_reader_fail(reader, "something follows the end");
}

bool scan_document(struct json_reader *reader, struct json_slice *value)
{
    return scan_value(reader, value) && scan_end(reader);
}
