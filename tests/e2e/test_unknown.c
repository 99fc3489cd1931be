/*
 * Typicality, by eval --unknown, inspect, classify and a server: a model that knows one picture,
 * and calls others unknown.
 */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answers.h"
#include "background.h"
#include "process.h"
#include "reloads.h"
#include "work.h"

enum { FEATURES = 16, CLASSES = 10, KNOWN = 99 };

static const struct jpeg_spec the_known = {.width = 50, .height = 40};
static float features[FEATURES]; /* of that picture, at unit length */

static void put(const char *directory, const char *name, const struct jpeg_spec *spec)
{
    struct blob image = picture_of(spec);
    char path[512];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    work_write(path, image.bytes, image.size);
    blob_free(&image);
}

static void put_others(const char *directory)
{
    for (uint32_t i = 0; i < 3; i++)
        put(directory,
            i == 0   ? "c.jpg"
            : i == 1 ? "d.jpg"
                     : "e.jpg",
            &(struct jpeg_spec){.width = 70 + 9 * i, .height = 90, .color = JPEG_GREY});
}

/* Two copies of the known picture and three others: known/0, others/1 in `name`. */
static const char *make_set(const char *name)
{
    static char known[512], others[512];
    const char *directory = work_file(name);

    if (mkdir(directory, 0700) != 0)
        return directory;
    snprintf(known, sizeof known, "%s/0", directory);
    snprintf(others, sizeof others, "%s/1", directory);
    assert_int_equal(mkdir(known, 0700) + mkdir(others, 0700), 0);
    put(known, "a.jpg", &the_known);
    put(known, "b.jpg", &the_known);
    put_others(others);
    return directory;
}

static const char *folder(const char *name, const char *class)
{
    char path[64];

    snprintf(path, sizeof path, "%s/%s", name, class);
    return work_file(path);
}

/* A directory with a link to one class folder of "set" alone. */
static const char *only(const char *class)
{
    char name[32];
    const char *directory;

    snprintf(name, sizeof name, "only%s", class);
    directory = work_file(name);
    if (mkdir(directory, 0700) == 0)
        assert_int_equal(symlink(folder("set", class), folder(name, class)), 0);
    return directory;
}

static void add_scales(struct model_parts *parts)
{
    json_object_set_new(json_object_get(parts->header, "__metadata__"), "vgg.scales",
                        json_string("[32]"));
}

/* Every class's mean is the known picture; all that was known lay at 1e-5 of it. */
static void add_typicality(struct model_parts *parts)
{
    float transform[FEATURES][FEATURES] = {{0}}, means[CLASSES][FEATURES], distances[KNOWN];

    add_scales(parts);
    for (size_t i = 0; i < FEATURES; i++)
        transform[i][i] = 1;
    for (size_t i = 0; i < CLASSES; i++)
        memcpy(means[i], features, sizeof features);
    for (size_t i = 0; i < KNOWN; i++)
        distances[i] = 1e-10F;
    parts_add(parts, "typicality.transform", (const size_t[]){FEATURES, FEATURES, 0}, transform[0]);
    parts_add(parts, "typicality.means", (const size_t[]){CLASSES, FEATURES, 0}, means[0]);
    parts_add(parts, "typicality.distances", (const size_t[]){KNOWN, 0}, distances);
}

static const char *model_without(void)
{
    return model_edited("without.safetensors", add_scales);
}

static const char *model_with(void)
{
    return model_edited("with.safetensors", add_typicality);
}

static json_t *run_json(const char *const *args, int status)
{
    struct output output = command_run(args, NULL, NULL);
    json_t *json = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL);

    if (output.status != status || json == NULL)
        fail_msg("status %d: %s%s", output.status, output.out, output.err);
    output_free(&output);
    return json;
}

static int setup(void **state)
{
    char path[512];
    double length = 0;
    json_t *answer, *values;

    if (work_setup(state) != 0)
        return 1;
    snprintf(path, sizeof path, "%s/0/a.jpg", make_set("set"));
    answer = run_json((const char *[]){"classify", "--model", model_without(), "--features",
                                       "--json", path, NULL},
                      0);
    values = member(answer, "features");
    assert_int_equal(json_array_size(values), FEATURES);
    for (size_t i = 0; i < FEATURES; i++)
        length += pow(json_number_value(json_array_get(values, i)), 2);
    for (size_t i = 0; i < FEATURES; i++)
        features[i] = (float)(json_number_value(json_array_get(values, i)) / sqrt(length));
    json_decref(answer);
    return 0;
}

static void check_number(const json_t *object, const char *key, double expected)
{
    if (!(fabs(number_member(object, key) - expected) < 1e-6))
        fail_msg("%s is %g instead of %g", key, number_member(object, key), expected);
}

/* ---------------------------------------------------------------- eval ----------------------- */

static void test_rates(void **state)
{
    const char *model = model_with(), *set = make_set("set");
    const struct {
        const char *known, *unknown;
        size_t known_n, unknown_n;
        double refused, caught, auroc, left_out;
    } cases[] = {
        {only("0"), folder("set", "1"), 2, 3, 0, 100, 1, 1},
        {only("1"), folder("set", "0"), 3, 2, 100, 0, 0, 0},
        {set, set, 5, 5, 60, 60, 0.5, 0.6},
        {only("0"), set, 2, 5, 0, 60, 0.8, 0.6},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *eval = run_json((const char *[]){"eval", "--model", model, "--json", "--unknown",
                                                 cases[i].unknown, cases[i].known, NULL},
                                0);
        json_t *unknown = member(eval, "unknown");

        assert_int_equal(integer_member(eval, "pictures"), cases[i].known_n);
        assert_int_equal(integer_member(unknown, "known"), cases[i].known_n);
        assert_int_equal(integer_member(unknown, "pictures"), cases[i].unknown_n);
        check_number(unknown, "reject", 0.02); /* 2 / (99 + 1) */
        check_number(unknown, "refused", cases[i].refused);
        check_number(unknown, "caught", cases[i].caught);
        check_number(unknown, "auroc", cases[i].auroc);
        check_number(unknown, "auroc_left_out", cases[i].left_out);
        json_decref(eval);
    }
}

static void test_table(void **state)
{
    struct output output =
        command_run((const char *[]){"eval", "--model", model_with(), "--protocol", "both",
                                     "--unknown", folder("set", "1"), only("0"), NULL},
                    NULL, NULL);

    (void)state;
    assert_int_equal(output.status, 0);
    assert_non_null(strstr(output.out, "\ntypicality  pictures  below    0.02\n"
                                       "known              2            0.0\n"
                                       "unknown            3          100.0\n"
                                       "AUROC          1.000  against the model's own"));
    output_free(&output);
}

/* Without --unknown the folder _unknown is it, and is said to be; where it cannot be, why. */
static void test_own_folder(void **state)
{
    static const struct {
        const char *option, *value, *said;
        size_t pictures; /* that are unknown */
        double caught;
    } cases[] = {
        {"--protocol", "dense", "/_unknown: typicality is tried on its pictures", 3, 100},
        {"--protocol", "multicrop", "1 left out (typicality is of whole pictures", 0, 0},
        {"--scales", "32,48", "1 left out (typicality is of the model's own scales", 0, 0},
        {"--unknown", "own/_unknown/.", "/_unknown: typicality is tried on its pictures", 3, 100},
        {"--unknown", "set/0", "1 left out (--unknown names another): ", 2, 0},
    };
    const char *directory = work_file("own"), *others = folder("own", "_unknown");

    (void)state;
    make_set("set");
    assert_int_equal(mkdir(directory, 0700) + mkdir(others, 0700), 0);
    assert_int_equal(symlink(folder("set", "0"), folder("own", "0")), 0);
    put_others(others);
    work_write(folder("own", "_unknown/note.txt"), "-", 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *value =
            strchr(cases[i].value, '/') != NULL ? work_file(cases[i].value) : cases[i].value;
        struct output output =
            command_run((const char *[]){"eval", "--model", model_with(), "--json", cases[i].option,
                                         value, directory, NULL},
                        NULL, NULL);
        json_t *eval = json_loads(output.out, 0, NULL), *unknown;

        assert_int_equal(output.status, 0);
        if (strstr(output.err, cases[i].said) == NULL ||
            strstr(output.err, "1 left out (not a picture's name): ") == NULL)
            fail_msg("\"%s\", or one note, is not in: %s", cases[i].said, output.err);
        unknown = json_object_get(eval, "unknown");
        assert_true((unknown != NULL) == (cases[i].pictures != 0));
        if (unknown != NULL) {
            assert_int_equal(integer_member(unknown, "pictures"), cases[i].pictures);
            check_number(unknown, "caught", cases[i].caught);
        }
        assert_int_equal(integer_member(eval, "pictures"), 2);
        json_decref(eval);
        output_free(&output);
    }
}

/* Nothing that could be tried is there: an album on its way. */
static void test_own_folder_without_pictures(void **state)
{
    const char *directory = work_file("bare");
    struct output output;

    (void)state;
    make_set("set");
    assert_int_equal(mkdir(directory, 0700) + mkdir(folder("bare", "_unknown"), 0700), 0);
    assert_int_equal(symlink(folder("set", "0"), folder("bare", "0")), 0);
    work_write(folder("bare", "_unknown/a.heic"), "-", 1);
    output =
        command_run((const char *[]){"eval", "--model", model_with(), directory, NULL}, NULL, NULL);
    assert_int_equal(output.status, 0);
    assert_null(strstr(output.err, "typicality is tried"));
    output_free(&output);
}

/* Lost ones are named, counted nowhere, and make the exit status 1. */
static void test_unreadable(void **state)
{
    const char *directory = work_file("damaged");
    const char *args[] = {"eval",      "--model", model_with(), "--json",
                          "--unknown", directory, only("0"),    NULL};
    char path[512];
    json_t *eval;

    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    snprintf(path, sizeof path, "%s/bad.jpg", directory);
    work_write(path, "no picture", 10);
    eval = run_json(args, 1);
    assert_int_equal(integer_member(member(eval, "unknown"), "pictures"), 0);
    assert_true(json_is_null(json_object_get(member(eval, "unknown"), "auroc")));
    assert_true(json_is_null(json_object_get(member(eval, "unknown"), "caught")));
    json_decref(eval);
}

static void test_refuses(void **state)
{
    const char *model = model_with(), *set = make_set("set");
    const char *own = "typicality is of the model's own scales with mirrors";

    (void)state;
    expect_refused(
        (const char *[]){"eval", "--model", model_without(), "--unknown", set, set, NULL},
        "this model has no typicality");
    expect_refused((const char *[]){"eval", "--model", model, "--scales", "32,48", "--unknown", set,
                                    set, NULL},
                   own);
    expect_refused(
        (const char *[]){"eval", "--model", model, "--flip", "off", "--unknown", set, set, NULL},
        own);
    expect_refused((const char *[]){"eval", "--model", model, "--protocol", "multicrop",
                                    "--unknown", set, set, NULL},
                   "typicality is of whole pictures");
    expect_refused(
        (const char *[]){"eval", "--model", model, "--unknown", work_file("nowhere"), set, NULL},
        "nowhere: not a directory");
}

/* ---------------------------------------------------------------- inspect -------------------- */

static void test_inspect(void **state)
{
    json_t *with = run_json((const char *[]){"inspect", "--json", model_with(), NULL}, 0);
    json_t *without = run_json((const char *[]){"inspect", "--json", model_without(), NULL}, 0);
    struct output output = command_run((const char *[]){"inspect", model_with(), NULL}, NULL, NULL);

    (void)state;
    assert_int_equal(integer_member(member(with, "typicality"), "known"), KNOWN);
    check_number(member(with, "typicality"), "reject", 0.02);
    assert_null(json_object_get(without, "typicality"));
    assert_non_null(
        strstr(output.out, "\ntypicality     99 known distances, unknown below 0.02\n"));
    output_free(&output);
    json_decref(with);
    json_decref(without);
}

/* ---------------------------------------------------------------- classify ------------------- */

static struct output classified(const char *format, const char *class)
{
    return command_run((const char *[]){"classify", "--model", model_with(), "--top-k", "1",
                                        folder("set", class), format, NULL},
                       NULL, NULL);
}

static void test_classify(void **state)
{
    static const char said[] = ".jpg\n  not like anything this model was trained on: "
                               "typicality 0.01, below 0.02\n";
    struct output known = classified(NULL, "0"), unknown = classified(NULL, "1");
    struct output csv[2] = {classified("--csv", "0"), classified("--csv", "1")};

    (void)state;
    assert_int_equal(known.status, 0);
    assert_null(strstr(known.out, "not like"));
    assert_non_null(strstr(unknown.out, said));
    assert_non_null(strstr(csv[0].out, ",,1,true\r\n"));
    assert_non_null(strstr(csv[1].out, ",,0.01,false\r\n"));
    output_free(&known);
    output_free(&unknown);
    output_free(&csv[0]);
    output_free(&csv[1]);
}

/* --reject is the level, or the least that so few known pictures allow, as reject= of a server. */
static void test_reject(void **state)
{
    static const struct {
        const char *asked;
        double level, typicality;
        const char *class;
    } cases[] = {{"0.005", 0.02, 0.01, "1"}, {"0.5", 0.5, 1, "0"}, {"1", 1, 0.01, "1"}};
    struct output output;
    char path[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *answer;

        snprintf(path, sizeof path, "%s/%s.jpg", folder("set", cases[i].class),
                 cases[i].class[0] == '0' ? "a" : "c");
        answer = run_json((const char *[]){"classify", "--model", model_with(), "--reject",
                                           cases[i].asked, "--json", path, NULL},
                          0);
        check_number(answer, "typicality", cases[i].typicality);
        check_number(answer, "reject", cases[i].level);
        assert_true(bool_member(answer, "known") == (cases[i].typicality >= cases[i].level));
        json_decref(answer);
    }
    expect_refused((const char *[]){"classify", "--reject", "5", path, NULL},
                   "must be a number above 0, at most 1");
    output = command_run(
        (const char *[]){"classify", "--model", model_without(), "--reject", "0.05", path, NULL},
        NULL, NULL);
    assert_int_equal(output.status, 0);
    assert_non_null(strstr(output.err, "--reject does nothing: this model has no typicality"));
    output_free(&output);
}

/* ---------------------------------------------------------------- serve ---------------------- */

/* That of a result, at this level. */
static void check_typicality(const json_t *result, double typicality, double reject)
{
    check_number(result, "typicality", typicality);
    check_number(result, "reject", reject);
    assert_true(bool_member(result, "known") == (typicality >= reject));
}

/* The known picture and another, and what is counted of them. */
static void test_server(void **state)
{
    struct blob known = picture_of(&the_known), other = picture(70, 90);
    const struct part parts[] = {{"a.jpg", known.bytes, known.size},
                                 {"b.jpg", other.bytes, other.size},
                                 {"c.jpg", "no picture", 10}};
    struct server server;
    struct answer answer;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_with(), NULL});
    classify(&server, "", &known, &answer);
    check_answer(&answer, the_known.width, the_known.height);
    check_typicality(answer.json, 1, 0.02);
    answer_free(&answer);
    classify_parts(&server, "?reject=0.005", parts, COUNT_OF(parts), &answer);
    check_typicality(json_array_get(member(answer.json, "results"), 0), 1, 0.02);
    check_typicality(json_array_get(member(answer.json, "results"), 1), 0.01, 0.02);
    assert_null(json_object_get(json_array_get(member(answer.json, "results"), 2), "known"));
    answer_free(&answer);
    assert_true(server_metric(&server, "vgg_typicality_answers_total") == 3);
    assert_true(server_metric(&server, "vgg_unknown_answers_total") == 1);
    classify(&server, "?scales=48", &other, &answer);
    assert_int_equal(answer.status, 200);
    assert_null(json_object_get(answer.json, "typicality"));
    answer_free(&answer);
    check_refused(&server, "?reject=5", &known, 400, "bad-parameter");
    assert_true(server_metric(&server, "vgg_typicality_answers_total") == 3);
    server_stop(&server);
    blob_free(&known);
    blob_free(&other);
}

enum { REQUESTS = 6, RELOADS = 8 };

/* An answer has typicality where the model that gave it has, whichever serves by now. */
static void test_reloads(void **state)
{
    struct background requests[REQUESTS];
    struct server server;
    char version[128];
    size_t with = 0;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_with(), NULL});
    snprintf(version, sizeof version, "%s", serving(&server, "version"));
    for (size_t round = 0; round < RELOADS; round++) {
        for (size_t i = 0; i < REQUESTS; i++)
            background_start(&requests[i], &server, "/classify");
        check_reload(&server, round % 2 == 0 ? model_without() : model_with());
        for (size_t i = 0; i < REQUESTS; i++) {
            const json_t *json;

            background_end(&requests[i]);
            json = requests[i].answer.json;
            assert_int_equal(requests[i].answer.status, 200);
            assert_true((json_object_get(json, "typicality") != NULL) ==
                        (strcmp(string_member(member(json, "model"), "version"), version) == 0));
            with += json_object_get(json, "typicality") != NULL;
            answer_free(&requests[i].answer);
        }
    }
    assert_true(server_metric(&server, "vgg_typicality_answers_total") == (double)with);
    check_rollback(&server);
    assert_string_not_equal(serving(&server, "version"), version);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),      cmocka_unit_test(test_table),
        cmocka_unit_test(test_own_folder), cmocka_unit_test(test_own_folder_without_pictures),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_inspect),    cmocka_unit_test(test_classify),
        cmocka_unit_test(test_reject),     cmocka_unit_test(test_server),
        cmocka_unit_test(test_reloads),
    };

    return cmocka_run_group_tests_name("unknown", tests, setup, work_teardown);
}
