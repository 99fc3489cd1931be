/* Files put in place whole: full disks, killed writers, and what lies beside. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/replace.h"
#include "fault.h"
#include "model_maker.h"

static char directory[] = "/tmp/vgg-replace-XXXXXX";
static char path[sizeof directory + 32];

/* write() goes through this program: every other call is interrupted, the rest come up short. */
static bool unsteady;
static unsigned calls;

ssize_t write(int fd, const void *bytes, size_t size)
{
    if (unsteady && ++calls % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    if (unsteady && size > 7)
        size = 7;
    return syscall(SYS_write, fd, bytes, size);
}

static enum vgg_status put_text(void *user, int fd, struct vgg_error *error)
{
    return vgg_write_all(fd, user, strlen(user), error);
}

static enum vgg_status replace(char *text, struct vgg_error *error)
{
    *error = (struct vgg_error){0};
    return vgg_replace(path, put_text, text, error);
}

static void check_holds(const char *file, const char *text)
{
    char buffer[256] = "";
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(read(fd, buffer, sizeof buffer - 1), strlen(text));
    assert_string_equal(buffer, text);
    close(fd);
}

/* Files in the directory but for `path` itself. */
static size_t files_beside(void)
{
    DIR *entries = opendir(directory);
    size_t n = 0;

    assert_non_null(entries);
    while (readdir(entries) != NULL)
        n++;
    closedir(entries);
    return n - 2 - (access(path, F_OK) == 0);
}

/* ---------------------------------------------------------------- whole ---------------------- */

static void a_file_is_made_and_replaced(void **state)
{
    mode_t mask = umask(027);
    struct vgg_error error;
    struct stat made;

    (void)state;
    (void)unlink(path);
    assert_int_equal(replace((char *)"one", &error), VGG_OK);
    check_holds(path, "one");
    assert_int_equal(stat(path, &made), 0);
    assert_int_equal(made.st_mode & 0777, 0640);
    (void)umask(mask);
    assert_int_equal(replace((char *)"", &error), VGG_OK);
    check_holds(path, "");
    unsteady = true;
    assert_int_equal(replace((char *)"a text that takes more than one call", &error), VGG_OK);
    unsteady = false;
    assert_true(calls > 8);
    check_holds(path, "a text that takes more than one call");
    assert_int_equal(files_beside(), 0);
}

/* A name without a directory is of the current one. */
static void in_the_current_directory(void **state)
{
    char stale[] = "plain.99-0.tmp", *before = getcwd(NULL, 0);

    (void)state;
    assert_int_equal(chdir(directory), 0);
    maker_write(stale, "stale", 5);
    assert_int_equal(vgg_replace("plain", put_text, (char *)"text", NULL), VGG_OK);
    check_holds("plain", "text");
    assert_int_equal(access(stale, F_OK), -1);
    assert_int_equal(unlink("plain"), 0);
    assert_int_equal(chdir(before), 0);
    free(before);
}

static enum vgg_status give_up(void *user, int fd, struct vgg_error *error)
{
    assert_int_equal(files_beside(), 1);
    assert_int_equal(vgg_write_all(fd, user, 2, error), VGG_OK);
    return vgg_fail(error, VGG_CANCELLED, "no more of it");
}

static void contents_that_fail(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    maker_write(path, "old", 3);
    assert_int_equal(vgg_replace(path, give_up, (char *)"xx", &error), VGG_CANCELLED);
    assert_string_equal(error.text, "no more of it");
    check_holds(path, "old");
    assert_int_equal(files_beside(), 0);
}

static void what_is_no_regular_file(void **state)
{
    struct vgg_error error;

    (void)state;
    (void)unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(replace((char *)"new", &error), VGG_IO);
    assert_non_null(strstr(error.text, "not a regular file"));
    (void)unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(replace((char *)"new", &error), VGG_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(files_beside(), 0);
}

/* ---------------------------------------------------------------- full disks ----------------- */

/* A path is tried: what was there stays, what was not does not appear. */
static void a_trial(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    maker_write(path, "old", 3);
    assert_int_equal(vgg_replace_try(path, &error), VGG_OK);
    check_holds(path, "old");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(vgg_replace_try(path, &error), VGG_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(files_beside(), 0);
    assert_int_equal(vgg_replace_try(directory, &error), VGG_IO);
    assert_non_null(strstr(error.text, "not a regular file"));
    error = (struct vgg_error){0};
    assert_int_equal(vgg_replace_try("/nowhere/report.html", &error), VGG_IO);
    assert_string_equal(error.text, "cannot create it: No such file or directory");
}

static void tells_if_there_is_room(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(vgg_replace_room(path, 1, &error), VGG_OK);
    assert_int_equal(vgg_replace_room("here", 1, &error), VGG_OK);
    assert_int_equal(vgg_replace_room("/nowhere/file", 1, &error), VGG_OK); /* another's to find */
    assert_int_equal(vgg_replace_room(path, UINT64_MAX / 2, &error), VGG_IO);
    assert_memory_equal(error.text, path, strlen(path));
    assert_non_null(strstr(error.text, ": it takes 8796093022208.0 MiB, and "));
    assert_non_null(strstr(error.text, " are free there: No space left on device"));
}

static void a_full_device(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct vgg_error error = {0};

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(vgg_write_all(fd, "text", 4, &error), VGG_IO);
    assert_string_equal(error.text, "cannot write it: No space left on device");
    close(fd);
}

static enum vgg_status put_much(void *user, int fd, struct vgg_error *error)
{
    static const char block[4096];

    for (size_t i = 0; i < *(size_t *)user; i += sizeof block)
        if (vgg_write_all(fd, block, sizeof block, error) != VGG_OK)
            return VGG_IO;
    return VGG_OK;
}

static void a_full_file_system(void **state)
{
    struct vgg_error error = {0};
    size_t much = 1 << 20, little = 8 << 10;

    (void)state;
    (void)unlink(path);
    if (mount("tmpfs", directory, "tmpfs", 0, "size=64k") != 0) {
        printf("SKIPPED a full file system: cannot mount one (%s)\n", strerror(errno));
        skip();
    }
    maker_write(path, "old", 3);
    assert_int_equal(vgg_replace(path, put_much, &much, &error), VGG_IO);
    assert_string_equal(error.text, "cannot write it: No space left on device");
    check_holds(path, "old");
    assert_int_equal(files_beside(), 0);
    assert_int_equal(vgg_replace(path, put_much, &little, NULL), VGG_OK);
    assert_int_equal(umount(directory), 0);
}

/* ---------------------------------------------------------------- other processes ------------ */

/* A child in the middle of writing: it tells so, and goes on when it is told to. */
struct child {
    pid_t pid;
    int started, go;
};

static enum vgg_status put_halves(void *user, int fd, struct vgg_error *error)
{
    const int *ends = user;
    char byte = 'x';

    assert_int_equal(vgg_write_all(fd, "half", 4, error), VGG_OK);
    assert_int_equal(vgg_write_all(ends[0], &byte, 1, error), VGG_OK);
    if (read(ends[1], &byte, 1) != 1)
        _exit(3);
    return vgg_write_all(fd, " and half", 9, error);
}

static void start_child(struct child *child)
{
    int started[2], go[2];
    char byte;

    assert_int_equal(pipe(started), 0);
    assert_int_equal(pipe(go), 0);
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0) {
        int ends[2] = {started[1], go[0]};

        close(started[0]);
        close(go[1]);
        _exit(vgg_replace(path, put_halves, ends, NULL) == VGG_OK ? 0 : 1);
    }
    close(started[1]);
    close(go[0]);
    child->started = started[0];
    child->go = go[1];
    assert_int_equal(read(child->started, &byte, 1), 1);
}

static int end_child(const struct child *child)
{
    int status;

    close(child->started);
    close(child->go);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    return status;
}

static void a_killed_writer(void **state)
{
    struct vgg_error error;
    struct child child;

    (void)state;
    maker_write(path, "old", 3);
    start_child(&child);
    kill(child.pid, SIGKILL);
    assert_true(WIFSIGNALED(end_child(&child)));
    check_holds(path, "old");
    assert_int_equal(files_beside(), 1);
    assert_int_equal(replace((char *)"new", &error), VGG_OK);
    check_holds(path, "new");
    assert_int_equal(files_beside(), 0);
}

/* Two at a time do not disturb each other: the last to finish has the name. */
static void a_living_writer(void **state)
{
    struct vgg_error error;
    struct child child;

    (void)state;
    start_child(&child);
    assert_int_equal(files_beside(), 1);
    assert_int_equal(replace((char *)"between", &error), VGG_OK);
    check_holds(path, "between");
    assert_int_equal(files_beside(), 1);
    assert_int_equal(vgg_write_all(child.go, "x", 1, &error), VGG_OK);
    assert_int_equal(end_child(&child), 0);
    check_holds(path, "half and half");
    assert_int_equal(files_beside(), 0);
}

/* The name of this process is taken, by one of the same number that cannot be seen from here. */
static void a_taken_name(void **state)
{
    char taken[sizeof path + 32];
    struct vgg_error error;
    struct stat there;
    int fd;

    (void)state;
    snprintf(taken, sizeof taken, "%s.%ld-0.tmp", path, (long)getpid());
    fd = open(taken, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(replace((char *)"new", &error), VGG_OK);
    check_holds(path, "new");
    assert_int_equal(stat(taken, &there), 0);
    close(fd);
    assert_int_equal(replace((char *)"new", &error), VGG_OK);
    assert_int_equal(files_beside(), 0);
}

static void what_lies_beside_is_left(void **state)
{
    static const char *const names[] = {".tmp",      ".5.tmp",    ".5-.tmp", ".5-1.tmp.bak",
                                        "s.5-1.tmp", ".x5-1.tmp", ".5-1",    ".5-1.tmpx"};
    enum { NAMES = COUNT_OF(names) };
    char name[sizeof path + 32], link[sizeof path + 32];
    struct vgg_error error;

    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "%s%s", path, names[i]);
        maker_write(name, "mine", 4);
    }
    snprintf(link, sizeof link, "%s.7-0.tmp", path); /* nor what a link of such a name leads to */
    assert_int_equal(symlink(name, link), 0);
    snprintf(name, sizeof name, "%s.8-0.tmp", path);
    assert_int_equal(mkdir(name, 0700), 0);
    assert_int_equal(replace((char *)"new", &error), VGG_OK);
    assert_int_equal(files_beside(), NAMES + 2);
    assert_int_equal(rmdir(name), 0);
    assert_int_equal(unlink(link), 0);
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "%s%s", path, names[i]);
        check_holds(name, "mine");
        assert_int_equal(unlink(name), 0);
    }
}

/* ---------------------------------------------------------------- memory --------------------- */

static void without_memory(void **state)
{
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        enum vgg_status status;
        long before;

        maker_write(path, "old", 3);
        before = fault_outstanding();
        fault_arm(n);
        status = vgg_replace(path, put_text, (char *)"new", &error);
        fired = fault_disarm();
        assert_int_equal(fault_outstanding(), before);
        assert_true(status == VGG_OK || (status == VGG_NO_MEMORY && fired));
        check_holds(path, status == VGG_OK ? "new" : "old");
        assert_int_equal(files_beside(), 0);
    }
}

static int start(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/file", mkdtemp(directory));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_made_and_replaced),
        cmocka_unit_test(in_the_current_directory),
        cmocka_unit_test(contents_that_fail),
        cmocka_unit_test(what_is_no_regular_file),
        cmocka_unit_test(a_trial),
        cmocka_unit_test(tells_if_there_is_room),
        cmocka_unit_test(a_full_device),
        cmocka_unit_test(a_full_file_system),
        cmocka_unit_test(a_killed_writer),
        cmocka_unit_test(a_living_writer),
        cmocka_unit_test(a_taken_name),
        cmocka_unit_test(what_lies_beside_is_left),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
