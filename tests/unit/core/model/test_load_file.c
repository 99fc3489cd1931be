/*
 * Models from real files: what is no regular file, what cannot be read, and what changes meanwhile.
 * pread goes through this program, so that it can come up short, be interrupted, fail, or find the
 * file changed at any of its calls.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "fault.h"
#include "model_maker.h"
#include "vgg.h"

static char directory[] = "/tmp/vgg-load-XXXXXX";
static char path[sizeof directory + 32];
static unsigned char *bytes;
static size_t size;

/* ---------------------------------------------------------------- pread ---------------------- */

enum trouble { NONE, SHORT, INTERRUPTED, BROKEN, TOUCHED, GROWN, CUT, REPLACED };

static enum trouble trouble;
static unsigned trouble_at; /* number of the call, from 1; SHORT is at every one */
static unsigned calls;

static void make_trouble(void)
{
    static const struct timespec epoch[2] = {{0, 0}, {1, 2}};
    char other[sizeof path + 8];

    switch (trouble) {
    case TOUCHED:
        (void)utimensat(AT_FDCWD, path, epoch, 0);
        break;
    case GROWN:
    case CUT:
        if (truncate(path, (off_t)(trouble == GROWN ? size + 1 : size / 2)) != 0)
            abort();
        break;
    case REPLACED: /* another file under the name: the one that is open stays what it was */
        snprintf(other, sizeof other, "%s.other", path);
        maker_write(other, "other", 5);
        (void)rename(other, path);
        break;
    default:
        break;
    }
}

ssize_t pread(int fd, void *buffer, size_t count, off_t offset)
{
    if (++calls == trouble_at) {
        if (trouble == INTERRUPTED || trouble == BROKEN) {
            errno = trouble == INTERRUPTED ? EINTR : EIO;
            return -1;
        }
        make_trouble();
    }
    if (trouble == SHORT && count > 1)
        count = 1 + count / 3;
    return syscall(SYS_pread64, fd, buffer, count, offset);
}

/* ---------------------------------------------------------------- files ---------------------- */

static size_t open_files(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

/* Load with trouble at a call. Nothing may stay open or allocated but the model. */
static enum vgg_status load(const char *file, enum trouble kind, unsigned at,
                            struct vgg_error *error)
{
    size_t files = open_files();
    long before = fault_outstanding();
    struct vgg_model *model = NULL;
    enum vgg_status status;

    calls = 0;
    trouble = kind;
    trouble_at = at;
    *error = (struct vgg_error){0};
    status = vgg_model_load(file, NULL, &model, error);
    trouble = NONE;
    assert_int_equal(error->status, status);
    assert_int_equal(open_files(), files);
    assert_int_equal(status == VGG_OK, model != NULL);
    if (status == VGG_OK)
        assert_int_equal(vgg_model_get_info(model)->file_bytes, size);
    else
        assert_non_null(strstr(error->text, file));
    vgg_model_release(model);
    assert_int_equal(fault_outstanding(), before);
    return status;
}

static void check(const char *file, enum vgg_status status, const char *text)
{
    struct vgg_error error;

    assert_int_equal(load(file, NONE, 0, &error), status);
    if (status != VGG_OK && strstr(error.text, text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.text, text);
}

static void a_good_file(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        check(path, VGG_OK, "");
}

static void what_is_no_regular_file(void **state)
{
    char name[sizeof path + 16];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    (void)state;
    snprintf(name, sizeof name, "%s/missing", directory);
    check(name, VGG_IO, "No such file");
    check("", VGG_IO, "No such file");
    snprintf(name, sizeof name, "%s/below", path);
    check(name, VGG_IO, "Not a directory");
    check(directory, VGG_IO, "a directory");
    check("/dev/null", VGG_IO, "not a regular file");
    snprintf(name, sizeof name, "%s/fifo", directory);
    assert_int_equal(mkfifo(name, 0600), 0);
    check(name, VGG_IO, "not a regular file"); /* and does not wait for a writer */
    unlink(name);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", directory);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    check(address.sun_path, VGG_IO, "");
    close(fd);
    unlink(address.sun_path);
}

static void empty_and_damaged_files(void **state)
{
    char name[sizeof path + 16];

    (void)state;
    snprintf(name, sizeof name, "%s/damaged", directory);
    maker_write(name, "", 0);
    check(name, VGG_BAD_MODEL, "it is empty");
    maker_write(name, bytes, size / 2);
    check(name, VGG_BAD_MODEL, "truncated: tensor");
    maker_write(name, bytes, 30);
    check(name, VGG_BAD_MODEL, "truncated: a header");
    maker_write(name, "GIF89a and so on", 16);
    check(name, VGG_BAD_MODEL, "not a safetensors file");
    unlink(name);
}

static void links_are_followed(void **state)
{
    char name[sizeof path + 16];

    (void)state;
    snprintf(name, sizeof name, "%s/link", directory);
    assert_int_equal(symlink(path, name), 0);
    check(name, VGG_OK, "");
    unlink(name);
    assert_int_equal(symlink(name, name), 0);
    check(name, VGG_IO, "Too many levels");
    unlink(name);
}

/* ---------------------------------------------------------------- while it is read ----------- */

static unsigned calls_of_a_load(void)
{
    struct vgg_error error;

    assert_int_equal(load(path, NONE, 0, &error), VGG_OK);
    assert_true(calls > 10);
    return calls;
}

static void short_and_interrupted_reads(void **state)
{
    unsigned all = calls_of_a_load();
    struct vgg_error error;

    (void)state;
    assert_int_equal(load(path, SHORT, 0, &error), VGG_OK);
    assert_true(calls > all);
    for (unsigned at = 1; at <= all; at++)
        assert_int_equal(load(path, INTERRUPTED, at, &error), VGG_OK);
}

static void a_disk_that_fails(void **state)
{
    unsigned all = calls_of_a_load();
    struct vgg_error error;

    (void)state;
    for (unsigned at = 1; at <= all; at++) {
        assert_int_equal(load(path, BROKEN, at, &error), VGG_IO);
        assert_non_null(strstr(error.text, "Input/output error"));
    }
}

/* Whatever was found in it: a file that changed is an IO error that says so. */
static void a_file_that_changes(void **state)
{
    static const enum trouble kinds[] = {TOUCHED, GROWN, CUT};
    unsigned all = calls_of_a_load();
    struct vgg_error error;

    (void)state;
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++)
        for (unsigned at = 1; at <= all; at++) {
            assert_int_equal(load(path, kinds[kind], at, &error), VGG_IO);
            if (strstr(error.text, "changed while it was read") == NULL)
                fail_msg("change %zu at read %u: %s", kind, at, error.text);
            maker_write(path, bytes, size);
        }
}

/* A rename over the name changes the link count of what is open, not what it holds. */
static void a_name_that_changes(void **state)
{
    unsigned all = calls_of_a_load();
    struct vgg_error error;

    (void)state;
    for (unsigned at = 1; at <= all; at++) {
        enum vgg_status status = load(path, REPLACED, at, &error);

        maker_write(path, bytes, size);
        if (status != VGG_OK)
            fail_msg("replaced at read %u: %s", at, error.text);
    }
}

/* A file that is open: neither its name nor its position matters. */
static void an_open_file(void **state)
{
    char other[sizeof path + 8];
    struct vgg_model *models[2];
    int fd;

    (void)state;
    snprintf(other, sizeof other, "%s.other", path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 100, SEEK_SET), 100);
    maker_write(other, "other", 5);
    assert_int_equal(rename(other, path), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(vgg_model_load_fd(fd, path, NULL, &models[i], NULL), VGG_OK);
    assert_string_equal(vgg_model_get_info(models[0])->version,
                        vgg_model_get_info(models[1])->version);
    assert_string_equal(vgg_model_get_info(models[0])->name, "model");
    for (size_t i = 0; i < 2; i++)
        vgg_model_release(models[i]);
    close(fd);
    maker_write(path, bytes, size);
}

/* It is refused before it takes what it may not, with both sizes. */
static void more_memory_than_it_may_take(void **state)
{
    struct vgg_load_options options = {.memory_max = UINT64_MAX};
    uint64_t refused = 0;
    struct vgg_model *model;

    (void)state;
    assert_int_equal(vgg_model_load(path, &options, &model, NULL), VGG_OK);
    options.memory_max = vgg_model_get_info(model)->memory_bytes;
    vgg_model_release(model);
    assert_true(options.memory_max != 0);
    /* Loading takes somewhat more than the weights: find how much. */
    for (uint64_t step = options.memory_max; step != 0; step /= 2) {
        struct vgg_error error = {0};
        enum vgg_status status;

        calls = 0;
        status = vgg_model_load(path, &options, &model, &error);
        if (status == VGG_OK) {
            vgg_model_release(model);
            options.memory_max -= step;
            continue;
        }
        assert_int_equal(status, VGG_NO_MEMORY);
        assert_non_null(strstr(error.text, path));
        assert_non_null(strstr(error.text, "MiB of memory"));
        assert_int_equal(calls, 2); /* the header */
        refused = options.memory_max;
        options.memory_max += step;
    }
    assert_true(refused != 0);
}

static int start(void **state)
{
    struct maker maker;
    struct vgg_model *model = NULL;

    (void)state;
    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    maker_make(&maker, &(struct maker_spec){.arch = "B", .batch_norm = true});
    bytes = maker_bytes(&maker, &size);
    maker_free(&maker);
    maker_write(path, bytes, size);
    /* The C library keeps the stack of the first threads for the next ones. */
    (void)vgg_model_load(path, NULL, &model, NULL);
    vgg_model_release(model);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    free(bytes);
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file),
        cmocka_unit_test(what_is_no_regular_file),
        cmocka_unit_test(empty_and_damaged_files),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(short_and_interrupted_reads),
        cmocka_unit_test(a_disk_that_fails),
        cmocka_unit_test(a_file_that_changes),
        cmocka_unit_test(a_name_that_changes),
        cmocka_unit_test(an_open_file),
        cmocka_unit_test(more_memory_than_it_may_take),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
