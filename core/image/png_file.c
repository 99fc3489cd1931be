/*
 * The container of a PNG: header, palette, and a walk over all chunks by their lengths.
 *
 * What is damaged is refused where Pillow refuses it: a checksum before the pixels, a chunk that is
 * cut, whatever is missing of the header. Pixels end the care: behind them no checksum counts, and
 * neither IEND nor what follows it has to be there.
 */
#include "image/png_file.h"

#include <string.h>

#include "base/error.h"
#include "image/inflate.h"
#include "image/png_text.h"

enum {
    HEAD_BYTES = 8, /* length, type */
    CRC_BYTES = 4,
    IHDR_BYTES = 13,
    ACTL_BYTES = 8,
    ENTRY_BYTES = 3, /* of the palette */
    SIDE_BITS = 31,
    /* Encoders write chunks of some KiB; 16 MiB of empty ones would take longer than a picture. */
    CHUNKS_MAX = 1 << 16,
    CHUNKS_A_POLL = 1 << 12,
    CRC_PIECE = 1 << 20, /* 1 ms */
    /* Texts looked at in all, but for the last: nothing more is looked at once it is used up. */
    TEXT_BYTES_MAX = 1 << 20
};

static uint32_t read_uint32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static enum vgg_status fail(const struct vgg_png_file *file, const char *text)
{
    return vgg_fail(file->error, VGG_BAD_IMAGE, "PNG: %s", text);
}

/* ---- chunks ---- */

static bool is_name(const uint8_t *type)
{
    for (unsigned i = 0; i < 4; i++) {
        uint8_t lower = type[i] | 0x20;

        if ((lower < 'a' || lower > 'z') && (type[i] < '0' || type[i] > '9') && type[i] != '_')
            return false;
    }
    return true;
}

bool vgg_png_chunk_at(const struct vgg_png_file *file, size_t at, struct vgg_png_chunk *chunk)
{
    size_t rest;

    if (at > file->size || file->size - at < HEAD_BYTES || !is_name(file->bytes + at + 4))
        return false;
    rest = file->size - at - HEAD_BYTES;
    chunk->type = file->bytes + at + 4;
    chunk->data = file->bytes + at + HEAD_BYTES;
    chunk->length = read_uint32(file->bytes + at);
    chunk->there = chunk->length < rest ? chunk->length : rest;
    chunk->next = at + HEAD_BYTES + chunk->length + CRC_BYTES;
    return true;
}

bool vgg_png_is(const struct vgg_png_chunk *chunk, const char *type)
{
    return memcmp(chunk->type, type, 4) == 0;
}

/* Count a chunk that is passed. */
static enum vgg_status pass(struct vgg_png_file *file)
{
    if (++file->chunks > CHUNKS_MAX)
        return vgg_fail(file->error, VGG_BAD_IMAGE, "PNG: more than %d chunks", CHUNKS_MAX);
    return file->chunks % CHUNKS_A_POLL == 0 ? vgg_image_poll(file->limits, file->error) : VGG_OK;
}

static enum vgg_status check_crc(const struct vgg_png_file *file, const struct vgg_png_chunk *chunk)
{
    const uint8_t *at = chunk->type, *end = chunk->data + chunk->length;
    uint32_t crc = 0;

    while (at < end) {
        size_t piece = end - at < CRC_PIECE ? (size_t)(end - at) : CRC_PIECE;
        enum vgg_status status = vgg_image_poll(file->limits, file->error);

        if (status != VGG_OK)
            return status;
        crc = vgg_crc32(crc, at, piece);
        at += piece;
    }
    if (crc != read_uint32(end))
        return vgg_fail(file->error, VGG_BAD_IMAGE, "PNG: %.4s: the checksum is wrong",
                        (const char *)chunk->type);
    return VGG_OK;
}

enum vgg_status vgg_png_check(const struct vgg_png_file *file, size_t from, size_t to)
{
    enum vgg_status status = VGG_OK;
    struct vgg_png_chunk chunk;

    while (status == VGG_OK && from < to && vgg_png_chunk_at(file, from, &chunk) &&
           chunk.next <= file->size) {
        status = check_crc(file, &chunk);
        from = chunk.next;
    }
    return status;
}

/* ---- header ---- */

/* Channels of a colour type of that depth; 0 where there is none such. */
static unsigned channels_of(unsigned colour, unsigned depth)
{
    bool whole = depth == 8 || depth == 16, part = depth == 1 || depth == 2 || depth == 4;

    switch (colour) {
    case VGG_PNG_GREY:
        return whole || part ? 1 : 0;
    case VGG_PNG_INDEXED:
        return depth == 8 || part ? 1 : 0;
    case VGG_PNG_RGB:
        return whole ? 3 : 0;
    case VGG_PNG_GREY_ALPHA:
        return whole ? 2 : 0;
    case VGG_PNG_RGB_ALPHA:
        return whole ? VGG_PNG_CHANNELS_MAX : 0;
    default:
        return 0;
    }
}

/* An index that the palette lacks is a grey, as with Pillow. */
static void init_palette(struct vgg_png_file *file)
{
    for (unsigned i = 0; i < VGG_PNG_PALETTE; i++)
        memset(file->palette[i], (int)i, ENTRY_BYTES);
}

static enum vgg_status read_header(struct vgg_png_file *file)
{
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    struct vgg_png_chunk chunk;
    enum vgg_status status;

    if (file->size < VGG_PNG_SIGNATURE || memcmp(file->bytes, signature, VGG_PNG_SIGNATURE) != 0)
        return fail(file, "the signature is damaged, as by a transfer as text");
    if (!vgg_png_chunk_at(file, VGG_PNG_SIGNATURE, &chunk) || !vgg_png_is(&chunk, "IHDR") ||
        chunk.length < IHDR_BYTES || chunk.next > file->size)
        return fail(file, "the header (IHDR) is missing");
    status = check_crc(file, &chunk);
    if (status != VGG_OK)
        return status;
    file->width = read_uint32(chunk.data);
    file->height = read_uint32(chunk.data + 4);
    file->depth = chunk.data[8];
    file->channels = channels_of(chunk.data[9], file->depth);
    file->colour = (enum vgg_png_colour)chunk.data[9];
    file->interlaced = chunk.data[12] != 0;
    init_palette(file);
    if (file->width == 0 || file->height == 0 || (file->width | file->height) >> SIDE_BITS != 0)
        return fail(file, "a width or height of 0, or over 2^31 - 1");
    if (chunk.data[11] != 0)
        return fail(file, "an unknown filter method");
    if (file->channels == 0)
        return vgg_fail(file->error, VGG_BAD_IMAGE, "PNG: no colour type %u has a bit depth of %u",
                        (unsigned)chunk.data[9], file->depth);
    return vgg_image_check_size(file->width, file->height, file->limits, file->error);
}

static enum vgg_status read_palette(struct vgg_png_file *file, const struct vgg_png_chunk *chunk)
{
    size_t entries = chunk->length / ENTRY_BYTES;

    if (file->colour != VGG_PNG_INDEXED)
        return VGG_OK;
    if (entries > VGG_PNG_PALETTE)
        return fail(file, "PLTE: more than 256 colours");
    init_palette(file);
    memcpy(file->palette, chunk->data, entries * ENTRY_BYTES);
    return VGG_OK;
}

/* ---- the walk ---- */

struct walk {
    size_t at;
    struct vgg_png_metadata metadata;
    uint32_t frames; /* of an animation; 0: it is none */
    bool framed;     /* the pixels are the first of them */
    bool late;       /* behind the pixels */
};

static enum vgg_status note(struct vgg_png_file *file, struct walk *walk,
                            const struct vgg_png_chunk *chunk)
{
    if (vgg_png_is(chunk, "eXIf")) {
        walk->metadata.exif = chunk->data;
        walk->metadata.exif_size = chunk->length;
        return VGG_OK;
    }
    if (!walk->late) {
        if (vgg_png_is(chunk, "PLTE"))
            return read_palette(file, chunk);
        if (vgg_png_is(chunk, "acTL") && chunk->length >= ACTL_BYTES)
            walk->frames = walk->frames == 0 ? read_uint32(chunk->data) : 0;
        walk->framed |= vgg_png_is(chunk, "fcTL");
        if (chunk->type[0] < 'a' && walk->at != VGG_PNG_SIGNATURE)
            return vgg_fail(file->error, VGG_BAD_IMAGE,
                            "PNG: %.4s: pixels depend on such a chunk; unknown, or out of place",
                            (const char *)chunk->type);
    }
    return vgg_png_note_text(&walk->metadata, chunk->type, chunk->data, chunk->length, file->error);
}

/* Up to the chunk `stop`, or where nothing follows. A cut chunk is damage, as with Pillow. */
static enum vgg_status walk_to(struct vgg_png_file *file, struct walk *walk, const char *stop,
                               bool noting)
{
    bool animated = walk->frames > (walk->framed ? 1 : 0);
    struct vgg_png_chunk chunk;

    while (vgg_png_chunk_at(file, walk->at, &chunk) && !vgg_png_is(&chunk, stop)) {
        enum vgg_status status = pass(file);

        if (status == VGG_OK && walk->late && animated && vgg_png_is(&chunk, "fcTL"))
            return VGG_OK; /* the next frame */
        if (status == VGG_OK && chunk.there < chunk.length)
            status = fail(file, "the file ends within a chunk");
        if (status == VGG_OK && noting)
            status = note(file, walk, &chunk);
        if (status != VGG_OK)
            return status;
        walk->at = chunk.next;
    }
    return VGG_OK;
}

/* The IDAT chunks that hold the pixels; the last of them may be cut. */
static enum vgg_status walk_pixels(struct vgg_png_file *file, struct walk *walk)
{
    struct vgg_png_chunk chunk;

    file->idat = walk->at;
    while (vgg_png_chunk_at(file, walk->at, &chunk) && vgg_png_is(&chunk, "IDAT")) {
        enum vgg_status status = pass(file);

        if (status != VGG_OK)
            return status;
        file->idat_bytes += chunk.there;
        walk->at = chunk.next;
    }
    return file->idat_bytes != 0 ? VGG_OK : fail(file, "the file ends before the picture does");
}

/* EXIF before the pixels settles it: then Pillow looks at nothing that stands behind them. */
static enum vgg_status walk_all(struct vgg_png_file *file, struct walk *walk)
{
    enum vgg_status status = walk_to(file, walk, "IDAT", true);

    if (status == VGG_OK)
        status = walk_pixels(file, walk);
    walk->late = true;
    if (status == VGG_OK)
        status = walk_to(file, walk, "IEND", walk->metadata.exif == NULL);
    if (status == VGG_OK)
        status = vgg_png_orientation(&walk->metadata, &file->orientation, file->error);
    return status;
}

enum vgg_status vgg_png_open(struct vgg_png_file *file)
{
    struct walk walk = {.at = VGG_PNG_SIGNATURE, .metadata.text_max = TEXT_BYTES_MAX};
    enum vgg_status status = read_header(file);

    if (status == VGG_OK)
        status = walk_all(file, &walk);
    vgg_png_metadata_fini(&walk.metadata);
    return status;
}
