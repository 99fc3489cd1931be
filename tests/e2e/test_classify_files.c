/* vgg classify with many files, directories, CSV, and on a terminal. */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answers.h"
#include "process.h"
#include "work.h"

enum { FILES_MAX = 40, OUTPUT_BYTES = 1 << 16 };

#define CLASSIFY "classify", "--model", model_labelled(), "--scales", "64", "--top-k", "2"

/* A picture file below the directory of the test. */
static const char *put_picture(const char *name)
{
    struct blob image = picture(80, 60);

    work_write(work_file(name), image.bytes, image.size);
    blob_free(&image);
    return work_file(name);
}

/* ---------------------------------------------------------------- files and directories ------ */

/* More than are in flight at a time, good and bad: in order, and none is lost. */
static void test_many_files_in_order(void **state)
{
    const char *args[FILES_MAX + 9] = {CLASSIFY, "--json"};
    char names[FILES_MAX][32], *line;
    struct output output;

    (void)state;
    put_picture("many.jpg");
    for (size_t i = 0; i < FILES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "many-%02zu.jpg", i);
        if (i % 7 != 3)
            assert_int_equal(link(work_file("many.jpg"), work_file(names[i])), 0);
        args[8 + i] = work_file(names[i]);
    }
    output = command_run(args, NULL, NULL);
    assert_int_equal(output.status, 1);
    assert_int_equal(count_lines(output.out), FILES_MAX);
    line = strtok(output.out, "\n");
    for (size_t i = 0; i < FILES_MAX; i++, line = strtok(NULL, "\n")) {
        json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

        assert_non_null(json);
        assert_string_equal(string_member(json, "file"), args[8 + i]);
        if (i % 7 != 3)
            check_result(json, 80, 60);
        else
            assert_int_equal(integer_member(json, "status"), 404);
        json_decref(json);
    }
    output_free(&output);
}

/* The "file" members of JSON lines, joined by spaces, without the directory's name. */
static void joined_files(char *lines, const char *directory, char *joined, size_t size)
{
    size_t prefix = strlen(directory) + 1;

    joined[0] = '\0';
    for (char *line = strtok(lines, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *json = json_loads(line, 0, NULL);
        const char *file = string_member(json, "file");

        assert_int_equal(strncmp(file, directory, prefix - 1), 0);
        strncat(joined, file + prefix, size - strlen(joined) - 1);
        strncat(joined, " ", size - strlen(joined) - 1);
        json_decref(json);
    }
}

/* The pictures directly and below, sorted; no others, nothing hidden, no way round in a circle. */
static void test_directory(void **state)
{
    static const char *const pictures[] = {"d/b.jpg",       "d/a/2.PNG",  "d/a/10.jpeg", "d/c.WebP",
                                           "d/.hidden.jpg", "d/.h/x.jpg", "d/a/.y.png"};
    const char *directory = work_file("d");
    char with_slash[512], joined[512];

    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(mkdir(work_file("d/a"), 0700), 0);
    assert_int_equal(mkdir(work_file("d/.h"), 0700), 0);
    for (size_t i = 0; i < COUNT_OF(pictures); i++)
        put_picture(pictures[i]);
    work_write(work_file("d/notes.txt"), "no picture", 10);
    assert_int_equal(symlink("..", work_file("d/a/up")), 0);
    assert_int_equal(symlink("b.jpg", work_file("d/link.jpg")), 0);
    snprintf(with_slash, sizeof with_slash, "%s//", directory);
    for (size_t i = 0; i < 2; i++) {
        struct output output =
            command_run((const char *[]){CLASSIFY, "--json", i == 0 ? directory : with_slash, NULL},
                        NULL, NULL);

        assert_int_equal(output.status, 0);
        joined_files(output.out, directory, joined, sizeof joined);
        assert_string_equal(joined, "a/10.jpeg a/2.PNG b.jpg c.WebP link.jpg ");
        output_free(&output);
    }
}

static void test_directory_without_pictures(void **state)
{
    const char *directory = work_file("empty"), *file = put_picture("photo.jpg");
    struct output output;

    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    output = command_run((const char *[]){CLASSIFY, directory, file, NULL}, NULL, NULL);
    assert_int_equal(output.status, 1);
    assert_int_equal(count_lines(output.err), 1);
    assert_non_null(strstr(output.err, directory));
    assert_non_null(strstr(output.err, "no pictures"));
    assert_non_null(strstr(output.out, file));
    output_free(&output);
}

static void test_output_that_cannot_be_written(void **state)
{
    const char *const args[] = {CLASSIFY, put_picture("photo.jpg"), NULL};
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    int err = open(work_file("full.err"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct blob text;

    (void)state;
    assert_true(full >= 0 && err >= 0);
    assert_int_equal(process_wait(process_start(args, NULL, NULL, full, err)), 1);
    close(full);
    close(err);
    text = work_read(work_file("full.err"));
    assert_non_null(strstr((const char *)text.bytes, "cannot write to standard output"));
    blob_free(&text);
}

/* ---------------------------------------------------------------- CSV ------------------------ */

/* Cut the first field off *text, unquoted in place; *end is what followed it. */
static char *csv_field(char **text, char *end)
{
    char *in = *text, *out = *text, *field = *text;
    bool quoted = *in == '"';

    in += quoted;
    while (quoted ? *in != '"' || in[1] == '"' : strchr(",\r", *in) == NULL) {
        assert_int_not_equal(*in, '\0');
        in += quoted && *in == '"';
        *out++ = *in++;
    }
    in += quoted;
    *end = *in;
    assert_true(*end == ',' || (*end == '\r' && in[1] == '\n'));
    *text = in + (*end == ',' ? 1 : 2);
    *out = '\0';
    return field;
}

enum { CSV_FIELDS = 9 };

static void csv_row(char **text, char *fields[CSV_FIELDS])
{
    char end = ',';

    for (size_t i = 0; i < CSV_FIELDS; i++) {
        assert_int_equal(end, ',');
        fields[i] = csv_field(text, &end);
    }
    assert_int_equal(end, '\r');
}

static void test_csv(void **state)
{
    const char *odd = put_picture("a, \"b\"\n.jpg"), *missing = work_file("missing.jpg");
    struct output json = command_run((const char *[]){CLASSIFY, "--json", odd, NULL}, NULL, NULL);
    struct output output =
        command_run((const char *[]){CLASSIFY, "--csv", odd, missing, NULL}, NULL, NULL);
    json_t *answer = json_loads(json.out, 0, NULL);
    char *text = output.out, *row[CSV_FIELDS];

    (void)state;
    assert_int_equal(output.status, 1);
    csv_row(&text, row);
    assert_string_equal(row[0], "file");
    assert_string_equal(row[5], "score");
    assert_string_equal(row[6], "error");
    assert_string_equal(row[7], "typicality");
    assert_string_equal(row[8], "known");
    for (size_t i = 0; i < 2; i++) {
        const json_t *entry = json_array_get(member(answer, "top"), i);

        csv_row(&text, row);
        assert_string_equal(row[0], odd);
        assert_int_equal(atoi(row[1]), integer_member(entry, "rank"));
        assert_int_equal(atoi(row[2]), integer_member(entry, "index"));
        assert_string_equal(row[3], string_member(entry, "id"));
        assert_string_equal(row[4], string_member(entry, "label"));
        assert_true((float)atof(row[5]) == (float)number_member(entry, "score"));
        assert_string_equal(row[6], "");
    }
    csv_row(&text, row);
    assert_string_equal(row[0], missing);
    assert_string_equal(row[1], "");
    assert_non_null(strstr(row[6], "cannot open"));
    assert_int_equal(*text, '\0');
    assert_non_null(strstr(output.err, missing));
    json_decref(answer);
    output_free(&json);
    output_free(&output);
}

static void test_json_or_csv(void **state)
{
    struct output output =
        command_run((const char *[]){CLASSIFY, "--csv", "--json", "x.jpg", NULL}, NULL, NULL);

    (void)state;
    assert_int_equal(output.status, 2);
    assert_int_equal(count_lines(output.err), 1);
    output_free(&output);
}

/* ---------------------------------------------------------------- on a terminal -------------- */

/* Run with standard output and standard error, or one of them, on a terminal; what it shows. */
static char *run_on_terminal(const char *const *args, const char *const *env, bool out, bool err,
                             unsigned short columns)
{
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
    int sink = open(work_file("sink"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *text = calloc(1, OUTPUT_BYTES);
    size_t used = 0;
    ssize_t n;
    pid_t pid;

    assert_non_null(text);
    assert_true(master >= 0 && sink >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    pid = process_start(args, env, NULL, out ? slave : sink, err ? slave : sink);
    close(slave);
    close(sink);
    /* Reading fails with EIO once the program has closed its side. */
    while (used < OUTPUT_BYTES - 1 && (n = read(master, text + used, OUTPUT_BYTES - 1 - used)) > 0)
        used += (size_t)n;
    (void)process_wait(pid);
    close(master);
    return text;
}

static void expect_on_terminal(bool out, bool err, const char *variable, bool colours, bool bar)
{
    const char *const args[] = {CLASSIFY, put_picture("1.jpg"), put_picture("2.jpg"), NULL};
    const char *const env[] = {variable, NULL};
    char *text = run_on_terminal(args, env, out, err, 80);

    if ((strstr(text, "\033[1m") != NULL) != colours || (strstr(text, "] 1/2") != NULL) != bar ||
        (strstr(text, " left") != NULL) != bar)
        fail_msg("out %d, err %d, %s: %s", out, err, variable, text);
    free(text);
}

static void test_terminal(void **state)
{
    (void)state;
    expect_on_terminal(true, true, NULL, true, true);
    expect_on_terminal(true, false, NULL, true, false);
    expect_on_terminal(false, true, NULL, false, true);
    expect_on_terminal(true, true, "NO_COLOR=1", false, true);
    expect_on_terminal(true, true, "NO_COLOR=", true, true);
}

/* Length of the longest line as shown: escape sequences take no room. */
static size_t widest_line(const char *text)
{
    size_t widest = 0, width = 0;

    for (; *text != '\0'; text++) {
        if (text[0] == '\033')
            text += strcspn(text, "mK");
        else if (text[0] == '\r' || text[0] == '\n')
            width = 0;
        else if (((unsigned char)text[0] & 0xc0) != 0x80)
            width++;
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void test_narrow_terminal(void **state)
{
    (void)state;
    for (unsigned short columns = 10; columns <= 60; columns += 10) {
        const char *const args[] = {"classify", "--model", model_labelled(), "--scales",
                                    "64",       "--top-k", "1000",           "-",
                                    "-",        NULL};
        char *text = run_on_terminal(args, NULL, true, true, columns);

        char *message = strstr(text, "vgg: ");

        assert_non_null(message); /* before it there is the bar */
        assert_non_null(strstr(message, "it is empty"));
        *message = '\0';
        assert_non_null(strstr(text, "0/2"));
        assert_true(widest_line(text) < columns);
        free(text);
    }
    for (unsigned short columns = 40; columns <= 60; columns += 20) {
        const char *const args[] = {"classify", "--model", model_labelled(),     "--scales", "64",
                                    "--top-k",  "1000",    put_picture("1.jpg"), NULL};
        char *text = run_on_terminal(args, NULL, true, true, columns);
        char *table = strchr(text, '\n');

        assert_non_null(table); /* the first line is the file's name, which is not cut */
        assert_true(widest_line(table) <= columns);
        assert_true(widest_line(table) > 30);
        free(text);
    }
}

/* A file's name cannot send the terminal commands. */
static void test_hostile_name(void **state)
{
    const char *const args[] = {CLASSIFY, put_picture("\033[2J\a.jpg"), work_file("\033[3J.jpg"),
                                NULL};
    char *text = run_on_terminal(args, NULL, true, true, 80);

    (void)state;
    assert_null(strstr(text, "\033[2J"));
    assert_null(strstr(text, "\033[3J"));
    assert_null(strchr(text, '\a'));
    assert_non_null(strstr(text, "?[2J?.jpg"));
    free(text);
}

static int setup(void **state)
{
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    return work_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_files_in_order),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_directory_without_pictures),
        cmocka_unit_test(test_output_that_cannot_be_written),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_json_or_csv),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_narrow_terminal),
        cmocka_unit_test(test_hostile_name),
    };

    return cmocka_run_group_tests_name("classify files", tests, setup, work_teardown);
}
