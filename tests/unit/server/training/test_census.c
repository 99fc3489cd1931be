/* Pictures by class, and what is said of a directory that holds no classes. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/capture.h"
#include "training/census.h"

static char top[] = "/tmp/vgg-census-XXXXXX";

/* An empty file below the directory, with the folders on its way. */
static void put(const char *name)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", top, name);
    for (char *slash = path + sizeof top; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        (void)mkdir(path, 0700);
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static const char *below(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", top, name);
    return path;
}

static void counts(void **state)
{
    struct census census = {0};
    struct text text = {0};
    char path[256];

    (void)state;
    put("set/cup/1.jpg");
    put("set/cup/more/2.png");
    put("set/plate/1.jpg");
    put("set/plate/notes.txt");
    put("set/_unknown/1.jpg");
    put("set/empty/notes.txt");
    assert_int_equal(census_take(below("set", path), &census, NULL), VGG_OK);
    assert_int_equal(census.classes_n, 2);
    assert_int_equal(census.pictures, 3);
    assert_int_equal(census.least, 1);
    assert_int_equal(census.most, 2);
    assert_int_equal(census.unknown, 1);
    census_print(&census, &text);
    text_append(&text, "", 1);
    assert_string_equal(text.bytes, "3 pictures of 2 classes: cup 2, plate 1; 1 of none of these");
    free(text.bytes);
    census_fini(&census);
}

static void many_classes(void **state)
{
    struct census census = {0};
    struct text text = {0};
    char name[64], path[256];

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "many/%02u/1.jpg", i);
        put(name);
    }
    put("many/07/2.jpg");
    assert_int_equal(census_take(below("many", path), &census, NULL), VGG_OK);
    assert_string_equal(census.classes[39].name, "39");
    assert_int_equal(census.classes[7].pictures, 2);
    census_print(&census, &text);
    text_append(&text, "", 1);
    assert_string_equal(text.bytes, "41 pictures of 40 classes, 1 to 2 of each");
    free(text.bytes);
    census_fini(&census);
}

/* It fails with this text, after these lines. */
static void refuse(const char *name, const char *reason, const char *said)
{
    struct census census = {0};
    struct vgg_error error = {0};
    struct capture err;
    char path[256];
    enum vgg_status status;

    capture_begin(&err, STDERR_FILENO);
    status = census_take(below(name, path), &census, &error);
    capture_end(&err);
    census_fini(&census);
    assert_int_not_equal(status, VGG_OK);
    if (strstr(error.text, reason) == NULL || strstr(err.text, said) == NULL)
        fail_msg("not \"%s\" after \"%s\": %s%s", reason, said, err.text, error.text);
}

static void too_few_classes(void **state)
{
    (void)state;
    put("flat/1.jpg");
    put("flat/2.jpg");
    put("one/cup/1.jpg");
    put("one/plate/notes.txt");
    put("bare/notes.txt");
    refuse("flat", "flat: 2 pictures and no class folders, and at least 2 are needed",
           "2 left out (not in a class folder)");
    refuse("flat", "flat/cup/1.jpg and ", "");
    refuse("one", "one class folder with pictures (cup)", "one/plate\n");
    refuse("bare", "no class folder with pictures", "notes.txt");
    refuse("nowhere", "No such file", "");
}

static void parts_of_a_set(void **state)
{
    (void)state;
    put("parts/train/cup/1.jpg");
    put("parts/Val/cup/1.jpg");
    put("single/train/cup/1.jpg");
    put("fine/train/1.jpg"); /* a class, beside another */
    put("fine/tram/1.jpg");
    refuse("parts", "parts/train --validation ", "");
    refuse("parts", "parts/Val", "");
    refuse("single", "as in vgg train ", "");
    {
        struct census census = {0};
        char path[256];

        assert_int_equal(census_take(below("fine", path), &census, NULL), VGG_OK);
        census_fini(&census);
    }
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(top) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", top);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(many_classes),
        cmocka_unit_test(too_few_classes),
        cmocka_unit_test(parts_of_a_set),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
