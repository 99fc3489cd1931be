/* JPEGs by libjpeg-turbo: the only file here that includes jpeglib.h. */
#include "report/jpeg.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

/* What it allocates hangs on the writer, which lives in jpeg_encode, so nothing is lost by a jump.
 */
struct writer {
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf escape;
};

static _Noreturn void leave(j_common_ptr cinfo)
{
    struct writer *writer = cinfo->client_data;

    longjmp(writer->escape, 1);
}

static void keep_silent(j_common_ptr cinfo)
{
    (void)cinfo;
}

static void begin(j_compress_ptr cinfo)
{
    (void)cinfo;
}

static boolean overflow(j_compress_ptr cinfo)
{
    leave((j_common_ptr)cinfo);
}

static void encode(struct jpeg_compress_struct *cinfo, const uint8_t *pixels, uint32_t width,
                   uint32_t height, int quality)
{
    cinfo->image_width = width;
    cinfo->image_height = height;
    cinfo->input_components = 3;
    cinfo->in_color_space = JCS_RGB;
    jpeg_set_defaults(cinfo);
    jpeg_set_quality(cinfo, quality, TRUE);
    cinfo->optimize_coding = TRUE;
    jpeg_start_compress(cinfo, TRUE);
    while (cinfo->next_scanline < height) {
        /* It is not written to. */
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)cinfo->next_scanline * width * 3);

        jpeg_write_scanlines(cinfo, &row, 1);
    }
    jpeg_finish_compress(cinfo);
}

size_t jpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int quality,
                   unsigned char *bytes, size_t capacity)
{
    struct writer writer = {.destination = {.next_output_byte = bytes,
                                            .free_in_buffer = capacity,
                                            .init_destination = begin,
                                            .empty_output_buffer = overflow,
                                            .term_destination = begin}};
    volatile size_t size = 0;

    writer.cinfo.err = jpeg_std_error(&writer.errors);
    writer.errors.error_exit = leave;
    writer.errors.output_message = keep_silent;
    writer.cinfo.client_data = &writer;
    if (setjmp(writer.escape) == 0) {
        jpeg_create_compress(&writer.cinfo);
        writer.cinfo.dest = &writer.destination;
        encode(&writer.cinfo, pixels, width, height, quality);
        size = capacity - writer.destination.free_in_buffer;
    }
    jpeg_destroy_compress(&writer.cinfo);
    return size;
}
