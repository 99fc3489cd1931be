/* The embedded model knows the photographs of tests/data, by the server and by vgg classify, and
 * the page's samples. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "answers.h"
#include "process.h"
#include "server.h"
#include "work.h"

static const char *const labels[] = {"cardboard", "glass", "metal"};

static const char *photo(const char *label, char path[64])
{
    snprintf(path, 64, "tests/data/%s.jpg", label);
    return path;
}

static void check_top_label(const json_t *answer, const char *label)
{
    assert_string_equal(string_member(json_array_get(member(answer, "top"), 0), "label"), label);
}

static void the_server_names_them(void **state)
{
    struct server server;
    struct answer answer;

    (void)state;
    server_start(&server, (const char *[]){NULL});
    ask(&server, &(struct call){.target = "/model"}, &answer);
    assert_true(bool_member(answer.json, "trained"));
    answer_free(&answer);
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        char path[64];
        struct blob image = work_read(photo(labels[i], path));

        classify(&server, "", &image, &answer);
        check_top_label(answer.json, labels[i]);
        answer_free(&answer);
        blob_free(&image);
    }
    server_stop(&server);
}

static void the_command_names_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        char path[64];
        struct output output = command_run(
            (const char *[]){"classify", "--json", photo(labels[i], path), NULL}, NULL, NULL);
        json_t *json = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL);

        assert_int_equal(output.status, 0);
        check_top_label(json, labels[i]);
        json_decref(json);
        output_free(&output);
    }
}

/* Named by their paths; the names of the classes are among those of /model. */
static void the_samples_show_what_they_say(void **state)
{
    struct server server;
    struct answer model;

    (void)state;
    server_start(&server, (const char *[]){NULL});
    ask(&server, &(struct call){.target = "/model?labels=1"}, &model);
    assert_int_equal(json_array_size(member(model.json, "labels")),
                     json_integer_value(member(model.json, "classes")));
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        const json_t *class = json_array_get(member(model.json, "labels"), i);
        struct answer sample, answer;
        char path[64];

        assert_string_equal(string_member(class, "label"), labels[i]);
        snprintf(path, sizeof path, "/page/%s.jpg", labels[i]);
        ask(&server, &(struct call){.target = path}, &sample);
        assert_string_equal(answer_header(&sample, "Content-Type"), "image/jpeg");
        assert_true(sample.size < 25000);
        classify(&server, "", &(struct blob){(unsigned char *)sample.body, sample.size}, &answer);
        check_top_label(answer.json, labels[i]);
        answer_free(&answer);
        answer_free(&sample);
    }
    answer_free(&model);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_names_them),
        cmocka_unit_test(the_command_names_them),
        cmocka_unit_test(the_samples_show_what_they_say),
    };

    return cmocka_run_group_tests(tests, work_setup, work_teardown);
}
