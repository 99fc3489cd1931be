/*
 * PNG.
 * Path of a request: bytes -> [peek] -> admission -> [decode] -> orient -> rescale.
 *
 * What is read is png_file.h's: chunks, then rows. Pixels, colours and orientation are those of
 * Pillow's convert("RGB"), of an APNG those of its default image; gAMA, iCCP and every other chunk
 * that is not needed for that are passed over.
 */
#include <string.h>

#include "base/error.h"
#include "image/png_file.h"

static struct vgg_png_file file_of(const uint8_t *bytes, size_t size,
                                   const struct vgg_image_limits *limits, struct vgg_error *error)
{
    return (struct vgg_png_file){.bytes = bytes, .size = size, .limits = limits, .error = error};
}

/*
 * Measured, in tenths of a nanosecond of one machine; only their ratios matter. Inflating costs by
 * the symbol: of these there are no more than bytes of rows, nor than so many a byte of IDAT.
 */
enum {
    WORK = 27, /* of the unit: a pixel of a photograph, baseline JPEG */

    PIXEL = 13,    /* to RGB, its memory */
    ROW_BYTE = 22, /* to unfilter, by the costliest filter */
    ROW_SYMBOL = 36,
    IDAT_SYMBOLS = 170, /* of a byte: eight literals of a bit each, or four matches */
    FILE_BYTE = 10,     /* its checksum, where that is asked for */
    CHUNK = 1000
};

static uint64_t predict_work(const struct vgg_png_file *file)
{
    uint64_t pixels = (uint64_t)file->width * file->height, row_bytes = vgg_png_raw_bytes(file);
    uint64_t by_rows = row_bytes * ROW_SYMBOL, by_idat = (uint64_t)file->idat_bytes * IDAT_SYMBOLS;
    uint64_t cost = pixels * PIXEL + row_bytes * ROW_BYTE + (uint64_t)file->size * FILE_BYTE +
                    (uint64_t)file->chunks * CHUNK + (by_rows < by_idat ? by_rows : by_idat);

    return cost / WORK;
}

static bool png_matches(const uint8_t *bytes, size_t size)
{
    return size >= 4 && memcmp(bytes, "\x89PNG", 4) == 0;
}

static enum vgg_status png_peek(const uint8_t *bytes, size_t size,
                                const struct vgg_image_limits *limits, struct vgg_image_info *info,
                                struct vgg_error *error)
{
    struct vgg_png_file file = file_of(bytes, size, limits, error);
    enum vgg_status status = vgg_png_open(&file);

    if (status != VGG_OK)
        return status;
    *info = vgg_image_upright_info(vgg_decoder_png.format, file.width, file.height,
                                   file.orientation, predict_work(&file));
    return VGG_OK;
}

static enum vgg_status read_pixels(const struct vgg_png_file *file, struct vgg_image **image)
{
    enum vgg_status status;

    *image = vgg_image_create(vgg_decoder_png.format, file->width, file->height);
    if (*image == NULL)
        return vgg_fail_memory(file->error);
    status = vgg_png_read_rows(file, *image);
    if (status != VGG_OK)
        return status;
    return vgg_image_orient(image, file->orientation, file->limits, file->error);
}

static enum vgg_status png_decode(const uint8_t *bytes, size_t size,
                                  const struct vgg_image_limits *limits, struct vgg_image **image,
                                  struct vgg_error *error)
{
    struct vgg_png_file file = file_of(bytes, size, limits, error);
    struct vgg_image *decoded = NULL;
    enum vgg_status status = vgg_png_open(&file);

    if (status == VGG_OK)
        status = vgg_png_check(&file, VGG_PNG_SIGNATURE, file.idat);
    if (status == VGG_OK)
        status = read_pixels(&file, &decoded);
    if (status != VGG_OK) {
        vgg_image_destroy(decoded);
        return status;
    }
    *image = decoded;
    return VGG_OK;
}

const struct vgg_decoder vgg_decoder_png = {
    .format = "png", .matches = png_matches, .peek = png_peek, .decode = png_decode};
