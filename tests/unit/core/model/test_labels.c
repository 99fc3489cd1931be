/* Class names: the built-in ones of ImageNet, and their text format. */
#include "check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "model/labels.h"

static void the_thousand_of_imagenet(void **state)
{
    static const struct {
        size_t index;
        const char *id, *label;
    } known[] = {
        {0, "n01440764", "tench, Tinca tinca"},
        {1, "n01443537", "goldfish, Carassius auratus"},
        {281, "n02123045", "tabby, tabby cat"},
        {285, "n02124075", "Egyptian cat"},
        {463, "n02909870", "bucket, pail"},
        {999, "n15075141", "toilet tissue, toilet paper, bathroom tissue"},
    };
    struct vgg_labels labels;

    (void)state;
    assert_int_equal(vgg_labels_imagenet(&labels, NULL), VGG_OK);
    assert_int_equal(labels.items_n, 1000);
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        assert_string_equal(labels.items[known[i].index].id, known[i].id);
        assert_string_equal(labels.items[known[i].index].label, known[i].label);
    }
    /* WordNet ids, ascending as the classes are; labels without white space around them. */
    for (size_t i = 0; i < 1000; i++) {
        const char *id = labels.items[i].id, *label = labels.items[i].label;

        assert_int_equal(strlen(id), 9);
        assert_int_equal(id[0], 'n');
        assert_int_equal(strspn(id + 1, "0123456789"), 8);
        if (i > 0)
            assert_true(strcmp(labels.items[i - 1].id, id) < 0);
        assert_true(strlen(label) > 1);
        assert_false(isspace((unsigned char)label[0]));
        assert_false(isspace((unsigned char)label[strlen(label) - 1]));
    }
    vgg_labels_fini(&labels);
}

static void lines_are_ids_and_labels(void **state)
{
    static const char text[] = "n1 a cat\nn2 b\nalone\nn3  two spaces\nn4 \n";
    static const struct vgg_label expected[] = {
        {"n1", "a cat"}, {"n2", "b"}, {"alone", "alone"}, {"n3", " two spaces"}, {"n4", ""}};
    struct vgg_labels labels;

    (void)state;
    assert_int_equal(vgg_labels_parse(text, sizeof text - 1, &labels, NULL), VGG_OK);
    assert_int_equal(labels.items_n, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(labels.items[i].id, expected[i].id);
        assert_string_equal(labels.items[i].label, expected[i].label);
    }
    vgg_labels_fini(&labels);
    assert_int_equal(labels.items_n, 0);
    assert_int_equal(vgg_labels_parse("", 0, &labels, NULL), VGG_OK);
    assert_int_equal(labels.items_n, 0);
    vgg_labels_fini(&labels);
}

/* Only `size` bytes belong to the text. */
static void the_text_need_not_be_terminated(void **state)
{
    static const char text[] = "n1 cat\nn2 dog\nn3 cow\n";
    char *copy = malloc(14);
    struct vgg_labels labels;

    (void)state;
    assert_non_null(copy);
    memcpy(copy, text, 14);
    assert_int_equal(vgg_labels_parse(copy, 14, &labels, NULL), VGG_OK);
    free(copy);
    assert_int_equal(labels.items_n, 2);
    assert_string_equal(labels.items[1].label, "dog");
    vgg_labels_fini(&labels);
}

static void without_memory(void **state)
{
    long before = fault_outstanding();
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        struct vgg_labels labels;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_labels_imagenet(&labels, &error);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        assert_int_equal(error.status, status);
        assert_int_equal(labels.items_n, fired ? 0 : 1000);
        vgg_labels_fini(&labels);
        assert_int_equal(fault_outstanding(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_thousand_of_imagenet),
        cmocka_unit_test(lines_are_ids_and_labels),
        cmocka_unit_test(the_text_need_not_be_terminated),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
