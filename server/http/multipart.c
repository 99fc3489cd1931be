/* Splitting a multipart body. */
#include "http/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What is left of the body. */
struct cursor {
    char *at, *end;
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
    char *type = (char *)(uintptr_t)content_type; /* only read */
    struct cursor cursor = {type, type + strlen(type)};
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

static const char no_end[] = "the multipart body is malformed: it does not end with its boundary";

/* The next line without its CRLF. */
static bool take_line(struct cursor *cursor, struct cursor *line)
{
    char *end = memmem(cursor->at, (size_t)(cursor->end - cursor->at), "\r\n", 2);

    if (end == NULL)
        return false;
    *line = (struct cursor){cursor->at, end};
    cursor->at = end + 2;
    return true;
}

/* What the headers of a part say. */
struct part_head {
    bool has_filename, unnamed_file; /* filename="" */
    bool bytes;                      /* its Content-Type is that of a picture or of any bytes */
    char *name;                      /* ended where its quotes were; NULL: none */
};

/* End the value of a parameter, and return it unquoted; what stood behind it is lost. */
static char *end_value(struct cursor cursor)
{
    char *value = cursor.at, *to = value;

    if (!take(&cursor, "\"")) {
        while (to < cursor.end && *to != ';' && !is_space(*to))
            to++;
    } else
        while (cursor.at < cursor.end && *cursor.at != '"') {
            if (*cursor.at == '\\' && cursor.at + 1 < cursor.end)
                cursor.at++;
            *to++ = *cursor.at++;
        }
    *to = '\0'; /* the line end, at most */
    return memchr(value, '\0', (size_t)(to - value)) == NULL ? value : NULL;
}

static void read_disposition(struct cursor line, struct part_head *head)
{
    struct cursor plain = line, star = line;

    if (find_parameter(&plain, "filename=")) {
        head->has_filename = true;
        head->unnamed_file = plain.at == plain.end || *plain.at == ';' || take(&plain, "\"\"");
    }
    if (find_parameter(&star, "filename*=")) {
        head->has_filename = true;
        head->unnamed_file = false;
    }
    if (find_parameter(&line, "name="))
        head->name = end_value(line);
}

/* A picture, or bytes of no kind: not the text of a field. */
static void read_type(struct cursor line, struct part_head *head)
{
    skip_spaces(&line);
    head->bytes = take_name(&line, "image/") || take_name(&line, "application/octet-stream") ||
                  take_name(&line, "binary/octet-stream");
}

/* The headers of a part, up to its empty line. */
static bool take_headers(struct cursor *cursor, struct part_head *head)
{
    struct cursor line;

    *head = (struct part_head){0};
    while (take_line(cursor, &line)) {
        if (line.at == line.end)
            return true;
        if (take_name(&line, "Content-Disposition:"))
            read_disposition(line, head);
        else if (take_name(&line, "Content-Type:"))
            read_type(line, head);
    }
    return false;
}

static enum multipart_result fail(struct multipart *form, const char *error)
{
    form->error = error;
    return MULTIPART_BAD;
}

static enum multipart_result add_field(struct multipart *form, const struct part_head *head,
                                       char *value, size_t size)
{
    struct http_field *field = &form->fields[form->fields_n];

    if (head->name == NULL)
        return fail(form, "a part has neither a name nor a filename: send the image as a file, as "
                          "curl -F image=@FILE does");
    if (form->fields_n == HTTP_FIELDS_MAX)
        return fail(form, "the form has too many text fields");
    *field = (struct http_field){head->name, size != 0 ? value : ""};
    value[size] = '\0'; /* in the place of the line end behind it */
    if (strlen(field->value) != size)
        field->name = "\\0";
    form->fields_n++;
    return MULTIPART_DONE;
}

static enum multipart_result add_part(struct multipart *form, const struct part_head *head,
                                      char *bytes, size_t size)
{
    if (!head->has_filename && !head->bytes)
        return add_field(form, head, bytes, size);
    if (head->unnamed_file && size == 0)
        return MULTIPART_DONE;
    if (form->parts_n == form->parts_max)
        return MULTIPART_MANY;
    form->parts[form->parts_n++] = (struct http_part){(const uint8_t *)bytes, size};
    return MULTIPART_DONE;
}

/* The next delimiter, or NULL: what only begins like one, as a longer boundary does, is none. */
static char *find_delimiter(const struct cursor *cursor, const char *delimiter)
{
    size_t length = strlen(delimiter);
    char *at = cursor->at, *found;

    for (; (found = memmem(at, (size_t)(cursor->end - at), delimiter, length)) != NULL;
         at = found + 1) {
        struct cursor behind = {found + length, cursor->end};

        if (take(&behind, "--"))
            return found;
        skip_spaces(&behind);
        if (take(&behind, "\r\n"))
            return found;
    }
    return NULL;
}

/* The part that begins at the cursor, which goes behind the delimiter that ends it. */
static enum multipart_result take_part(struct multipart *form, struct cursor *cursor,
                                       const char *delimiter)
{
    struct part_head head;
    char *bytes, *found;

    skip_spaces(cursor);
    if (!take(cursor, "\r\n") || !take_headers(cursor, &head))
        return fail(form, "the multipart body is malformed: a part's headers do not end");
    bytes = cursor->at;
    /* An empty part: the line end before the delimiter is the one that ended the headers. */
    cursor->at -= 2;
    found = find_delimiter(cursor, delimiter);
    if (found == NULL)
        return fail(form, no_end);
    cursor->at = found + strlen(delimiter);
    return add_part(form, &head, bytes, found < bytes ? 0 : (size_t)(found - bytes));
}

/* Move behind the first delimiter, which a preamble may come before. */
static bool find_first(struct cursor *cursor, const char *delimiter)
{
    char *found;

    if (cursor->at == cursor->end || take(cursor, delimiter + 2))
        return cursor->at != cursor->end;
    found = find_delimiter(cursor, delimiter);
    if (found != NULL)
        cursor->at = found + strlen(delimiter);
    return found != NULL;
}

enum multipart_result multipart_parse(struct multipart *form, uint8_t *bytes, size_t size,
                                      const char *boundary)
{
    char delimiter[MULTIPART_BOUNDARY_MAX + 5]; /* its line end belongs to it */
    struct cursor cursor = {(char *)bytes, (char *)bytes + size};
    size_t parts = 0;

    form->parts_n = form->fields_n = 0;
    snprintf(delimiter, sizeof delimiter, "\r\n--%s", boundary);
    if (!find_first(&cursor, delimiter))
        return fail(form, "the multipart body has no parts: its boundary is nowhere in it");
    for (; !take(&cursor, "--"); parts++) {
        enum multipart_result found = take_part(form, &cursor, delimiter);

        if (found != MULTIPART_DONE)
            return found;
    }
    if (form->parts_n != 0)
        return MULTIPART_DONE;
    if (parts == 0)
        return fail(form, "the multipart body has no parts");
    return fail(form, parts > form->fields_n
                          ? "no file was chosen in the form: its file inputs are empty"
                          : "no part of the form is an image: send it as a file, with a filename "
                            "or an image's Content-Type, as curl -F image=@FILE does");
}
