/*
 * The rows of a PNG: inflated by and by, unfiltered where they lie, converted to where they belong.
 * Path of a request: png.c -> [this] -> orient.
 *
 * Rows end the work. Of what follows them a few bytes are looked at, for the checksum at the end of
 * the stream; a stream that goes on instead costs nothing more. Where that checksum could not
 * speak, those of the chunks do, unless they are cut off too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "image/inflate.h"
#include "image/png_file.h"

enum {
    STEP_BYTES = 1 << 16, /* inflated at a time, some 0.2 ms; then poll */
    TAIL_BYTES = 64,      /* of a stream behind its pixels: the end of a block and a checksum */
    FILTERS = 5,
    /*
     * Encoders begin a block for tens of KiB, or for each row where they flush. So many for small
     * pictures, and one for so many bytes of rows and of IDAT: the tables of them all take 40 ms,
     * or no longer than the pixels that are predicted from those bytes.
     */
    BLOCKS_MIN = 1 << 14,
    BLOCK_ROW_BYTES = 1 << 12,
    BLOCK_IDAT_BYTES = 1 << 9
};

struct rows {
    const struct vgg_png_file *file;
    struct vgg_inflate *inflate;
    size_t at;         /* of the chunk after the one that `in` is in */
    const uint8_t *in; /* what is not inflated yet of that one */
    size_t in_left;
    bool ended;           /* the stream, with its checksum right */
    uint64_t missing;     /* bytes of rows that are not inflated yet */
    uint8_t *stage;       /* the row that was read last, and what is inflated beyond it */
    uint8_t *next, *end;  /* in it: the first row that is not read yet, the end of all */
    const uint8_t *above; /* the row that was read last; zeros, where there is none */
    uint8_t *zeros;
};

static enum vgg_status fail(const struct rows *rows, const char *text)
{
    return vgg_fail(rows->file->error, VGG_BAD_IMAGE, "PNG: %s", text);
}

/* ---- inflating ---- */

/* Go on to the next chunk that has a byte; false where the pixels' chunks end. */
static bool next_input(struct rows *rows)
{
    struct vgg_png_chunk chunk;

    while (rows->in_left == 0) {
        if (!vgg_png_chunk_at(rows->file, rows->at, &chunk) || !vgg_png_is(&chunk, "IDAT"))
            return false;
        rows->in = chunk.data;
        rows->in_left = chunk.there;
        rows->at = chunk.next;
    }
    return true;
}

/* Inflate at most in_max bytes of the current chunk to `room` bytes at `out`; *made of them. */
static enum vgg_status inflate_some(struct rows *rows, size_t in_max, uint8_t *out, size_t room,
                                    size_t *made)
{
    size_t given = rows->in_left < in_max ? rows->in_left : in_max;
    struct vgg_inflate_buffers buffers = {rows->in, given, out, room};
    enum vgg_inflated result = vgg_inflate_run(rows->inflate, &buffers);

    rows->in_left -= given - buffers.in_left;
    rows->in = buffers.in;
    *made = room - buffers.out_left;
    switch (result) {
    case VGG_INFLATED_MORE:
        return VGG_OK;
    case VGG_INFLATED_END:
        rows->ended = true;
        return VGG_OK;
    case VGG_INFLATED_BROKEN:
        return fail(rows, "the pixels' data are damaged");
    case VGG_INFLATED_BLOCKS:
        return fail(rows, "the pixels' data begin anew too often");
    case VGG_INFLATED_NO_MEMORY:
        break;
    }
    return vgg_fail_memory(rows->file->error);
}

/* Have `bytes` of rows at `next`. */
static enum vgg_status fill(struct rows *rows, size_t bytes)
{
    const uint8_t *kept = rows->above == rows->zeros ? rows->next : rows->above;
    size_t moved = (size_t)(kept - rows->stage);

    memmove(rows->stage, kept, (size_t)(rows->end - kept));
    rows->next -= moved;
    rows->end -= moved;
    if (kept == rows->above)
        rows->above = rows->stage;
    while ((size_t)(rows->end - rows->next) < bytes) {
        size_t made, room = rows->missing < STEP_BYTES ? (size_t)rows->missing : STEP_BYTES;
        enum vgg_status status = vgg_image_poll(rows->file->limits, rows->file->error);

        if (status == VGG_OK && (rows->ended || !next_input(rows)))
            status = fail(rows, "the file ends before the picture does");
        if (status == VGG_OK)
            status = inflate_some(rows, SIZE_MAX, rows->end, room, &made);
        if (status != VGG_OK)
            return status;
        rows->end += made;
        rows->missing -= made;
    }
    return VGG_OK;
}

/* After the last row: does a checksum vouch for them all? */
static enum vgg_status finish(struct rows *rows)
{
    size_t left = TAIL_BYTES, made = 0;
    uint8_t surplus;

    while (!rows->ended && made == 0 && left != 0 && next_input(rows)) {
        size_t before = rows->in_left;
        enum vgg_status status = inflate_some(rows, left, &surplus, 1, &made);

        if (status != VGG_OK)
            return status;
        left -= before - rows->in_left;
    }
    return rows->ended ? VGG_OK : vgg_png_check(rows->file, rows->file->idat, rows->at);
}

/* ---- rows ---- */

static enum vgg_status read_pass(struct rows *rows, const struct vgg_png_pass *pass,
                                 struct vgg_image *image)
{
    const struct vgg_png_file *file = rows->file;
    size_t bits = (size_t)file->channels * file->depth, step = bits < 8 ? 1 : bits / 8;
    size_t bytes = vgg_png_row_bytes(file, pass->width);

    rows->above = rows->zeros;
    for (uint32_t i = 0; i < pass->height; i++) {
        size_t y = pass->y + (size_t)i * pass->dy;
        uint8_t *row;

        if ((size_t)(rows->end - rows->next) < 1 + bytes) {
            enum vgg_status status = fill(rows, 1 + bytes);

            if (status != VGG_OK)
                return status;
        }
        if (*rows->next >= FILTERS)
            return fail(rows, "a row has an unknown filter");
        row = rows->next + 1;
        vgg_png_unfilter(*rows->next, row, rows->above, bytes, step);
        vgg_png_convert(file, row, pass->width, pass->dx,
                        image->pixels + (y * file->width + pass->x) * 3);
        rows->above = row;
        rows->next = row + bytes;
    }
    return VGG_OK;
}

static enum vgg_status read_all(struct rows *rows, struct vgg_image *image)
{
    enum vgg_status status = VGG_OK;

    for (unsigned n = 0; status == VGG_OK && n < vgg_png_passes(rows->file); n++) {
        struct vgg_png_pass pass = vgg_png_pass_at(rows->file, n);

        if (pass.width != 0)
            status = read_pass(rows, &pass, image);
    }
    return status == VGG_OK ? finish(rows) : status;
}

enum vgg_status vgg_png_read_rows(const struct vgg_png_file *file, struct vgg_image *image)
{
    uint64_t raw = vgg_png_raw_bytes(file);
    size_t row_max = vgg_png_row_bytes(file, file->width);
    struct rows rows = {.file = file, .at = file->idat, .missing = raw};
    enum vgg_status status;

    rows.inflate = vgg_inflate_create(BLOCKS_MIN + raw / BLOCK_ROW_BYTES +
                                      file->idat_bytes / BLOCK_IDAT_BYTES);
    /* A row above, a row that is begun, one step. */
    rows.stage = vgg_alloc(2 * (1 + row_max) + STEP_BYTES, 1);
    rows.zeros = vgg_calloc(row_max, 1);
    rows.next = rows.end = rows.stage;
    if (rows.inflate == NULL || rows.stage == NULL || rows.zeros == NULL)
        status = vgg_fail_memory(file->error);
    else
        status = read_all(&rows, image);
    vgg_inflate_destroy(rows.inflate);
    free(rows.stage);
    free(rows.zeros);
    return status;
}
