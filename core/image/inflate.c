/* zlib: the only file of core that includes zlib.h. */
#include "image/inflate.h"

#include <stdlib.h>

#include <zlib.h>

#include "base/mem.h"

enum {
    /* What zlib says of a block's end in data_type. */
    AFTER_BLOCK = 128
};

struct vgg_inflate {
    z_stream stream;
    uint64_t blocks_left;
};

static voidpf on_allocate(voidpf user, uInt items, uInt size)
{
    (void)user;
    return vgg_alloc(items, size);
}

static void on_free(voidpf user, voidpf block)
{
    (void)user;
    free(block);
}

struct vgg_inflate *vgg_inflate_create(uint64_t blocks_max)
{
    struct vgg_inflate *inflate = vgg_calloc(1, sizeof *inflate);

    if (inflate == NULL)
        return NULL;
    inflate->stream.zalloc = on_allocate;
    inflate->stream.zfree = on_free;
    inflate->blocks_left = blocks_max;
    if (inflateInit(&inflate->stream) != Z_OK) {
        free(inflate);
        return NULL;
    }
    return inflate;
}

static uInt clip(size_t size)
{
    return size < UINT32_MAX ? (uInt)size : UINT32_MAX;
}

/* One call of zlib: up to the end of a block, of the input or of the room. */
static int step(z_stream *stream, struct vgg_inflate_buffers *buffers)
{
    int result;

    stream->next_in = (z_const Bytef *)buffers->in;
    stream->avail_in = clip(buffers->in_left);
    stream->next_out = buffers->out;
    stream->avail_out = clip(buffers->out_left);
    result = inflate(stream, Z_BLOCK);
    buffers->in_left -= (size_t)(stream->next_in - buffers->in);
    buffers->in = stream->next_in;
    buffers->out_left -= (size_t)(stream->next_out - buffers->out);
    buffers->out = stream->next_out;
    return result;
}

enum vgg_inflated vgg_inflate_run(struct vgg_inflate *inflate, struct vgg_inflate_buffers *buffers)
{
    for (;;) {
        switch (step(&inflate->stream, buffers)) {
        case Z_OK:
            break;
        case Z_BUF_ERROR: /* nothing was left to do */
            return VGG_INFLATED_MORE;
        case Z_STREAM_END:
            return VGG_INFLATED_END;
        case Z_MEM_ERROR:
            return VGG_INFLATED_NO_MEMORY;
        default:
            return VGG_INFLATED_BROKEN;
        }
        if ((inflate->stream.data_type & AFTER_BLOCK) != 0 && inflate->blocks_left-- == 0)
            return VGG_INFLATED_BLOCKS;
    }
}

void vgg_inflate_destroy(struct vgg_inflate *inflate)
{
    if (inflate == NULL)
        return;
    (void)inflateEnd(&inflate->stream);
    free(inflate);
}

uint32_t vgg_crc32(uint32_t crc, const uint8_t *bytes, size_t size)
{
    return (uint32_t)crc32_z(crc, bytes, size);
}
