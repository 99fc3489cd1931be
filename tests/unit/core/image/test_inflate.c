/* Inflating in pieces of any size, to the end, to the end of the input, and no further. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "fault.h"
#include "image/inflate.h"

enum { SIZE = 1 << 16 };

static uint8_t plain[SIZE], packed[2 * SIZE];

/* Pseudo-random text of few letters into `plain`; the size of its stream in `packed`. */
static size_t make_stream(void)
{
    uLongf size = sizeof packed;

    for (uint32_t i = 0; i < SIZE; i++)
        plain[i] = (uint8_t)('a' + (i * i >> 7) % 11);
    assert_int_equal(compress(packed, &size, plain, SIZE), Z_OK);
    return size;
}

static void in_pieces(void **state)
{
    static const size_t pieces[][2] = {{1, 1}, {1, SIZE}, {SIZE, 1}, {7, 1000}, {SIZE, SIZE}};
    size_t size = make_stream();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct vgg_inflate *inflate = vgg_inflate_create(1000);
        uint8_t *out = calloc(SIZE + 1, 1);
        struct vgg_inflate_buffers buffers = {.in = packed, .out = out};
        enum vgg_inflated result = VGG_INFLATED_MORE;

        assert_true(inflate != NULL && out != NULL);
        while (result == VGG_INFLATED_MORE) {
            size_t in = (size_t)(packed + size - buffers.in), room;

            room = (size_t)(out + SIZE - buffers.out);
            buffers.in_left = in < pieces[i][0] ? in : pieces[i][0];
            buffers.out_left = room < pieces[i][1] ? room : pieces[i][1];
            result = vgg_inflate_run(inflate, &buffers);
            assert_true(buffers.in_left == 0 || buffers.out_left == 0 ||
                        result != VGG_INFLATED_MORE);
        }
        assert_int_equal(result, VGG_INFLATED_END);
        assert_ptr_equal(buffers.in, packed + size);
        assert_memory_equal(out, plain, SIZE);
        vgg_inflate_destroy(inflate);
        free(out);
    }
}

static enum vgg_inflated run_whole(const uint8_t *stream, size_t size, uint64_t blocks_max)
{
    static uint8_t out[SIZE];
    struct vgg_inflate *inflate = vgg_inflate_create(blocks_max);
    struct vgg_inflate_buffers buffers = {stream, size, out, SIZE};
    enum vgg_inflated result;

    assert_non_null(inflate);
    result = vgg_inflate_run(inflate, &buffers);
    vgg_inflate_destroy(inflate);
    return result;
}

static void broken_and_cut(void **state)
{
    size_t size = make_stream();

    (void)state;
    assert_int_equal(run_whole(packed, size, 1000), VGG_INFLATED_END);
    assert_int_equal(run_whole(packed, size - 1, 1000), VGG_INFLATED_MORE);
    assert_int_equal(run_whole(packed, 0, 1000), VGG_INFLATED_MORE);
    packed[size - 1] ^= 1;
    assert_int_equal(run_whole(packed, size, 1000), VGG_INFLATED_BROKEN);
    packed[0] ^= 1;
    assert_int_equal(run_whole(packed, size, 1000), VGG_INFLATED_BROKEN);
    assert_int_equal(run_whole((const uint8_t *)"\x78\xbb\1\2\3\4", 6, 9), VGG_INFLATED_BROKEN);
}

/* A stream of empty blocks, and one that holds a byte. */
static void blocks(void **state)
{
    enum { BLOCKS = 100 };
    static const uint8_t last[] = {1, 1, 0, 0xfe, 0xff, 'x', 0, 'y', 0, 'y'};
    uint8_t stream[2 + 5 * BLOCKS + sizeof last] = {0x78, 0x9c};

    (void)state;
    for (size_t i = 0; i < BLOCKS; i++)
        memcpy(stream + 2 + 5 * i, "\0\0\0\xff\xff", 5);
    memcpy(stream + 2 + 5 * BLOCKS, last, sizeof last);
    assert_int_equal(run_whole(stream, sizeof stream, BLOCKS + 2), VGG_INFLATED_END);
    assert_int_equal(run_whole(stream, sizeof stream, BLOCKS - 1), VGG_INFLATED_BLOCKS);
}

static void out_of_memory(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    for (unsigned n = 1; n <= 2; n++) {
        long live = fault_outstanding();

        fault_arm(n);
        assert_null(vgg_inflate_create(1));
        assert_true(fault_disarm());
        assert_int_equal(fault_outstanding(), live);
    }
    vgg_inflate_destroy(NULL);
}

static void crc(void **state)
{
    (void)state;
    assert_int_equal(vgg_crc32(0, (const uint8_t *)"IEND", 4), 0xae426082);
    assert_int_equal(vgg_crc32(vgg_crc32(0, (const uint8_t *)"IE", 2), (const uint8_t *)"ND", 2),
                     0xae426082);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_pieces), cmocka_unit_test(broken_and_cut),
        cmocka_unit_test(blocks),    cmocka_unit_test(out_of_memory),
        cmocka_unit_test(crc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
