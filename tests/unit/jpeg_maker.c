/* JPEGs for tests: see jpeg_maker.h. */
#include "jpeg_maker.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum {
    SAMPLES_MAX = 4,
    SOI_BYTES = 2,
    EOI_BYTES = 2,
    SOS = 0xda,
    EOI = 0xd9,
    /* Within a frame header, from its 0xff on: marker 2, length 2, then these. */
    SOF_PRECISION = 4,
    SOF_HEIGHT = 5,
    SOF_WIDTH = 7,
    SOF_BYTES = 9
};

struct maker {
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    jmp_buf escape;
    unsigned char *bytes; /* libjpeg's, by malloc */
    unsigned long size;
    uint8_t *row;
};

static unsigned samples_of(enum jpeg_color color)
{
    if (color == JPEG_GREY)
        return 1;
    return color == JPEG_CMYK || color == JPEG_YCCK ? 4 : 3;
}

/* Slopes and a slow checkerboard: smooth enough for JPEG, and no symmetry maps it to itself. */
uint8_t jpeg_sample(const struct jpeg_spec *spec, uint32_t x, uint32_t y, unsigned c)
{
    uint32_t slope_x = x * 160 / spec->width;
    uint32_t slope_y = y * 160 / spec->height;
    uint32_t square = (x / 16 + y / 16) % 2 * 60;

    if (spec->flat)
        return 128;
    switch (c) {
    case 0:
        return (uint8_t)(20 + slope_x + square);
    case 1:
        return (uint8_t)(200 - slope_y);
    case 2:
        return (uint8_t)(30 + (slope_x + slope_y) / 2 + square);
    default:
        return (uint8_t)(255 - slope_y / 2 - slope_x / 4);
    }
}

static void put(uint8_t *at, unsigned length, bool big_endian, uint32_t value)
{
    for (unsigned i = 0; i < length; i++)
        at[big_endian ? length - 1 - i : i] = (uint8_t)(value >> 8 * i);
}

void jpeg_exif(unsigned orientation, bool big_endian, uint8_t payload[JPEG_EXIF_BYTES])
{
    uint8_t *tiff = payload + 6;

    memset(payload, 0, JPEG_EXIF_BYTES);
    memcpy(payload, "Exif", 4);
    memcpy(tiff, big_endian ? "MM" : "II", 2);
    put(tiff + 2, 2, big_endian, 42);
    put(tiff + 4, 4, big_endian, 8);       /* IFD0 follows the header */
    put(tiff + 8, 2, big_endian, 1);       /* entries */
    put(tiff + 10, 2, big_endian, 0x0112); /* orientation */
    put(tiff + 12, 2, big_endian, 3);      /* SHORT */
    put(tiff + 14, 4, big_endian, 1);      /* one of them */
    put(tiff + 18, 2, big_endian, orientation);
}

static void on_error(j_common_ptr cinfo)
{
    struct maker *maker = cinfo->client_data;

    cinfo->err->output_message(cinfo);
    longjmp(maker->escape, 1);
}

static void set_colors(struct jpeg_compress_struct *cinfo, const struct jpeg_spec *spec)
{
    static const J_COLOR_SPACE given[] = {
        [JPEG_YCBCR] = JCS_RGB, [JPEG_RGB] = JCS_RGB,   [JPEG_GREY] = JCS_GRAYSCALE,
        [JPEG_CMYK] = JCS_CMYK, [JPEG_YCCK] = JCS_CMYK,
    };
    static const J_COLOR_SPACE stored[] = {
        [JPEG_YCBCR] = JCS_YCbCr, [JPEG_RGB] = JCS_RGB,   [JPEG_GREY] = JCS_GRAYSCALE,
        [JPEG_CMYK] = JCS_CMYK,   [JPEG_YCCK] = JCS_YCCK,
    };

    cinfo->in_color_space = given[spec->color];
    cinfo->input_components = (int)samples_of(spec->color);
    jpeg_set_defaults(cinfo);
    jpeg_set_colorspace(cinfo, stored[spec->color]);
    for (int c = 0; c < cinfo->num_components; c++)
        cinfo->comp_info[c].h_samp_factor = cinfo->comp_info[c].v_samp_factor = 1;
    cinfo->comp_info[0].h_samp_factor = spec->luma_h != 0 ? spec->luma_h : 1;
    cinfo->comp_info[0].v_samp_factor = spec->luma_v != 0 ? spec->luma_v : 1;
    if (spec->color == JPEG_YCCK) { /* K is as fine as Y */
        cinfo->comp_info[3].h_samp_factor = cinfo->comp_info[0].h_samp_factor;
        cinfo->comp_info[3].v_samp_factor = cinfo->comp_info[0].v_samp_factor;
    }
}

static void write_rows(struct maker *maker, const struct jpeg_spec *spec)
{
    unsigned samples = samples_of(spec->color);

    for (uint32_t y = 0; y < spec->height; y++) {
        for (uint32_t x = 0; x < spec->width; x++)
            for (unsigned c = 0; c < samples; c++)
                maker->row[(size_t)x * samples + c] = jpeg_sample(spec, x, y, c);
        (void)jpeg_write_scanlines(&maker->cinfo, &maker->row, 1);
    }
}

/* `script`: of `script_n` scans, or NULL. */
static void encode(struct maker *maker, const struct jpeg_spec *spec, const jpeg_scan_info *script,
                   int script_n)
{
    struct jpeg_compress_struct *cinfo = &maker->cinfo;

    jpeg_create_compress(cinfo);
    jpeg_mem_dest(cinfo, &maker->bytes, &maker->size);
    cinfo->image_width = spec->width;
    cinfo->image_height = spec->height;
    set_colors(cinfo, spec);
    jpeg_set_quality(cinfo, spec->quality != 0 ? spec->quality : 95, TRUE);
    cinfo->restart_interval = spec->restart_interval;
    cinfo->arith_code = spec->arithmetic;
    if (spec->progressive)
        jpeg_simple_progression(cinfo);
    if (script != NULL) {
        cinfo->scan_info = script;
        cinfo->num_scans = script_n;
    }
    jpeg_start_compress(cinfo, TRUE);
    if (spec->orientation != 0) {
        uint8_t payload[JPEG_EXIF_BYTES];

        jpeg_exif(spec->orientation, spec->big_endian, payload);
        jpeg_write_marker(cinfo, JPEG_APP0 + 1, payload, sizeof payload);
    }
    write_rows(maker, spec);
    jpeg_finish_compress(cinfo);
}

/* The one place that catches libjpeg's errors. */
static bool run(struct maker *maker, const struct jpeg_spec *spec, const jpeg_scan_info *script,
                int script_n)
{
    if (setjmp(maker->escape) != 0)
        return false;
    encode(maker, spec, script, script_n);
    return true;
}

static bool make(const struct jpeg_spec *spec, const jpeg_scan_info *script, int script_n,
                 uint8_t **bytes, size_t *size)
{
    struct maker *maker = calloc(1, sizeof *maker);
    bool made;

    if (maker == NULL)
        return false;
    maker->row = malloc((size_t)spec->width * SAMPLES_MAX + 1);
    maker->cinfo.err = jpeg_std_error(&maker->errors);
    maker->cinfo.client_data = maker;
    maker->errors.error_exit = on_error;
    made = maker->row != NULL && run(maker, spec, script, script_n);
    if (made) {
        *bytes = maker->bytes;
        *size = maker->size;
        maker->bytes = NULL;
    }
    jpeg_destroy_compress(&maker->cinfo);
    free(maker->bytes);
    free(maker->row);
    free(maker);
    return made;
}

bool jpeg_make(const struct jpeg_spec *spec, uint8_t **bytes, size_t *size)
{
    return make(spec, NULL, 0, bytes, size);
}

/* Of `seed`, all from the `nth` SOS on to the end, `times` over. */
static bool repeat_scans(const uint8_t *seed, size_t seed_size, unsigned nth, unsigned times,
                         uint8_t **bytes, size_t *size)
{
    size_t head = 0, round;

    for (size_t i = 0; i + 1 < seed_size && nth > 0; i++)
        if (seed[i] == 0xff && seed[i + 1] == SOS && --nth == 0)
            head = i;
    round = seed_size - EOI_BYTES - head;
    *size = head + round * times + EOI_BYTES;
    *bytes = malloc(*size);
    if (head == 0 || *bytes == NULL)
        return false;
    memcpy(*bytes, seed, head);
    for (unsigned i = 0; i < times; i++)
        memcpy(*bytes + head + i * round, seed + head, round);
    memcpy(*bytes + *size - EOI_BYTES, seed + seed_size - EOI_BYTES, EOI_BYTES);
    return true;
}

bool jpeg_make_bomb(uint32_t width, uint32_t height, unsigned scans, bool arithmetic,
                    uint8_t **bytes, size_t *size)
{
    /* All AC coefficients at once and whole: the one scan that may come again and again. */
    static const jpeg_scan_info script[] = {
        {.comps_in_scan = 1, .Ss = 0, .Se = 0},
        {.comps_in_scan = 1, .Ss = 1, .Se = 63},
    };
    struct jpeg_spec spec = {.width = width,
                             .height = height,
                             .color = JPEG_GREY,
                             .arithmetic = arithmetic,
                             .flat = true};
    uint8_t *seed;
    size_t seed_size;
    bool made = scans >= 2 && make(&spec, script, 2, &seed, &seed_size);

    if (!made)
        return false;
    made = repeat_scans(seed, seed_size, 2, scans - 1, bytes, size);
    free(seed);
    return made;
}

bool jpeg_make_refinements(uint32_t width, uint32_t height, unsigned scans, uint8_t **bytes,
                           size_t *size)
{
    enum { ROUND = 10 };
    jpeg_scan_info script[1 + ROUND] = {{.comps_in_scan = 1}};
    struct jpeg_spec spec = {.width = width, .height = height, .color = JPEG_GREY, .flat = true};
    uint8_t *seed;
    size_t seed_size;
    bool made;

    for (int i = 0; i < ROUND; i++)
        script[1 + i] = (jpeg_scan_info){.comps_in_scan = 1,
                                         .Ss = 1,
                                         .Se = 63,
                                         .Ah = i == 0 ? 0 : ROUND - i,
                                         .Al = ROUND - 1 - i};
    made = scans > ROUND && make(&spec, script, 1 + ROUND, &seed, &seed_size);
    if (!made)
        return false;
    made = repeat_scans(seed, seed_size, 2, (scans - 1) / ROUND, bytes, size);
    free(seed);
    return made;
}

size_t jpeg_find_segment(const uint8_t *bytes, size_t size, uint8_t code)
{
    size_t at = SOI_BYTES;

    while (at + 4 <= size && bytes[at] == 0xff) {
        if (bytes[at + 1] == code)
            return at;
        if (bytes[at + 1] == SOS)
            break;
        at += 2 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
    }
    return 0;
}

/* The frame header, whatever its process; 0xc4, 0xc8 and 0xcc are other things. */
static uint8_t *find_frame(uint8_t *bytes, size_t size)
{
    for (unsigned code = 0xc0; code <= 0xcf; code++) {
        size_t at = code == 0xc4 || code == 0xc8 || code == 0xcc
                        ? 0
                        : jpeg_find_segment(bytes, size, (uint8_t)code);

        if (at != 0 && at + SOF_BYTES <= size)
            return bytes + at;
    }
    return NULL;
}

bool jpeg_patch_dimensions(uint8_t *bytes, size_t size, uint16_t width, uint16_t height)
{
    uint8_t *frame = find_frame(bytes, size);

    if (frame == NULL)
        return false;
    put(frame + SOF_HEIGHT, 2, true, height);
    put(frame + SOF_WIDTH, 2, true, width);
    return true;
}

bool jpeg_patch_precision(uint8_t *bytes, size_t size, uint8_t bits)
{
    uint8_t *frame = find_frame(bytes, size);

    if (frame == NULL)
        return false;
    frame[SOF_PRECISION] = bits;
    return true;
}

bool jpeg_patch_process(uint8_t *bytes, size_t size, uint8_t sof_code)
{
    uint8_t *frame = find_frame(bytes, size);

    if (frame == NULL)
        return false;
    frame[1] = sof_code;
    return true;
}

uint8_t *jpeg_insert(const uint8_t *bytes, size_t size, size_t offset, const void *piece,
                     size_t length)
{
    uint8_t *copy = malloc(size + length);

    if (copy == NULL)
        return NULL;
    memcpy(copy, bytes, offset);
    memcpy(copy + offset, piece, length);
    memcpy(copy + offset + length, bytes + offset, size - offset);
    return copy;
}
