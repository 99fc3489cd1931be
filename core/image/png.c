/*
 * PNG, by libpng: the only file that includes png.h.
 * Path of a request: bytes -> [peek] -> admission -> [decode] -> orient -> rescale.
 *
 * Colours are those of Pillow's convert("RGB"): alpha and tRNS are dropped, 16 bits are cut to the
 * upper 8, but 16-bit grey is clipped at 255. gAMA, iCCP and every other chunk that is not needed
 * for that is skipped without being decompressed; its checksum counts all the same. Of an APNG the
 * default image is read.
 *
 * Failures leave libpng by a jump as in jpeg.c: run() catches it, and everything with a lifetime
 * hangs on `struct reader`, which lives in the caller of run().
 */
#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "base/error.h"
#include "base/mem.h"
#include "image/image.h"

enum {
    RGB_CHANNELS = 3,
    SIGNATURE_BYTES = 8,
    CHUNK_HEAD_BYTES = 8, /* length, type */
    CHUNK_CRC_BYTES = 4,
    /* Encoders write chunks of some KiB; 16 MiB of empty ones would take longer than a picture. */
    CHUNKS_MAX = 1 << 16
};

struct reader {
    png_structp png;
    png_infop info;
    jmp_buf escape;
    const uint8_t *bytes; /* all of the file */
    size_t size, read;
    const struct vgg_image_limits *limits;
    struct vgg_error *error;
    enum vgg_status status; /* why it jumped */
    bool no_memory;         /* libpng calls that by several names */
    uint32_t width, height; /* as stored */
    unsigned orientation;
    struct vgg_image *image; /* owned until it is handed over */
};

/* ---- callbacks: those that fail leave through the jump ---- */

static _Noreturn void leave(struct reader *reader, enum vgg_status status)
{
    reader->status = status;
    longjmp(reader->escape, 1);
}

static _Noreturn void on_error(png_structp png, png_const_charp text)
{
    struct reader *reader = png_get_error_ptr(png);

    leave(reader, reader->no_memory ? vgg_fail_memory(reader->error)
                                    : vgg_fail(reader->error, VGG_BAD_IMAGE, "PNG: %s", text));
}

/* Only what leaves every pixel as it was meant is a mere warning. */
static void on_warning(png_structp png, png_const_charp text)
{
    static const char *const harmless[] = {
        "Extra compressed data", "Too much image data", "Too many IDATs found",
        "Read palette index exceeding num_palette" /* black, as in browsers */
    };

    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strstr(text, harmless[i]) != NULL)
            return;
    on_error(png, text);
}

static void on_read(png_structp png, png_bytep to, size_t length)
{
    struct reader *reader = png_get_io_ptr(png);

    if (length > reader->size - reader->read)
        png_error(png, "the file ends before the picture does");
    memcpy(to, reader->bytes + reader->read, length);
    reader->read += length;
}

static png_voidp on_allocate(png_structp png, png_alloc_size_t size)
{
    struct reader *reader = png_get_mem_ptr(png);
    void *block = vgg_alloc(size, 1);

    reader->no_memory |= block == NULL;
    return block;
}

static void on_free(png_structp png, png_voidp block)
{
    (void)png;
    free(block);
}

/* ---- steps, called by run() ---- */

static void create(struct reader *reader)
{
    static const png_byte transparency[] = "tRNS";

    reader->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning,
                                           reader, on_allocate, on_free);
    if (reader->png == NULL)
        leave(reader, vgg_fail_memory(reader->error));
    reader->info = png_create_info_struct(reader->png);
    if (reader->info == NULL)
        leave(reader, vgg_fail_memory(reader->error));
    png_set_read_fn(reader->png, reader, on_read);
    png_set_benign_errors(reader->png, 1); /* on_warning decides */
    png_set_crc_action(reader->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_user_limits(reader->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* the limits are ours */
    /* All but IHDR, PLTE, tRNS, IDAT, IEND; and tRNS. */
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_NEVER, transparency, 1);
}

static uint32_t read_uint32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Count the chunks; eXIf may stand before the pixels or after them. libpng checks the rest. */
static void walk_chunks(struct reader *reader)
{
    const uint8_t *bytes = reader->bytes;
    size_t size = reader->size, at = SIGNATURE_BYTES;
    bool found = false;

    for (unsigned n = 0;
         at <= size && size - at >= CHUNK_HEAD_BYTES && memcmp(bytes + at + 4, "IEND", 4) != 0;
         n++) {
        uint32_t length = read_uint32(bytes + at);
        const uint8_t *type = bytes + at + 4;

        if (n == CHUNKS_MAX)
            leave(reader,
                  vgg_fail(reader->error, VGG_BAD_IMAGE, "PNG: more than %d chunks", CHUNKS_MAX));
        at += CHUNK_HEAD_BYTES;
        if (length > size - at)
            return;
        if (!found && memcmp(type, "eXIf", 4) == 0) {
            reader->orientation = vgg_exif_orientation(bytes + at, length);
            found = true;
        }
        at += (size_t)length + CHUNK_CRC_BYTES;
    }
}

/* Everything up to the first IDAT; allocates nothing of the picture's size. */
static void read_header(struct reader *reader)
{
    enum vgg_status status;

    create(reader);
    walk_chunks(reader);
    png_read_info(reader->png, reader->info);
    reader->width = png_get_image_width(reader->png, reader->info);
    reader->height = png_get_image_height(reader->png, reader->info);
    status = vgg_image_check_size(reader->width, reader->height, reader->limits, reader->error);
    if (status != VGG_OK)
        leave(reader, status);
}

/* Make every row 8-bit RGB; false where it stays 16-bit grey, for clip_grey(). */
static bool choose_colours(struct reader *reader)
{
    png_structp png = reader->png;
    int type = png_get_color_type(png, reader->info);
    int depth = png_get_bit_depth(png, reader->info);

    if (type == PNG_COLOR_TYPE_GRAY && depth == 16)
        return false;
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    if (depth == 16)
        png_set_strip_16(png);
    if ((type & PNG_COLOR_MASK_COLOR) == 0)
        png_set_gray_to_rgb(png);
    if ((type & PNG_COLOR_MASK_ALPHA) != 0)
        png_set_strip_alpha(png);
    return true;
}

/* 16-bit grey to RGB in place: rows have room for three bytes a pixel and hold two. */
static void clip_grey(struct vgg_image *image)
{
    size_t width = image->info.width;

    for (size_t y = 0; y < image->info.height; y++) {
        uint8_t *row = image->pixels + y * width * RGB_CHANNELS;

        for (size_t x = width; x-- > 0;) {
            uint8_t value = row[2 * x] != 0 ? UINT8_MAX : row[2 * x + 1];

            memset(row + x * RGB_CHANNELS, value, RGB_CHANNELS);
        }
    }
}

static void decode(struct reader *reader)
{
    bool rgb;
    int passes;

    read_header(reader);
    rgb = choose_colours(reader);
    passes = png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
    assert(png_get_rowbytes(reader->png, reader->info) ==
           (size_t)reader->width * (rgb ? RGB_CHANNELS : 2));
    reader->image = vgg_image_create(vgg_decoder_png.format, reader->width, reader->height);
    if (reader->image == NULL)
        leave(reader, vgg_fail_memory(reader->error));
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < reader->height; y++)
            png_read_row(reader->png, reader->image->pixels + y * reader->width * RGB_CHANNELS,
                         NULL);
    png_read_end(reader->png, NULL);
    if (!rgb)
        clip_grey(reader->image);
}

static enum vgg_status run(struct reader *reader, void (*step)(struct reader *reader))
{
    if (setjmp(reader->escape) != 0)
        return reader->status;
    step(reader);
    return VGG_OK;
}

/* ---- the decoder ---- */

static struct reader reader_of(const uint8_t *bytes, size_t size,
                               const struct vgg_image_limits *limits, struct vgg_error *error)
{
    return (struct reader){
        .bytes = bytes, .size = size, .limits = limits, .error = error, .orientation = 1};
}

static bool png_matches(const uint8_t *bytes, size_t size)
{
    return size >= 4 && memcmp(bytes, "\x89PNG", 4) == 0;
}

static enum vgg_status png_peek(const uint8_t *bytes, size_t size,
                                const struct vgg_image_limits *limits, struct vgg_image_info *info,
                                struct vgg_error *error)
{
    struct reader reader = reader_of(bytes, size, limits, error);
    enum vgg_status status = run(&reader, read_header);

    if (status == VGG_OK)
        *info = vgg_image_upright_info(vgg_decoder_png.format, reader.width, reader.height,
                                       reader.orientation);
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    return status;
}

static enum vgg_status png_decode(const uint8_t *bytes, size_t size,
                                  const struct vgg_image_limits *limits, struct vgg_image **image,
                                  struct vgg_error *error)
{
    struct reader reader = reader_of(bytes, size, limits, error);
    enum vgg_status status = run(&reader, decode);

    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    if (status == VGG_OK)
        status = vgg_image_orient(&reader.image, reader.orientation, limits, error);
    if (status != VGG_OK) {
        vgg_image_destroy(reader.image);
        return status;
    }
    *image = reader.image;
    return VGG_OK;
}

const struct vgg_decoder vgg_decoder_png = {
    .format = "png", .matches = png_matches, .peek = png_peek, .decode = png_decode};
