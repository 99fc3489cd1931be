/* PNGs made to cost much: what their pixels do not need costs nothing, and a poll ends the rest. */
#include <time.h>

#include <zlib.h>

#include "decode.h"
#include "png_maker.h"

enum { MIB = 1 << 20, HEADER_END = 33, ADAM7 = 1 };

/* ---- files ---- */

/* Room for so many bytes: a power of two, so that many small chunks are not copied each time. */
static size_t room_of(size_t size)
{
    size_t room = 1;

    while (room <= size)
        room *= 2;
    return room;
}

static void append(struct file *file, const void *bytes, size_t size)
{
    if (file->bytes == NULL || room_of(file->size + size) != room_of(file->size))
        file->bytes = realloc(file->bytes, room_of(file->size + size));
    assert_non_null(file->bytes);
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
}

static void append_chunk(struct file *file, const char *type, const void *data, size_t size)
{
    const uint8_t length[] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                              (uint8_t)size};
    size_t at = file->size;

    append(file, length, 4);
    append(file, type, 4);
    append(file, data, size);
    append(file, "\0\0\0\0", 4);
    png_fix_crc(file->bytes, at);
}

/* Signature and header of a picture of up to 65,535 pixels a side. */
static struct file begin(unsigned width, unsigned height, unsigned depth, unsigned colour,
                         unsigned interlace)
{
    const uint8_t header[] = {0,
                              0,
                              (uint8_t)(width >> 8),
                              (uint8_t)width,
                              0,
                              0,
                              (uint8_t)(height >> 8),
                              (uint8_t)height,
                              (uint8_t)depth,
                              (uint8_t)colour,
                              0,
                              0,
                              (uint8_t)interlace};
    struct file file = {0};

    append(&file, "\x89PNG\r\n\x1a\n", 8);
    append_chunk(&file, "IHDR", header, sizeof header);
    return file;
}

/* A stream in chunks of so many bytes. */
static void append_data(struct file *file, const struct file *stream, size_t each)
{
    for (size_t at = 0; at < stream->size; at += each)
        append_chunk(file, "IDAT", stream->bytes + at,
                     stream->size - at < each ? stream->size - at : each);
}

/* The zeros of so many MiB, which any decoder may stop reading at any MiB. */
static struct file zeros(size_t mebibytes)
{
    static uint8_t zero[MIB];
    uint8_t packed[1 << 13];
    z_stream stream = {
        .next_in = zero, .avail_in = MIB, .next_out = packed, .avail_out = sizeof packed};
    struct file file = {0};

    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FULL_FLUSH), Z_OK);
    append(&file, "\x78\x9c", 2);
    for (size_t i = 0; i < mebibytes; i++)
        append(&file, packed, sizeof packed - stream.avail_out);
    assert_int_equal(deflateEnd(&stream), Z_DATA_ERROR); /* it was not ended */
    return file;
}

/* The stream of `size` zeros, which begins with so many empty blocks. */
static struct file after_blocks(size_t blocks, size_t size)
{
    uint8_t *zero = calloc(size, 1), *packed;
    uLongf packed_size = compressBound(size);
    struct file file = {0};

    packed = malloc(packed_size);
    assert_true(zero != NULL && packed != NULL);
    assert_int_equal(compress(packed, &packed_size, zero, size), Z_OK);
    append(&file, packed, 2);
    for (size_t i = 0; i < blocks; i++)
        append(&file, "\0\0\0\xff\xff", 5);
    append(&file, packed + 2, packed_size - 2);
    free(packed);
    free(zero);
    return file;
}

/* ---- polls ---- */

struct polls {
    unsigned n, end; /* so far; the one that ends the decode, or 0 */
};

static enum vgg_status on_poll(void *user)
{
    struct polls *polls = user;

    return ++polls->n == polls->end ? VGG_DEADLINE : VGG_OK;
}

/* Decodes; the number of polls. Whatever it is, it must take less than 3 s of this thread. */
static unsigned decode(const struct file *file, enum vgg_status status, const char *text)
{
    struct polls polls = {0};
    const struct vgg_image_limits limits = {.poll = on_poll, .user = &polls};
    struct timespec before, after;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    expect(file->bytes, file->size, &limits, status, text);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    assert_true(after.tv_sec - before.tv_sec < 3);
    return polls.n;
}

static uint64_t predict(const struct file *file)
{
    struct vgg_image_info info = {0};

    assert_int_equal(vgg_image_peek(file->bytes, file->size, NULL, &info, NULL), VGG_OK);
    return info.work;
}

/* ---- behind the pixels ---- */

/* One pixel, and 4 GiB that follow it in the same stream. */
static void surplus_is_not_inflated(void **state)
{
    static const size_t chunks[] = {100, 1 << 16, SIZE_MAX / 2};
    struct file stream = zeros(4 << 10);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(chunks); i++)
        for (unsigned interlace = 0; interlace <= ADAM7; interlace++) {
            struct file file = begin(1, 1, 8, 2, interlace);

            append_data(&file, &stream, chunks[i]);
            assert_in_range(decode(&file, VGG_OK, ""), 1, 64);
            assert_true(predict(&file) < 8 * MIB);
            free(file.bytes);
        }
    free(stream.bytes);
}

/* Chunks of pixels that are not needed may hold anything. */
static void surplus_is_not_read(void **state)
{
    struct file stream = zeros(1), file = begin(4, 4, 8, 0, 0);

    (void)state;
    append_data(&file, &stream, stream.size);
    for (unsigned i = 0; i < 9; i++) {
        append_chunk(&file, "IDAT", "no such data", 12);
        file.bytes[file.size - 1] ^= 1;
    }
    decode(&file, VGG_OK, "");
    file.bytes[HEADER_END + 8 + stream.size] ^= 1; /* of the first, which is */
    decode(&file, VGG_BAD_IMAGE, "IDAT: the checksum is wrong");
    free(file.bytes);
    free(stream.bytes);
}

/* ---- before the pixels, and among them ---- */

static void empty_blocks(void **state)
{
    (void)state;
    for (size_t blocks = 1000; blocks <= 3 << 20; blocks *= 16) {
        struct file stream = after_blocks(blocks, 4), file = begin(1, 1, 8, 2, 0);
        bool few = blocks <= 16000;

        append_data(&file, &stream, SIZE_MAX / 2);
        decode(&file, few ? VGG_OK : VGG_BAD_IMAGE, few ? "" : "begin anew too often");
        free(file.bytes);
        free(stream.bytes);
    }
}

/* Rows that are flushed one by one, as some encoders do, are no bomb. */
static void a_block_for_each_row(void **state)
{
    struct file file = begin(100, 8000, 8, 2, 0);
    uint8_t row[301] = {0}, *packed = malloc(4 * MIB);
    z_stream stream = {.next_out = packed, .avail_out = 4 * MIB};
    struct file data = {packed, 0};

    (void)state;
    assert_non_null(packed);
    assert_int_equal(deflateInit(&stream, 6), Z_OK);
    for (unsigned y = 0; y < 8000; y++) {
        stream.next_in = row;
        stream.avail_in = sizeof row;
        assert_int_equal(deflate(&stream, y < 7999 ? Z_SYNC_FLUSH : Z_FINISH),
                         y < 7999 ? Z_OK : Z_STREAM_END);
    }
    data.size = 4 * MIB - stream.avail_out;
    deflateEnd(&stream);
    append_data(&file, &data, 1 << 13);
    decode(&file, VGG_OK, "");
    free(packed);
    free(file.bytes);
}

static void chunks(void **state)
{
    static const char *const types[] = {"tEXt", "IDAT", "prIv"};
    struct file stream = after_blocks(0, 4);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++)
        for (size_t count = 1000; count <= 70000; count += 69000) {
            struct file file = begin(1, 1, 8, 2, 0);

            append_data(&file, &stream, stream.size);
            append_chunk(&file, "IEND", "", 0);
            for (unsigned late = 0; late <= 1; late++) {
                size_t size = file.size, at = late ? file.size - 12 : HEADER_END;
                struct file flooded = {
                    png_insert_chunk(file.bytes, &size, at, types[i], NULL, 0, count), size};
                bool few = count < 65536;

                assert_non_null(flooded.bytes);
                decode(&flooded, few ? VGG_OK : VGG_BAD_IMAGE, few ? "" : "more than 65536 chunks");
                free(flooded.bytes);
            }
            free(file.bytes);
        }
    free(stream.bytes);
}

static void large_chunks(void **state)
{
    struct file stream = after_blocks(0, 4);
    uint8_t *large = calloc(16, MIB);

    (void)state;
    assert_non_null(large);
    for (unsigned late = 0; late <= 1; late++) {
        struct file file = begin(1, 1, 8, 2, 0);

        if (late)
            append_data(&file, &stream, stream.size);
        append_chunk(&file, "prIv", large, 16 * MIB);
        if (!late)
            append_data(&file, &stream, stream.size);
        fault_arm_size(1, 17 * MIB); /* peek and decode of a copy: it is all they need */
        assert_in_range(decode(&file, VGG_OK, ""), 1, 64);
        assert_false(fault_disarm());
        free(file.bytes);
    }
    free(large);
    free(stream.bytes);
}

/* Texts that inflate to 16 GiB in all: those that nobody asks for, and those that are looked at. */
static void texts(void **state)
{
    enum { COUNT = 1000 };
    static const struct {
        const char *type, *head;
        uint32_t head_bytes;
    } bombs[] = {{"zTXt", "x\0", 3},
                 {"iCCP", "x\0", 3},
                 {"iTXt", "x\0\1\0\0", 6},
                 {"zTXt", "XML:com.adobe.xmp\0", 19},
                 {"iTXt", "XML:com.adobe.xmp\0\1\0\0", 22},
                 {"zTXt", "Raw profile type exif\0", 23},
                 {"iTXt", "Raw profile type exif\0\1\0\0", 26}};
    struct file stream = zeros(16), row = after_blocks(0, 4);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bombs); i++) {
        struct file file = begin(1, 1, 8, 2, 0), text = {0}, bomb;
        unsigned long allocations;

        append(&text, bombs[i].head, bombs[i].head_bytes);
        append(&text, stream.bytes, stream.size);
        append_data(&file, &row, row.size);
        bomb.size = file.size;
        bomb.bytes = png_insert_chunk(file.bytes, &bomb.size, HEADER_END, bombs[i].type, text.bytes,
                                      (uint32_t)text.size, COUNT);
        assert_non_null(bomb.bytes);
        allocations = fault_allocations();
        decode(&bomb, VGG_OK, "");
        assert_true(fault_allocations() - allocations < 100);
        free(bomb.bytes);
        free(text.bytes);
        free(file.bytes);
    }
    free(stream.bytes);
    free(row.bytes);
}

/* ---- large pictures in few bytes, which are what their pixels say ---- */

static void polled_all_along(void **state)
{
    static const struct {
        unsigned width, height, depth, colour, interlace, polls_min;
        size_t raw;
    } kinds[] = {{3000, 3000, 8, 2, 0, 400, 3000 * (3000 * 3 + 1)},
                 {3000, 3000, 8, 2, ADAM7, 400, 3001 * (3000 * 3 + 2)},
                 {3000, 3000, 1, 0, ADAM7, 10, 3001 * (3000 / 8 + 3)},
                 {65000, 16, 16, 6, 0, 100, 16 * (65000 * 8 + 1)},
                 {65000, 16, 16, 6, ADAM7, 100, 17 * (65000 * 8 + 1)},
                 {1, 65000, 1, 0, 0, 2, 65000 * 2}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct file file = begin(kinds[i].width, kinds[i].height, kinds[i].depth, kinds[i].colour,
                                 kinds[i].interlace);
        struct file stream = after_blocks(0, kinds[i].raw);

        append_data(&file, &stream, 1 << 13);
        assert_true(decode(&file, VGG_OK, "") >= kinds[i].polls_min);
        assert_true(predict(&file) >= (uint64_t)kinds[i].width * kinds[i].height / 2);
        free(file.bytes);
        free(stream.bytes);
    }
}

static void ended_at_any_poll(void **state)
{
    struct polls polls = {.end = 1};
    const struct vgg_image_limits limits = {.poll = on_poll, .user = &polls};
    struct file file = begin(500, 300, 8, 2, 0), stream = after_blocks(0, 300 * 1501);
    enum vgg_status status = VGG_DEADLINE;
    unsigned ended = 0;

    (void)state;
    append_chunk(&file, "tEXt", "Comment\0nothing", 15);
    append_data(&file, &stream, 1 << 8);
    for (; status != VGG_OK; polls.end++, ended++) {
        struct vgg_image *image = NULL;
        struct vgg_error error = {0};
        long live = fault_outstanding();

        polls.n = 0;
        status = vgg_image_decode(file.bytes, file.size, &limits, &image, &error);
        assert_int_equal(status, error.status);
        assert_true(status == VGG_OK || status == VGG_DEADLINE);
        assert_true((status == VGG_OK) == (image != NULL));
        vgg_image_destroy(image);
        assert_int_equal(fault_outstanding(), live);
    }
    assert_true(ended > 8);
    free(file.bytes);
    free(stream.bytes);
}

/* Of two pictures of one size that with more bytes takes longer, and that with more samples. */
static void work_follows_bytes(void **state)
{
    struct file flat = begin(256, 256, 8, 2, 0), deep = begin(256, 256, 16, 6, 0), full;
    struct file few = after_blocks(0, 256 * 769), more = after_blocks(0, 256 * 2049);
    size_t size;

    (void)state;
    append_data(&flat, &few, few.size);
    append_data(&deep, &more, more.size);
    size = flat.size;
    full.bytes =
        png_insert_chunk(flat.bytes, &size, flat.size, "IDAT", few.bytes, (uint32_t)few.size, 200);
    full.size = size;
    assert_non_null(full.bytes);
    assert_true(predict(&flat) > 256 * 256);
    assert_true(predict(&deep) > 2 * predict(&flat));
    assert_true(predict(&full) > predict(&flat));
    free(flat.bytes);
    free(full.bytes);
    free(deep.bytes);
    free(few.bytes);
    free(more.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surplus_is_not_inflated),
        cmocka_unit_test(surplus_is_not_read),
        cmocka_unit_test(empty_blocks),
        cmocka_unit_test(a_block_for_each_row),
        cmocka_unit_test(chunks),
        cmocka_unit_test(large_chunks),
        cmocka_unit_test(texts),
        cmocka_unit_test(polled_all_along),
        cmocka_unit_test(ended_at_any_poll),
        cmocka_unit_test(work_follows_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
