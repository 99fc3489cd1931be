/* Content codings by zlib, whose inflate also checks gzip's and zlib's sums. */
#include "http/coding.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum {
    STEP_BYTES = 16 << 10, /* inflated between two looks at the clock: microseconds of work */
    WINDOW_BITS = 15,
    GZIP_WRAPPER = 16 /* added to them */
};

static enum coding coding_of(const char *name, size_t length)
{
    static const struct {
        const char *name;
        enum coding coding;
    } names[] = {{"identity", CODING_IDENTITY},
                 {"gzip", CODING_GZIP},
                 {"x-gzip", CODING_GZIP},
                 {"deflate", CODING_DEFLATE}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == length && strncasecmp(names[i].name, name, length) == 0)
            return names[i].coding;
    return CODING_UNKNOWN;
}

void coding_add(enum coding *coding, const char *list)
{
    static const char between[] = ", \t";

    for (list += strspn(list, between); *list != '\0'; list += strspn(list, between)) {
        size_t length = strcspn(list, between);
        enum coding next = coding_of(list, length);

        if (next != CODING_IDENTITY)
            *coding = *coding == CODING_IDENTITY ? next : CODING_UNKNOWN;
        list += length;
    }
}

/*
 * Does it begin as zlib's format does (RFC 1950)? A bare stream would have to begin with a stored
 * block whose padding is not zero.
 */
static bool is_zlib(const struct body *body)
{
    return body->size >= 2 && (body->bytes[0] & 0x0F) == Z_DEFLATED && body->bytes[0] >> 4 <= 7 &&
           (body->bytes[0] << 8 | body->bytes[1]) % 31 == 0;
}

static int window_bits(enum coding coding, const struct body *in)
{
    if (coding == CODING_GZIP)
        return WINDOW_BITS + GZIP_WRAPPER;
    return is_zlib(in) ? WINDOW_BITS : -WINDOW_BITS;
}

/* One step of inflating. CODING_DONE: go on, or *ended. */
static enum coding_result step(z_stream *stream, struct body *out, size_t bytes_max, bool *ended,
                               const char **error)
{
    uint8_t bytes[STEP_BYTES];
    size_t made;
    int result;

    stream->next_out = bytes;
    stream->avail_out = sizeof bytes;
    result = inflate(stream, Z_NO_FLUSH);
    made = sizeof bytes - stream->avail_out;
    *ended = result == Z_STREAM_END;
    *error = "the compressed body ends before its data does";
    if (result == Z_MEM_ERROR)
        return CODING_NO_MEMORY;
    if (result == Z_BUF_ERROR)
        return CODING_CORRUPT;
    *error = "the compressed body is damaged, or not of the coding that Content-Encoding names";
    if (result != Z_OK && result != Z_STREAM_END)
        return CODING_CORRUPT;
    if (made > bytes_max - out->size)
        return CODING_LONG;
    body_append(out, bytes, made);
    return out->starved ? CODING_NO_MEMORY : CODING_DONE;
}

static enum coding_result inflate_all(z_stream *stream, bool members, struct body *out,
                                      size_t bytes_max, bool (*stop)(void *user), void *user,
                                      const char **error)
{
    static const char follows[] = "something follows the compressed data";
    enum coding_result result = CODING_DONE;
    bool ended = false, again = false; /* in a further member */

    while (result == CODING_DONE && !(ended && stream->avail_in == 0)) {
        if (ended && !members) {
            *error = follows;
            return CODING_CORRUPT;
        }
        if (ended) {
            inflateReset(stream);
            again = true;
        }
        if (stop(user))
            return CODING_STOPPED;
        result = step(stream, out, bytes_max, &ended, error);
    }
    if (result == CODING_CORRUPT && again && stream->total_out == 0)
        *error = follows;
    return result;
}

enum coding_result coding_undo(enum coding coding, const struct body *in, struct body *out,
                               size_t bytes_max, bool (*stop)(void *user), void *user,
                               const char **error)
{
    z_stream stream = {.next_in = in->bytes, .avail_in = (uInt)in->size};
    enum coding_result result;

    assert(in->size <= UINT_MAX); /* --max-body is at most that */
    if (inflateInit2(&stream, window_bits(coding, in)) != Z_OK)
        return CODING_NO_MEMORY;
    result = inflate_all(&stream, coding == CODING_GZIP, out, bytes_max, stop, user, error);
    inflateEnd(&stream);
    return result;
}

void *coding_gzip(const void *bytes, size_t size, size_t *packed_size)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)size};
    void *packed = NULL;
    uLong most;

    assert(size <= UINT_MAX);
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, WINDOW_BITS + GZIP_WRAPPER,
                     MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    most = deflateBound(&stream, (uLong)size);
    packed = malloc(most);
    if (packed != NULL) {
        stream.next_out = packed;
        stream.avail_out = (uInt)most;
        (void)deflate(&stream, Z_FINISH); /* all of it fits */
        *packed_size = stream.total_out;
    }
    deflateEnd(&stream);
    return packed;
}
