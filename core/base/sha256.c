/* SHA-256 by nettle, which gnutls brings along anyway and which uses the CPU's SHA instructions. */
#include "base/sha256.h"

#include <nettle/sha2.h>
#include <stdio.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(((struct vgg_sha256 *)0)->state),
               "struct vgg_sha256 must hold nettle's context");

static struct sha256_ctx *context(struct vgg_sha256 *sha)
{
    return (struct sha256_ctx *)(void *)&sha->state;
}

void vgg_sha256_init(struct vgg_sha256 *sha)
{
    sha256_init(context(sha));
}

void vgg_sha256_update(struct vgg_sha256 *sha, const void *bytes, size_t size)
{
    sha256_update(context(sha), size, bytes);
}

void vgg_sha256_final(struct vgg_sha256 *sha, char hex[VGG_SHA256_HEX_BYTES])
{
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_digest(context(sha), sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
