/* The eight orientations, against the words of the EXIF standard. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "image/image.h"

enum { CHANNELS = 3 };

enum side { TOP, BOTTOM, LEFT, RIGHT };

/* "The 0th row is at the visual <row> of the image, and the 0th column at its visual <column>." */
static const struct {
    enum side row, column;
} standard[9] = {
    [1] = {TOP, LEFT}, [2] = {TOP, RIGHT}, [3] = {BOTTOM, RIGHT}, [4] = {BOTTOM, LEFT},
    [5] = {LEFT, TOP}, [6] = {RIGHT, TOP}, [7] = {RIGHT, BOTTOM}, [8] = {LEFT, BOTTOM},
};

static uint8_t sample(uint32_t row, uint32_t column, unsigned c)
{
    return (uint8_t)((row * 1031 + column * 37 + c * 101) * 2654435761u >> 24);
}

static struct vgg_image *make(uint32_t width, uint32_t height)
{
    struct vgg_image *image = vgg_image_create("test", width, height);
    uint8_t *at;

    assert_non_null(image);
    at = image->pixels;
    for (uint32_t row = 0; row < height; row++)
        for (uint32_t column = 0; column < width; column++)
            for (unsigned c = 0; c < CHANNELS; c++)
                *at++ = sample(row, column, c);
    return image;
}

/* Where a distance from `side` lies along an axis of `length`, counted from the left or the top. */
static uint32_t place(enum side side, uint32_t distance, uint32_t length)
{
    return side == BOTTOM || side == RIGHT ? length - 1 - distance : distance;
}

static void check(uint32_t width, uint32_t height, unsigned orientation)
{
    struct vgg_image *image = make(width, height);
    enum side row_side = standard[orientation].row;
    enum side column_side = standard[orientation].column;
    bool rows_stand = row_side == LEFT || row_side == RIGHT;
    uint32_t upright_width = rows_stand ? height : width;

    assert_int_equal(vgg_image_orient(&image, orientation, NULL, NULL), VGG_OK);
    assert_int_equal(image->info.width, upright_width);
    assert_int_equal(image->info.height, rows_stand ? width : height);
    assert_string_equal(image->info.format, "test");
    for (uint32_t row = 0; row < height; row++) {
        for (uint32_t column = 0; column < width; column++) {
            uint32_t along_rows = place(row_side, row, height);
            uint32_t along_columns = place(column_side, column, width);
            uint32_t x = rows_stand ? along_rows : along_columns;
            uint32_t y = rows_stand ? along_columns : along_rows;

            for (unsigned c = 0; c < CHANNELS; c++)
                assert_int_equal(image->pixels[((size_t)y * upright_width + x) * CHANNELS + c],
                                 sample(row, column, c));
        }
    }
    vgg_image_destroy(image);
}

static void follows_the_standard(void **state)
{
    /* Odd and even, one pixel wide or high, and around the tiles of 32. */
    static const uint32_t sizes[][2] = {{1, 1},  {2, 1},   {1, 2},   {5, 3},   {4, 6},   {1, 40},
                                        {40, 1}, {31, 33}, {32, 32}, {65, 32}, {33, 64}, {7, 100}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (unsigned orientation = 1; orientation <= 8; orientation++)
            check(sizes[i][0], sizes[i][1], orientation);
}

/* 6 and 8 undo each other, all others undo themselves. */
static void twice_is_back(void **state)
{
    static const unsigned inverse[9] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
    struct vgg_image *original = make(37, 50);

    (void)state;
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        struct vgg_image *image = make(37, 50);

        assert_int_equal(vgg_image_orient(&image, orientation, NULL, NULL), VGG_OK);
        if (orientation != 1)
            assert_memory_not_equal(image->pixels, original->pixels, 37 * 50 * CHANNELS);
        assert_int_equal(vgg_image_orient(&image, inverse[orientation], NULL, NULL), VGG_OK);
        assert_int_equal(image->info.width, 37);
        assert_memory_equal(image->pixels, original->pixels, 37 * 50 * CHANNELS);
        vgg_image_destroy(image);
    }
    vgg_image_destroy(original);
}

static enum vgg_status refuse(void *user)
{
    (void)user;
    return VGG_CANCELLED;
}

/* A poll that ends it leaves the picture as it is. */
static void can_be_left(void **state)
{
    const struct vgg_image_limits limits = {.poll = refuse};

    (void)state;
    for (unsigned orientation = 5; orientation <= 8; orientation++) {
        struct vgg_image *image = make(70, 40), *before = image;

        assert_int_equal(vgg_image_orient(&image, orientation, &limits, NULL), VGG_CANCELLED);
        assert_ptr_equal(image, before);
        assert_int_equal(image->info.width, 70);
        vgg_image_destroy(image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_standard),
        cmocka_unit_test(twice_is_back),
        cmocka_unit_test(can_be_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
