/* Opening directories of pictures: what is listed, left out and refused. */
#include "album.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fault.h"

enum { NOTES_MAX = 16 };

/* What on_skip was told: "NAME: REASON". */
struct notes {
    size_t n;
    char text[NOTES_MAX][512];
};

static void note(void *user, const char *path, const char *reason)
{
    struct notes *notes = user;

    assert_true(notes->n < NOTES_MAX);
    assert_memory_equal(path, album, strlen(album));
    snprintf(notes->text[notes->n++], sizeof *notes->text, "%s: %s", path + strlen(album) + 1,
             reason);
}

/* A class may be told by its name alone. */
static void note_name(void *user, const char *path, const char *reason)
{
    struct notes *notes = user;

    assert_true(notes->n < NOTES_MAX);
    path = strncmp(path, album, strlen(album)) == 0 ? path + strlen(album) + 1 : path;
    snprintf(notes->text[notes->n++], sizeof *notes->text, "%s: %s", path, reason);
}

static const struct vgg_dataset_options keep_all = {.cache_bytes = 1 << 30};

static void check_names(const struct vgg_dataset *dataset, const char *const *names, size_t n)
{
    assert_int_equal(dataset->examples_n, n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(dataset->examples[i].name, names[i]);
        assert_memory_equal(dataset->examples[i].path, album, strlen(album));
        assert_string_equal(dataset->examples[i].path + strlen(album) + 1, names[i]);
    }
}

static void check_skips(const struct notes *notes, const char *const (*expected)[2], size_t n)
{
    for (size_t i = 0; i < n && i < notes->n; i++)
        if (strncmp(notes->text[i], expected[i][0], strlen(expected[i][0])) != 0 ||
            strstr(notes->text[i], expected[i][1]) == NULL)
            fail_msg("\"%s\" is not %s %s", notes->text[i], expected[i][0], expected[i][1]);
    assert_int_equal(notes->n, n);
}

/* ---------------------------------------------------------------- listing -------------------- */

/* Bytewise by path, nested folders included; what is hidden or no picture by name is not there. */
static void listing(void **state)
{
    static const char *const names[] = {"B/1.png",     "B/2.jpg",          "a/10.PNG",
                                        "a/9.jpeg",    "a/sub.png",        "a/sub/1.jpg",
                                        "a/sub/z.png", "a/x.jpg/deep.png", "a b/1.png"};
    static const size_t folders[] = {0, 0, 1, 1, 1, 1, 1, 1, 2}; /* order of names[] by class */
    struct vgg_dataset dataset;
    struct notes notes = {0};
    struct vgg_dataset_options options = {.cache_bytes = 1 << 30, .on_skip = note, .user = &notes};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strstr(names[i], ".jp") != NULL && strstr(names[i], "deep") == NULL)
            album_jpeg(names[i], 20, 10, 6);
        else
            album_png(names[i], 11, 13);
    album_png(".hidden/1.png", 5, 5);
    album_png("a/.2.png", 5, 5);
    album_png("a/.sub/3.png", 5, 5);
    album_png("outside.png", 5, 5);
    album_text("LICENSE", "MIT");
    album_text("a/notes.txt", "none");
    album_text("a/png", "none");
    album_open(&options, teams[1], &dataset);
    assert_int_equal(dataset.classes_n, 3);
    assert_string_equal(dataset.classes[0], "B");
    assert_string_equal(dataset.classes[1], "a");
    assert_string_equal(dataset.classes[2], "a b");
    check_names(&dataset, names, COUNT_OF(names));
    for (size_t i = 0; i < dataset.examples_n; i++) {
        const struct vgg_example *example = &dataset.examples[i];
        bool jpeg = strstr(names[i], ".jp") != NULL && strstr(names[i], "deep") == NULL;
        struct stat info;

        assert_int_equal(example->label, folders[i]);
        assert_int_equal(example->width, jpeg ? 10 : 11); /* turned upright */
        assert_int_equal(example->height, jpeg ? 20 : 13);
        assert_int_equal(stat(example->path, &info), 0);
        assert_int_equal(example->file_bytes, info.st_size);
        assert_non_null(example->image);
    }
    assert_int_equal(notes.n, 0);
    vgg_dataset_fini(&dataset);
}

/* A format is told from the bytes; links to files and class folders are followed. */
static void names_do_not_matter(void **state)
{
    static const char *const names[] = {"a/a.png", "b/a.jpg", "b/b.webp"};
    struct vgg_dataset dataset;

    (void)state;
    album_jpeg("a/a.png", 8, 8, 0);
    album_png("elsewhere/.c/a.jpg", 8, 8);
    assert_int_equal(symlink("../../a/a.png", album_path("elsewhere/.c/b.webp")), 0);
    assert_int_equal(symlink("elsewhere/.c", album_path("b")), 0);
    album_png("elsewhere/own.png", 8, 8);
    album_open(&keep_all, teams[0], &dataset);
    assert_int_equal(dataset.classes_n, 3);
    assert_int_equal(dataset.examples_n, 4);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(dataset.examples[i].name, names[i]);
    assert_string_equal(dataset.examples[0].image->info.format, "jpeg");
    assert_string_equal(dataset.examples[1].image->info.format, "png");
    assert_string_equal(dataset.examples[2].image->info.format, "jpeg");
    vgg_dataset_fini(&dataset);
}

static void trailing_slashes(void **state)
{
    struct vgg_dataset dataset;
    struct vgg_error error = {0};
    char dir[sizeof album + 2];

    (void)state;
    album_fill(1);
    snprintf(dir, sizeof dir, "%s//", album);
    assert_int_equal(vgg_dataset_open(dir, &keep_all, teams[0], &dataset, &error), VGG_OK);
    assert_string_equal(dataset.examples[0].name, "a/000.jpg");
    assert_string_equal(dataset.examples[0].path, album_path("a/000.jpg"));
    vgg_dataset_fini(&dataset);
}

/* ---------------------------------------------------------------- leaving out ---------------- */

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(strlen(album_path(name)) < sizeof address.sun_path);
    strcpy(address.sun_path, album_path(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

/*
 * Told in the order of paths, first what was no file to read, whatever the threads; a FIFO without
 * a writer holds nothing up.
 */
static void bad_files_are_skipped(void **state)
{
    static const char *const ignored[][2] = {
        {"a/fifo: ", "not a regular file"},
        {"a/fifo.jpg: ", "not a regular file"},
        {"a/loop: ", "a link to a directory"},
        {"a/socket.jpg: ", "not a regular file"},
    };
    static const char *const skips[][2] = {
        {"a/missing.png: ", "No such file"},
        {"a/0.jpg: ", "no bytes at all"},
        {"a/big.png: ", "over 64 MiB"},
        {"a/gif.png: ", "look like GIF"},
        {"a/short.jpg: ", ""},
        {"b/narrow.png: ", "16384 x 1 pixels: too narrow"},
    };
    struct vgg_dataset_options options = {.cache_bytes = 1 << 30, .on_skip = note};
    struct stat info;

    (void)state;
    album_png("a/good.png", 9, 9);
    album_png("b/good.png", 16383, 1);
    album_png("b/narrow.png", 16384, 1);
    album_text("a/0.jpg", "");
    album_text("a/big.png", "x");
    assert_int_equal(truncate(album_path("a/big.png"), (64 << 20) + 1), 0);
    album_png("a/deep/2/3/4/5/6/7/8/9/10/11/12/13/14/15/good.png", 9, 9);
    assert_int_equal(mkfifo(album_path("a/fifo.jpg"), 0600), 0);
    assert_int_equal(mkfifo(album_path("a/fifo"), 0600), 0);
    album_text("a/gif.png", "GIF89a..");
    assert_int_equal(symlink("..", album_path("a/loop")), 0);
    assert_int_equal(symlink("nothing", album_path("a/missing.png")), 0);
    album_jpeg("a/short.jpg", 50, 50, 0);
    assert_int_equal(stat(album_path("a/short.jpg"), &info), 0);
    assert_int_equal(truncate(album_path("a/short.jpg"), info.st_size / 2), 0);
    make_socket("a/socket.jpg");
    for (size_t i = 0; i < 2; i++) {
        struct notes notes = {0};
        struct vgg_dataset dataset;

        options.user = &notes;
        album_open(&options, teams[i], &dataset);
        check_skips(&notes, skips, COUNT_OF(skips));
        check_names(&dataset,
                    (const char *const[]){"a/deep/2/3/4/5/6/7/8/9/10/11/12/13/14/15/good.png",
                                          "a/good.png", "b/good.png"},
                    3);
        vgg_dataset_fini(&dataset);
    }
    {
        struct notes notes = {0};
        struct vgg_dataset dataset;

        options = (struct vgg_dataset_options){.on_ignore = note_name, .user = &notes};
        album_open(&options, teams[1], &dataset);
        check_skips(&notes, ignored, COUNT_OF(ignored));
        vgg_dataset_fini(&dataset);
    }
    options.on_ignore = NULL; /* nobody has to listen */
    for (size_t i = 0; i < 2; i++) {
        struct vgg_dataset dataset;

        album_open(&options, teams[i], &dataset);
        vgg_dataset_fini(&dataset);
    }
}

/* ---------------------------------------------------------------- refusals ------------------- */

/* The layout is shown, and the directory that may be meant. */
static void too_few_classes(void **state)
{
    static const char layout[] = "expected DIR/CLASS/PICTURE, such as DIR/cat/1.jpg";
    char meant[128];

    (void)state;
    album_png("outside.png", 5, 5);
    album_refused(&keep_all, VGG_BAD_ARGUMENT, "no class folder holds a usable picture");
    album_refused(&keep_all, VGG_BAD_ARGUMENT, layout);
    album_png("a/1.png", 5, 5);
    album_refused(&keep_all, VGG_BAD_ARGUMENT, "a single class folder holds usable pictures, a;");
    album_refused(&keep_all, VGG_BAD_ARGUMENT, layout);
    album_text("b/1.png", "no picture");
    album_refused(&keep_all, VGG_BAD_ARGUMENT, "a single class folder holds usable pictures, a;");
    assert_int_equal(remove(album_path("a/1.png")), 0);
    album_png("a/cat/1.png", 5, 5);
    album_png("a/dog/1.png", 5, 5);
    snprintf(meant, sizeof meant, "all of them in folders of its own: is %s/a meant?", album);
    album_refused(&keep_all, VGG_BAD_ARGUMENT, meant);
}

/* Classes of which nothing can be used are left out, and the labels of the others close up. */
static void empty_classes(void **state)
{
    static const char *const ignored[][2] = {{".DS_Store: ", "hidden"},
                                             {"__MACOSX: ", "archiver"},
                                             {"aa/readme: ", "not a picture's name"},
                                             {"aa: ", "without pictures"},
                                             {"ab: ", "without a usable picture"},
                                             {"c: ", "without a usable picture"}};
    static const char *const names[] = {"a/000.jpg", "b/001.png", "b/002.jpg"};
    struct notes skips = {0}, ignores = {0};
    struct vgg_dataset_options options = {.on_skip = note, .on_ignore = note_name};
    struct vgg_dataset dataset;

    (void)state;
    album_fill(1);
    album_text(".DS_Store", "junk");
    album_text("__MACOSX/a/._000.jpg", "junk");
    album_text("aa/readme", "no picture");
    album_text("ab/bad.png", "no picture either");
    album_text("c/bad.png", "the last one");
    options.user = &ignores;
    options.on_skip = NULL;
    album_open(&options, teams[1], &dataset);
    check_skips(&ignores, ignored, COUNT_OF(ignored));
    assert_int_equal(dataset.classes_n, 2);
    assert_string_equal(dataset.classes[1], "b");
    check_names(&dataset, names, 3);
    assert_int_equal(dataset.examples[0].label, 0);
    assert_int_equal(dataset.examples[2].label, 1);
    vgg_dataset_fini(&dataset);
    options = (struct vgg_dataset_options){.on_skip = note, .user = &skips};
    album_open(&options, teams[0], &dataset);
    check_skips(&skips, (const char *const[][2]){{"ab/bad.png: ", ""}, {"c/bad.png: ", ""}}, 2);
    vgg_dataset_fini(&dataset);
}

/* ---------------------------------------------------------------- few, and unknown ----------- */

/* All classes of too few usable pictures are named, also those of none. */
static void pictures_min(void **state)
{
    struct vgg_dataset_options options = {.pictures_min = 2};
    struct vgg_dataset dataset;

    (void)state;
    album_fill(1);
    album_text("c/bad.png", "no picture");
    album_text("c/worse.png", "no picture either");
    album_text("d/readme", "no class");
    album_text("e/1.HEIC", "a class, but its pictures cannot be read");
    album_refused(&options, VGG_BAD_ARGUMENT,
                  ": 3 classes have fewer than 2 usable pictures: a (1), c (0), e (0)");
    assert_int_equal(remove(album_path("e/1.HEIC")), 0);
    album_png("a/more.png", 5, 5);
    album_refused(&options, VGG_BAD_ARGUMENT, ": 1 class has fewer than 2 usable pictures: c (0)");
    assert_int_equal(remove(album_path("c/bad.png")), 0);
    assert_int_equal(remove(album_path("c/worse.png")), 0);
    album_open(&options, teams[1], &dataset);
    assert_int_equal(dataset.classes_n, 2);
    vgg_dataset_fini(&dataset);
}

/* _unknown is no class: left out, or a set of its own; names that begin like it are others. */
static void unknown(void **state)
{
    static const char *const names[] = {"a/000.jpg", "b/001.png", "b/002.jpg"};
    static const char *const others[] = {"_unknown/bad/2.png", "_unknown/x.png"};
    const char *classes[] = {"b", "a"};
    struct notes ignores = {0}, skips = {0};
    struct vgg_dataset dataset, set;
    struct vgg_dataset_options options = {.on_ignore = note_name, .user = &ignores};

    (void)state;
    album_fill(1);
    album_png("_unknown/x.png", 5, 5);
    album_png("_unknown/bad/2.png", 5, 5);
    album_text("_unknown/bad/1.png", "no picture");
    album_open(&options, teams[1], &dataset);
    check_skips(&ignores, (const char *const[][2]){{"_unknown: ", "none of the classes"}}, 1);
    check_names(&dataset, names, 3);
    vgg_dataset_fini(&dataset);
    for (size_t i = 0; i < 2; i++) {
        options = (struct vgg_dataset_options){.cache_bytes = 1 << 20,
                                               .unknown = &set,
                                               .classes = i == 0 ? NULL : classes,
                                               .classes_n = i == 0 ? 0 : 2,
                                               .on_skip = note,
                                               .user = &skips};
        skips.n = 0;
        album_open(&options, teams[i], &dataset);
        check_skips(&skips, (const char *const[][2]){{"_unknown/bad/1.png: ", ""}}, 1);
        check_names(&dataset, names, 3);
        assert_int_equal(dataset.examples[0].label, i);
        check_names(&set, others, 2);
        assert_int_equal(set.classes_n, 0);
        assert_int_equal(set.examples[1].label, VGG_UNKNOWN_LABEL);
        assert_non_null(set.examples[1].image);
        vgg_dataset_fini(&dataset);
        vgg_dataset_fini(&set);
    }
    album_png("_unknowns/1.png", 5, 5);
    options = (struct vgg_dataset_options){.unknown = &set};
    album_open(&options, teams[1], &dataset);
    assert_int_equal(dataset.classes_n, 3);
    assert_string_equal(dataset.classes[0], "_unknowns");
    assert_int_equal(vgg_dataset_append(&dataset, &set, NULL), VGG_OK);
    assert_int_equal(dataset.examples_n, 6);
    assert_int_equal(set.examples_n, 0);
    assert_string_equal(dataset.examples[5].name, "_unknown/x.png");
    vgg_dataset_fini(&dataset);
    vgg_dataset_fini(&set);
}

/* A set of none but unknown ones is refused, and nothing is left behind. */
static void only_unknown(void **state)
{
    struct vgg_dataset set;
    const struct vgg_dataset_options options = {.unknown = &set};

    (void)state;
    album_png("_unknown/x.png", 5, 5);
    album_refused(&options, VGG_BAD_ARGUMENT, "no class folder holds a usable picture");
    assert_null(set.examples);
    assert_int_equal(set.examples_n, 0);
}

/* The file's digest, as sha256sum has it. */
static void hashes(void **state)
{
    struct vgg_dataset dataset;
    char command[1200], hex[VGG_SHA256_HEX_BYTES] = "";
    FILE *pipe;

    (void)state;
    album_fill(1);
    album_open(&keep_all, teams[1], &dataset);
    snprintf(command, sizeof command, "sha256sum < %s", dataset.examples[1].path);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(hex, sizeof hex, pipe));
    assert_int_equal(pclose(pipe), 0);
    assert_string_equal(dataset.examples[1].sha256, hex);
    vgg_dataset_fini(&dataset);
}

/* ---------------------------------------------------------------- names ---------------------- */

static void unreadable_directories(void **state)
{
    struct vgg_dataset dataset;
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(vgg_dataset_open("/nonexistent/x", &keep_all, teams[0], &dataset, &error),
                     VGG_IO);
    assert_string_equal(error.text, "/nonexistent/x: No such file or directory");
    album_text("plain", "x");
    error = (struct vgg_error){0};
    assert_int_equal(vgg_dataset_open(album_path("plain"), &keep_all, teams[0], &dataset, &error),
                     VGG_IO);
    assert_non_null(strstr(error.text, "plain: Not a directory (an archive is to be unpacked"));
    album_fill(1);
    album_png("a/sub/1.png", 5, 5);
    assert_int_equal(chmod(album_path("a/sub"), 0), 0);
    if (access(album_path("a/sub"), R_OK) != 0) { /* root reads everything */
        struct notes notes = {0};
        struct vgg_dataset_options options = {.on_skip = note, .user = &notes};

        album_open(&options, teams[0], &dataset);
        check_skips(&notes, (const char *const[][2]){{"a/sub: ", "Permission denied"}}, 1);
        vgg_dataset_fini(&dataset);
    }
    assert_int_equal(chmod(album_path("a/sub"), 0700), 0);
}

static void class_names_are_utf8(void **state)
{
    static const char *const bad[] = {
        "\xff", "\xc3", "a\x80", "\xc0\xaf", "\xed\xa0\x80", "\xe0\x9f\xbf", "\xf4\x90\x80\x80",
        "\xf8"};
    char name[16];
    struct vgg_dataset dataset;

    (void)state;
    album_fill(1);
    album_png("na\xc3\xafve \xe2\x98\x83 \xf0\x9f\x97\x91/1.png", 5, 5);
    album_open(&keep_all, teams[0], &dataset);
    assert_string_equal(dataset.classes[2], "na\xc3\xafve \xe2\x98\x83 \xf0\x9f\x97\x91");
    vgg_dataset_fini(&dataset);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(name, sizeof name, "%s/1.png", bad[i]);
        album_png(name, 5, 5);
        album_refused(&keep_all, VGG_BAD_ARGUMENT, "is not UTF-8");
        assert_int_equal(remove(album_path(name)), 0);
        assert_int_equal(remove(album_path(bad[i])), 0);
    }
}

/* Labels are places in the list that was given, whichever folders there are. */
static void given_classes(void **state)
{
    const char *classes[] = {"z", "b", "a"};
    struct vgg_dataset_options options = {.classes = classes, .classes_n = 3};
    struct vgg_dataset dataset;

    (void)state;
    album_refused(&options, VGG_BAD_ARGUMENT, "no usable picture");
    album_fill(1);
    album_open(&options, teams[0], &dataset);
    assert_int_equal(dataset.classes_n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(dataset.classes[i], classes[i]);
    check_names(&dataset, (const char *const[]){"a/000.jpg", "b/001.png", "b/002.jpg"}, 3);
    assert_int_equal(dataset.examples[0].label, 2);
    assert_int_equal(dataset.examples[1].label, 1);
    vgg_dataset_fini(&dataset);
    album_png("Z/1.png", 5, 5);
    album_png("q/1.png", 5, 5);
    album_text("empty/readme", "no class, but nothing is missed");
    album_refused(&options, VGG_BAD_ARGUMENT, "2 folders are none of the classes: Z, q; in");
}

/* ---------------------------------------------------------------- threads, cache, memory ----- */

static void check_equal(const struct vgg_dataset *one, const struct vgg_dataset *other)
{
    char digests[2][VGG_SHA256_HEX_BYTES];

    vgg_dataset_digest(one, digests[0]);
    vgg_dataset_digest(other, digests[1]);
    assert_string_equal(digests[0], digests[1]);
    assert_int_equal(one->examples_n, other->examples_n);
    for (size_t i = 0; i < one->examples_n; i++) {
        const struct vgg_example *a = &one->examples[i], *b = &other->examples[i];

        assert_string_equal(a->path, b->path);
        assert_int_equal(a->label, b->label);
        assert_memory_equal(&a->moments, &b->moments, sizeof a->moments);
        assert_int_equal(a->image == NULL, b->image == NULL);
        if (a->image != NULL)
            assert_memory_equal(a->image->pixels, b->image->pixels,
                                3 * (size_t)a->width * a->height);
    }
}

/* Kept are the first pictures, up to the one that does not fit, with any number of threads. */
static void threads_and_cache(void **state)
{
    struct vgg_dataset datasets[2];
    uint64_t bytes = 0, all = 0;

    (void)state;
    album_fill(20);
    album_text("a/0005.png", "bad");
    album_text("b/0255.jpg", "bad");
    album_open(&keep_all, teams[0], &datasets[0]);
    assert_int_equal(datasets[0].examples_n, 60);
    for (size_t i = 0; i < 60; i++)
        all += 3 * (uint64_t)datasets[0].examples[i].width * datasets[0].examples[i].height;
    vgg_dataset_fini(&datasets[0]);
    for (uint64_t cache = 0; cache <= all; cache += all / 7) {
        struct vgg_dataset_options options = {.cache_bytes = cache};
        bool full = false;

        for (size_t i = 0; i < 2; i++)
            album_open(&options, teams[i], &datasets[i]);
        check_equal(&datasets[0], &datasets[1]);
        bytes = 0;
        for (size_t i = 0; i < 60; i++) {
            const struct vgg_example *example = &datasets[0].examples[i];

            bytes += 3 * (uint64_t)example->width * example->height;
            full = full || bytes > cache;
            assert_int_equal(example->image == NULL, full);
        }
        for (size_t i = 0; i < 2; i++)
            vgg_dataset_fini(&datasets[i]);
    }
}

/* A digest tells names, labels, contents' sizes and classes apart. */
static void digests(void **state)
{
    char hex[5][VGG_SHA256_HEX_BYTES];
    const char *more[] = {"a", "b", "c"};
    struct vgg_dataset_options given = {.classes = more, .classes_n = 3};
    struct vgg_dataset dataset;

    (void)state;
    album_fill(2);
    for (size_t i = 0; i < 5; i++) {
        if (i == 1)
            album_jpeg("a/000.jpg", 69, 40, 1); /* another width */
        if (i == 2)
            album_jpeg("a/0000.jpg", 69, 40, 1); /* one more */
        if (i == 3)
            album_jpeg("b/zzz.jpg", 69, 40, 1);
        album_open(i == 4 ? &given : &keep_all, teams[0], &dataset);
        vgg_dataset_digest(&dataset, hex[i]);
        assert_int_equal(strlen(hex[i]), 64);
        vgg_dataset_fini(&dataset);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(hex[i], hex[j]);
    }
}

static size_t open_descriptors(void)
{
    DIR *stream = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(stream);
    while (readdir(stream) != NULL)
        n++;
    closedir(stream);
    return n - 3; /* ".", ".." and its own */
}

/* One file for each thread, one directory at any depth. */
static void few_descriptors(void **state)
{
    size_t before = open_descriptors();
    struct notes notes = {0};
    struct vgg_dataset_options options = {.on_skip = note, .user = &notes};
    struct rlimit old, limit;
    struct vgg_dataset dataset;

    (void)state;
    album_fill(8);
    album_png("a/b/c/d/e/f/g/h/1.png", 5, 5);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    limit.rlim_cur = before + 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    album_open(&options, teams[1], &dataset);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(notes.n, 0);
    assert_int_equal(dataset.examples_n, 25);
    assert_int_equal(open_descriptors(), before);
    vgg_dataset_fini(&dataset);
}

/* Out of memory is never taken for a bad picture. */
static void opening_without_memory(void **state)
{
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    album_fill(2);
    album_text("a/bad.png", "bad");
    for (size_t threads = 0; threads < 2; threads++) {
        fired = true;
        for (unsigned long n = 1; fired; n++) {
            long before = fault_outstanding();
            struct notes notes = {0};
            struct vgg_dataset_options options = {
                .cache_bytes = 1 << 20, .on_skip = note, .user = &notes};
            struct vgg_error error = {0};
            struct vgg_dataset dataset;
            enum vgg_status status;

            fault_arm(n);
            status = vgg_dataset_open(album, &options, teams[threads], &dataset, &error);
            fired = fault_disarm();
            if (status == VGG_OK) {
                assert_int_equal(dataset.examples_n, 6);
                assert_int_equal(notes.n, 1);
            } else {
                assert_true(fired);
                assert_int_equal(status, VGG_NO_MEMORY);
                assert_int_equal(error.status, VGG_NO_MEMORY);
                assert_int_equal(dataset.examples_n, 0);
            }
            vgg_dataset_fini(&dataset);
            assert_int_equal(fault_outstanding(), before);
        }
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, album_start, album_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(listing),
        TEST(names_do_not_matter),
        TEST(trailing_slashes),
        TEST(bad_files_are_skipped),
        TEST(too_few_classes),
        TEST(empty_classes),
        TEST(pictures_min),
        TEST(unknown),
        TEST(only_unknown),
        TEST(hashes),
        TEST(unreadable_directories),
        TEST(class_names_are_utf8),
        TEST(given_classes),
        TEST(threads_and_cache),
        TEST(digests),
        TEST(few_descriptors),
        TEST(opening_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
