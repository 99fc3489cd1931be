/* What a walk through directories of pictures meets, leaves out and refuses. */
#include "check.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fault.h"
#include "vgg_pictures.h"

static char root[64];

static int forget(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static int start(void **state)
{
    (void)state;
    strcpy(root, "/tmp/vgg-walk-XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    return nftw(root, forget, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in the root, with the directories above it. Valid until the next call. */
static const char *path_of(const char *name)
{
    static char path[1024];

    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = path + strlen(root); (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    return path;
}

static void touch(const char *name)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    fclose(file);
}

static void touch_all(const char *const *names)
{
    for (; *names != NULL; names++)
        touch(*names);
}

/* ---------------------------------------------------------------- what is told --------------- */

/* A line for each call: "+ PATH", "= CLASS", "- PATH: REASON", "! PATH: REASON" for what is lost.
 */
static char told[8192];
static const char *const *classes; /* NULL: all */
static enum vgg_status answer;     /* of on_picture */

static void tell(const char *sign, const char *path, const char *reason)
{
    size_t used = strlen(told);

    if (strncmp(path, root, strlen(root)) == 0 && path[strlen(root)] == '/')
        path += strlen(root) + 1;
    snprintf(told + used, sizeof told - used, "%s %s%s%s\n", sign, path,
             reason[0] != '\0' ? ": " : "", reason);
}

static enum vgg_status on_picture(void *user, const char *path)
{
    assert_ptr_equal(user, told);
    tell("+", path, "");
    return answer;
}

static enum vgg_status on_left_out(void *user, const char *path, const char *reason, bool lost)
{
    assert_ptr_equal(user, told);
    tell(lost ? "!" : "-", path, reason);
    return VGG_OK;
}

static enum vgg_status on_class(void *user, const char *path, const char *name, bool *known)
{
    assert_ptr_equal(user, told);
    assert_true(*known);
    assert_string_equal(path, path_of(name));
    tell("=", name, "");
    for (const char *const *class = classes; class != NULL; class ++)
        if (*class == NULL || strcmp(*class, name) == 0) {
            *known = *class != NULL;
            break;
        }
    return VGG_OK;
}

static const struct vgg_walk walk = {
    .on_picture = on_picture, .on_left_out = on_left_out, .on_class = on_class, .user = told};

static void expect_pictures(const char *directory, const char *expected)
{
    struct vgg_error error = {0};

    told[0] = '\0';
    if (vgg_walk_pictures(directory, &walk, &error) != VGG_OK)
        fail_msg("%s", error.text);
    assert_string_equal(told, expected);
}

static void expect_classes(const char *expected)
{
    struct vgg_error error = {0};

    told[0] = '\0';
    if (vgg_walk_classes(root, &walk, &error) != VGG_OK)
        fail_msg("%s", error.text);
    assert_string_equal(told, expected);
}

/* ---------------------------------------------------------------- pictures ------------------- */

/* All names that a JPEG, PNG or WebP is saved by, in any case; in the order of the paths. */
static void names_and_order(void **state)
{
    static const char *const names[] = {
        "a.jpg", "a/z.png",  "a/b/c.JFIF", "a-b.jpe",     "B.WebP", "c.jpeg",
        "d.jif", "e.pjpeg",  "f.pjp",      "g.APNG",      "h",      "i.gif",
        "jpg",   "k.jpg.gz", "l.heic",     "a.png/m.png", NULL};

    (void)state;
    touch_all(names);
    expect_pictures(
        root,
        "+ B.WebP\n+ a-b.jpe\n+ a.jpg\n+ a.png/m.png\n+ a/b/c.JFIF\n+ a/z.png\n"
        "+ c.jpeg\n+ d.jif\n+ e.pjpeg\n+ f.pjp\n+ g.APNG\n"
        "- h: not a picture's name\n- i.gif: of a format that is not read: convert it to JPEG\n"
        "- jpg: not a picture's name\n- k.jpg.gz: not a picture's name\n"
        "- l.heic: of a format that is not read: convert it to JPEG\n");
    expect_pictures(path_of("a/b"), "+ a/b/c.JFIF\n");
}

static void junk(void **state)
{
    static const char *const names[] = {"__MACOSX/._a.jpg",   ".DS_Store", ".git/x.jpg",
                                        "Thumbs.db",          "a.jpg",     "sub/desktop.ini",
                                        "@eaDir/a.jpg/x.jpg", "._a.jpg",   NULL};

    (void)state;
    touch_all(names);
    expect_pictures(root, "- .DS_Store: hidden\n- ._a.jpg: hidden\n- .git: hidden\n"
                          "- @eaDir: of an archiver or a file manager\n"
                          "- Thumbs.db: of an archiver or a file manager\n"
                          "- __MACOSX: of an archiver or a file manager\n+ a.jpg\n"
                          "- sub/desktop.ini: of an archiver or a file manager\n");
}

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(strlen(path_of(name)) < sizeof address.sun_path);
    strcpy(address.sun_path, path_of(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void no_files(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path_of("a.jpg"), 0600), 0);
    assert_int_equal(mkfifo(path_of("b"), 0600), 0);
    make_socket("c.png");
    assert_int_equal(symlink("/dev/zero", path_of("d.webp")), 0);
    expect_pictures(root, "- a.jpg: not a regular file\n- b: not a regular file\n"
                          "- c.png: not a regular file\n- d.webp: not a regular file\n");
}

/* To a file they are followed, to a directory never: nothing goes round. */
static void links(void **state)
{
    (void)state;
    touch("a/x.jpg");
    assert_int_equal(symlink("a/x.jpg", path_of("b.png")), 0);
    assert_int_equal(symlink("a", path_of("c")), 0);
    assert_int_equal(symlink(".", path_of("d.jpg")), 0);
    assert_int_equal(symlink("..", path_of("a/up")), 0);
    assert_int_equal(symlink("nothing", path_of("e.jpg")), 0);
    assert_int_equal(symlink("f.jpg", path_of("f.jpg")), 0);
    assert_int_equal(symlink("nothing", path_of("g")), 0);
    expect_pictures(root, "- a/up: a link to a directory\n+ a/x.jpg\n+ b.png\n"
                          "- c: a link to a directory\n- d.jpg: a link to a directory\n"
                          "! e.jpg: No such file or directory\n"
                          "! f.jpg: Too many levels of symbolic links\n"
                          "- g: not a picture's name\n");
}

static void deep(void **state)
{
    char name[512] = "", expected[600];

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        strcat(name, "d/");
    name[2 * 63] = '\0';
    strcat(name, "a.jpg");
    touch(name);
    snprintf(expected, sizeof expected, "+ %s\n", name);
    expect_pictures(root, expected);
    name[2 * 63] = '\0';
    strcat(name, "d/b.jpg");
    touch(name);
    name[2 * 63] = '\0';
    snprintf(expected, sizeof expected, "+ %sa.jpg\n! %sd: nested too deep\n", name, name);
    expect_pictures(root, expected);
}

/* As another user, since root reads everything. */
static void unreadable(void **state)
{
    (void)state;
    touch("a/sub/x.jpg");
    touch("a/y.jpg");
    touch("b/z.jpg");
    assert_int_equal(chmod(root, 0755) + chmod(path_of("a"), 0755), 0);
    assert_int_equal(chmod(path_of("a/sub"), 0) + chmod(path_of("b"), 0), 0);
    if (geteuid() == 0)
        assert_int_equal(seteuid(65534), 0);
    expect_pictures(root, "! a/sub: Permission denied\n+ a/y.jpg\n! b: Permission denied\n");
    expect_classes("! a/sub: Permission denied\n= a\n+ a/y.jpg\n! b: Permission denied\n");
    told[0] = '\0';
    assert_int_equal(vgg_walk_pictures(path_of("b"), &walk, NULL), VGG_IO);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    /* Names may be read, but not what they are. */
    assert_int_equal(chmod(root, 0744), 0);
    if (geteuid() == 0)
        assert_int_equal(seteuid(65534), 0);
    expect_pictures(root, "! a: Permission denied\n! b: Permission denied\n");
    expect_classes("! a: Permission denied\n! b: Permission denied\n");
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(root, 0755), 0);
    assert_int_equal(chmod(path_of("a/sub"), 0700) + chmod(path_of("b"), 0700), 0);
}

static void the_top(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    touch("a.jpg");
    assert_int_equal(vgg_walk_pictures(path_of("nowhere"), &walk, &error), VGG_IO);
    assert_non_null(strstr(error.text, "/nowhere: No such file"));
    error = (struct vgg_error){0};
    assert_int_equal(vgg_walk_classes(path_of("a.jpg"), &walk, &error), VGG_IO);
    assert_non_null(strstr(error.text, "/a.jpg: Not a directory (an archive is to be unpacked"));
    told[0] = '\0';
    answer = VGG_CANCELLED;
    assert_int_equal(vgg_walk_pictures(root, &walk, &error), VGG_CANCELLED);
    answer = VGG_OK;
}

/* ---------------------------------------------------------------- classes -------------------- */

/* By the folders' names, not by their paths; what lies beside them and empty ones are left out. */
static void folders(void **state)
{
    static const char *const names[] = {
        "a/1.jpg",  "a b/2.jpg",          "loose.jpg", "README",  "c/x.txt", "d/e/f/.hidden",
        ".g/3.jpg", "__MACOSX/a/._1.jpg", "h/1.HEIC",  "h/x.txt", NULL};

    (void)state;
    touch_all(names);
    expect_classes("- .g: hidden\n- README: not in a class folder\n"
                   "- __MACOSX: of an archiver or a file manager\n= a\n+ a/1.jpg\n= a b\n"
                   "+ a b/2.jpg\n- c/x.txt: not a picture's name\n"
                   "- c: a class folder without pictures\n- d/e/f/.hidden: hidden\n"
                   "- d: a class folder without pictures\n"
                   "- h/1.HEIC: of a format that is not read: convert it to JPEG\n"
                   "- h/x.txt: not a picture's name\n= h\n- loose.jpg: not in a class folder\n");
}

/* A link to a folder is one, but not to where everything is. */
static void linked_folders(void **state)
{
    (void)state;
    touch("set/a/1.jpg");
    touch("elsewhere/2.jpg");
    assert_int_equal(symlink("../elsewhere", path_of("set/b")), 0);
    assert_int_equal(symlink("a", path_of("set/c")), 0);
    assert_int_equal(symlink(".", path_of("set/d")), 0);
    assert_int_equal(symlink("..", path_of("set/e")), 0);
    assert_int_equal(symlink("/", path_of("set/f")), 0);
    snprintf(root + strlen(root), sizeof root - strlen(root), "/set");
    expect_classes("= a\n+ a/1.jpg\n= b\n+ b/2.jpg\n= c\n+ c/1.jpg\n- d: a link to where it is\n"
                   "- e: a link to where it is\n- f: a link to where it is\n");
    *strrchr(root, '/') = '\0';
}

/* All that are no class, at once; one without pictures need not be. */
static void strangers(void **state)
{
    static const char *const known[] = {"a", "c", NULL};
    static const char *const names[] = {"a/1.jpg", "b, b/2.jpg", "c/3.jpg", "d/4.jpg",
                                        "e/5.txt", "d/4.txt",    NULL};
    struct vgg_error error = {0};
    char text[256];

    (void)state;
    touch_all(names);
    classes = known;
    told[0] = '\0';
    assert_int_equal(vgg_walk_classes(root, &walk, &error), VGG_BAD_ARGUMENT);
    assert_string_equal(told, "= a\n+ a/1.jpg\n= b, b\n= c\n+ c/3.jpg\n= d\n"
                              "- d/4.txt: not a picture's name\n- e/5.txt: not a picture's name\n"
                              "- e: a class folder without pictures\n");
    snprintf(text, sizeof text, "2 folders are none of the classes: b, b, d; in %s", root);
    assert_string_equal(error.text, text);
    classes = NULL;
}

/* As many names as fit, and how many more there are. */
static void many_strangers(void **state)
{
    static const char *const none[] = {NULL};
    char name[80], text[96];
    struct vgg_error error = {0};

    (void)state;
    classes = none;
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "%03u-%0*u/1.jpg", i, 20, 0);
        touch(name);
    }
    assert_int_equal(vgg_walk_classes(root, &walk, &error), VGG_BAD_ARGUMENT);
    assert_memory_equal(error.text, "300 folders are none of the classes: 000-0", 42);
    assert_non_null(strstr(error.text, ", 001-0"));
    assert_non_null(strstr(error.text, " more; in "));
    snprintf(text, sizeof text, "; in %s", root);
    assert_string_equal(error.text + strlen(error.text) - strlen(text), text);
    classes = NULL;
}

/* ---------------------------------------------------------------- memory --------------------- */

static void without_memory(void **state)
{
    static const char *const names[] = {"a/1.jpg", "a/b/2.jpg", "c/x.txt", NULL};
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    touch_all(names);
    for (unsigned long n = 1; fired; n++) {
        long live = fault_outstanding();
        struct vgg_error error = {0};
        enum vgg_status status;

        told[0] = '\0';
        fault_arm(n);
        status = vgg_walk_classes(root, &walk, &error);
        fired = fault_disarm();
        if (status == VGG_OK)
            assert_string_equal(told, "= a\n+ a/1.jpg\n+ a/b/2.jpg\n- c/x.txt: not a picture's "
                                      "name\n- c: a class folder without pictures\n");
        else {
            assert_true(fired);
            assert_int_equal(error.status, VGG_NO_MEMORY);
        }
        assert_int_equal(fault_outstanding(), live);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_and_order), TEST(junk),           TEST(no_files),
        TEST(links),           TEST(deep),           TEST(unreadable),
        TEST(the_top),         TEST(folders),        TEST(linked_folders),
        TEST(strangers),       TEST(many_strangers), TEST(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
