/* The header of a safetensors file. */
#ifndef VGG_CORE_MODEL_HEADER_H
#define VGG_CORE_MODEL_HEADER_H

#include "vgg.h"

enum { VGG_TENSOR_DIMS_MAX = 4, VGG_METADATA_MAX = 1000 };

enum vgg_dtype { VGG_DTYPE_F32, VGG_DTYPE_F16, VGG_DTYPE_BF16, VGG_DTYPE_I64 };

/* One entry of a safetensors header, checked: the shape's bytes are end - begin. */
struct vgg_tensor {
    char *name;
    enum vgg_dtype dtype;
    unsigned dims;
    uint64_t shape[VGG_TENSOR_DIMS_MAX]; /* each at least 1 */
    uint64_t begin, end;                 /* bytes from the start of the data */
};

struct vgg_metadata {
    char *key;
    char *value;
};

/* A safetensors header: tensors ascending by offset, without gaps or overlaps. */
struct vgg_header {
    struct vgg_tensor *tensors;
    size_t tensors_n;
    struct vgg_metadata *metadata;
    size_t metadata_n;
};

const char *vgg_dtype_name(enum vgg_dtype dtype);
uint64_t vgg_dtype_bytes(enum vgg_dtype dtype);

/*
 * Parse the JSON text of a header whose tensors cover exactly data_bytes. Errors: BAD_MODEL,
 * NO_MEMORY; *header is then empty.
 */
enum vgg_status vgg_header_parse(const char *json, size_t size, uint64_t data_bytes,
                                 struct vgg_header *header, struct vgg_error *error);
void vgg_header_fini(struct vgg_header *header);

/* The value of a metadata key, or NULL. */
const char *vgg_header_get(const struct vgg_header *header, const char *key);

/*
 * The JSON text of a header, padded with spaces so that the data starts at a multiple of 8 bytes
 * after the 8 bytes of length. All strings are UTF-8. malloc'ed; NULL when out of memory.
 */
char *vgg_header_format(const struct vgg_header *header);

#endif
