/*
 * WebP, by libwebp and libwebpdemux: the only file that includes their headers.
 * Path of a request: bytes -> [peek] -> admission -> [decode] -> orient -> rescale.
 *
 * Lossy, lossless, with alpha (dropped) or animated: the first frame, on a black canvas where it
 * does not cover it, as Pillow composes it. The format has no checksums: what is cut or cannot be
 * decoded is an error, a changed pixel goes unnoticed.
 *
 * A lossless picture of a megapixel and 200 kB may ask for 0.8 GB of Huffman tables, and libwebp
 * frees a wild pointer where it does not get them. So the library's malloc is the bounded heap's.
 */
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "base/error.h"
#include "base/heap.h"
#include "image/image.h"

enum {
    RGB_CHANNELS = 3,
    /* The demuxer keeps some 100 bytes for each frame and chunk of the file. */
    DEMUX_BYTES_MAX = 4 << 20,
    /*
     * Decoding: 4 bytes a pixel for lossless ones, 1 to 4 more for alpha or a palette; rows; and
     * Huffman tables, 12 kB each, of which libwebp's encoder makes 2,600 at most.
     */
    PIXEL_BYTES_MAX = 8,
    TABLE_BYTES_MAX = 64 << 20
};

/* The demuxer and what hangs on it are in the heap, and end with it. */
struct reader {
    struct vgg_heap heap;
    WebPData data;
    WebPIterator frame;     /* the first */
    uint32_t width, height; /* of the canvas, as stored */
    unsigned orientation;
    struct vgg_image *image; /* owned until it is handed over */
    const char *complaint;   /* NULL: all is well */
};

/* ---- steps, called in the heap ---- */

/* The container, whole; nothing of the picture's size is allocated. */
static void demux(void *user)
{
    struct reader *reader = user;
    WebPDemuxer *demuxer = WebPDemux(&reader->data);
    WebPChunkIterator exif;

    if (demuxer == NULL) {
        reader->complaint = "the file is cut or its chunks are damaged";
        return;
    }
    if (!WebPDemuxGetFrame(demuxer, 1, &reader->frame))
        reader->complaint = "there is no picture in the file";
    reader->width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
    reader->height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &exif))
        reader->orientation = vgg_exif_orientation(exif.chunk.bytes, exif.chunk.size);
}

/* Decode the frame to its place on the canvas; libwebp checks that it fits the bytes given. */
static void read_pixels(void *user)
{
    struct reader *reader = user;
    const WebPIterator *frame = &reader->frame;
    size_t row_bytes = (size_t)reader->width * RGB_CHANNELS, bytes = row_bytes * reader->height;
    size_t begin = (size_t)frame->y_offset * row_bytes + (size_t)frame->x_offset * RGB_CHANNELS;
    WebPDecoderConfig config;

    if ((uint32_t)frame->width != reader->width || (uint32_t)frame->height != reader->height)
        memset(reader->image->pixels, 0, bytes);
    if (!WebPInitDecoderConfig(&config)) {
        reader->complaint = "the library is of another version";
        return;
    }
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = reader->image->pixels + begin;
    config.output.u.RGBA.stride = (int)row_bytes;
    config.output.u.RGBA.size = bytes - begin;
    if (WebPDecode(frame->fragment.bytes, frame->fragment.size, &config) != VP8_STATUS_OK)
        reader->complaint = "the picture's data are damaged or end too early";
}

static enum vgg_status run(struct reader *reader, size_t bytes_max, void (*step)(void *user),
                           struct vgg_error *error)
{
    switch (vgg_heap_run(&reader->heap, bytes_max, step, reader)) {
    case VGG_OK:
        break;
    case VGG_NO_MEMORY:
        return vgg_fail_memory(error);
    default:
        return vgg_fail(error, VGG_BAD_IMAGE, "WebP: needs more than %zu MiB of tables",
                        bytes_max >> 20);
    }
    if (reader->complaint != NULL)
        return vgg_fail(error, VGG_BAD_IMAGE, "WebP: %s", reader->complaint);
    return VGG_OK;
}

/* ---- the decoder ---- */

static enum vgg_status reader_init(struct reader *reader, const uint8_t *bytes, size_t size,
                                   const struct vgg_image_limits *limits, struct vgg_error *error)
{
    enum vgg_status status;

    *reader = (struct reader){.data = {.bytes = bytes, .size = size}, .orientation = 1};
    status = run(reader, DEMUX_BYTES_MAX, demux, error);
    if (status != VGG_OK)
        return status;
    return vgg_image_check_size(reader->width, reader->height, limits, error);
}

static void reader_fini(struct reader *reader)
{
    vgg_heap_fini(&reader->heap);
    vgg_image_destroy(reader->image);
}

static bool webp_matches(const uint8_t *bytes, size_t size)
{
    return size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

static enum vgg_status webp_peek(const uint8_t *bytes, size_t size,
                                 const struct vgg_image_limits *limits, struct vgg_image_info *info,
                                 struct vgg_error *error)
{
    struct reader reader;
    enum vgg_status status = reader_init(&reader, bytes, size, limits, error);

    if (status == VGG_OK)
        *info = vgg_image_upright_info(vgg_decoder_webp.format, reader.width, reader.height,
                                       reader.orientation);
    reader_fini(&reader);
    return status;
}

static enum vgg_status decode(struct reader *reader, struct vgg_error *error)
{
    size_t pixels = (size_t)reader->width * reader->height;
    enum vgg_status status;

    reader->image = vgg_image_create(vgg_decoder_webp.format, reader->width, reader->height);
    if (reader->image == NULL)
        return vgg_fail_memory(error);
    status = run(reader, TABLE_BYTES_MAX + PIXEL_BYTES_MAX * pixels, read_pixels, error);
    if (status != VGG_OK)
        return status;
    vgg_heap_fini(&reader->heap); /* turning needs the memory of a second picture */
    return vgg_image_orient(&reader->image, reader->orientation, error);
}

static enum vgg_status webp_decode(const uint8_t *bytes, size_t size,
                                   const struct vgg_image_limits *limits, struct vgg_image **image,
                                   struct vgg_error *error)
{
    struct reader reader;
    enum vgg_status status = reader_init(&reader, bytes, size, limits, error);

    if (status == VGG_OK)
        status = decode(&reader, error);
    if (status == VGG_OK) {
        *image = reader.image;
        reader.image = NULL;
    }
    reader_fini(&reader);
    return status;
}

const struct vgg_decoder vgg_decoder_webp = {
    .format = "webp", .matches = webp_matches, .peek = webp_peek, .decode = webp_decode};
