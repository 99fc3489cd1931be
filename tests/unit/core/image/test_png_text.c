/* A PNG's orientation in eXIf, a raw profile or XMP. tests/pillow has many more kinds. */
#include <zlib.h>

#include "decode.h"
#include "image/png_file.h"
#include "png_maker.h"

#define PROFILE "Raw profile type exif"
#define XMP "XML:com.adobe.xmp"
/* A TIFF structure whose orientation is the digit N. */
#define TIFF(N)                                                                                    \
    "4d4d002a00000008000101120003000000010"                                                        \
    "00" N "0000"                                                                                  \
    "00000000"
#define HEXADECIMAL(N)                                                                             \
    "\nexif\n      38\n45786966"                                                                   \
    "0000" TIFF(N) "\n"
#define ATTRIBUTE(N) "<x tiff:Orientation=\"" N "\"/>"

enum { HEADER_END = 33, STEPS_MAX = 3 };

/* A chunk, inserted before the pixels or, where it is late, behind them. */
struct step {
    const char *type, *head; /* the head ends with its NULs, as many as are told */
    unsigned nuls;
    const char *text;
    bool zipped, late;
};

static size_t fill(const struct step *step, uint8_t *data, size_t room)
{
    size_t head = strlen(step->head), length = strlen(step->text);
    uLongf packed = room - head - step->nuls - 2;

    memcpy(data, step->head, head);
    memset(data + head, 0, room - head);
    if (step->zipped && strcmp(step->type, "iTXt") == 0)
        data[head + 1] = 1;
    head += step->nuls;
    if (!step->zipped) {
        memcpy(data + head, step->text, length);
        return head + length;
    }
    assert_int_equal(compress(data + head, &packed, (const uint8_t *)step->text, length), Z_OK);
    return head + packed;
}

static struct file with_chunk(struct file file, const char *type, const void *data, size_t size,
                              bool late, size_t count)
{
    size_t at = late ? png_find_chunk(file.bytes, file.size, "IEND", 0)
                     : png_find_chunk(file.bytes, file.size, "IDAT", 0);
    uint8_t *longer =
        png_insert_chunk(file.bytes, &file.size, at, type, data, (uint32_t)size, count);

    assert_non_null(longer);
    free(file.bytes);
    file.bytes = longer;
    return file;
}

static struct file make(const struct step steps[STEPS_MAX])
{
    const struct png_spec spec = {.width = 7, .height = 5, .colour = PNG_COLOUR};
    struct file file;

    assert_true(png_make(&spec, &file.bytes, &file.size));
    for (size_t i = 0; i < STEPS_MAX && steps[i].type != NULL; i++) {
        uint8_t data[1 << 10];
        size_t size = fill(&steps[i], data, sizeof data);

        file = with_chunk(file, steps[i].type, data, size, steps[i].late, 1);
    }
    return file;
}

static unsigned orientation_of(const struct file *file)
{
    const struct vgg_image_limits limits = {.pixels_max = 1 << 20};
    struct vgg_png_file png = {.bytes = file->bytes, .size = file->size, .limits = &limits};

    assert_int_equal(vgg_png_open(&png), VGG_OK);
    return png.orientation;
}

static unsigned ask(const struct step steps[STEPS_MAX])
{
    struct file file = make(steps);
    unsigned orientation = orientation_of(&file);
    struct vgg_image *image = must_decode(&file);

    assert_int_equal(image->info.width, orientation < 5 ? 7 : 5);
    vgg_image_destroy(image);
    free(file.bytes);
    return orientation;
}

/* One text, as each of the chunks that may hold it, before and behind the pixels. */
static void expect_text(const char *key, const char *text, unsigned orientation)
{
    for (unsigned late = 0; late <= 1; late++) {
        const struct step kinds[] = {{"tEXt", key, 1, text, false, late},
                                     {"zTXt", key, 2, text, true, late},
                                     {"iTXt", key, 5, text, false, late},
                                     {"iTXt", key, 5, text, true, late}};

        for (size_t i = 0; i < COUNT_OF(kinds); i++)
            if (ask((struct step[STEPS_MAX]){kinds[i]}) != orientation)
                fail_msg("%s %s: not %u", kinds[i].type, text, orientation);
    }
}

static void profiles(void **state)
{
    (void)state;
    expect_text(PROFILE, HEXADECIMAL("6"), 6);
    expect_text(PROFILE, HEXADECIMAL("8"), 8);
    expect_text(PROFILE, HEXADECIMAL("9"), 1);
    expect_text(PROFILE, "\nexif\n 1\n" TIFF("6"), 6); /* no prefix, a length that is wrong */
    expect_text(PROFILE, "\n\n\n4d4d00\n2a0000000\n8000101 12 00 03\t0000000100060000 00000000", 6);
    expect_text(PROFILE, "\n\n\n4 d4d002a00000008000101120003000000010006000000000000", 1);
    expect_text(PROFILE, "\n\n\n" TIFF("6") "0", 1); /* half a byte too much */
    expect_text(PROFILE, "\n\n\n" TIFF("6") "x", 1);
    expect_text(PROFILE, "\n\n" TIFF("6"), 1);
    expect_text(PROFILE, "", 1);
    expect_text("raw profile type exif", HEXADECIMAL("6"), 1);
    expect_text(PROFILE " ", HEXADECIMAL("6"), 1);
}

static void xmp(void **state)
{
    (void)state;
    expect_text(XMP, ATTRIBUTE("6"), 6);
    expect_text(XMP, "<tiff:Orientation>3</tiff:Orientation>", 3);
    expect_text(XMP, ATTRIBUTE("0"), 1);
    expect_text(XMP, ATTRIBUTE("9"), 1);
    expect_text(XMP, ATTRIBUTE("81"), 8); /* one digit counts */
    expect_text(XMP, ATTRIBUTE("x") ATTRIBUTE("4"), 4);
    expect_text(XMP, ATTRIBUTE("5") ATTRIBUTE("4"), 5);
    expect_text(XMP, "tiff:Orientation='6'", 1);
    expect_text(XMP, "exif:Orientation=\"6\"", 1);
    expect_text(XMP, "tiff:Orientation=\"", 1);
    expect_text(XMP, "tiff:Orientation>", 1);
    expect_text(XMP, "tiff:Orientation", 1);
    expect_text(XMP, "", 1);
}

static void precedence(void **state)
{
    static const struct step exif = {"eXIf", "MM", 1, "*", false, false}; /* cut: says nothing */
    static const struct step profile = {"tEXt", PROFILE, 1, HEXADECIMAL("6"), false, false};
    static const struct step other = {"iTXt", PROFILE, 5, HEXADECIMAL("3"), true, false};
    static const struct step vague = {"zTXt", PROFILE, 2, "\n\n\n", true, false};
    static const struct step attribute = {"iTXt", XMP, 5, ATTRIBUTE("8"), false, false};
    static const struct step late = {"tEXt", PROFILE, 1, HEXADECIMAL("5"), false, true};

    (void)state;
    assert_int_equal(ask((struct step[STEPS_MAX]){attribute, profile}), 6);
    assert_int_equal(ask((struct step[STEPS_MAX]){profile, other}), 3); /* the last one */
    assert_int_equal(ask((struct step[STEPS_MAX]){other, profile}), 6);
    assert_int_equal(ask((struct step[STEPS_MAX]){late, other}), 5); /* it stands behind */
    assert_int_equal(ask((struct step[STEPS_MAX]){vague, attribute}), 8);
    assert_int_equal(ask((struct step[STEPS_MAX]){profile, vague, attribute}), 8);
    assert_int_equal(ask((struct step[STEPS_MAX]){exif, profile, attribute}), 8);
    /* EXIF before the pixels: nothing behind them is looked at. */
    assert_int_equal(ask((struct step[STEPS_MAX]){exif, late}), 1);
}

/* A broken iTXt is none, a broken zTXt an empty one. */
static void broken_texts(void **state)
{
    static const struct step good = {"tEXt", XMP, 1, ATTRIBUTE("6"), false, false};
    static const struct step zipped = {"zTXt", XMP, 2, "no stream", false, false};
    static const struct step international = {"iTXt", XMP, 5, "\xed\xa0\x80", false, false};
    static const struct step overlong = {"iTXt", XMP, 5, ATTRIBUTE("3") "\xc0\x80", true, false};
    static const struct step short_one = {"iTXt", XMP, 2, "", false, false};
    static const struct step method = {"zTXt", XMP, 1, "\1", false, false};

    (void)state;
    assert_int_equal(ask((struct step[STEPS_MAX]){good, zipped}), 1);
    assert_int_equal(ask((struct step[STEPS_MAX]){good, international}), 6);
    assert_int_equal(ask((struct step[STEPS_MAX]){good, overlong}), 6);
    assert_int_equal(ask((struct step[STEPS_MAX]){good, short_one}), 6);
    assert_int_equal(ask((struct step[STEPS_MAX]){good, method}), 6);
}

/* A MiB of one text is inflated, and as much in all: what follows it is passed over. */
static void bounds(void **state)
{
    enum { TEXT_MAX = 1 << 20, KEY_BYTES = sizeof XMP + 1 };
    static uint8_t text[TEXT_MAX + 1], blank[TEXT_MAX], packed[1 << 14], blanks[1 << 14];
    uLongf blanks_length = sizeof blanks - KEY_BYTES;
    const struct step none[STEPS_MAX] = {{0}};

    (void)state;
    memset(text, ' ', sizeof text);
    memcpy(text, ATTRIBUTE("6"), strlen(ATTRIBUTE("6")));
    memset(blank, ' ', sizeof blank);
    memcpy(packed, XMP, sizeof XMP);
    memcpy(blanks, XMP, sizeof XMP);
    assert_int_equal(compress(blanks + KEY_BYTES, &blanks_length, blank, sizeof blank), Z_OK);
    for (size_t size = TEXT_MAX; size <= TEXT_MAX + 1; size++)
        for (size_t before = 0; before <= 2; before++) {
            struct file file = make(none);
            uLongf length = sizeof packed - KEY_BYTES;

            file = with_chunk(file, "zTXt", blanks, KEY_BYTES + blanks_length, false, before);
            assert_int_equal(compress(packed + KEY_BYTES, &length, text, size), Z_OK);
            file = with_chunk(file, "zTXt", packed, KEY_BYTES + length, false, 1);
            assert_int_equal(orientation_of(&file), size == TEXT_MAX && before == 0 ? 6 : 1);
            free(file.bytes);
        }
}

static void survives_every_failed_allocation(void **state)
{
    static const struct step steps[STEPS_MAX] = {
        {"zTXt", PROFILE, 2, HEXADECIMAL("6"), true, false},
        {"iTXt", XMP, 5, ATTRIBUTE("3"), true, false},
    };
    struct file file;

    (void)state;
    skip_without_faults();
    file = make(steps);
    fail_each_allocation(&file, 16);
    free(file.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles),   cmocka_unit_test(xmp),
        cmocka_unit_test(precedence), cmocka_unit_test(broken_texts),
        cmocka_unit_test(bounds),     cmocka_unit_test(survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
