/* Which class a folder's name stands for, and the pictures below it. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "model_maker.h"
#include "pictures/class_folders.h"
#include "server/capture.h"

static struct vgg_model *labelled, *plain; /* 5 classes */

static struct vgg_model *make(const char *labels)
{
    struct vgg_model *model = NULL;
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    maker_make(&maker, &(struct maker_spec){.classes = 5});
    if (labels != NULL)
        maker_meta(&maker, "vgg.labels", labels);
    bytes = maker_bytes(&maker, &size);
    assert_int_equal(vgg_model_load_memory(bytes, size, "made", NULL, &model, NULL), VGG_OK);
    free(bytes);
    maker_free(&maker);
    return model;
}

/* ---------------------------------------------------------------- names ---------------------- */

static void expect_class(const struct vgg_model *model, const char *name, uint32_t expected)
{
    struct problem problem = {0};
    uint32_t index = 77;

    if (!class_find(model, name, &index, &problem))
        fail_msg("%s: %s", name, problem.detail);
    assert_int_equal(index, expected);
}

static void expect_none(const struct vgg_model *model, const char *name, const char *reason)
{
    struct problem problem = {0};
    uint32_t index;

    assert_false(class_find(model, name, &index, &problem));
    assert_non_null(strstr(problem.detail, reason));
}

/* Ids before labels, as written before any case. */
static void ids_and_labels(void **state)
{
    (void)state;
    expect_class(labelled, "n01", 0);
    expect_class(labelled, "N01", 0);
    expect_class(labelled, "crane", 1); /* the id of 1, the label of 0 */
    expect_class(labelled, "Crane", 2);
    expect_class(labelled, "n04", 3);
    expect_class(labelled, "glass", 3);
    expect_class(labelled, "GLASS", 4);
    expect_none(labelled, "Glass", "2 classes"); /* in no case either of them */
    expect_none(labelled, "glas", "no class of the model");
    expect_none(labelled, "0", "no class of the model");
    expect_none(labelled, "", "no class of the model");
}

static void indices(void **state)
{
    static const char *const bad[] = {"5",     "-1", "+1", " 1",         "1 ",
                                      "1.jpg", "",   "x",  "4294967297", "99999999999999999999999"};

    (void)state;
    expect_class(plain, "0", 0);
    expect_class(plain, "4", 4);
    expect_class(plain, "003", 3);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        expect_none(plain, bad[i], "0 to 4");
}

/* ---------------------------------------------------------------- folders -------------------- */

static char root[] = "/tmp/vgg-classes-XXXXXX";

/* "/" at the end makes a directory. */
static const char *const tree[] = {"3/",    "3/b.png", "3/deep/", "3/deep/a.jpg",
                                   "1/",    "1/c.JPG", "2/",      "2/notes.txt",
                                   "a.jpg", ".x/",     "LICENSE"};

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void expect_tree(const struct class_folders *folders)
{
    static const char *const paths[] = {"1/c.JPG", "3/b.png", "3/deep/a.jpg", "4/b.png",
                                        "4/deep/a.jpg"};
    static const uint32_t classes[] = {1, 3, 3, 4, 4};

    assert_int_equal(folders->pictures.n, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(folders->pictures.items[i].path, path_of(paths[i]));
        assert_int_equal(folders->classes[i], classes[i]);
    }
}

/* Open and print what is left out: what standard error got. */
static bool open_folders(struct class_folders *folders, const char *directory,
                         const struct vgg_model *model, struct capture *err)
{
    struct left_out left_out = {0};
    bool opened;

    capture_begin(err, STDERR_FILENO);
    opened = class_folders_open(folders, directory, model, &left_out);
    left_out_say(&left_out);
    capture_end(err);
    return opened;
}

static void expect_said(const struct capture *err, const char *text)
{
    if (strstr(err->text, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, err->text);
}

/* Sorted; loose files, hidden folders and folders without pictures are named. */
static void a_tree(void **state)
{
    struct class_folders folders = {0};
    struct capture err;

    (void)state;
    assert_true(open_folders(&folders, root, plain, &err));
    expect_tree(&folders);
    expect_said(&err, "1 left out (hidden): ");
    expect_said(&err, "2 left out (not in a class folder): ");
    expect_said(&err, "LICENSE, ");
    expect_said(&err, "1 left out (a class folder without pictures): ");
    expect_said(&err, "1 left out (not a picture's name): ");
    class_folders_fini(&folders);
    class_folders_fini(&folders);
}

/* Pictures of _unknown are of no class, another such name is a folder like any other. */
static void unknown(void **state)
{
    struct class_folders folders = {0};
    struct capture err;
    char other[64];

    (void)state;
    assert_int_equal(symlink("3", path_of("_unknown")), 0);
    assert_true(open_folders(&folders, root, plain, &err));
    expect_tree(&folders);
    assert_string_equal(folders.unknown_folder, path_of("_unknown"));
    assert_int_equal(folders.unknown.n, 2);
    assert_string_equal(folders.unknown.items[0].path, path_of("_unknown/b.png"));
    assert_null(strstr(err.text, "_unknown"));
    class_folders_fini(&folders);
    assert_int_equal(rename(path_of("_unknown"), strcat(strcpy(other, root), "/_unknown2")), 0);
    assert_false(open_folders(&folders, root, plain, &err));
    expect_said(&err, "1 folder is none of the classes: _unknown2; in /tmp/");
    assert_null(folders.unknown_folder);
    class_folders_fini(&folders);
    assert_int_equal(remove(other), 0);
}

/* One line, that names all folders that are no class of the model; an empty one need not be. */
static void refused(void **state)
{
    struct class_folders folders = {0};
    struct capture err;

    (void)state;
    assert_false(open_folders(&folders, root, labelled, &err));
    expect_said(&err, "vgg: 3 folders are none of the classes: 1, 3, 4; in /tmp/");
    expect_said(&err, "(no class of the model has this id or label)\n");
    class_folders_fini(&folders);
    assert_false(open_folders(&folders, path_of("2"), plain, &err));
    expect_said(&err, "no pictures in its class folders");
    class_folders_fini(&folders);
    assert_false(open_folders(&folders, path_of("missing"), plain, &err));
    expect_said(&err, "No such file");
    assert_false(open_folders(&folders, path_of("a.jpg"), plain, &err));
    expect_said(&err, "Not a directory");
    class_folders_fini(&folders);
}

/* What cannot be read is a picture with a reason, in its place. */
static void lost(void **state)
{
    struct class_folders folders = {0};
    struct capture err;

    (void)state;
    assert_int_equal(symlink("nothing", path_of("3/c.png")), 0);
    assert_int_equal(symlink("../1", path_of("3/link")), 0);
    assert_true(open_folders(&folders, root, plain, &err));
    expect_said(&err, "2 left out (a link to a directory): ");
    assert_int_equal(folders.pictures.n, 7); /* by way of 4 as well */
    assert_null(folders.pictures.items[1].reason);
    assert_string_equal(folders.pictures.items[2].path, path_of("3/c.png"));
    assert_string_equal(folders.pictures.items[2].reason, "No such file or directory");
    assert_int_equal(folders.classes[2], 3);
    class_folders_fini(&folders);
    assert_int_equal(remove(path_of("3/c.png")), 0);
    assert_int_equal(remove(path_of("3/link")), 0);
}

static void memory_ends(void **state)
{
    bool fired = fault_available();

    (void)state;
    for (unsigned long n = 1; fired; n++) {
        struct class_folders folders = {0};
        struct left_out left_out = {0};
        long live = fault_outstanding();
        bool found;

        fault_arm(n);
        found = class_folders_open(&folders, root, plain, &left_out);
        fired = fault_disarm();
        left_out_say(&left_out);
        assert_true(found || fired);
        if (found)
            expect_tree(&folders);
        class_folders_fini(&folders);
        assert_int_equal(fault_outstanding(), live);
    }
}

static int start(void **state)
{
    (void)state;
    labelled =
        make("[[\"n01\",\"crane\"],[\"crane\",\"x\"],[\"n03\",\"Crane\"],[\"n04\",\"glass\"],"
             "[\"n05\",\"GLASS\"]]");
    plain = make(NULL);
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
        if (file == NULL || fclose(file) != 0)
            return -1;
    }
    return symlink("3", path_of("4"));
}

static int stop(void **state)
{
    (void)state;
    vgg_model_release(labelled);
    vgg_model_release(plain);
    if (remove(path_of("4")) != 0)
        return -1;
    for (size_t i = COUNT_OF(tree); i-- > 0;)
        if (remove(path_of(tree[i])) != 0)
            return -1;
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_labels), cmocka_unit_test(indices), cmocka_unit_test(a_tree),
        cmocka_unit_test(unknown),        cmocka_unit_test(refused), cmocka_unit_test(lost),
        cmocka_unit_test(memory_ends),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
