/* Opening and reading what is, or should be, a safetensors file. */
#include "model/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

enum {
    LENGTH_BYTES = 8,      /* the header's length, little-endian */
    HEADER_MAX = 16 << 20, /* bytes; a thousand labels need 64 KiB */
    PIECE_BYTES = 1 << 17  /* read and hashed at a time: stays in the second-level cache */
};

/* ---------------------------------------------------------------- files ---------------------- */

enum vgg_status vgg_source_from_fd(int fd, struct vgg_source *source, struct vgg_error *error)
{
    *source = (struct vgg_source){.fd = fd};
    if (fstat(fd, &source->opened) != 0)
        return vgg_fail(error, VGG_IO, "%s", strerror(errno));
    if (!S_ISREG(source->opened.st_mode))
        return vgg_fail(error, VGG_IO, "it is %s, not a regular file",
                        S_ISDIR(source->opened.st_mode) ? "a directory"
                                                        : "a device, pipe or socket");
    source->size = (uint64_t)source->opened.st_size;
    return VGG_OK;
}

enum vgg_status vgg_source_open(const char *path, struct vgg_source *source,
                                struct vgg_error *error)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    enum vgg_status status;

    if (fd < 0)
        return vgg_fail(error, VGG_IO, "%s", strerror(errno));
    status = vgg_source_from_fd(fd, source, error);
    if (status != VGG_OK)
        close(fd);
    return status;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* A rename over the path changes the link count, and with it ctime, but not what is read. */
bool vgg_source_unchanged(const struct vgg_source *source)
{
    const struct stat *a = &source->opened;
    struct stat b;

    return fstat(source->fd, &b) == 0 && a->st_size == b.st_size &&
           same_time(a->st_mtim, b.st_mtim) &&
           (same_time(a->st_ctim, b.st_ctim) || a->st_nlink != b.st_nlink);
}

enum vgg_status vgg_source_read(const struct vgg_source *source, uint64_t offset, void *out,
                                size_t size, struct vgg_error *error)
{
    size_t done = 0;

    if (source->fd < 0) {
        memcpy(out, source->bytes + offset, size);
        return VGG_OK;
    }
    while (done < size) {
        ssize_t n =
            pread(source->fd, (unsigned char *)out + done, size - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vgg_fail(error, VGG_IO, "cannot read it: %s", strerror(errno));
        if (n == 0)
            return vgg_fail(error, VGG_IO, "it was truncated while it was read");
        done += (size_t)n;
    }
    return VGG_OK;
}

/* ---------------------------------------------------------------- in order ------------------- */

void vgg_reader_init(struct vgg_reader *reader, const struct vgg_source *source)
{
    *reader = (struct vgg_reader){.source = source};
    vgg_sha256_init(&reader->sha);
}

enum vgg_status vgg_reader_bytes(struct vgg_reader *reader, void *out, size_t size,
                                 struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;

    for (size_t done = 0; done < size && status == VGG_OK; done += PIECE_BYTES) {
        size_t piece = size - done < PIECE_BYTES ? size - done : PIECE_BYTES;
        unsigned char *next = (unsigned char *)out + done;

        status = vgg_source_read(reader->source, reader->offset, next, piece, error);
        reader->offset += piece;
        if (status == VGG_OK)
            vgg_sha256_update(&reader->sha, next, piece);
    }
    return status;
}

enum vgg_status vgg_reader_header(struct vgg_reader *reader, struct vgg_header *header,
                                  struct vgg_error *error)
{
    uint64_t size = reader->source->size, length = 0;
    unsigned char prefix[LENGTH_BYTES];
    enum vgg_status status;
    char *json;

    if (size == 0)
        return vgg_fail(error, VGG_BAD_MODEL, "it is empty");
    if (size < LENGTH_BYTES)
        return vgg_fail(error, VGG_BAD_MODEL, "%" PRIu64 " bytes are no safetensors file", size);
    status = vgg_reader_bytes(reader, prefix, sizeof prefix, error);
    if (status != VGG_OK)
        return status;
    for (size_t i = LENGTH_BYTES; i-- > 0;)
        length = length << 8 | prefix[i];
    if (length > HEADER_MAX)
        return vgg_fail(error, VGG_BAD_MODEL,
                        "not a safetensors file: its first 8 bytes ask for a header of %" PRIu64
                        " bytes",
                        length);
    if (length > size - LENGTH_BYTES)
        return vgg_fail(error, VGG_BAD_MODEL,
                        "truncated: a header of %" PRIu64 " bytes in a file of %" PRIu64, length,
                        size);
    json = vgg_alloc(length, 1);
    if (json == NULL)
        return vgg_fail_memory(error);
    status = vgg_reader_bytes(reader, json, length, error);
    if (status == VGG_OK)
        status = vgg_header_parse(json, length, size - LENGTH_BYTES - length, header, error);
    free(json);
    return status;
}
