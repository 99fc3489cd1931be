/* Writing a safetensors file: the header, then tensor after tensor in pieces. */
#include "model/write.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/replace.h"
#include "text/utf8.h"

enum {
    LENGTH_BYTES = 8,      /* of the header's length before it */
    CHUNK_FLOATS = 1 << 18 /* converted and written at a time */
};

/* What is written, and where to: a file, or memory where fd is -1. */
struct writing {
    const struct vgg_header *header;
    const char *json;
    struct vgg_copied copied;
    vgg_fill_fn *fill;
    void *user;
    int fd;
    unsigned char *bytes;
};

/* ---------------------------------------------------------------- values --------------------- */

static uint32_t encode_bf16(uint32_t bits)
{
    return (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
}

/*
 * Floats as little-endian bytes of a dtype, in place: each takes no more room than it had. The
 * index of the first that is not finite there, else n.
 */
static size_t encode(enum vgg_dtype dtype, float *values, size_t n)
{
    unsigned char *out = (unsigned char *)values;
    unsigned size = (unsigned)vgg_dtype_bytes(dtype);

    for (size_t i = 0; i < n; i++) {
        uint32_t bits, infinite = 0x7F800000U;

        memcpy(&bits, &values[i], sizeof bits);
        if ((bits & infinite) == infinite)
            return i;
        if (dtype == VGG_DTYPE_F16) {
            bits = vgg_half_from_float(values[i]);
            infinite = 0x7C00;
        } else if (dtype == VGG_DTYPE_BF16) {
            bits = encode_bf16(bits);
            infinite = 0x7F80;
        }
        if ((bits & infinite) == infinite)
            return i;
        for (unsigned b = 0; b < size; b++)
            out[size * i + b] = (unsigned char)(bits >> (8 * b));
    }
    return n;
}

static enum vgg_status fail_value(const struct vgg_tensor *tensor, float value,
                                  struct vgg_error *error)
{
    if (!isfinite(value))
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s holds NaN or infinite values",
                        tensor->name);
    return vgg_fail(error, VGG_BAD_MODEL, "tensor %s holds %g, too large for %s", tensor->name,
                    (double)value, vgg_dtype_name(tensor->dtype));
}

/* ---------------------------------------------------------------- bytes ---------------------- */

static enum vgg_status put(struct writing *writing, const void *bytes, size_t size,
                           struct vgg_error *error)
{
    if (writing->fd >= 0)
        return vgg_write_all(writing->fd, bytes, size, error);
    memcpy(writing->bytes, bytes, size);
    writing->bytes += size;
    return VGG_OK;
}

static enum vgg_status put_header(struct writing *writing, struct vgg_error *error)
{
    unsigned char prefix[LENGTH_BYTES];
    size_t length = strlen(writing->json);
    enum vgg_status status;

    for (size_t i = 0; i < sizeof prefix; i++)
        prefix[i] = (unsigned char)((uint64_t)length >> (8 * i));
    status = put(writing, prefix, sizeof prefix, error);
    return status == VGG_OK ? put(writing, writing->json, length, error) : status;
}

static enum vgg_status put_tensor(struct writing *writing, size_t index, float *chunk,
                                  struct vgg_error *error)
{
    const struct vgg_tensor *tensor = &writing->header->tensors[index];
    uint64_t size = vgg_dtype_bytes(tensor->dtype), total = (tensor->end - tensor->begin) / size;
    enum vgg_status status = VGG_OK;

    assert(tensor->dtype != VGG_DTYPE_I64);
    assert(tensor->begin == (index == 0 ? 0 : tensor[-1].end));
    for (uint64_t first = 0; first < total && status == VGG_OK; first += CHUNK_FLOATS) {
        size_t n = total - first < CHUNK_FLOATS ? (size_t)(total - first) : CHUNK_FLOATS, bad;

        writing->fill(writing->user, index, first, n, chunk);
        bad = encode(tensor->dtype, chunk, n);
        status =
            bad == n ? put(writing, chunk, n * size, error) : fail_value(tensor, chunk[bad], error);
    }
    return status;
}

static enum vgg_status copy_tensor(struct writing *writing, size_t index, float *chunk,
                                   struct vgg_error *error)
{
    const struct vgg_tensor *tensor = &writing->header->tensors[index];
    const uint64_t total = tensor->end - tensor->begin, most = CHUNK_FLOATS * sizeof *chunk;
    enum vgg_status status = VGG_OK;

    for (uint64_t done = 0; done < total && status == VGG_OK; done += most) {
        size_t size = (size_t)(total - done < most ? total - done : most);

        status = vgg_source_read(writing->copied.source, writing->copied.offsets[index] + done,
                                 chunk, size, error);
        if (status == VGG_OK)
            status = put(writing, chunk, size, error);
    }
    return status;
}

static enum vgg_status put_all(void *user, int fd, struct vgg_error *error)
{
    struct writing *writing = user;
    float *chunk = vgg_alloc(CHUNK_FLOATS, sizeof *chunk);
    enum vgg_status status;

    if (chunk == NULL)
        return vgg_fail_memory(error);
    writing->fd = fd;
    status = put_header(writing, error);
    for (size_t i = 0; i < writing->header->tensors_n && status == VGG_OK; i++)
        status = i < writing->copied.n ? copy_tensor(writing, i, chunk, error)
                                       : put_tensor(writing, i, chunk, error);
    free(chunk);
    return status;
}

/* ---------------------------------------------------------------- files ---------------------- */

/* The header's text, malloc'ed. */
static enum vgg_status format(const struct vgg_header *header, char **json, struct vgg_error *error)
{
    for (size_t i = 0; i < header->metadata_n; i++)
        if (!utf8_valid(header->metadata[i].value))
            return vgg_fail(error, VGG_BAD_MODEL, "%s is not UTF-8", header->metadata[i].key);
    *json = vgg_header_format(header);
    return *json != NULL ? VGG_OK : vgg_fail_memory(error);
}

enum vgg_status vgg_file_write_copied(const char *path, const struct vgg_header *header,
                                      const struct vgg_copied *copied, vgg_fill_fn *fill,
                                      void *user, struct vgg_error *error)
{
    struct vgg_error reason = {0};
    char *json = NULL;
    enum vgg_status status = format(header, &json, &reason);
    struct writing writing = {
        .header = header, .json = json, .copied = *copied, .fill = fill, .user = user};

    if (status == VGG_OK)
        status = vgg_replace(path, put_all, &writing, &reason);
    free(json);
    return status == VGG_OK ? status : vgg_fail(error, status, "%s: %s", path, reason.text);
}

enum vgg_status vgg_file_write(const char *path, const struct vgg_header *header, vgg_fill_fn *fill,
                               void *user, struct vgg_error *error)
{
    return vgg_file_write_copied(path, header, &(struct vgg_copied){0}, fill, user, error);
}

enum vgg_status vgg_file_write_memory(const struct vgg_header *header, vgg_fill_fn *fill,
                                      void *user, unsigned char **bytes, size_t *size,
                                      struct vgg_error *error)
{
    char *json = NULL;
    enum vgg_status status = format(header, &json, error);
    struct writing writing = {.header = header, .json = json, .fill = fill, .user = user};
    unsigned char *block;

    if (status != VGG_OK)
        return status;
    *size = LENGTH_BYTES + strlen(json) + header->tensors[header->tensors_n - 1].end;
    block = vgg_alloc(*size, 1);
    writing.bytes = block;
    status = block != NULL ? put_all(&writing, -1, error) : vgg_fail_memory(error);
    free(json);
    if (status == VGG_OK)
        *bytes = block;
    else
        free(block);
    return status;
}
