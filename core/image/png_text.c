/*
 * What Pillow's getexif() makes of a PNG's metadata: the orientation of an eXIf chunk, else of the
 * text "Raw profile type exif" (hexadecimal, as ImageMagick writes it); where that has none,
 * tiff:Orientation of the text "XML:com.adobe.xmp". Each may be tEXt, zTXt or iTXt; of several the
 * last one counts.
 * Path of a request: png_file.c's walk -> [this].
 *
 * Texts are read for these two keys only, and no more of them than text_max allows.
 */
#include "image/png_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "image/image.h"
#include "image/inflate.h"
#include "text/hex.h"
#include "text/utf8.h"

enum {
    TEXT_MAX = 1 << 20,    /* of one that is compressed, as with Pillow */
    BLOCKS_MAX = 1 << 10,  /* of its stream: one a KiB */
    PROFILE_HEAD_LINES = 3 /* an empty one, the name, the length */
};

static const char profile_key[] = "Raw profile type exif", xmp_key[] = "XML:com.adobe.xmp";

/* Bytes that are taken apart from the front. */
struct span {
    const uint8_t *bytes;
    size_t size;
};

/* What stands before the first NUL; that and the NUL are taken off. False where there is none. */
static bool take_string(struct span *rest, struct span *string)
{
    const uint8_t *end = memchr(rest->bytes, 0, rest->size);

    if (end == NULL)
        return false;
    *string = (struct span){rest->bytes, (size_t)(end - rest->bytes)};
    rest->bytes = end + 1;
    rest->size -= string->size + 1;
    return true;
}

static bool is_utf8(struct span text)
{
    while (text.size != 0) {
        size_t length = utf8_length((const char *)text.bytes, text.size);

        if (length == 0)
            return false;
        text.bytes += length;
        text.size -= length;
    }
    return true;
}

/* Where a text belongs; NULL: nowhere. */
static struct vgg_png_text *place_of(struct vgg_png_metadata *metadata, struct span key)
{
    if (key.size == strlen(profile_key) && memcmp(key.bytes, profile_key, key.size) == 0)
        return &metadata->profile;
    if (key.size == strlen(xmp_key) && memcmp(key.bytes, xmp_key, key.size) == 0)
        return &metadata->xmp;
    return NULL;
}

/* ---- reading a text ---- */

/*
 * As much as there is of a stream: one that is cut gives what it has. *broken where it is no
 * stream, or one too large, which Pillow refuses with the picture.
 */
static enum vgg_status inflate_text(struct span stream, struct vgg_png_text *text, bool *broken,
                                    size_t *spent, struct vgg_error *error)
{
    struct vgg_inflate *inflate = vgg_inflate_create(BLOCKS_MAX);
    uint8_t *room = vgg_alloc(TEXT_MAX, 1);
    struct vgg_inflate_buffers buffers = {stream.bytes, stream.size, room, TEXT_MAX};
    enum vgg_inflated result = VGG_INFLATED_NO_MEMORY;

    if (inflate != NULL && room != NULL)
        result = vgg_inflate_run(inflate, &buffers);
    vgg_inflate_destroy(inflate);
    *spent = stream.size - buffers.in_left + TEXT_MAX - buffers.out_left;
    *broken = result != VGG_INFLATED_END && (result != VGG_INFLATED_MORE || buffers.in_left != 0);
    if (*broken) {
        free(room);
        return result == VGG_INFLATED_NO_MEMORY ? vgg_fail_memory(error) : VGG_OK;
    }
    *text = (struct vgg_png_text){room, TEXT_MAX - buffers.out_left, room};
    return VGG_OK;
}

static void replace(struct vgg_png_text *place, struct vgg_png_text text)
{
    free(place->owned);
    *place = text;
}

/* Look at no more than is left to look at, but for the last text. */
static void pay(struct vgg_png_metadata *metadata, size_t bytes)
{
    metadata->text_max -= bytes < metadata->text_max ? bytes : metadata->text_max;
}

static enum vgg_status note_compressed(struct vgg_png_metadata *metadata,
                                       struct vgg_png_text *place, struct span stream,
                                       bool international, struct vgg_error *error)
{
    struct vgg_png_text text = {stream.bytes, 0, NULL};
    enum vgg_status status;
    size_t spent;
    bool broken;

    if (metadata->text_max == 0)
        return VGG_OK;
    status = inflate_text(stream, &text, &broken, &spent, error);
    pay(metadata, spent);
    if (status != VGG_OK)
        return status;
    /* A broken zTXt is an empty text, a broken iTXt none. */
    if (international && (broken || !is_utf8((struct span){text.text, text.size})))
        free(text.owned);
    else
        replace(place, text);
    return VGG_OK;
}

/* Keyword, NUL, text. */
static void note_plain(struct vgg_png_metadata *metadata, struct span rest)
{
    struct vgg_png_text *place;
    struct span key;

    if (!take_string(&rest, &key))
        return;
    if (key.size == 4 && memcmp(key.bytes, "exif", 4) == 0) { /* it takes the place of eXIf */
        metadata->exif = rest.bytes;
        metadata->exif_size = rest.size;
    }
    place = place_of(metadata, key);
    if (place == NULL || metadata->text_max == 0)
        return;
    pay(metadata, rest.size);
    replace(place, (struct vgg_png_text){rest.bytes, rest.size, NULL});
}

/* Keyword, NUL, compression method 0, stream. */
static enum vgg_status note_zipped(struct vgg_png_metadata *metadata, struct span rest,
                                   struct vgg_error *error)
{
    struct vgg_png_text *place;
    struct span key;

    if (!take_string(&rest, &key) || (place = place_of(metadata, key)) == NULL || rest.size == 0 ||
        *rest.bytes != 0)
        return VGG_OK;
    return note_compressed(metadata, place, (struct span){rest.bytes + 1, rest.size - 1}, false,
                           error);
}

/* Keyword, NUL, is it compressed, method 0, language, NUL, translated keyword, NUL, text. */
static enum vgg_status note_international(struct vgg_png_metadata *metadata, struct span rest,
                                          struct vgg_error *error)
{
    struct vgg_png_text *place;
    struct span key, language, translated;
    bool compressed;

    if (!take_string(&rest, &key) || (place = place_of(metadata, key)) == NULL || rest.size < 2)
        return VGG_OK;
    compressed = rest.bytes[0] != 0;
    if (compressed && rest.bytes[1] != 0)
        return VGG_OK;
    rest = (struct span){rest.bytes + 2, rest.size - 2};
    if (!take_string(&rest, &language) || !take_string(&rest, &translated) || !is_utf8(language) ||
        !is_utf8(translated))
        return VGG_OK;
    if (compressed)
        return note_compressed(metadata, place, rest, true, error);
    if (metadata->text_max == 0)
        return VGG_OK;
    pay(metadata, rest.size);
    if (is_utf8(rest))
        replace(place, (struct vgg_png_text){rest.bytes, rest.size, NULL});
    return VGG_OK;
}

enum vgg_status vgg_png_note_text(struct vgg_png_metadata *metadata, const uint8_t *type,
                                  const uint8_t *data, size_t size, struct vgg_error *error)
{
    struct span chunk = {data, size};

    if (memcmp(type, "tEXt", 4) == 0)
        note_plain(metadata, chunk);
    else if (memcmp(type, "zTXt", 4) == 0)
        return note_zipped(metadata, chunk, error);
    else if (memcmp(type, "iTXt", 4) == 0)
        return note_international(metadata, chunk, error);
    return VGG_OK;
}

void vgg_png_metadata_fini(struct vgg_png_metadata *metadata)
{
    free(metadata->profile.owned);
    free(metadata->xmp.owned);
}

/* ---- what they say ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * Bytes in hexadecimal: a newline may stand anywhere, other blanks between bytes. Decoded in place
 * of size / 2 at most; false where it is anything else.
 */
static bool decode_hex(struct span text, uint8_t *bytes, size_t *size)
{
    int high = -1;

    *size = 0;
    for (; text.size != 0; text.bytes++, text.size--) {
        int digit = hex_digit((char)*text.bytes);

        if (*text.bytes == '\n' || (high < 0 && is_space(*text.bytes)))
            continue;
        if (digit < 0)
            return false;
        if (high >= 0)
            bytes[(*size)++] = (uint8_t)(high << 4 | digit);
        high = high < 0 ? digit : -1;
    }
    return high < 0;
}

/* False where it has no orientation. */
static enum vgg_status read_profile(const struct vgg_png_text *profile, unsigned *orientation,
                                    bool *found, struct vgg_error *error)
{
    struct span text = {profile->text, profile->size};
    uint8_t *bytes;
    size_t size;

    for (unsigned i = 0; i < PROFILE_HEAD_LINES; i++) {
        const uint8_t *newline = memchr(text.bytes, '\n', text.size);

        if (newline == NULL)
            return VGG_OK;
        text.size -= (size_t)(newline + 1 - text.bytes);
        text.bytes = newline + 1;
    }
    bytes = vgg_alloc(text.size / 2 + 1, 1);
    if (bytes == NULL)
        return vgg_fail_memory(error);
    *found = decode_hex(text, bytes, &size) && vgg_exif_find_orientation(bytes, size, orientation);
    free(bytes);
    return VGG_OK;
}

/* The first tiff:Orientation="N" or tiff:Orientation>N, as an attribute or an element. */
static unsigned read_xmp(const struct vgg_png_text *xmp)
{
    static const char name[] = "tiff:Orientation";
    const uint8_t *at = xmp->text, *end = at + xmp->size;

    while ((at = memmem(at, (size_t)(end - at), name, strlen(name))) != NULL) {
        at += strlen(name);
        if (end - at >= 3 && at[0] == '=' && at[1] == '"' && at[2] >= '0' && at[2] <= '9')
            return at[2] - '0';
        if (end - at >= 2 && at[0] == '>' && at[1] >= '0' && at[1] <= '9')
            return at[1] - '0';
    }
    return 0;
}

enum vgg_status vgg_png_orientation(const struct vgg_png_metadata *metadata, unsigned *orientation,
                                    struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;
    unsigned value = 1;
    bool found = false;

    if (metadata->exif != NULL)
        found = vgg_exif_find_orientation(metadata->exif, metadata->exif_size, &value);
    else if (metadata->profile.text != NULL)
        status = read_profile(&metadata->profile, &value, &found, error);
    if (!found && metadata->xmp.text != NULL)
        value = read_xmp(&metadata->xmp);
    *orientation = value >= 1 && value <= 8 ? value : 1;
    return status;
}
