/* Pictures made to take long: answered, and no ordinary client waits for them. */
#include "check.h"

#include <stdio.h>

#include "answers.h"
#include "bombs.h"
#include "chaos.h"
#include "process.h"
#include "work.h"

/* Under a sanitizer an eighth of the pixels is slow enough. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SIDE = 512 };
#else
enum { SIDE = 1500 };
#endif

enum { BOMBS_MAX = 40, PATH_BYTES = 64 };

static void test_four_at_once(void **state)
{
    (void)state;
    chaos_bombs(SIDE, false);
}

/* Without a deadline: a line for each, and an end (a command that has none is killed). */
static void test_classify(void **state)
{
    const char *args[BOMBS_MAX + 8] = {"classify", "--model", model_labelled(),
                                       "--scales", "64",      "--json"};
    static char names[BOMBS_MAX][PATH_BYTES];
    struct output output;

    (void)state;
    assert_true(bombs_n <= BOMBS_MAX);
    for (size_t i = 0; i < bombs_n; i++) {
        struct blob bomb;

        snprintf(names[i], sizeof names[i], "bomb-%zu", i);
        assert_true(bombs[i].make(SIDE, &bomb.bytes, &bomb.size));
        work_write(work_file(names[i]), bomb.bytes, bomb.size);
        args[6 + i] = work_file(names[i]);
        blob_free(&bomb);
    }
    output = command_run(args, NULL, NULL);
    assert_int_equal(output.status, 1); /* some are refused */
    assert_int_equal(count_lines(output.out), bombs_n);
    output_free(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_at_once),
        cmocka_unit_test(test_classify),
    };

    return cmocka_run_group_tests_name("bombs", tests, work_setup, work_teardown);
}
