/*
 * Checkpoints. The checksum stands in the header, before the data it covers, so it is made in a
 * pass of its own; it is over what a file says (metadata, names, sizes, values), not how.
 */
#include "train/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "model/convert.h"
#include "model/write.h"

enum { PIECE_BYTES = 1 << 17 }; /* hashed at a time */

static const char MARK[] = "vgg.checkpoint", VERSION[] = "1", CHECKSUM[] = "vgg.sha256";

/* ---------------------------------------------------------------- the checksum --------------- */

static void hash_text(struct vgg_sha256 *sha, const char *text)
{
    vgg_sha256_update(sha, text, strlen(text) + 1);
}

static void hash_number(struct vgg_sha256 *sha, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, number);
    hash_text(sha, text);
}

/* All of a header but the checksum. */
static void hash_header(struct vgg_sha256 *sha, const struct vgg_header *header)
{
    hash_number(sha, header->metadata_n);
    for (size_t i = 0; i < header->metadata_n; i++)
        if (strcmp(header->metadata[i].key, CHECKSUM) != 0) {
            hash_text(sha, header->metadata[i].key);
            hash_text(sha, header->metadata[i].value);
        }
    for (size_t i = 0; i < header->tensors_n; i++) {
        hash_text(sha, header->tensors[i].name);
        hash_number(sha, header->tensors[i].end);
    }
}

/* As they will lie in the file. */
static void hash_values(struct vgg_sha256 *sha, const struct vgg_named_floats *array)
{
    unsigned char bytes[1024 * sizeof(float)];
    size_t filled = 0;

    for (uint64_t i = 0; i < array->n; i++) {
        uint32_t bits;

        memcpy(&bits, &array->values[i], sizeof bits);
        for (unsigned b = 0; b < sizeof bits; b++)
            bytes[filled++] = (unsigned char)(bits >> (8 * b));
        if (filled == sizeof bytes || i + 1 == array->n) {
            vgg_sha256_update(sha, bytes, filled);
            filled = 0;
        }
    }
}

/* ---------------------------------------------------------------- writing -------------------- */

static void fill_array(void *user, size_t tensor, uint64_t first, size_t n, float *out)
{
    const struct vgg_named_floats *arrays = user;

    memcpy(out, arrays[tensor].values + first, n * sizeof *out);
}

/* Describe the file and make its checksum. */
static void plan(const struct vgg_named_floats *arrays, const struct vgg_metadata *metadata,
                 size_t metadata_n, struct vgg_header *header, char digest[VGG_SHA256_HEX_BYTES])
{
    struct vgg_sha256 sha;
    uint64_t offset = 0;

    for (size_t i = 0; i < header->tensors_n; i++) {
        header->tensors[i] = (struct vgg_tensor){
            .name = (char *)arrays[i].name,
            .dtype = VGG_DTYPE_F32,
            .dims = 1,
            .shape = {arrays[i].n},
            .begin = offset,
            .end = offset + arrays[i].n * sizeof(float),
        };
        offset = header->tensors[i].end;
    }
    header->metadata[0] = (struct vgg_metadata){(char *)MARK, (char *)VERSION};
    header->metadata[1] = (struct vgg_metadata){(char *)CHECKSUM, digest};
    for (size_t i = 0; i < metadata_n; i++)
        header->metadata[2 + i] = metadata[i];
    vgg_sha256_init(&sha);
    hash_header(&sha, header);
    for (size_t i = 0; i < header->tensors_n; i++)
        hash_values(&sha, &arrays[i]);
    vgg_sha256_final(&sha, digest);
}

enum vgg_status vgg_checkpoint_write(const char *path, const struct vgg_named_floats *arrays,
                                     size_t arrays_n, const struct vgg_metadata *metadata,
                                     size_t metadata_n, struct vgg_error *error)
{
    struct vgg_header header = {.tensors_n = arrays_n, .metadata_n = metadata_n + 2};
    struct vgg_error reason = {0};
    char digest[VGG_SHA256_HEX_BYTES];
    enum vgg_status status = VGG_NO_MEMORY;

    header.tensors = vgg_alloc(header.tensors_n, sizeof *header.tensors);
    header.metadata = vgg_alloc(header.metadata_n, sizeof *header.metadata);
    if (header.tensors != NULL && header.metadata != NULL) {
        plan(arrays, metadata, metadata_n, &header, digest);
        status = vgg_file_write(path, &header, fill_array, (void *)arrays, &reason);
    } else
        vgg_fail(&reason, status, "%s: %s", path, vgg_status_text(status));
    free(header.tensors);
    free(header.metadata);
    return status == VGG_OK ? status : vgg_fail(error, status, "checkpoint %s", reason.text);
}

/* ---------------------------------------------------------------- opening -------------------- */

static enum vgg_status check_header(const struct vgg_header *header, struct vgg_error *error)
{
    const char *version = vgg_header_get(header, MARK);

    if (version == NULL)
        return vgg_fail(error, VGG_BAD_MODEL, "it is not a checkpoint of vgg train");
    if (strcmp(version, VERSION) != 0)
        return vgg_fail(error, VGG_BAD_MODEL, "it is of version \"%.20s\", not %s", version,
                        VERSION);
    for (size_t i = 0; i < header->tensors_n; i++)
        if (header->tensors[i].dtype != VGG_DTYPE_F32 || header->tensors[i].dims != 1)
            return vgg_fail(error, VGG_BAD_MODEL, "array %s is not a vector of F32",
                            header->tensors[i].name);
    return VGG_OK;
}

/* Read all values once and compare. */
static enum vgg_status check_sum(struct vgg_reader *reader, const struct vgg_header *header,
                                 struct vgg_error *error)
{
    const char *expected = vgg_header_get(header, CHECKSUM);
    unsigned char *piece = vgg_alloc(PIECE_BYTES, 1);
    char digest[VGG_SHA256_HEX_BYTES];
    enum vgg_status status = VGG_OK;

    if (piece == NULL)
        return vgg_fail_memory(error);
    vgg_sha256_init(&reader->sha);
    hash_header(&reader->sha, header);
    for (uint64_t left = reader->source->size - reader->offset; left != 0 && status == VGG_OK;) {
        size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

        status = vgg_reader_bytes(reader, piece, size, error);
        left -= size;
    }
    free(piece);
    vgg_sha256_final(&reader->sha, digest);
    if (status == VGG_OK && (expected == NULL || strcmp(expected, digest) != 0))
        return vgg_fail(error, VGG_BAD_MODEL, "it is damaged: its checksum is another");
    return status;
}

static enum vgg_status open_checked(struct vgg_checkpoint *checkpoint, struct vgg_error *error)
{
    struct vgg_reader reader;
    enum vgg_status status;

    vgg_reader_init(&reader, &checkpoint->source);
    status = vgg_reader_header(&reader, &checkpoint->header, error);
    checkpoint->data = reader.offset;
    if (status == VGG_OK)
        status = check_header(&checkpoint->header, error);
    return status == VGG_OK ? check_sum(&reader, &checkpoint->header, error) : status;
}

static enum vgg_status fail(const char *path, const struct vgg_error *reason,
                            struct vgg_error *error)
{
    return vgg_fail(error, reason->status, "checkpoint %s: %s", path, reason->text);
}

enum vgg_status vgg_checkpoint_open(const char *path, struct vgg_checkpoint *checkpoint,
                                    struct vgg_error *error)
{
    struct vgg_error reason = {0};

    *checkpoint = (struct vgg_checkpoint){0};
    if (vgg_source_open(path, &checkpoint->source, &reason) != VGG_OK) {
        checkpoint->source = (struct vgg_source){0};
        return fail(path, &reason, error);
    }
    checkpoint->path = strdup(path);
    if (checkpoint->path == NULL) {
        close(checkpoint->source.fd);
        vgg_fail_memory(&reason);
    } else if (open_checked(checkpoint, &reason) != VGG_OK)
        vgg_checkpoint_close(checkpoint);
    return reason.status == VGG_OK ? VGG_OK : fail(path, &reason, error);
}

const char *vgg_checkpoint_get(const struct vgg_checkpoint *checkpoint, const char *key)
{
    return vgg_header_get(&checkpoint->header, key);
}

void vgg_checkpoint_close(struct vgg_checkpoint *checkpoint)
{
    if (checkpoint->path != NULL)
        close(checkpoint->source.fd);
    free(checkpoint->path);
    vgg_header_fini(&checkpoint->header);
    *checkpoint = (struct vgg_checkpoint){0};
}

/* ---------------------------------------------------------------- reading -------------------- */

static const struct vgg_tensor *find_tensor(const struct vgg_header *header, const char *name)
{
    for (size_t i = 0; i < header->tensors_n; i++)
        if (strcmp(header->tensors[i].name, name) == 0)
            return &header->tensors[i];
    return NULL;
}

static bool is_wanted(const struct vgg_named_floats *arrays, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(arrays[i].name, name) == 0)
            return true;
    return false;
}

static enum vgg_status check_arrays(const struct vgg_header *header,
                                    const struct vgg_named_floats *arrays, size_t n,
                                    struct vgg_error *error)
{
    for (size_t i = 0; i < n; i++) {
        const struct vgg_tensor *tensor = find_tensor(header, arrays[i].name);

        if (tensor == NULL)
            return vgg_fail(error, VGG_BAD_MODEL, "array %s is missing", arrays[i].name);
        if (tensor->shape[0] != arrays[i].n)
            return vgg_fail(error, VGG_BAD_MODEL, "array %s has %" PRIu64 " values, not %" PRIu64,
                            arrays[i].name, tensor->shape[0], arrays[i].n);
    }
    for (size_t i = 0; i < header->tensors_n; i++)
        if (!is_wanted(arrays, n, header->tensors[i].name))
            return vgg_fail(error, VGG_BAD_MODEL, "array %s (%" PRIu64 " values) is one too many",
                            header->tensors[i].name, header->tensors[i].shape[0]);
    return VGG_OK;
}

static enum vgg_status read_array(const struct vgg_checkpoint *checkpoint,
                                  const struct vgg_named_floats *array, struct vgg_error *error)
{
    const struct vgg_tensor *tensor = find_tensor(&checkpoint->header, array->name);
    enum vgg_status status =
        vgg_source_read(&checkpoint->source, checkpoint->data + tensor->begin, array->values,
                        array->n * sizeof *array->values, error);

    if (status == VGG_OK &&
        !vgg_floats_convert(tensor->dtype, (unsigned char *)array->values, array->n, array->values))
        return vgg_fail(error, VGG_BAD_MODEL, "array %s holds NaN or infinite values", array->name);
    return status;
}

enum vgg_status vgg_checkpoint_read(const struct vgg_checkpoint *checkpoint,
                                    const struct vgg_named_floats *arrays, size_t n,
                                    struct vgg_error *error)
{
    struct vgg_error reason = {0};
    enum vgg_status status = check_arrays(&checkpoint->header, arrays, n, &reason);

    for (size_t i = 0; i < n && status == VGG_OK; i++)
        status = read_array(checkpoint, &arrays[i], &reason);
    if (status == VGG_OK && !vgg_source_unchanged(&checkpoint->source))
        status = vgg_fail(&reason, VGG_IO, "it changed while it was read");
    return status == VGG_OK ? status : fail(checkpoint->path, &reason, error);
}
