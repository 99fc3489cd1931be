/* Request lines and headers by RFC 9112, and by RFC 9110 what those headers say that frame a body.
 */
#include "gate/head.h"

#include <string.h>
#include <strings.h>

/* Bytes that are not NUL-terminated. */
struct span {
    const char *at;
    size_t size;
};

static const char digits[] = "0123456789";

static bool fail(struct head_fault *fault, unsigned status, const char *detail)
{
    *fault = (struct head_fault){status, detail};
    return false;
}

static bool refuse(struct head_fault *fault, const char *detail)
{
    return fail(fault, 400, detail);
}

/* ---------------------------------------------------------------- characters ----------------- */

bool head_text(char c)
{
    unsigned char byte = (unsigned char)c;

    return (byte >= ' ' && byte != 0x7F) || byte == '\t';
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits and those of a set at the front. */
static size_t leading(const char *text, size_t size, const char *set)
{
    size_t n = 0;

    while (n < size && (is_letter_or_digit(text[n]) || (text[n] != '\0' && strchr(set, text[n]))))
        n++;
    return n;
}

size_t head_token(const char *text, size_t size)
{
    return leading(text, size, "!#$%&'*+-.^_`|~");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(const char *at, size_t size)
{
    while (size != 0 && is_blank(at[0]))
        at++, size--;
    while (size != 0 && is_blank(at[size - 1]))
        size--;
    return (struct span){at, size};
}

static bool equal(struct span text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.at, word, text.size) == 0;
}

static bool begins(struct span text, const char *word)
{
    return text.size >= strlen(word) && strncasecmp(text.at, word, strlen(word)) == 0;
}

static size_t find(struct span text, char c)
{
    const char *found = text.size != 0 ? memchr(text.at, c, text.size) : NULL;

    return found != NULL ? (size_t)(found - text.at) : text.size;
}

/* "name", "name:80", "[::1]:80"; without a name where there is none to tell. */
static bool is_host(struct span host)
{
    size_t name = leading(host.at, host.size, "-._~!$&'()*+,;=%"), port;

    if (host.size != 0 && host.at[0] == '[') {
        name = 1 + leading(host.at + 1, host.size - 1, ":.-_~%");
        if (name < 3 || name == host.size || host.at[name++] != ']')
            return false;
    }
    if (name == host.size)
        return true;
    for (port = name + 1; port < host.size && strchr(digits, host.at[port]) != NULL; port++)
        ;
    return host.at[name] == ':' && port == host.size;
}

/* ---------------------------------------------------------------- the request line ----------- */

static bool read_version(struct head_reader *reader, struct span version, struct head_fault *fault)
{
    size_t i = 5;

    reader->http_1_0 = version.size == 8 && memcmp(version.at, "HTTP/1.0", 8) == 0;
    if (reader->http_1_0 || (version.size == 8 && memcmp(version.at, "HTTP/1.1", 8) == 0))
        return true;
    if (version.size < 6 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[5] == '.')
        i = version.size + 1;
    while (i < version.size && (version.at[i] == '.' || strchr(digits, version.at[i]) != NULL))
        i++;
    if (i == version.size)
        return fail(fault, 505, "the versions of HTTP here are 1.1 and 1.0");
    return refuse(fault, "the request line does not end with HTTP/1.1 or HTTP/1.0");
}

/* "http://host/path", as it is sent to proxies. */
static bool read_absolute(struct head_reader *reader, struct span target, bool options,
                          struct head_fault *fault)
{
    size_t scheme = begins(target, "http://") ? 7 : begins(target, "https://") ? 8 : 0;
    struct span rest = {target.at + scheme, target.size - scheme};
    size_t end = 0;

    if (scheme == 0)
        return refuse(fault, "the request target is neither a path nor an http URL");
    while (end < rest.size && strchr("/?#", rest.at[end]) == NULL)
        end++;
    if (end == 0 || rest.at[0] == ':' || !is_host((struct span){rest.at, end}))
        return refuse(fault, "the URL of the request line names no host as it should be");
    reader->path += scheme + end;
    if (end == rest.size)
        reader->root = options ? '*' : '/';
    else if (rest.at[end] != '/')
        reader->root = '/';
    return true;
}

static bool read_target(struct head_reader *reader, struct span method, struct span target,
                        struct head_fault *fault)
{
    bool options = method.size == 7 && memcmp(method.at, "OPTIONS", 7) == 0;
    size_t parameters = 1, query = find(target, '?');

    for (size_t i = 0; i < target.size; i++) {
        if (is_blank(target.at[i]))
            return refuse(fault, "there is more than one blank, or a TAB, in the request line");
        parameters += i > query && target.at[i] == '&';
    }
    if (parameters > HEAD_PARAMETERS_MAX)
        return fail(fault, 414, "the query has more than 50 parameters");
    if (target.at[0] == '/' || (options && equal(target, "*")))
        return true;
    if (method.size == 7 && memcmp(method.at, "CONNECT", 7) == 0)
        return fail(fault, 501, "this is no proxy: CONNECT does nothing here");
    return read_absolute(reader, target, options, fault);
}

/* One blank between three words. */
static bool read_request_line(struct head_reader *reader, const char *line, size_t size,
                              struct head_fault *fault)
{
    struct span method = {line, head_token(line, size)};
    size_t version = size;

    while (version != 0 && line[version - 1] != ' ')
        version--;
    if (method.size == 0 || method.size == size || line[method.size] != ' ')
        return refuse(fault, "the request line does not begin with a method and one blank");
    if (version <= method.size + 2)
        return refuse(fault, "the request line is not a method, a target and a version");
    reader->target = reader->path = method.size + 1;
    reader->target_end = version - 1;
    return read_version(reader, (struct span){line + version, size - version}, fault) &&
           read_target(reader, method,
                       (struct span){line + reader->target, reader->target_end - reader->target},
                       fault);
}

/* ---------------------------------------------------------------- headers -------------------- */

bool head_field_valid(const char *line, size_t size, struct head_fault *fault)
{
    size_t name = head_token(line, size);

    if (is_blank(line[0]))
        return refuse(fault, "a header is folded: its line begins with a blank");
    if (line[0] == ':')
        return refuse(fault, "a header has no name");
    if (name < size && line[name] == ':')
        return true;
    if (name < size && is_blank(line[name]))
        return refuse(fault, "there is a blank before the colon of a header");
    return refuse(fault, "a header is not a name, a colon and a value");
}

static bool read_host(struct head_reader *reader, struct span value, struct head_fault *fault)
{
    if (++reader->hosts_n > 1)
        return refuse(fault, "there is more than one Host");
    return is_host(value) || refuse(fault, "Host is not a host's name and a port");
}

/* Digits and nothing else; "5, 5" too may count for 5 to one and for an error to another. */
static bool read_length(struct head_reader *reader, struct span value, struct head_fault *fault)
{
    uint64_t length = 0;

    if (++reader->lengths_n > 1)
        return refuse(fault, "there is more than one Content-Length");
    if (value.size == 0)
        return refuse(fault, "Content-Length is empty");
    for (size_t i = 0; i < value.size; i++) {
        const char *digit = strchr(digits, value.at[i]);

        if (digit == NULL)
            return refuse(fault, "Content-Length is not a number of bytes");
        if (__builtin_mul_overflow(length, 10, &length) ||
            __builtin_add_overflow(length, (uint64_t)(digit - digits), &length))
            return refuse(fault, "Content-Length is too large for a number");
    }
    reader->head.body_bytes = length;
    return true;
}

/* A list of codings: one that is unknown is another fault than a list that makes no sense. */
static bool read_coding(struct head_reader *reader, struct span value, struct head_fault *fault)
{
    reader->codings_n++;
    for (;;) {
        size_t end = find(value, ',');
        struct span coding = trim(value.at, end);

        if (equal(coding, "chunked"))
            reader->chunked_n++;
        else if (coding.size == 0)
            reader->bad_codings = true;
        else
            return fail(fault, 501, "of the transfer codings only chunked is known");
        if (end == value.size)
            return true;
        value = (struct span){value.at + end + 1, value.size - end - 1};
    }
}

static bool read_expect(struct head_reader *reader, struct span value, struct head_fault *fault)
{
    (void)reader;
    return equal(value, "100-continue") ||
           fail(fault, 417, "of the expectations only 100-continue can be met");
}

static struct span name_of(const char *line, size_t size)
{
    return (struct span){line, find((struct span){line, size}, ':')};
}

static bool read_field(struct head_reader *reader, const char *line, size_t size,
                       struct head_fault *fault)
{
    static const struct {
        const char *name;
        bool (*read)(struct head_reader *, struct span, struct head_fault *);
    } known[] = {{"Host", read_host},
                 {"Content-Length", read_length},
                 {"Transfer-Encoding", read_coding},
                 {"Expect", read_expect}};
    struct span name = name_of(line, size);

    if (!head_field_valid(line, size, fault))
        return false;
    if (++reader->fields_n > HEAD_FIELDS_MAX)
        return fail(fault, 431, "there are more than 100 headers");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (equal(name, known[i].name))
            return known[i].read(reader, trim(line + name.size + 1, size - name.size - 1), fault);
    return true;
}

/* What only all headers together tell. */
static bool end_fields(struct head_reader *reader, struct head_fault *fault)
{
    if (reader->hosts_n == 0 && !reader->http_1_0)
        return refuse(fault, "there is no Host");
    if (reader->codings_n == 0)
        return true;
    if (reader->http_1_0)
        return refuse(fault, "HTTP/1.0 has no Transfer-Encoding");
    if (reader->codings_n != 1 || reader->chunked_n != 1 || reader->bad_codings)
        return refuse(fault, "Transfer-Encoding is not chunked, once");
    reader->head = (struct head){.chunked = true, .closes = reader->lengths_n != 0};
    return true;
}

/* ---------------------------------------------------------------- the whole ------------------ */

/* Of the bytes in a line, and of the order of those that end it. */
static bool check_byte(const char *bytes, size_t at, struct head_fault *fault)
{
    bool after_cr = at != 0 && bytes[at - 1] == '\r';

    if (bytes[at] == '\n')
        return after_cr || refuse(fault, "a line ends with LF alone, not with CR and LF");
    if (after_cr)
        return refuse(fault, "a CR is not followed by LF");
    return bytes[at] == '\r' || head_text(bytes[at]) ||
           refuse(fault, "there is a control character in the request's head");
}

enum head_state head_read(struct head_reader *reader, const char *bytes, size_t size,
                          struct head_fault *fault)
{
    while (reader->size < size) {
        const char *line = bytes + reader->line;
        size_t at = reader->size++, length = at - reader->line - 1;
        bool first = reader->line == 0;

        if (!check_byte(bytes, at, fault))
            return HEAD_FAULTY;
        if (bytes[at] != '\n')
            continue;
        if (length == 0 && !first)
            return end_fields(reader, fault) ? HEAD_WHOLE : HEAD_FAULTY;
        if (!(first ? read_request_line : read_field)(reader, line, length, fault))
            return HEAD_FAULTY;
        reader->line = reader->size;
    }
    return HEAD_PARTIAL;
}

static char *put(char *to, const char *from, size_t size)
{
    memmove(to, from, size);
    return to + size;
}

/*
 * Cookies nobody reads, and libmicrohttpd would take them apart; with an expectation and without a
 * body it closes where the next request has come already; a length beside chunks must not count.
 */
static bool is_left_out(const struct head *head, struct span name)
{
    return equal(name, "Cookie") || (head->chunked && equal(name, "Content-Length")) ||
           (!head->chunked && head->body_bytes == 0 && equal(name, "Expect"));
}

/* Without the blanks at its end. */
static char *put_line(char *to, const char *line, size_t size)
{
    return put(put(to, line, trim(line, size).size), "\r\n", 2);
}

size_t head_rewrite(const struct head_reader *reader, char *bytes)
{
    char *to = bytes + reader->target, *line, *end;

    if (reader->root != '\0')
        *to++ = reader->root;
    to = put(to, bytes + reader->path, reader->target_end - reader->path);
    end = memchr(bytes + reader->target_end, '\n', reader->size - reader->target_end);
    to = put(to, bytes + reader->target_end, (size_t)(end + 1 - bytes) - reader->target_end);
    for (line = end + 1; line[0] != '\r'; line = end + 1) {
        end = memchr(line, '\n', (size_t)(bytes + reader->size - line));
        if (!is_left_out(&reader->head, name_of(line, (size_t)(end - line))))
            to = put_line(to, line, (size_t)(end - 1 - line));
    }
    return (size_t)(put(to, "\r\n", 2) - bytes);
}

size_t head_remains(const struct head_reader *reader, char *bytes, size_t *at)
{
    char *end = reader->line != 0 ? memchr(bytes, '\n', reader->line) : NULL;
    char *start = end != NULL ? end - 1 : bytes, *to = start;

    for (char *line = end + 1; end != NULL && line < bytes + reader->line; line = end + 1) {
        struct span name;

        end = memchr(line, '\n', (size_t)(bytes + reader->line - line));
        name = name_of(line, (size_t)(end - line));
        if (equal(name, "Origin") || equal(name, "X-Request-Id"))
            to = put_line(to, line, (size_t)(end - 1 - line));
    }
    if (to == start)
        return 0;
    *at = (size_t)(start - bytes);
    return (size_t)(put(to, "\r\n", 2) - start);
}
