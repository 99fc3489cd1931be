/*
 * What people count on: words that are nearly right, streams that are closed or full, ports that
 * are taken, names that a terminal must not see.
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answers.h"
#include "process.h"
#include "work.h"

/* Run a command with its standard output to a descriptor, which is closed. */
static struct output run_to(int out_fd, const char *const *args)
{
    int err_fd = open(work_file("stderr"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct output output = {0};
    struct blob err;
    pid_t pid;

    assert_true(out_fd >= 0 && err_fd >= 0);
    pid = process_start(args, NULL, NULL, out_fd, err_fd);
    close(out_fd);
    close(err_fd);
    output.status = process_wait(pid);
    err = work_read(work_file("stderr"));
    output.err = (char *)err.bytes;
    return output;
}

static void expect(const char *const *args, const char *const *env, int status, const char *err)
{
    struct output output = command_run(args, env, NULL);

    if (output.status != status || strcmp(output.err, err) != 0)
        fail_msg("status %d: %s", output.status, output.err);
    output_free(&output);
}

static const char *put_picture(const char *name)
{
    struct blob image = picture(50, 40);

    work_write(work_file(name), image.bytes, image.size);
    blob_free(&image);
    return work_file(name);
}

/* ---------------------------------------------------------------- nearly right words --------- */

static void test_proposals(void **state)
{
    (void)state;
    expect((const char *[]){"clasify", NULL}, NULL, 2,
           "vgg: unknown command \"clasify\": did you mean classify? (see vgg --help)\n");
    expect((const char *[]){"--versoin", NULL}, NULL, 2,
           "vgg: unknown command \"--versoin\": did you mean --version? (see vgg --help)\n");
    expect((const char *[]){"whatever", NULL}, NULL, 2,
           "vgg: unknown command \"whatever\" (see vgg --help)\n");
    expect((const char *[]){"serve", "--modle", "x", NULL}, NULL, 2,
           "vgg: unknown option --modle: did you mean --model? (see vgg serve --help)\n");
    expect((const char *[]){"classify", "--top_k=3", "x", NULL}, NULL, 2,
           "vgg: unknown option --top_k=3: did you mean --top-k? (see vgg classify --help)\n");
    expect((const char *[]){"serve", "--log", "jsno", NULL}, NULL, 2,
           "vgg: --log jsno: must be json or text: did you mean json?\n");
    expect((const char *[]){"serve", NULL}, (const char *[]){"VGG_LOG=txet", NULL}, 2,
           "vgg: VGG_LOG=txet: must be json or text: did you mean text?\n");
}

/* A warning, for people as a line, in a log as an event; the command goes on. */
static void test_unknown_variables(void **state)
{
    const char *const env[] = {"VGG_MODLE=x", "VGG_SERVICE_HOST=10.0.0.1", "VGG_SHARED=/", NULL};
    struct server server;
    char *log;

    (void)state;
    expect((const char *[]){"inspect", NULL}, env, 0,
           "vgg: VGG_MODLE is no variable of vgg: did you mean VGG_MODEL?\n");
    server_start_with(&server, (const char *[]){"--log", "json", NULL}, env);
    log = server_log(&server);
    assert_non_null(strstr(log, "\"event\":\"warning\",\"message\":\"VGG_MODLE is no variable"));
    assert_null(strstr(log, "VGG_SERVICE_HOST"));
    assert_int_equal(log[0], '{');
    free(log);
    server_stop(&server);
}

/* Where 0 would stand for the default, it is refused. */
static void test_zeros(void **state)
{
    static const char *const zeros[][3] = {
        {"serve", "--max-cost", "0"},
        {"serve", "--threads", "0"},
        {"serve", "--max-images", "0"},
        {"serve", "--max-body", "0"},
        {"serve", "--max-pixels", "0"},
        {"serve", "--max-view-pixels", "0"},
        {"serve", "--top-k", "0"},
        {"serve", "--deadline", "0"},
        {"serve", "--max-connections", "0"},
        {"serve", "--max-header", "0"},
        {"serve", "--header-timeout", "0"},
        {"serve", "--idle-timeout", "0"},
        {"serve", "--scales", "0"},
        {"classify", "--top-k", "0"},
        {"classify", "--threads", "0"},
        {"classify", "--max-pixels", "0"},
        {"eval", "--max-body", "0"},
        {"eval", "--threads", "0"},
        {"bench", "--batch", "0"},
        {"bench", "--repeats", "0"},
        {"bench", "--threads", "0"},
        {"bench", "--sizes", "0x0"},
        {"init", "--width", "0"},
        {"init", "--fc", "0"},
        {"init", "--classes", "0"},
        {"init", "--crop", "0"},
        {"train", "--rate", "0"},
        {"train", "--validation-fraction", "0"},
        {"train", "--crop", "0"},
        {"health", "--timeout", "0"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(zeros); i++) {
        const char *const args[] = {zeros[i][0], zeros[i][1], zeros[i][2], NULL};
        struct output output = command_run(args, NULL, NULL);

        if (output.status != 2 || count_lines(output.err) != 1 ||
            strstr(output.err, zeros[i][1]) == NULL)
            fail_msg("%s %s: status %d: %s", args[0], args[1], output.status, output.err);
        output_free(&output);
    }
}

/* ---------------------------------------------------------------- streams -------------------- */

/* Every command that prints says that it could not. */
static void test_full_output(void **state)
{
    const char *photo = put_picture("photo.jpg"), *model = model_narrow();
    const char *set = work_file("set");
    const char *const commands[][12] = {
        {"--help"},
        {"--version"},
        {"serve", "--help"},
        {"train", "--version"},
        {"classify", "--model", model, "--scales", "64", photo},
        {"classify", "--model", model, "--scales", "64", "--json", photo},
        {"classify", "--model", model, "--scales", "64", "--csv", photo},
        {"eval", "--model", model, "--scales", "64", set},
        {"eval", "--model", model, "--scales", "64", "--json", set},
        {"inspect", model},
        {"inspect", "--json", model},
        {"bench", "--model", model, "--sizes", "32x32", "--repeats", "1"},
        {"bench", "--model", model, "--sizes", "32x32", "--repeats", "1", "--json"},
    };

    (void)state;
    assert_int_equal(mkdir(set, 0700), 0);
    assert_int_equal(mkdir(work_file("set/3"), 0700), 0);
    put_picture("set/3/photo.jpg");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct output output = run_to(open("/dev/full", O_WRONLY | O_CLOEXEC), commands[i]);

        if (output.status != 1 || count_lines(output.err) != 1 ||
            strstr(output.err, "vgg: cannot write to standard output") == NULL)
            fail_msg("%s: status %d: %s", commands[i][0], output.status, output.err);
        output_free(&output);
    }
}

/* A reader that has gone, as `| head` does: no line about it, whether SIGPIPE is ignored or not. */
static void test_broken_pipe(void **state)
{
    const char *photo = put_picture("photo.jpg");
    const char *const args[] = {"classify", "--model", model_narrow(), "--scales", "64",
                                photo,      photo,     photo,          NULL};

    (void)state;
    for (int ignored = 0; ignored < 2; ignored++) {
        struct output output;
        int ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        close(ends[0]);
        signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
        output = run_to(ends[1], args);
        signal(SIGPIPE, SIG_DFL);
        assert_string_equal(output.err, "");
        assert_int_equal(output.status, ignored ? 1 : 128 + SIGPIPE);
        output_free(&output);
    }
}

static bool leads_to(pid_t pid, const char *name, const char *target)
{
    char path[300], found[256];
    ssize_t length;

    snprintf(path, sizeof path, "/proc/%ld/fd/%s", (long)pid, name);
    length = readlink(path, found, sizeof found - 1);
    return length > 0 && strncmp(found, target, strlen(target)) == 0;
}

static size_t count_sockets(pid_t pid)
{
    char path[64];
    struct dirent *entry;
    size_t n = 0;
    DIR *stream;

    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    stream = opendir(path);
    while (stream != NULL && (entry = readdir(stream)) != NULL)
        n += leads_to(pid, entry->d_name, "socket:");
    if (stream != NULL)
        closedir(stream);
    return n;
}

/* No socket takes the number of a stream that the parent has closed. */
static void test_closed_streams(void **state)
{
    static const char *const streams[] = {"0", "1", "2"};
    pid_t pid = process_start_closed((const char *[]){"serve", "--listen", "127.0.0.1:0",
                                                      "--admin-listen", "127.0.0.1:0", NULL});

    (void)state;
    for (int i = 0; i < NAPS_MAX && count_sockets(pid) < 2; i++)
        nap();
    assert_true(count_sockets(pid) >= 2);
    for (size_t i = 0; i < COUNT_OF(streams); i++)
        assert_true(leads_to(pid, streams[i], "/dev/null"));
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(process_wait(pid), 0);
}

/* ---------------------------------------------------------------- ports ---------------------- */

/* A second server says which of its two addresses is taken, and by which option it is changed. */
static void test_busy_ports(void **state)
{
    static const char *const options[] = {"--listen", "--admin-listen"};
    struct server first, second;
    char address[32];

    (void)state;
    server_start_model(&first, model_narrow());
    for (size_t i = 0; i < 2; i++) {
        const char *args[] = {"serve", options[i], address, options[1 - i], "127.0.0.1:0", NULL};
        struct output output;

        snprintf(address, sizeof address, "127.0.0.1:%u", first.ports[i]);
        output = command_run(args, NULL, NULL);
        assert_int_equal(output.status, 2);
        assert_int_equal(count_lines(output.err), 1);
        assert_non_null(strstr(output.err, address));
        assert_non_null(strstr(output.err, strerror(EADDRINUSE)));
        assert_non_null(strstr(output.err, i == 0 ? "choose another address with --listen ADDR:PORT"
                                                  : "with --admin-listen ADDR:PORT"));
        output_free(&output);
    }
    server_start_model(&second, model_narrow()); /* with both options, beside it */
    check_alive(&second);
    server_stop(&second);
    server_stop(&first);
}

/* ---------------------------------------------------------------- names ---------------------- */

/* The label and the name of a model may be anything that JSON can hold. */
static void add_controls(struct model_parts *parts)
{
    json_t *metadata = json_object_get(parts->header, "__metadata__");

    json_object_set_new(metadata, "vgg.name", json_string("na\033me\n"));
    json_object_set_new(
        metadata, "vgg.labels",
        json_string("[[\"c\\u001b0\",\"ze\\u009bro\"],[\"c1\",\"o\\nne\"],[\"c2\",\"\\u001b[2J\"],"
                    "[\"c3\",\"x\\u202ey\"],[\"c4\",\"4\"],[\"c5\",\"5\"],[\"c6\",\"6\"],"
                    "[\"c7\",\"7\"],[\"c8\",\"8\"],[\"c9\",\"\\u001b9\"]]"));
}

static void expect_clean(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' && *at != '\n')
            fail_msg("0x%02x in: %s", (unsigned)*at, text);
    assert_null(strstr(text, "\xc2\x9b"));
    assert_null(strstr(text, "\xe2\x80\xae"));
}

/* Files, operands, options, labels: as errors and as results. */
static void test_names_from_outside(void **state)
{
    const char *model = model_edited("controls.safetensors", add_controls);
    const char *odd = work_file("\033[31m\n.jpg");
    const char *const commands[][10] = {
        {"classify", "--model", model, "--scales", "64", "--top-k", "10", odd},
        {"classify", "--model", model, "\033]0;title\a.jpg", odd},
        {"classify", "--model", "\033[1m/nowhere\n", odd},
        {"classify", "--\033[1m", odd},
        {"classify", "--scales", "\033[1m", odd},
        {"eval", "--model", model, "\033[1m\n"},
        {"eval", "--model", model, odd},
        {"inspect", model},
        {"inspect", "\033[1m\n"},
        {"init", "\033[1m\n"},
        {"init", "-o", "\033[1m/\n/nowhere"},
        {"train", "-o", "x", "\033[1m\n"},
        {"train", "-o", "x", "--scale", "\033[1m\n", "y"},
        {"bench", "--sizes", "\033[1m\n"},
        {"health", "--listen", "\033[1m\n"},
        {"health", "\033[1m\n"},
        {"serve", "\033[1m\n"},
        {"serve", "--listen", "\033[1m\n"},
        {"serve", "--model", "\033[1m\n", "--listen", "127.0.0.1:0", "--admin-listen",
         "127.0.0.1:0"},
        {"\033[1m\n"},
    };

    (void)state;
    put_picture("\033[31m\n.jpg");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct output output = command_run(commands[i], NULL, NULL);

        expect_clean(output.out);
        expect_clean(output.err);
        assert_int_equal(output.out_size == 0 || output.status <= 1, 1);
        if (output.out_size == 0)
            assert_int_equal(count_lines(output.err), 1);
        output_free(&output);
    }
}

/* The same directory: what is left out is said by all in the same words. */
static void test_left_out_alike(void **state)
{
    const char *top = work_file("alike"), *model = model_narrow();
    const char *const commands[][24] = {
        {"classify", "--model", model, "--scales", "64", top},
        {"eval", "--model", model, "--scales", "64", top},
        {"train", "--width", "4", "--fc", "16", "--crop", "32", "--scale", "32-40", "--batch", "2",
         "--epochs", "1", "-o", work_file("alike.safetensors"), top},
    };
    static const char *const said[] = {"alike/.DS_Store", "alike/__MACOSX",    "alike/1/fifo.jpg",
                                       "alike/1/up",      "alike/1/notes.txt", "alike/1/gone.jpg"};
    static const char *const names[] = {"alike/1/a.jfif", "alike/1/b.JPE", "alike/2/c.jpg",
                                        "alike/2/d.pjpeg"};

    (void)state;
    assert_int_equal(mkdir(top, 0700), 0);
    assert_int_equal(mkdir(work_file("alike/1"), 0700) + mkdir(work_file("alike/2"), 0700), 0);
    assert_int_equal(mkdir(work_file("alike/__MACOSX"), 0700), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        put_picture(names[i]);
    put_picture("alike/__MACOSX/._a.jpg");
    work_write(work_file("alike/.DS_Store"), "junk", 4);
    work_write(work_file("alike/1/notes.txt"), "text", 4);
    assert_int_equal(mkfifo(work_file("alike/1/fifo.jpg"), 0600), 0);
    assert_int_equal(symlink("..", work_file("alike/1/up")), 0);
    assert_int_equal(symlink("nothing", work_file("alike/1/gone.jpg")), 0);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct output output = command_run(commands[i], NULL, NULL);

        assert_int_equal(output.status, i < 2 ? 1 : 0); /* one could not be read */
        for (size_t j = 0; j < COUNT_OF(said); j++)
            if (strstr(output.err, said[j]) == NULL)
                fail_msg("%s does not name %s: %s", commands[i][0], said[j], output.err);
        assert_non_null(strstr(output.err, "vgg: 1 left out (hidden): "));
        assert_non_null(strstr(output.err, "vgg: 1 left out (a link to a directory): "));
        for (size_t j = 0; i == 0 && j < COUNT_OF(names); j++)
            assert_non_null(strstr(output.out, names[j]));
        if (i == 1)
            assert_non_null(strstr(output.out, "4 pictures (1 skipped)"));
        output_free(&output);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proposals),      cmocka_unit_test(test_unknown_variables),
        cmocka_unit_test(test_zeros),          cmocka_unit_test(test_full_output),
        cmocka_unit_test(test_broken_pipe),    cmocka_unit_test(test_closed_streams),
        cmocka_unit_test(test_busy_ports),     cmocka_unit_test(test_names_from_outside),
        cmocka_unit_test(test_left_out_alike),
    };

    return cmocka_run_group_tests_name("manners", tests, work_setup, work_teardown);
}
