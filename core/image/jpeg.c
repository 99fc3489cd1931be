/*
 * JPEG, by libjpeg-turbo: the only file that includes jpeglib.h.
 * Path of a request: bytes -> [peek] -> admission -> [decode] -> orient -> rescale.
 *
 * libjpeg reports a failure by a call that must not return. run() is the one place that catches it:
 * everything with a lifetime hangs on `struct reader`, which lives in the caller of run(), so that
 * nothing is lost or stale after the jump.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "base/error.h"
#include "base/mem.h"
#include "image/image.h"

enum {
    CMYK_CHANNELS = 4,
    RGB_CHANNELS = 3,

    /*
     * Work is bounded by scans x pixels, not by scans alone: every scan walks over all blocks of
     * its components, and a few dozen bytes are enough for one (an end-of-band run skips 32,767
     * blocks), at up to 0.7 ns a pixel. A picture of pixels_max may have this many scans (libjpeg's
     * own scripts have 10, for CMYK 18), a smaller one more of them, up to scans_max: 64 Mi pixels
     * take 0.9 s before their IDCT.
     */
    SCANS_AT_PIXELS_MAX = 20,

    /*
     * A Huffman decoder that runs out of bytes says so. An arithmetic one goes on with zeros, as
     * it has to, so that each sample of each component may cost 120 ns for no bytes at all. One
     * such sample counts as this many pixels of a scan; the same budget then ends at 32 Mi samples
     * or 4 s: 10 megapixels in colour, 1 megapixel where they are progressive.
     */
    ARITHMETIC_WEIGHT = 40,

    /*
     * Markers cost time too, also when peeking, and need few bytes each. libjpeg remarks on all of
     * them but empty tables (16 MiB of those take 40 ms); a hundred scans with their tables make
     * some 1,200 remarks, 16 MiB of the longest segments 257. Restart markers are remarked on at a
     * level of their own, which is not counted: a good picture may have a million.
     */
    REMARKS_MAX = 1 << 16,
    LEVEL_RESTART = 3
};

struct reader {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const uint8_t *bytes;
    size_t size;
    const struct vgg_image_limits *limits;
    struct vgg_error *error;
    enum vgg_status status; /* why it jumped */
    unsigned remarks;
    int scan;             /* the one that was counted last */
    uint64_t scan_pixels; /* so far, and at most */
    uint64_t scan_pixels_max;
    bool exif_done; /* the first EXIF segment before the first scan counts, no other */
    unsigned orientation;
    uint8_t *mended;         /* owned: the bytes, where they were given an end */
    struct vgg_image *image; /* owned until it is handed over */
};

/* ---- callbacks: each of them may leave through the jump ---- */

static struct reader *reader_of(j_common_ptr cinfo)
{
    return cinfo->client_data;
}

static _Noreturn void leave(struct reader *reader, enum vgg_status status)
{
    reader->status = status;
    longjmp(reader->escape, 1);
}

static _Noreturn void on_error(j_common_ptr cinfo)
{
    struct reader *reader = reader_of(cinfo);
    char text[JMSG_LENGTH_MAX];

    if (cinfo->err->msg_code == JERR_OUT_OF_MEMORY)
        leave(reader, vgg_fail_memory(reader->error));
    cinfo->err->format_message(cinfo, text);
    leave(reader,
          vgg_fail(reader->error,
                   cinfo->err->msg_code == JERR_IMAGE_TOO_BIG ? VGG_TOO_LARGE : VGG_BAD_IMAGE, "%s",
                   text));
}

/* Remarks that leave every pixel as it was meant. */
static bool is_harmless(int code)
{
    /* The last one: baseline files with zeros where a sequential scan should say 0..63. */
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM ||
           code == JWRN_BOGUS_ICC || code == JWRN_NOT_SEQUENTIAL;
}

static void count_remark(struct reader *reader)
{
    if (++reader->remarks > REMARKS_MAX)
        leave(reader, vgg_fail(reader->error, VGG_BAD_IMAGE, "too many markers for a photograph"));
}

/* Negative levels are warnings, the others trace what is read; nothing is ever printed. */
static void on_message(j_common_ptr cinfo, int level)
{
    if (level < 0 && !is_harmless(cinfo->err->msg_code))
        on_error(cinfo);
    if (level < LEVEL_RESTART)
        count_remark(reader_of(cinfo));
}

/* Count the scan that begins, unless it is already counted. */
static void count_scan(struct reader *reader)
{
    const struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    uint64_t pixels = (uint64_t)cinfo->image_width * cinfo->image_height;

    if (cinfo->input_scan_number == reader->scan)
        return;
    reader->scan = cinfo->input_scan_number;
    reader->scan_pixels +=
        cinfo->arith_code ? pixels * (unsigned)cinfo->comps_in_scan * ARITHMETIC_WEIGHT : pixels;
    if ((uint32_t)reader->scan > reader->limits->scans_max ||
        reader->scan_pixels > reader->scan_pixels_max)
        leave(reader,
              vgg_fail(reader->error, VGG_BAD_IMAGE, "too many%s scans for %u x %u pixels: %d",
                       cinfo->arith_code ? " arithmetic-coded" : "", cinfo->image_width,
                       cinfo->image_height, reader->scan));
}

/* Called for every row of blocks while scans are read. */
static void on_progress(j_common_ptr cinfo)
{
    count_scan(reader_of(cinfo));
}

/*
 * An APP1 segment. The whole file is in memory, so the segment is read where it lies: saving it as
 * libjpeg can would let millions of tiny segments take memory.
 */
static boolean on_app1(j_decompress_ptr cinfo)
{
    struct reader *reader = cinfo->client_data;
    struct jpeg_source_mgr *source = cinfo->src;
    const uint8_t *segment = source->next_input_byte;
    size_t length;

    count_remark(reader);
    if (source->bytes_in_buffer < 2)
        ERREXIT(cinfo, JERR_INPUT_EOF);
    length = (size_t)segment[0] << 8 | segment[1];
    if (length < 2) /* as libjpeg skips the others, and Pillow this one too */
        length = 2;
    if (source->bytes_in_buffer < length)
        ERREXIT(cinfo, JERR_INPUT_EOF);
    if (!reader->exif_done && length >= 2 + 5 && memcmp(segment + 2, "Exif", 5) == 0) {
        reader->orientation = vgg_exif_orientation(segment + 2, length - 2);
        reader->exif_done = true;
    }
    source->next_input_byte += length;
    source->bytes_in_buffer -= length;
    return TRUE;
}

/* ---- steps, called by run() ---- */

static void check_size(struct reader *reader)
{
    uint64_t pixels_max = reader->limits->pixels_max;
    enum vgg_status status = vgg_image_check_size(
        reader->cinfo.image_width, reader->cinfo.image_height, reader->limits, reader->error);

    if (status != VGG_OK)
        leave(reader, status);
    if (pixels_max > UINT32_MAX) /* more than any JPEG has, and the product does not overflow */
        pixels_max = UINT32_MAX;
    reader->scan_pixels_max = SCANS_AT_PIXELS_MAX * pixels_max;
}

static void choose_colours(struct reader *reader)
{
    switch (reader->cinfo.jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_RGB:
    case JCS_YCbCr:
        reader->cinfo.out_color_space = JCS_RGB;
        return;
    case JCS_CMYK:
    case JCS_YCCK:
        reader->cinfo.out_color_space = JCS_CMYK;
        return;
    default:
        leave(reader,
              vgg_fail(reader->error, VGG_BAD_IMAGE,
                       "a JPEG of %d components is neither grey (1), colour (3) nor CMYK (4)",
                       reader->cinfo.num_components));
    }
}

/* Everything up to the first scan; allocates nothing of the picture's size. */
static void read_header(struct reader *reader)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;

    jpeg_create_decompress(cinfo);
    cinfo->progress = &reader->progress;
    jpeg_set_marker_processor(cinfo, JPEG_APP0 + 1, on_app1);
    jpeg_mem_src(cinfo, reader->bytes, reader->size);
    (void)jpeg_read_header(cinfo, TRUE);
    reader->exif_done = true;
    check_size(reader);
    count_scan(reader);
    choose_colours(reader);
}

/*
 * Four components are stored inverted, 255 meaning no ink: R = C * K / 255, rounded to nearest.
 * (Adding t >> 8 to t and dropping 8 bits divides by 255 exactly for these 16-bit products.)
 */
static void convert_cmyk(const uint8_t *cmyk, uint8_t *rgb, uint32_t pixels)
{
    for (uint32_t x = 0; x < pixels; x++, cmyk += CMYK_CHANNELS, rgb += RGB_CHANNELS) {
        for (unsigned c = 0; c < RGB_CHANNELS; c++) {
            uint32_t t = (uint32_t)cmyk[c] * cmyk[3] + 128;

            rgb[c] = (uint8_t)((t + (t >> 8)) >> 8);
        }
    }
}

static void read_pixels(struct reader *reader)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    uint32_t width = cinfo->output_width;
    JSAMPARRAY cmyk = NULL;

    if (cinfo->out_color_space == JCS_CMYK) /* the pool goes with the decompressor */
        cmyk = cinfo->mem->alloc_sarray((j_common_ptr)cinfo, JPOOL_IMAGE, width * CMYK_CHANNELS, 1);
    while (cinfo->output_scanline < cinfo->output_height) {
        uint8_t *row =
            reader->image->pixels + (size_t)cinfo->output_scanline * width * RGB_CHANNELS;

        (void)jpeg_read_scanlines(cinfo, cmyk != NULL ? cmyk : &row, 1);
        if (cmyk != NULL)
            convert_cmyk(cmyk[0], row, width);
    }
}

/*
 * A file without EOI, of a single scan: its pixels end before the last two bytes, whatever these
 * are, zeros of a lost sector, say. With an EOI in their place the image has an end; if they were
 * pixels, these are missing. (An arithmetic decoder would not notice.)
 */
static void mend_end(struct reader *reader)
{
    static const uint8_t eoi[] = {0xff, JPEG_EOI};
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    size_t read = (size_t)(cinfo->src->next_input_byte - reader->bytes);
    size_t left = reader->size - read;

    if (jpeg_has_multiple_scans(cinfo) || cinfo->arith_code || left < sizeof eoi ||
        memmem(reader->bytes + read, left, eoi, sizeof eoi) != NULL)
        return;
    reader->mended = vgg_alloc(reader->size, 1);
    if (reader->mended == NULL)
        leave(reader, vgg_fail_memory(reader->error));
    memcpy(reader->mended, reader->bytes, reader->size);
    memcpy(reader->mended + reader->size - sizeof eoi, eoi, sizeof eoi);
    reader->bytes = reader->mended;
    cinfo->src->next_input_byte = reader->mended + read;
}

/*
 * From the first scan to the end of the image: what is missing there is missing. The picture is
 * allocated only after all scans of a progressive file proved good.
 */
static void decode(struct reader *reader)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;

    read_header(reader);
    mend_end(reader);
    cinfo->dct_method = JDCT_ISLOW;
    cinfo->do_fancy_upsampling = TRUE;
    (void)jpeg_start_decompress(cinfo);
    reader->image =
        vgg_image_create(vgg_decoder_jpeg.format, cinfo->output_width, cinfo->output_height);
    if (reader->image == NULL)
        leave(reader, vgg_fail_memory(reader->error));
    read_pixels(reader);
    (void)jpeg_finish_decompress(cinfo);
}

static enum vgg_status run(struct reader *reader, void (*step)(struct reader *reader))
{
    if (setjmp(reader->escape) != 0)
        return reader->status;
    step(reader);
    return VGG_OK;
}

/* ---- the decoder ---- */

static void reader_init(struct reader *reader, const uint8_t *bytes, size_t size,
                        const struct vgg_image_limits *limits, struct vgg_error *error)
{
    *reader = (struct reader){.bytes = bytes,
                              .size = size,
                              .limits = limits,
                              .error = error,
                              .orientation = 1,
                              .progress.progress_monitor = on_progress};
    reader->cinfo.err = jpeg_std_error(&reader->errors);
    reader->cinfo.client_data = reader;
    reader->errors.error_exit = on_error;
    reader->errors.emit_message = on_message;
}

static void reader_fini(struct reader *reader)
{
    jpeg_destroy_decompress(&reader->cinfo);
    free(reader->mended);
    vgg_image_destroy(reader->image);
}

static bool jpeg_matches(const uint8_t *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 0xff && bytes[1] == 0xd8;
}

static enum vgg_status jpeg_peek(const uint8_t *bytes, size_t size,
                                 const struct vgg_image_limits *limits, struct vgg_image_info *info,
                                 struct vgg_error *error)
{
    struct reader reader;
    enum vgg_status status;

    reader_init(&reader, bytes, size, limits, error);
    status = run(&reader, read_header);
    if (status == VGG_OK)
        *info = vgg_image_upright_info(vgg_decoder_jpeg.format, reader.cinfo.image_width,
                                       reader.cinfo.image_height, reader.orientation);
    reader_fini(&reader);
    return status;
}

static enum vgg_status jpeg_decode(const uint8_t *bytes, size_t size,
                                   const struct vgg_image_limits *limits, struct vgg_image **image,
                                   struct vgg_error *error)
{
    struct reader reader;
    enum vgg_status status;

    reader_init(&reader, bytes, size, limits, error);
    status = run(&reader, decode);
    if (status == VGG_OK) {
        /* Coefficients go first: turning needs the memory of a second picture. */
        jpeg_destroy_decompress(&reader.cinfo);
        status = vgg_image_orient(&reader.image, reader.orientation, error);
    }
    if (status == VGG_OK) {
        *image = reader.image;
        reader.image = NULL;
    }
    reader_fini(&reader);
    return status;
}

const struct vgg_decoder vgg_decoder_jpeg = {
    .format = "jpeg", .matches = jpeg_matches, .peek = jpeg_peek, .decode = jpeg_decode};
