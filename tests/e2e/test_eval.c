/* vgg eval: its error rates are those of the answers that vgg classify gives; what it refuses. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "answers.h"
#include "process.h"
#include "work.h"

enum { CLASSES = 10, FILES = 12 };

/* Labels with ids, and test scales of its own. */
static void add_labels(struct model_parts *parts)
{
    json_t *metadata = json_object_get(parts->header, "__metadata__");

    json_object_set_new(metadata, "vgg.labels",
                        json_string("[[\"c0\",\"zero\"],[\"c1\",\"one\"],[\"c2\",\"two\"],"
                                    "[\"c3\",\"three\"],[\"c4\",\"four\"],[\"c5\",\"five\"],"
                                    "[\"c6\",\"six\"],[\"c7\",\"seven\"],[\"c8\",\"eight\"],"
                                    "[\"c9\",\"nine\"]]"));
    json_object_set_new(metadata, "vgg.scales", json_string("[32,48]"));
}

static const char *model_of_ten(void)
{
    return model_edited("ten.safetensors", add_labels);
}

static const char *model_of_three(void)
{
    const char *path = work_file("three.safetensors");
    struct output output =
        command_run((const char *[]){"init", "--width", "4", "--fc", "16", "--classes", "3",
                                     "--crop", "32", "-o", path, NULL},
                    NULL, NULL);

    assert_int_equal(output.status, 0);
    output_free(&output);
    return path;
}

/* ---------------------------------------------------------------- the pictures --------------- */

static void put(const char *directory, const char *folder, const char *name,
                const struct jpeg_spec *spec)
{
    struct blob image = picture_of(spec);
    char path[512];

    snprintf(path, sizeof path, "%s/%s", directory, folder);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%s/%s", directory, folder, name);
    work_write(path, image.bytes, image.size);
    blob_free(&image);
}

/* A set of pictures in four class folders, named by id, by label and by neither's case. */
static const char *make_set(const char *name)
{
    static const char *const folders[] = {"c0", "FIVE", "three", "C7"};
    const char *directory = work_file(name);

    if (mkdir(directory, 0700) != 0)
        return directory;
    for (uint32_t i = 0; i < FILES; i++) {
        const struct jpeg_spec spec = {.width = 40 + 7 * i,
                                       .height = 100 - 5 * i,
                                       .color = i % 3 == 0 ? JPEG_GREY : JPEG_YCBCR,
                                       .flat = i == 5};
        char file[16];

        snprintf(file, sizeof file, "%u.jpg", i);
        put(directory, folders[i % 4], file, &spec);
    }
    return directory;
}

static size_t class_of(const char *file)
{
    static const struct {
        const char *folder;
        size_t class;
    } classes[] = {{"/c0/", 0}, {"/FIVE/", 5}, {"/three/", 3}, {"/C7/", 7}};

    for (size_t i = 0; i < COUNT_OF(classes); i++)
        if (strstr(file, classes[i].folder) != NULL)
            return classes[i].class;
    fail_msg("%s", file);
    return 0;
}

/* ---------------------------------------------------------------- against vgg classify ------- */

static json_t *eval_json(const char *const *args, int status)
{
    struct output output = command_run(args, NULL, NULL);
    json_t *json = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL);

    if (output.status != status || json == NULL)
        fail_msg("status %d: %s%s", output.status, output.out, output.err);
    assert_int_equal(count_lines(output.out), 1);
    output_free(&output);
    return json;
}

/* What vgg classify answers for the pictures of a set. */
struct classified {
    size_t n, top1_wrong, top5_wrong;
    char files[FILES][512];
    size_t index[FILES];
    double score[FILES];
};

static void classify_set(const char *model, const char *scales, const char *flip,
                         const char *directory, struct classified *classified)
{
    struct output output =
        command_run((const char *[]){"classify", "--model", model, "--scales", scales, "--flip",
                                     flip, "--json", directory, NULL},
                    NULL, NULL);

    assert_int_equal(output.status, 0);
    *classified = (struct classified){0};
    for (char *line = strtok(output.out, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *json = json_loads(line, 0, NULL), *top = member(json, "top"), *entry;
        const char *file = string_member(json, "file");
        size_t n = classified->n++, rank, truth_rank = 5;

        assert_true(n < FILES);
        snprintf(classified->files[n], sizeof classified->files[n], "%s", file);
        classified->index[n] = (size_t)integer_member(json_array_get(top, 0), "index");
        classified->score[n] = number_member(json_array_get(top, 0), "score");
        json_array_foreach(top, rank, entry) if ((size_t)integer_member(entry, "index") ==
                                                 class_of(file)) truth_rank = rank;
        classified->top1_wrong += truth_rank > 0;
        classified->top5_wrong += truth_rank > 4;
        json_decref(json);
    }
    assert_int_equal(classified->n, FILES);
    output_free(&output);
}

/* The row of "results" for a protocol, "32" or "32,48", and mirrors. */
static const json_t *find_row(const json_t *eval, const char *protocol, const char *scales,
                              bool flip)
{
    const json_t *found = NULL, *row;
    size_t i;

    json_array_foreach(member(eval, "results"), i, row)
    {
        char text[64] = "";
        json_t *scale;
        size_t s;

        json_array_foreach(member(row, "scales"), s, scale)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", s != 0 ? "," : "",
                     (int)json_integer_value(scale));
        if (strcmp(string_member(row, "protocol"), protocol) != 0 || strcmp(text, scales) != 0 ||
            bool_member(row, "flip") != flip)
            continue;
        assert_null(found);
        found = row;
    }
    if (found == NULL)
        fail_msg("no row for %s %s", protocol, scales);
    return found;
}

static void check_percent(const json_t *row, const char *key, size_t wrong, size_t n)
{
    double expected = 100.0 * (double)wrong / (double)n;

    if (!(fabs(number_member(row, key) - expected) < 1e-6))
        fail_msg("%s is %g instead of %g", key, number_member(row, key), expected);
}

/* Every dense row is what classify answers with those scales and that flip. */
static void test_dense_is_classify(void **state)
{
    static const char *const scales[] = {"32", "48", "32,48"};
    const char *model = model_of_ten(), *set = make_set("set");
    json_t *eval = eval_json((const char *[]){"eval", "--model", model, "--json", set, NULL}, 0);
    size_t wrong = 0;

    (void)state;
    assert_int_equal(integer_member(eval, "pictures"), FILES);
    assert_string_equal(string_member(eval, "protocol"), "dense");
    check_scales(eval, (const int[]){32, 48}, 2);
    assert_true(bool_member(eval, "flip"));
    assert_int_equal(json_array_size(member(eval, "results")), 6);
    assert_int_equal(json_array_size(member(eval, "skipped")), 0);
    assert_null(json_object_get(eval, "misclassified"));
    for (size_t i = 0; i < 6; i++) {
        bool flip = i / 3 == 1;
        const json_t *row = find_row(eval, "dense", scales[i % 3], flip);
        struct classified classified;

        classify_set(model, scales[i % 3], flip ? "on" : "off", set, &classified);
        check_percent(row, "top1_error", classified.top1_wrong, FILES);
        check_percent(row, "top5_error", classified.top5_wrong, FILES);
        wrong += classified.top1_wrong;
        if (i == 5) {
            check_percent(eval, "top1_error", classified.top1_wrong, FILES);
            check_percent(eval, "top5_error", classified.top5_wrong, FILES);
        }
    }
    assert_in_range(wrong, 1, 6 * FILES - 1);
    json_decref(eval);
}

/* The answers themselves, class by class and file by file. */
static void test_every_answer(void **state)
{
    const char *model = model_of_ten(), *set = make_set("set");
    json_t *eval =
        eval_json((const char *[]){"eval", "--model", model, "--json", "--errors", set, NULL}, 0);
    json_t *missed = member(eval, "misclassified"), *entry;
    struct classified classified;
    size_t matrix[CLASSES][CLASSES] = {0}, next = 0, i;

    (void)state;
    classify_set(model, "32,48", "on", set, &classified);
    for (size_t n = 0; n < FILES; n++) {
        size_t truth = class_of(classified.files[n]), index = classified.index[n];

        matrix[truth][index]++;
        if (index == truth)
            continue;
        entry = json_array_get(missed, next++);
        assert_string_equal(string_member(entry, "file"), classified.files[n]);
        assert_int_equal(integer_member(member(entry, "class"), "index"), truth);
        assert_int_equal(integer_member(member(entry, "answer"), "index"), index);
        assert_true((float)number_member(member(entry, "answer"), "score") ==
                    (float)classified.score[n]);
    }
    assert_int_equal(json_array_size(missed), next);
    for (size_t truth = 0; truth < CLASSES; truth++)
        for (size_t answer = 0; answer < CLASSES; answer++)
            assert_int_equal(json_integer_value(json_array_get(
                                 json_array_get(member(eval, "confusion"), truth), answer)),
                             matrix[truth][answer]);
    assert_int_equal(json_array_size(member(eval, "classes")), 4);
    json_array_foreach(member(eval, "classes"), i, entry)
    {
        size_t class = (size_t)integer_member(entry, "index");
        char id[4];

        snprintf(id, sizeof id, "c%zu", class);
        assert_string_equal(string_member(entry, "id"), id);
        assert_int_equal(integer_member(entry, "pictures"), 3);
        check_percent(entry, "top1_error", 3 - matrix[class][class], 3);
    }
    json_decref(eval);
}

/* ---------------------------------------------------------------- protocols ------------------ */

static void check_same_errors(const json_t *a, const json_t *b)
{
    assert_true(number_member(a, "top1_error") == number_member(b, "top1_error"));
    assert_true(number_member(a, "top5_error") == number_member(b, "top5_error"));
}

/* A square picture at the scale of the crop is its own only crop. */
static void test_crops_of_squares(void **state)
{
    const char *model = model_of_ten(), *directory = work_file("squares");
    const char *const protocols[] = {"dense", "multicrop", "both"};
    json_t *eval[3];

    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    for (uint32_t i = 0; i < 6; i++) {
        char name[16];

        snprintf(name, sizeof name, "%u.jpg", i);
        put(directory, i % 2 == 0 ? "c3" : "c5", name,
            &(struct jpeg_spec){.width = 32 + 9 * i, .height = 32 + 9 * i});
    }
    for (size_t i = 0; i < 3; i++)
        eval[i] =
            eval_json((const char *[]){"eval", "--model", model, "--scales", "32", "--protocol",
                                       protocols[i], "--json", "--errors", directory, NULL},
                      0);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(string_member(eval[i], "protocol"), protocols[i]);
        /* With one scale there is nothing to combine. */
        assert_int_equal(json_array_size(member(eval[i], "results")), i == 2 ? 6 : 2);
        for (unsigned flip = 0; flip < 2; flip++)
            check_same_errors(find_row(eval[0], "dense", "32", flip == 1),
                              find_row(eval[i], protocols[i], "32", flip == 1));
        assert_true(json_equal(member(eval[0], "misclassified"), member(eval[i], "misclassified")));
    }
    assert_true(json_array_size(member(eval[0], "misclassified")) >= 1);
    for (size_t i = 0; i < 3; i++)
        json_decref(eval[i]);
}

/* --protocol both has what the two alone have, without mirrors too. */
static void test_both(void **state)
{
    static const char *const scales[] = {"40", "64", "40,64"};
    const char *model = model_of_ten(), *set = make_set("set");
    json_t *eval[3];

    (void)state;
    for (size_t i = 0; i < 3; i++)
        eval[i] = eval_json((const char *[]){"eval", "--model", model, "--scales", "64,40",
                                             "--flip", "off", "--protocol",
                                             i == 0   ? "dense"
                                             : i == 1 ? "multicrop"
                                                      : "both",
                                             "--json", set, NULL},
                            0);
    assert_int_equal(json_array_size(member(eval[2], "results")), 9);
    for (size_t i = 0; i < 3; i++) {
        check_same_errors(find_row(eval[0], "dense", scales[i], false),
                          find_row(eval[2], "dense", scales[i], false));
        check_same_errors(find_row(eval[1], "multicrop", scales[i], false),
                          find_row(eval[2], "multicrop", scales[i], false));
    }
    check_same_errors(eval[2], find_row(eval[2], "both", "40,64", false));
    for (size_t i = 0; i < 3; i++)
        json_decref(eval[i]);
}

/* ---------------------------------------------------------------- tables --------------------- */

/* The numbers of the line that begins with `head` after a line that begins with `title`. */
static void table_line(const char *text, const char *title, const char *head, double *values,
                       size_t n)
{
    char mark[64];
    const char *line;

    snprintf(mark, sizeof mark, "\n%s ", title);
    line = strstr(text, mark);
    assert_non_null(line);
    snprintf(mark, sizeof mark, "\n%s ", head);
    line = strstr(line + 1, mark);
    if (line == NULL)
        fail_msg("no line %s in: %s", head, text);
    line += strlen(mark);
    for (size_t i = 0; i < n; i++) {
        char *end;

        values[i] = strtod(line, &end);
        assert_true(end != line);
        line = end;
    }
}

static void test_tables(void **state)
{
    static const char *const titles[] = {"dense", "multi-crop", "protocol"};
    static const char *const rows[] = {"32", "48", "32,48"};
    static const char *const names[] = {"dense", "multicrop", "both"};
    static const char *const last[] = {"dense", "multi-crop", "both averaged"};
    const char *model = model_of_ten(), *set = make_set("set");
    const char *args[] = {"eval",     "--model", model, "--protocol", "both",
                          "--errors", set,       NULL,  NULL};
    struct output output = command_run(args, NULL, NULL);
    json_t *eval;
    double values[4];

    (void)state;
    assert_int_equal(output.status, 0);
    assert_int_equal(output.err_size, 0);
    assert_int_equal(strncmp(output.out, "12 pictures, model ", 19), 0);
    assert_non_null(strstr(output.out, "answers"));
    assert_non_null(strstr(output.out, "three"));
    args[7] = "--json";
    eval = eval_json(args, 0);
    for (size_t table = 0; table < 3; table++)
        for (size_t row = 0; row < 3; row++) {
            const char *protocol = names[table < 2 ? table : row];
            const char *scales = table < 2 ? rows[row] : "32,48";

            table_line(output.out, titles[table], table < 2 ? rows[row] : last[row], values, 4);
            for (size_t i = 0; i < 4; i++)
                assert_true(
                    fabs(values[i] - number_member(find_row(eval, protocol, scales, i / 2 == 1),
                                                   i % 2 == 0 ? "top1_error" : "top5_error")) <=
                    0.0501);
        }
    table_line(output.out, "class", "three", values, 1);
    assert_true(values[0] == 3);
    json_decref(eval);
    output_free(&output);
}

/* Three classes without labels: folders are indices, and top-5 errors would mean nothing. */
static void test_few_classes_without_labels(void **state)
{
    const char *model = model_of_three(), *directory = work_file("indices");
    const char *args[] = {"eval", "--model", model, "--scales", "32", directory, NULL, NULL};
    struct output output;
    json_t *eval;

    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    put(directory, "0", "a.jpg", &(struct jpeg_spec){.width = 50, .height = 40});
    put(directory, "2", "b.jpg", &(struct jpeg_spec){.width = 40, .height = 60});
    output = command_run(args, NULL, NULL);
    assert_int_equal(output.status, 0);
    assert_non_null(strstr(output.out, "top-1"));
    assert_null(strstr(output.out, "top-5"));
    output_free(&output);
    args[6] = "--json";
    eval = eval_json(args, 0);
    assert_true(json_is_null(json_object_get(eval, "top5_error")));
    assert_true(json_is_null(json_object_get(find_row(eval, "dense", "32", true), "top5_error")));
    assert_int_equal(json_array_size(member(eval, "confusion")), 3);
    assert_null(json_object_get(json_array_get(member(eval, "classes"), 0), "label"));
    json_decref(eval);
}

/* A page beside the tables, which says the same. (What else it says: tests/unit/server/report.) */
static void test_report(void **state)
{
    const char *model = model_of_ten(), *page = work_file("report.html");
    const char *args[] = {"eval", "--model", model, "--report", page, make_set("set"), NULL, NULL};
    struct output output = command_run(args, NULL, NULL);
    struct blob written = work_read(page);
    char *text = strndup((char *)written.bytes, written.size), expected[80];
    json_t *eval;

    (void)state;
    assert_int_equal(output.status, 0);
    assert_int_equal(output.err_size, 0);
    args[6] = "--json";
    eval = eval_json(args, 0);
    snprintf(expected, sizeof expected, "<strong>%.1f %% wrong.</strong> Of 12 pictures, ",
             number_member(eval, "top1_error"));
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "<th scope=\"row\"><bdi>three</bdi></th>"));
    assert_non_null(strstr(text, "data:image/jpeg;base64,"));
    json_decref(eval);
    free(text);
    blob_free(&written);
    output_free(&output);
}

/* ---------------------------------------------------------------- what goes wrong ------------ */

static void test_unreadable_pictures(void **state)
{
    const char *model = model_of_ten(), *directory = work_file("damaged");
    const char *args[] = {"eval", "--model", model, "--json", directory, NULL, NULL};
    json_t *eval, *skipped;
    struct output output;
    char path[512];

    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    put(directory, "c1", "good.jpg", &(struct jpeg_spec){.width = 50, .height = 40});
    snprintf(path, sizeof path, "%s/c1/bad.jpg", directory);
    work_write(path, "no picture", 10);
    snprintf(path, sizeof path, "%s/c1/empty.png", directory);
    work_write(path, "", 0);
    eval = eval_json(args, 1);
    skipped = member(eval, "skipped");
    assert_int_equal(integer_member(eval, "pictures"), 1);
    assert_int_equal(json_array_size(skipped), 2);
    assert_non_null(strstr(string_member(json_array_get(skipped, 0), "file"), "/c1/bad.jpg"));
    assert_non_null(strstr(string_member(json_array_get(skipped, 1), "detail"), "empty"));
    json_decref(eval);

    args[3] = "--errors";
    output = command_run(args, NULL, NULL);
    assert_int_equal(output.status, 1);
    assert_int_equal(count_lines(output.err), 3);
    assert_non_null(strstr(output.err, "/c1/bad.jpg: "));
    assert_non_null(strstr(output.err, "vgg: 2 left out (cannot be read): named above\n"));
    assert_int_equal(strncmp(output.out, "1 picture (2 skipped)", 21), 0);
    output_free(&output);

    /* Nothing that could be counted. */
    snprintf(path, sizeof path, "%s/c1/good.jpg", directory);
    assert_int_equal(remove(path), 0);
    args[3] = "--json";
    eval = eval_json(args, 1);
    assert_int_equal(integer_member(eval, "pictures"), 0);
    assert_true(json_is_null(json_object_get(eval, "top1_error")));
    json_decref(eval);
}

static void test_refuses(void **state)
{
    const char *model = model_of_ten(), *set = make_set("set"), *other = work_file("other");
    const char *empty = work_file("nothing");

    (void)state;
    assert_int_equal(mkdir(empty, 0700), 0);
    assert_int_equal(mkdir(other, 0700), 0);
    put(other, "c1", "a.jpg", &(struct jpeg_spec){.width = 50, .height = 40});
    put(other, "eleven", "a.jpg", &(struct jpeg_spec){.width = 50, .height = 40});
    put(other, "eleven", "b.jpg", &(struct jpeg_spec){.width = 50, .height = 40});
    put(other, "\033[1m", "a.jpg", &(struct jpeg_spec){.width = 50, .height = 40});
    expect_refused((const char *[]){"eval", "--model", model, NULL}, "one directory");
    expect_refused((const char *[]){"eval", "--model", model, set, set, NULL}, "one directory");
    expect_refused((const char *[]){"eval", "--model", model, empty, NULL}, "no pictures");
    expect_refused((const char *[]){"eval", "--model", model, work_file("missing"), NULL},
                   "missing: No such file");
    expect_refused((const char *[]){"eval", "--model", model, other, NULL},
                   "vgg: 2 folders are none of the classes: ?[1m, eleven; in ");
    expect_refused((const char *[]){"eval", "--model", model_narrow(), set, NULL}, "0 to 9");
    expect_refused((const char *[]){"eval", "--model", model, "--protocol", "nonsense", set, NULL},
                   "--protocol nonsense: must be one of dense|multicrop|both");
    expect_refused(
        (const char *[]){"eval", "--model", model, "--protocol", "dense|both", set, NULL},
        "must be one of");
    expect_refused((const char *[]){"eval", "--model", model, "--scales", "31", set, NULL},
                   "scale 31");
    expect_refused((const char *[]){"eval", "--model", work_file("missing"), set, NULL}, "missing");
    expect_refused((const char *[]){"eval", "--model", work_file("missing"), "--report",
                                    "/nowhere/r.html", set, NULL},
                   "vgg: --report /nowhere/r.html: cannot create it: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense_is_classify),
        cmocka_unit_test(test_every_answer),
        cmocka_unit_test(test_crops_of_squares),
        cmocka_unit_test(test_both),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_few_classes_without_labels),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_unreadable_pictures),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests_name("eval", tests, work_setup, work_teardown);
}
