/* Pictures given twice: which pairs are named, and which are none. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "training/copies.h"

enum { GLASS, METAL, UNKNOWN };

static struct copies copies;

static int setup(void **state)
{
    static const char *const classes[] = {"glass", "metal"};

    (void)state;
    copies_classes(&copies, classes, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    copies_fini(&copies);
    return 0;
}

/* Trained on, unless changed in `more`. */
static void add(const char *path, uint32_t label, size_t group, struct vgg_train_picture more)
{
    more.path = path;
    more.label = label == UNKNOWN ? UINT32_MAX : label;
    more.group = group;
    copies_add(&copies, &more);
}

#define FIRST                                                                                      \
    (struct vgg_train_picture)                                                                     \
    {                                                                                              \
        .copy = false                                                                              \
    }
#define COPY                                                                                       \
    (struct vgg_train_picture)                                                                     \
    {                                                                                              \
        .copy = true                                                                               \
    }
#define JUDGES                                                                                     \
    (struct vgg_train_picture)                                                                     \
    {                                                                                              \
        .validation = true                                                                         \
    }

static void expect(void (*print)(struct copies *, struct text *), const char *line)
{
    struct text text = {0};

    print(&copies, &text);
    text_append(&text, "", 1);
    assert_string_equal(text.bytes, line);
    free(text.bytes);
}

static void none(void **state)
{
    (void)state;
    expect(copies_print_classes, "");
    expect(copies_print_validation, "");
    add("p/glass/a.jpg", GLASS, 0, FIRST);
    add("p/glass/b.jpg", GLASS, 0, COPY);   /* in one class */
    add("p/metal/c.jpg", METAL, 0, FIRST);  /* one scene, of both */
    add("p/metal/d.jpg", METAL, 3, JUDGES); /* alone */
    add("p/metal/e.jpg", METAL, SIZE_MAX, COPY);
    expect(copies_print_classes, "");
    expect(copies_print_validation, "");
}

static void in_two_classes(void **state)
{
    (void)state;
    add("p/glass/a.jpg", GLASS, 0, FIRST);
    add("p/glass/c.jpg", GLASS, 1, FIRST);
    add("p/metal/d.jpg", METAL, 1, COPY);
    add("p/metal/b.jpg", METAL, 0, COPY);
    add("p/_unknown/e.jpg", UNKNOWN, 1, COPY); /* of a group that is named */
    expect(copies_print_classes, "likely in a wrong folder: a.jpg in glass and b.jpg in metal are "
                                 "the same picture, c.jpg in glass and d.jpg in metal");
    add("p/metal/f.jpg", METAL, 5, FIRST);
    add("p/_unknown/g.jpg", UNKNOWN, 5, COPY);
    for (size_t i = 7; i < 11; i += 2) {
        add("p/glass/x.jpg", GLASS, i, FIRST);
        add("p/metal/y.jpg", METAL, i, COPY);
    }
    expect(copies_print_classes,
           "likely in a wrong folder: a.jpg in glass and b.jpg in metal are the same picture, "
           "c.jpg in glass and d.jpg in metal, f.jpg in metal and g.jpg in _unknown, and 2 more "
           "pairs");
}

static void trained_on_and_validated_on(void **state)
{
    (void)state;
    add("p/glass/a.jpg", GLASS, 0, FIRST);
    add("p/_unknown/b.jpg", UNKNOWN, 1, FIRST);
    add("v/glass/c.jpg", GLASS, 0, JUDGES);
    expect(copies_print_validation, "1 validation picture is also trained on, or nearly, so that "
                                    "the error is too low: v/glass/c.jpg is p/glass/a.jpg");
    add("v/glass/d.jpg", GLASS, 1, JUDGES); /* no leak */
    add("v/metal/e.jpg", METAL, 0, JUDGES);
    expect(copies_print_validation, "2 validation pictures are also trained on, or nearly, so that "
                                    "the error is too low: v/glass/c.jpg is p/glass/a.jpg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(none, setup, teardown),
        cmocka_unit_test_setup_teardown(in_two_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(trained_on_and_validated_on, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
