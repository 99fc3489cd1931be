/* Finding pictures below a directory and reading them, also where memory ends on the way. */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "pictures/pictures.h"
#include "server/capture.h"

static char root[] = "/tmp/vgg-pictures-XXXXXX";

/* Names below the root; "/" at the end makes a directory. */
static const char *const tree[] = {"a.png",    "b/",     "b/c.JPG",    "b/d.jpeg",
                                   "b/e.txt",  "b/f/",   "b/f/g.WEBP", ".h/",
                                   ".h/i.jpg", ".j.jpg", "jpg",        "archive.jpg.gz"};

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static int make_tree(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    for (size_t i = 0; i < COUNT_OF(tree); i++) {
        const char *path = path_of(tree[i]);
        FILE *file;

        if (path[strlen(path) - 1] == '/') {
            if (mkdir(path, 0700) != 0)
                return -1;
            continue;
        }
        file = fopen(path, "w");
        if (file == NULL || fputs("twelve bytes", file) < 0 || fclose(file) != 0)
            return -1;
    }
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    for (size_t i = COUNT_OF(tree); i-- > 0;)
        if (remove(path_of(tree[i])) != 0)
            return -1;
    return rmdir(root);
}

static void expect_all(const struct pictures *pictures)
{
    static const char *const expected[] = {"a.png", "b/c.JPG", "b/d.jpeg", "b/f/g.WEBP"};

    assert_int_equal(pictures->n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(pictures->items[i].path, path_of(expected[i]));
        assert_null(pictures->items[i].reason);
    }
}

static void directories(void **state)
{
    struct pictures pictures = {0};
    struct left_out left_out = {0};
    struct capture err;

    (void)state;
    assert_true(pictures_add(&pictures, root, &left_out));
    expect_all(&pictures);
    pictures_fini(&pictures);
    assert_true(pictures_add(&pictures, path_of(".h"), &left_out)); /* named, so not hidden */
    assert_int_equal(pictures.n, 1);
    pictures_fini(&pictures);
    pictures_fini(&pictures);
    capture_begin(&err, STDERR_FILENO);
    left_out_say(&left_out);
    capture_end(&err);
    assert_non_null(strstr(err.text, "vgg: 2 left out (hidden): "));
    assert_non_null(strstr(err.text, "vgg: 3 left out (not a picture's name): "));
}

/* A directory without pictures, or with what might have been some. */
static void in_place_of_pictures(void **state)
{
    struct pictures pictures = {0};
    struct left_out left_out = {0};
    char path[300];

    (void)state;
    snprintf(path, sizeof path, "%s", path_of("hollow"));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(pictures_add(&pictures, path, &left_out));
    assert_int_equal(symlink("nothing", path_of("hollow/up.jpg")), 0);
    assert_true(pictures_add(&pictures, path, &left_out));
    assert_int_equal(pictures.n, 2);
    assert_string_equal(pictures.items[0].path, path);
    assert_non_null(strstr(pictures.items[0].reason, "no pictures in this directory"));
    assert_string_equal(pictures.items[1].path, path_of("hollow/up.jpg"));
    assert_string_equal(pictures.items[1].reason, "No such file or directory");
    pictures_fini(&pictures);
    assert_int_equal(remove(path_of("hollow/up.jpg")), 0);
    assert_int_equal(remove(path), 0);
}

/* What is no directory stands for itself, whatever its name, and even if it is not there. */
static void files(void **state)
{
    static const char *const names[] = {"-", "missing", "notes.txt", "", "-"};
    struct pictures pictures = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_true(pictures_add(&pictures, names[i], NULL));
    assert_int_equal(pictures.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(pictures.items[i].path, names[i]);
    pictures_fini(&pictures);
}

static void many(void **state)
{
    struct pictures pictures = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        char name[16];

        snprintf(name, sizeof name, "%u", i);
        assert_true(pictures_add(&pictures, name, NULL));
    }
    assert_int_equal(pictures.n, 1000);
    assert_string_equal(pictures.items[999].path, "999");
    pictures_fini(&pictures);
}

static void expect_read(const char *path, uint64_t max, enum problem_kind kind, const char *text)
{
    struct picture picture = {.path = (char *)(uintptr_t)path};
    struct problem problem = {0};
    uint8_t *bytes;
    size_t size;

    assert_false(picture_read(&picture, max, &bytes, &size, &problem));
    assert_int_equal(problem.kind, kind);
    assert_non_null(strstr(problem.detail, text));
    free(bytes);
}

static void reading(void **state)
{
    struct picture picture = {.path = (char *)(uintptr_t)path_of("a.png")};
    struct problem problem;
    uint8_t *bytes;
    size_t size;

    (void)state;
    assert_true(picture_read(&picture, 12, &bytes, &size, &problem));
    assert_int_equal(size, 12);
    assert_memory_equal(bytes, "twelve bytes", 12);
    free(bytes);
    expect_read(path_of("a.png"), 11, PROBLEM_BODY_TOO_LARGE, "over the limit of 11 bytes");
    expect_read("/dev/zero", 3 << 20, PROBLEM_BODY_TOO_LARGE, "3145728");
    expect_read("/dev/null", 10, PROBLEM_EMPTY_BODY, "empty");
    expect_read(path_of("missing"), 10, PROBLEM_NOT_FOUND, strerror(ENOENT));
    expect_read(root, 10, PROBLEM_NOT_FOUND, strerror(EISDIR));
    picture = (struct picture){.path = root, .reason = (char *)(uintptr_t) "a link"};
    assert_false(picture_read(&picture, 12, &bytes, &size, &problem));
    assert_string_equal(problem.detail, "a link");
}

static void memory_ends(void **state)
{
    struct picture picture = {.path = (char *)(uintptr_t) "/dev/zero"};
    bool fired = true, found;

    (void)state;
    if (!fault_available())
        skip();
    for (unsigned n = 1; fired; n++) {
        struct pictures pictures = {0};
        struct left_out left_out = {0};
        long live = fault_outstanding();

        fault_arm(n);
        found = pictures_add(&pictures, root, &left_out);
        fired = fault_disarm();
        left_out_say(&left_out);
        assert_true(found || fired); /* glibc tries again with less in places */
        if (found)
            expect_all(&pictures);
        pictures_fini(&pictures);
        assert_int_equal(fault_outstanding(), live);
    }
    for (unsigned n = 1; n <= 3; n++) {
        struct problem problem = {0};
        uint8_t *bytes;
        size_t size;

        fault_arm(n);
        assert_false(picture_read(&picture, 4 << 20, &bytes, &size, &problem));
        assert_true(fault_disarm());
        assert_int_equal(problem.kind, PROBLEM_NO_MEMORY);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories), cmocka_unit_test(in_place_of_pictures),
        cmocka_unit_test(files),       cmocka_unit_test(many),
        cmocka_unit_test(reading),     cmocka_unit_test(memory_ends),
    };

    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
