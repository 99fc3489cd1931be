/* Writing a safetensors file: values from a callback, converted to the dtypes of a header. */
#ifndef VGG_CORE_MODEL_WRITE_H
#define VGG_CORE_MODEL_WRITE_H

#include "model/source.h"

/*
 * Put values [first, first + n) of header->tensors[tensor] into out[n]. The calls follow the file:
 * every value once, tensor by tensor, front to back.
 */
typedef void vgg_fill_fn(void *user, size_t tensor, uint64_t first, size_t n, float *out);

/*
 * Write a file of `header` (F32, F16, BF16; tensors one after the other, as vgg_header_parse asks)
 * and the values of fill(user, ...), rounded to nearest, ties to even. It appears at `path` when it
 * is whole, in place of an older one (base/replace.h). Errors: IO, NO_MEMORY, BAD_MODEL (a value
 * that is not finite, or not in its dtype; metadata that is not UTF-8); the text begins with
 * `path`.
 */
enum vgg_status vgg_file_write(const char *path, const struct vgg_header *header, vgg_fill_fn *fill,
                               void *user, struct vgg_error *error);

/* The same into memory: *bytes[*size], the caller's to free. */
enum vgg_status vgg_file_write_memory(const struct vgg_header *header, vgg_fill_fn *fill,
                                      void *user, unsigned char **bytes, size_t *size,
                                      struct vgg_error *error);

/* Tensors that another file has: the first n of a header, at these offsets of the source. */
struct vgg_copied {
    const struct vgg_source *source;
    const uint64_t *offsets;
    size_t n;
};

/*
 * As vgg_file_write, but for tensors whose bytes are copied as they are, of any dtype. Errors: also
 * IO of the source.
 */
enum vgg_status vgg_file_write_copied(const char *path, const struct vgg_header *header,
                                      const struct vgg_copied *copied, vgg_fill_fn *fill,
                                      void *user, struct vgg_error *error);

#endif
