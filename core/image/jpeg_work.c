/* The cost of a JPEG: its scans, found by their markers. */
#include "image/jpeg_work.h"

#include <string.h>

/*
 * Measured, in tenths of a nanosecond of one machine; only their ratios matter. Each may be less by
 * half for a picture of one colour, and more by half for noise.
 */
enum {
    WORK = 27, /* of the unit: a pixel of a photograph, baseline, 4:2:0, 0.15 bytes */

    PIXEL = 10,  /* to RGB, its memory */
    BLOCK = 350, /* once: IDCT, upsampling, and a block of a baseline scan */
    /* Once, where there are several scans: its coefficients in fresh memory, smoothed at the end.
     */
    STORED = 1300,

    /* Of each scan. */
    SEQUENTIAL_BLOCK = 500,
    DC_BLOCK = 110,
    AC_BLOCK = 100,
    REFINED_COEFFICIENT = 8,

    BYTE = 80,
    PROGRESSIVE_BYTE = 280,
    ARITHMETIC_BYTE = 1100,

    /*
     * A Huffman decoder that runs out of bytes says so. An arithmetic one goes on with zeros, as it
     * has to: each coefficient may cost as much for no bytes at all.
     */
    ARITHMETIC_COEFFICIENT = 600,
    ARITHMETIC_REFINED = 100
};

enum { COEFFICIENTS = 64, RST0 = 0xd0, RST7 = 0xd7, EOI = 0xd9, SOS = 0xda, TEM = 0x01 };

/* A scan header, as it stands in the file. */
struct scan {
    const uint8_t *ids; /* of its components, each in two bytes */
    unsigned n;
    unsigned first, last; /* coefficients */
    bool refines;
};

/* False where there is no such header at `at`; libjpeg says why. */
static bool read_scan(const uint8_t *bytes, size_t size, struct scan *scan)
{
    const uint8_t *tail;

    if (size < 3 || bytes[2] < 1 || bytes[2] > VGG_JPEG_COMPONENTS_MAX ||
        size < 3 + 2 * (size_t)bytes[2] + 3)
        return false;
    scan->n = bytes[2];
    scan->ids = bytes + 3;
    tail = scan->ids + 2 * (size_t)scan->n;
    scan->first = tail[0];
    scan->last = tail[1];
    scan->refines = tail[2] >> 4 != 0;
    return true;
}

static uint64_t block_cost(const struct vgg_jpeg_frame *frame, const struct scan *scan)
{
    bool is_part = frame->progressive && scan->first <= scan->last && scan->last < COEFFICIENTS;
    unsigned coefficients = is_part ? scan->last - scan->first + 1 : COEFFICIENTS;

    if (frame->arithmetic)
        return coefficients * (scan->refines ? ARITHMETIC_REFINED : ARITHMETIC_COEFFICIENT);
    if (!frame->progressive)
        return SEQUENTIAL_BLOCK;
    if (scan->first == 0)
        return DC_BLOCK;
    return AC_BLOCK + (scan->refines ? coefficients * REFINED_COEFFICIENT : 0);
}

static uint64_t scan_cost(const struct vgg_jpeg_frame *frame, const struct scan *scan)
{
    uint64_t cost = 0;

    for (unsigned i = 0; i < scan->n; i++)
        for (unsigned c = 0; c < frame->components_n; c++)
            if (frame->components[c].id == scan->ids[2 * i])
                cost += frame->components[c].blocks * block_cost(frame, scan);
    return cost;
}

/* Is it a marker behind 0xff, neither a stuffed zero nor one between entropy-coded segments? */
static bool ends_data(uint8_t code)
{
    return code > TEM && (code < RST0 || code > RST7);
}

/* Behind the next such marker; `size` without one. */
static size_t find_marker(const uint8_t *bytes, size_t size, size_t at)
{
    for (; at < size; at++) {
        const uint8_t *found = bytes[at] == 0xff ? bytes + at : memchr(bytes + at, 0xff, size - at);

        if (found == NULL)
            return size;
        for (at = (size_t)(found - bytes); at < size && bytes[at] == 0xff; at++)
            ;
        if (at < size && ends_data(bytes[at]))
            return at + 1;
    }
    return size;
}

/* Behind the marker of the next scan; `size` where there is none. Segments between are skipped. */
static size_t next_scan(const uint8_t *bytes, size_t size, size_t at, size_t *end)
{
    for (;;) {
        at = find_marker(bytes, size, at);
        *end = at;
        if (at >= size || bytes[at - 1] == EOI)
            return size;
        if (bytes[at - 1] == SOS)
            return at;
        if (size - at >= 2)
            at += (size_t)bytes[at] << 8 | bytes[at + 1];
    }
}

/* What is done once, whatever the scans are. */
static uint64_t frame_cost(const struct vgg_jpeg_frame *frame, bool stored)
{
    uint64_t cost = frame->pixels * PIXEL, block = stored ? BLOCK + STORED : BLOCK;

    for (unsigned c = 0; c < frame->components_n; c++)
        cost += frame->components[c].blocks * block;
    return cost;
}

void vgg_jpeg_predict(const struct vgg_jpeg_frame *frame, const uint8_t *bytes, size_t size,
                      unsigned scans_max, uint64_t work_max, struct vgg_jpeg_work *work)
{
    unsigned byte = frame->arithmetic    ? ARITHMETIC_BYTE
                    : frame->progressive ? PROGRESSIVE_BYTE
                                         : BYTE;
    bool stored = frame->progressive || bytes[2] < frame->components_n;
    uint64_t cost = frame_cost(frame, stored);
    size_t end = 0;
    struct scan scan;

    *work = (struct vgg_jpeg_work){0};
    for (size_t at = 0; at < size && work->scans <= scans_max && cost / WORK <= work_max;) {
        if (!read_scan(bytes + at, size - at, &scan))
            break;
        work->scans++;
        if (stored || frame->arithmetic)
            cost += scan_cost(frame, &scan);
        at = next_scan(bytes, size, at, &end);
    }
    work->blocks = cost / WORK;
    work->bytes = (uint64_t)end * byte / WORK;
}
