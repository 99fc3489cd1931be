/* Where a safetensors file's bytes come from; reading them in order, hashed. */
#ifndef VGG_CORE_MODEL_SOURCE_H
#define VGG_CORE_MODEL_SOURCE_H

#include <sys/stat.h>

#include "base/sha256.h"
#include "model/header.h"

/* A file descriptor, or memory where fd is -1. */
struct vgg_source {
    int fd;
    const unsigned char *bytes;
    uint64_t size;
    struct stat opened; /* of a file */
};

/* Open a regular file. Errors: IO; the text does not name it. */
enum vgg_status vgg_source_open(const char *path, struct vgg_source *source,
                                struct vgg_error *error);

/* The same for an open one, which stays the caller's. */
enum vgg_status vgg_source_from_fd(int fd, struct vgg_source *source, struct vgg_error *error);

/* Is the file still what it was when it was opened? */
bool vgg_source_unchanged(const struct vgg_source *source);

/* Bytes [offset, offset + size), which the source has. Errors: IO. */
enum vgg_status vgg_source_read(const struct vgg_source *source, uint64_t offset, void *out,
                                size_t size, struct vgg_error *error);

/* A place in a source, and the hash of all bytes read so far. */
struct vgg_reader {
    const struct vgg_source *source;
    uint64_t offset;
    struct vgg_sha256 sha;
};

void vgg_reader_init(struct vgg_reader *reader, const struct vgg_source *source);

/* Read the next `size` bytes. Errors: IO. */
enum vgg_status vgg_reader_bytes(struct vgg_reader *reader, void *out, size_t size,
                                 struct vgg_error *error);

/* Read a safetensors header; the data is next. Errors: IO, BAD_MODEL, NO_MEMORY. */
enum vgg_status vgg_reader_header(struct vgg_reader *reader, struct vgg_header *header,
                                  struct vgg_error *error);

#endif
