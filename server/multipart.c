/* Splitting a multipart body. */
#include "multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What is left of the body. */
struct cursor {
    const char *at, *end;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_spaces(struct cursor *cursor)
{
    while (cursor->at < cursor->end && is_space(*cursor->at))
        cursor->at++;
}

/* Take `text` if it comes next. */
static bool take(struct cursor *cursor, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, text, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

/* The same for a name, whatever its case. */
static bool take_name(struct cursor *cursor, const char *name)
{
    size_t length = strlen(name);

    if ((size_t)(cursor->end - cursor->at) < length || strncasecmp(cursor->at, name, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

/* Skip the value of a parameter: a quoted string, or everything up to the next ";". */
static void skip_value(struct cursor *cursor)
{
    if (!take(cursor, "\"")) {
        while (cursor->at < cursor->end && *cursor->at != ';')
            cursor->at++;
        return;
    }
    while (cursor->at < cursor->end && *cursor->at != '"') {
        if (*cursor->at == '\\' && cursor->at + 1 < cursor->end)
            cursor->at++;
        cursor->at++;
    }
    (void)take(cursor, "\"");
}

/* Move to the value of the parameter `name` (with its "=") in `type; a=b; c="d"`. */
static bool find_parameter(struct cursor *cursor, const char *name)
{
    while (cursor->at < cursor->end && *cursor->at != ';')
        cursor->at++;
    while (take(cursor, ";")) {
        skip_spaces(cursor);
        if (take_name(cursor, name))
            return true;
        while (cursor->at < cursor->end && *cursor->at != '=' && *cursor->at != ';')
            cursor->at++;
        if (take(cursor, "="))
            skip_value(cursor);
        skip_spaces(cursor);
    }
    return false;
}

bool multipart_boundary(const char *content_type, char boundary[MULTIPART_BOUNDARY_MAX + 1])
{
    struct cursor cursor = {content_type, content_type + strlen(content_type)};
    const char *first;
    size_t length;

    if (!find_parameter(&cursor, "boundary="))
        return false;
    if (take(&cursor, "\"")) {
        first = cursor.at;
        length = strcspn(first, "\"");
        if (first[length] != '"')
            return false;
    } else {
        first = cursor.at;
        length = strcspn(first, "; \t");
    }
    if (length == 0 || length > MULTIPART_BOUNDARY_MAX)
        return false;
    memcpy(boundary, first, length);
    boundary[length] = '\0';
    return true;
}

/* ---------------------------------------------------------------- the body ------------------- */

/* The next line without its CRLF. */
static bool take_line(struct cursor *cursor, struct cursor *line)
{
    const char *end = memmem(cursor->at, (size_t)(cursor->end - cursor->at), "\r\n", 2);

    if (end == NULL)
        return false;
    *line = (struct cursor){cursor->at, end};
    cursor->at = end + 2;
    return true;
}

/* The headers of a part, up to its empty line. Does it have a file name? */
static bool take_headers(struct cursor *cursor, bool *is_file)
{
    struct cursor line;

    *is_file = false;
    while (take_line(cursor, &line)) {
        struct cursor star = line;

        if (line.at == line.end)
            return true;
        if (take_name(&line, "Content-Disposition:")) {
            star = line;
            *is_file = find_parameter(&line, "filename=") || find_parameter(&star, "filename*=");
        }
    }
    return false;
}

static const char no_end[] = "the multipart body is malformed: it does not end with its boundary";

enum http_body multipart_parse(const uint8_t *bytes, size_t size, const char *boundary,
                               struct http_part *parts, size_t parts_max, size_t *n,
                               const char **error)
{
    char delimiter[MULTIPART_BOUNDARY_MAX + 5]; /* its line end belongs to it */
    struct cursor cursor = {(const char *)bytes, (const char *)bytes + size};
    const char *found;

    *n = 0;
    snprintf(delimiter, sizeof delimiter, "\r\n--%s", boundary);
    if (size == 0 || !take(&cursor, delimiter + 2)) {
        found = size != 0 ? memmem(bytes, size, delimiter, strlen(delimiter)) : NULL;
        *error = "the multipart body has no parts: its boundary is nowhere in it";
        if (found == NULL)
            return HTTP_BODY_BAD;
        cursor.at = found + strlen(delimiter);
    }
    while (!take(&cursor, "--")) {
        bool is_file;

        skip_spaces(&cursor);
        *error = "the multipart body is malformed: a part's headers do not end";
        if (!take(&cursor, "\r\n") || !take_headers(&cursor, &is_file))
            return HTTP_BODY_BAD;
        *error = "a part has no filename: send the image as a file, as curl -F image=@FILE does";
        if (!is_file)
            return HTTP_BODY_BAD;
        /* An empty file: the line end before the delimiter is the one that ended the headers. */
        cursor.at -= 2;
        found = memmem(cursor.at, (size_t)(cursor.end - cursor.at), delimiter, strlen(delimiter));
        *error = no_end;
        if (found == NULL)
            return HTTP_BODY_BAD;
        if (*n == parts_max)
            return HTTP_BODY_MANY;
        parts[*n].bytes = (const uint8_t *)cursor.at + 2;
        parts[*n].size = found == cursor.at ? 0 : (size_t)(found - cursor.at) - 2;
        ++*n;
        cursor.at = found + strlen(delimiter);
        *error = no_end;
        if (cursor.at == cursor.end)
            return HTTP_BODY_BAD;
    }
    *error = "the multipart body has no parts";
    return *n != 0 ? HTTP_BODY_MULTIPART : HTTP_BODY_BAD;
}
