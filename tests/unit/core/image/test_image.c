/* Creation of pictures. */
#include "check.h"

#include <string.h>

#include "image/image.h"

static void creation(void **state)
{
    struct vgg_image *image = vgg_image_create("test", 7, 5);

    (void)state;
    assert_non_null(image);
    memset(image->pixels, 0x5a, 7 * 5 * 3); /* a sanitizer would object to a block too small */
    assert_string_equal(vgg_image_get_info(image).format, "test");
    assert_int_equal(vgg_image_get_info(image).width, 7);
    assert_int_equal(vgg_image_get_info(image).height, 5);
    assert_ptr_equal(vgg_image_pixels(image), image->pixels);
    vgg_image_destroy(image);
    vgg_image_destroy(NULL);
    /* 2^64 - 2^33 + 1 pixels do not fit three bytes each into any address space. */
    assert_null(vgg_image_create("test", UINT32_MAX, UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
