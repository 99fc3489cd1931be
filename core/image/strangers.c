/* Files and texts that people send in the place of a picture. */
#include "image/strangers.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "text/base64.h"
#include "text/hex.h"

enum {
    TEXT_LOOKED_AT = 4096, /* bytes: a prolog and comments stand before an SVG's first element */
    SAMPLE_BYTES = 24,     /* decoded of an encoded text: any signature's length */
    ENCODED_MIN = 16,      /* characters: less is a word */
    SURE_BYTES = 4         /* of a signature: a text may well begin with a shorter one */
};

static const char convert[] = "convert it to JPEG or PNG first";
static const char render[] = "render it as a PNG first";
static const char unpack[] = "unpack it first";
static const char frame[] = "send one of its frames as a JPEG";
static const char decode[] = "decode it first, to the bytes of the picture";
static const char send[] = "send the bytes of the picture itself";

/* `length` bytes at `offset`; the first that fits. */
struct signature {
    const char *name;
    size_t offset;
    size_t length;
    const char *magic;
    const char *advice;
};

static const struct signature signatures[] = {
    {"GIF", 0, 4, "GIF8", convert},
    {"TIFF", 0, 4, "II*\0", convert},
    {"TIFF", 0, 4, "MM\0*", convert},
    {"BigTIFF", 0, 4, "II+\0", convert},
    {"BigTIFF", 0, 4, "MM\0+", convert},
    {"AVIF", 4, 8, "ftypavif", convert},
    {"AVIF", 4, 8, "ftypavis", convert},
    {"HEIC", 4, 7, "ftyphei", convert},
    {"HEIC", 4, 7, "ftyphev", convert},
    {"HEIC or AVIF", 4, 8, "ftypmif1", convert},
    {"HEIC or AVIF", 4, 8, "ftypmsf1", convert},
    {"a raw photograph (CR3)", 4, 8, "ftypcrx ", convert},
    {"JPEG XL", 0, 2, "\xff\x0a", convert},
    {"JPEG XL", 4, 4, "JXL ", convert},
    {"JPEG 2000", 0, 4, "\xff\x4f\xff\x51", convert},
    {"JPEG 2000", 4, 4, "jP  ", convert},
    {"a video (MP4, QuickTime)", 4, 4, "ftyp", frame},
    {"a video (QuickTime)", 4, 4, "moov", frame},
    {"a video (Matroska, WebM)", 0, 4, "\x1a\x45\xdf\xa3", frame},
    {"a video (AVI)", 8, 4, "AVI ", frame},
    {"a sound (WAV)", 8, 4, "WAVE", send},
    {"a damaged WebP: its line ends or zeros have been changed on the way", 0, 4, "RIFF", send},
    {"MNG", 0, 4, "\x8aMNG", convert},
    {"Photoshop", 0, 4, "8BPS", convert},
    {"an icon (ICO)", 0, 4, "\0\0\1\0", convert},
    {"QOI", 0, 4, "qoif", convert},
    {"BMP", 0, 2, "BM", convert},
    {"gzip data", 0, 2, "\x1f\x8b", unpack},
    {"zlib data (deflate)", 0, 2, "\x78\x01", unpack},
    {"zlib data (deflate)", 0, 2, "\x78\x5e", unpack},
    {"zlib data (deflate)", 0, 2, "\x78\x9c", unpack},
    {"zlib data (deflate)", 0, 2, "\x78\xda", unpack},
    {"Zstandard data", 0, 4, "\x28\xb5\x2f\xfd", unpack},
    {"bzip2 data", 0, 3, "BZh", unpack},
    {"xz data", 0, 6, "\xfd\x37zXZ\0", unpack},
    {"a ZIP archive", 0, 4, "PK\3\4", unpack},
    {"a ZIP archive", 0, 4, "PK\5\6", unpack},
    {"a 7-Zip archive", 0, 6, "7z\xbc\xaf\x27\x1c", unpack},
    {"a RAR archive", 0, 4, "Rar!", unpack},
    {"a tar archive", 257, 5, "ustar", unpack},
    {"a NumPy array", 0, 6, "\x93NUMPY", "send the picture as JPEG or PNG"},
    {"text in UTF-16", 0, 2, "\xff\xfe", send},
    {"text in UTF-16", 0, 2, "\xfe\xff", send},
};

/* What an encoded text may hold that we would have read. */
static const struct signature readable[] = {
    {"JPEG", 0, 2, "\xff\xd8", NULL},
    {"PNG", 0, 4, "\x89PNG", NULL},
    {"WebP", 8, 4, "WEBP", NULL},
};

/* How texts begin, whatever the case of their letters. */
static const struct signature beginnings[] = {
    {"PDF", 0, 5, "%PDF-", render},
    {"PostScript", 0, 4, "%!PS", render},
    {"a data: URL", 0, 5, "data:", "decode the base64 behind its comma first"},
    {"a web address", 0, 7, "http://", send},
    {"a web address", 0, 8, "https://", send},
};

static const struct signature *find(const struct signature *table, size_t n, const uint8_t *bytes,
                                    size_t size)
{
    for (size_t i = 0; i < n; i++)
        if (size >= table[i].offset + table[i].length &&
            memcmp(bytes + table[i].offset, table[i].magic, table[i].length) == 0)
            return &table[i];
    return NULL;
}

#define FIND(table, bytes, size) find(table, sizeof(table) / sizeof *(table), bytes, size)

static bool is(struct vgg_stranger *stranger, const char *name, const char *advice)
{
    *stranger = (struct vgg_stranger){.name = name, .advice = advice};
    return true;
}

static bool is_row(struct vgg_stranger *stranger, const struct signature *row)
{
    return row != NULL && is(stranger, row->name, row->advice);
}

/* ---------------------------------------------------------------- texts ---------------------- */

/* The beginning of the bytes, behind a byte order mark and blanks. */
struct sample {
    const char *at;
    size_t size;
};

static struct sample sample_of(const uint8_t *bytes, size_t size)
{
    struct sample text = {(const char *)bytes, size < TEXT_LOOKED_AT ? size : TEXT_LOOKED_AT};

    if (text.size >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0) {
        text.at += 3;
        text.size -= 3;
    }
    while (text.size > 0 && isspace((unsigned char)*text.at)) {
        text.at++;
        text.size--;
    }
    return text;
}

static bool begins(struct sample text, const char *word)
{
    size_t length = strlen(word);

    return text.size >= length && strncasecmp(text.at, word, length) == 0;
}

static bool holds(struct sample text, const char *word)
{
    for (; text.size > 0; text.at++, text.size--)
        if (begins(text, word))
            return true;
    return false;
}

static bool is_printable(struct sample text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.at[i];

        if ((c < ' ' && !isspace(c)) || c == 0x7F)
            return false;
    }
    return text.size > 0 && (unsigned char)text.at[0] < 0x80;
}

/* By the first element that tells: an SVG may hold a <title>, a page an <svg>. */
static bool find_markup(struct sample text, struct vgg_stranger *stranger)
{
    static const char *const html[] = {"<!doctype html", "<html", "<head", "<body"};
    bool is_xml = begins(text, "<?xml");

    if (!begins(text, "<"))
        return false;
    for (; text.size > 0; text.at++, text.size--) {
        if (begins(text, "<svg") || begins(text, "<!doctype svg"))
            return is(stranger, "SVG", render);
        for (size_t i = 0; i < sizeof html / sizeof *html; i++)
            if (begins(text, html[i]))
                return is(stranger, "HTML", send);
    }
    return is_xml && is(stranger, "XML", send);
}

/* Is all of it base64, in lines or not? Then the first bytes it stands for. */
static bool decode_base64(struct sample text, uint8_t bytes[SAMPLE_BYTES], size_t *n)
{
    size_t characters = 0;
    uint32_t bits = 0;

    *n = 0;
    for (size_t i = 0; i < text.size; i++) {
        int six = base64_digit(text.at[i]);

        if (six < 0 && text.at[i] != '=' && text.at[i] != '\n' && text.at[i] != '\r')
            return false;
        if (six < 0)
            continue;
        bits = bits << 6 | (uint32_t)six;
        if (characters++ % 4 != 0 && *n < SAMPLE_BYTES) {
            bytes[*n] = (uint8_t)(bits >> (6 - 2 * ((characters - 1) % 4)));
            ++*n;
        }
    }
    return characters >= ENCODED_MIN;
}

static bool decode_hex(struct sample text, uint8_t bytes[SAMPLE_BYTES], size_t *n)
{
    for (*n = 0; *n < SAMPLE_BYTES && 2 * *n + 1 < text.size; ++*n) {
        int high = hex_digit(text.at[2 * *n]), low = hex_digit(text.at[2 * *n + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[*n] = (uint8_t)(high << 4 | low);
    }
    return 2 * *n >= ENCODED_MIN;
}

/* Name what a text encodes, where its first bytes tell. */
static bool name_encoded(struct vgg_stranger *stranger, const uint8_t *bytes, size_t n)
{
    const struct signature *row = FIND(readable, bytes, n);

    if (row == NULL)
        row = FIND(signatures, bytes, n);
    if (row != NULL)
        snprintf(stranger->of, sizeof stranger->of, " (%.40s)", row->name);
    return row != NULL;
}

static bool find_encoded(struct sample text, struct vgg_stranger *stranger)
{
    uint8_t bytes[SAMPLE_BYTES];
    size_t n;

    (void)is(stranger, "hexadecimal text", decode);
    if (decode_hex(text, bytes, &n) && name_encoded(stranger, bytes, n))
        return true;
    if (!decode_base64(text, bytes, &n))
        return false;
    (void)is(stranger, "base64 text", decode);
    (void)name_encoded(stranger, bytes, n);
    return true;
}

static bool find_text(struct sample text, struct vgg_stranger *stranger)
{
    if (!is_printable(text))
        return false;
    if (find_encoded(text, stranger))
        return true;
    if (strchr("{[\"", *text.at) != NULL)
        return is(stranger, "JSON", send);
    return is(stranger, "plain text", send);
}

bool vgg_stranger_find(const uint8_t *bytes, size_t size, struct vgg_stranger *stranger)
{
    struct sample text = sample_of(bytes, size);
    const struct signature *row;

    if (text.size == 0)
        return is(stranger, "blanks", send);
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (begins(text, beginnings[i].magic))
            return is_row(stranger, &beginnings[i]);
    if (find_markup(text, stranger))
        return true;
    if (begins(text, "--") && holds(text, "\ncontent-disposition:"))
        return is(stranger, "a multipart form",
                  "send its header Content-Type: multipart/form-data with it");
    row = FIND(signatures, bytes, size);
    if (row != NULL && row->length >= SURE_BYTES)
        return is_row(stranger, row);
    return find_text(text, stranger) || is_row(stranger, row);
}
