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
 * webp.sh also puts functions of ours before three of the library's, to poll at each row and
 * table: its own incremental decoder returns only for want of bytes, of which a picture of one
 * colour needs none, and begins a lossless header anew with each slice of it.
 */
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "base/error.h"
#include "base/heap.h"
#include "image/image.h"

enum {
    RGB_CHANNELS = 3,
    CHUNK_HEAD_BYTES = 8, /* type, length */
    /* The demuxer keeps some 100 bytes for each frame and chunk of the file. */
    DEMUX_BYTES_MAX = 4 << 20,
    /*
     * Decoding: 4 bytes a pixel for lossless ones, 1 to 4 more for alpha or a palette; rows; and
     * Huffman tables, 12 kB each, of which libwebp's encoder makes 2,600 at most.
     */
    PIXEL_BYTES_MAX = 8,
    TABLE_BYTES_MAX = 64 << 20,
    /* Those that are not used take no memory, but time: 1.5 us, and 2.5 bytes for a group of 5. */
    TABLES_MAX = 5 * (TABLE_BYTES_MAX / 12000)
};

/* Predicted work: that of a pixel, and 16ths for a byte. Measured, relative to a baseline JPEG. */
enum {
    LOSSY_PIXEL_WORK = 1,
    LOSSY_BYTE_WORK = 21 * 16,
    LOSSLESS_PIXEL_WORK = 3,
    LOSSLESS_BYTE_WORK = 2 * 16 + 4,
    CANVAS_PART = 8 /* pixels around a frame that are painted for one unit */
};

/* The demuxer and what hangs on it are in the heap, and end with it. */
struct reader {
    struct vgg_heap heap; /* first: it is what leads here from the library */
    const struct vgg_image_limits *limits;
    WebPData data;
    WebPIterator frame;     /* the first */
    WebPData picture;       /* its VP8 or VP8L chunk */
    uint32_t width, height; /* of the canvas, as stored */
    unsigned orientation;
    unsigned tables;         /* Huffman tables read */
    struct vgg_image *image; /* owned until it is handed over */
    const char *complaint;   /* NULL: all is well */
};

/* ---- before the library's own, by the linker's --wrap ---- */

int __real_VP8ProcessRow(void *decoder, void *io);
int __wrap_VP8ProcessRow(void *decoder, void *io);
void __real_VP8LConvertFromBGRA(const uint32_t *from, int pixels, WEBP_CSP_MODE mode, uint8_t *to);
void __wrap_VP8LConvertFromBGRA(const uint32_t *from, int pixels, WEBP_CSP_MODE mode, uint8_t *to);
int __real_VP8LBuildHuffmanTable(void *table, int bits, const int lengths[], int lengths_n);
int __wrap_VP8LBuildHuffmanTable(void *table, int bits, const int lengths[], int lengths_n);

static struct reader *poll_within(void)
{
    struct reader *reader = (struct reader *)(void *)vgg_heap_current();
    enum vgg_status status = vgg_image_poll(reader->limits, NULL);

    if (status != VGG_OK)
        vgg_heap_leave(&reader->heap, status);
    return reader;
}

/* A row of macroblocks of a lossy picture. */
int __wrap_VP8ProcessRow(void *decoder, void *io)
{
    (void)poll_within();
    return __real_VP8ProcessRow(decoder, io);
}

/* A row of a lossless one. */
void __wrap_VP8LConvertFromBGRA(const uint32_t *from, int pixels, WEBP_CSP_MODE mode, uint8_t *to)
{
    (void)poll_within();
    __real_VP8LConvertFromBGRA(from, pixels, mode, to);
}

int __wrap_VP8LBuildHuffmanTable(void *table, int bits, const int lengths[], int lengths_n)
{
    if (++poll_within()->tables > TABLES_MAX) {
        ((struct reader *)(void *)vgg_heap_current())->complaint = "too many Huffman tables";
        vgg_heap_leave(vgg_heap_current(), VGG_BAD_IMAGE);
    }
    return __real_VP8LBuildHuffmanTable(table, bits, lengths, lengths_n);
}

/* ---- steps, called in the heap ---- */

/* The frame without its alpha, which would be decoded for nothing: a chunk before the picture's. */
static WebPData find_picture(const WebPIterator *frame)
{
    WebPData rest = frame->fragment;

    while (rest.size >= CHUNK_HEAD_BYTES && memcmp(rest.bytes, "VP8", 3) != 0) {
        const uint8_t *length = rest.bytes + 4;
        size_t bytes = CHUNK_HEAD_BYTES + (length[0] | (size_t)length[1] << 8 |
                                           (size_t)length[2] << 16 | (size_t)length[3] << 24);

        bytes += bytes % 2;
        if (bytes > rest.size - CHUNK_HEAD_BYTES)
            return frame->fragment;
        rest.bytes += bytes;
        rest.size -= bytes;
    }
    return rest;
}

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
    else
        reader->picture = find_picture(&reader->frame);
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
    if (WebPDecode(reader->picture.bytes, reader->picture.size, &config) != VP8_STATUS_OK)
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
    case VGG_TOO_LARGE:
        return vgg_fail(error, VGG_BAD_IMAGE, "WebP: needs more than %zu MiB of tables",
                        bytes_max >> 20);
    case VGG_BAD_IMAGE:
        break;
    default:
        return vgg_fail(error, reader->heap.status, "%s", vgg_status_text(reader->heap.status));
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

    *reader =
        (struct reader){.limits = limits, .data = {.bytes = bytes, .size = size}, .orientation = 1};
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

static uint64_t predict_work(const struct reader *reader)
{
    uint64_t pixels = (uint64_t)reader->frame.width * (uint64_t)reader->frame.height;
    uint64_t canvas = (uint64_t)reader->width * reader->height;
    bool lossless = memcmp(reader->picture.bytes, "VP8L", 4) == 0;

    return canvas / CANVAS_PART + pixels * (lossless ? LOSSLESS_PIXEL_WORK : LOSSY_PIXEL_WORK) +
           reader->picture.size * (lossless ? LOSSLESS_BYTE_WORK : LOSSY_BYTE_WORK) / 16;
}

static enum vgg_status webp_peek(const uint8_t *bytes, size_t size,
                                 const struct vgg_image_limits *limits, struct vgg_image_info *info,
                                 struct vgg_error *error)
{
    struct reader reader;
    enum vgg_status status = reader_init(&reader, bytes, size, limits, error);

    if (status == VGG_OK)
        *info = vgg_image_upright_info(vgg_decoder_webp.format, reader.width, reader.height,
                                       reader.orientation, predict_work(&reader));
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
    return vgg_image_orient(&reader->image, reader->orientation, reader->limits, error);
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
