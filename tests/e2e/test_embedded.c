/* The embedded model knows the photographs of tests/data, by the server and by vgg classify. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_names_them),
        cmocka_unit_test(the_command_names_them),
    };

    return cmocka_run_group_tests(tests, work_setup, work_teardown);
}
