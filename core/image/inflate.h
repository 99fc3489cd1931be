/*
 * Inflating, and the CRC-32 of PNG, by zlib: what never costs more than was allowed for it.
 * Path of a request: a PNG's rows and texts -> [this].
 */
#ifndef VGG_CORE_IMAGE_INFLATE_H
#define VGG_CORE_IMAGE_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vgg_inflate;

enum vgg_inflated {
    VGG_INFLATED_MORE,   /* all that could be done with this input and this room */
    VGG_INFLATED_END,    /* the stream has ended, and its checksum is right */
    VGG_INFLATED_BROKEN, /* it is no zlib stream, or its checksum is wrong */
    VGG_INFLATED_BLOCKS, /* it has more blocks than were allowed */
    VGG_INFLATED_NO_MEMORY
};

/*
 * What is read and where it goes; vgg_inflate_run moves all four on. Given room it stops for want
 * of input only.
 */
struct vgg_inflate_buffers {
    const uint8_t *in;
    size_t in_left;
    uint8_t *out;
    size_t out_left;
};

/*
 * A zlib stream of at most so many blocks: the tables of one cost 2 us for a dozen bytes that need
 * not give a single one. NULL when out of memory.
 */
struct vgg_inflate *vgg_inflate_create(uint64_t blocks_max);

enum vgg_inflated vgg_inflate_run(struct vgg_inflate *inflate, struct vgg_inflate_buffers *buffers);

void vgg_inflate_destroy(struct vgg_inflate *inflate);

/* The CRC-32 of more bytes, begun with 0. */
uint32_t vgg_crc32(uint32_t crc, const uint8_t *bytes, size_t size);

#endif
