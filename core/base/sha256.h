/* SHA-256 of a stream, by nettle (the only file that includes it is sha256.c). */
#ifndef VGG_CORE_BASE_SHA256_H
#define VGG_CORE_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { VGG_SHA256_HEX_BYTES = 65 }; /* 64 digits and the terminator */

struct vgg_sha256 {
    union {
        uint64_t align;
        unsigned char bytes[128]; /* struct sha256_ctx */
    } state;
};

void vgg_sha256_init(struct vgg_sha256 *sha);
void vgg_sha256_update(struct vgg_sha256 *sha, const void *bytes, size_t size);

/* Write the digest in lower-case hexadecimal; the state is not usable afterwards. */
void vgg_sha256_final(struct vgg_sha256 *sha, char hex[VGG_SHA256_HEX_BYTES]);

#endif
