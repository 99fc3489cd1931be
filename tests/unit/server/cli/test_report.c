/* Tables, JSON lines and CSV of one result, and what is left of them where memory ends. */
#include "server/json_fixture.h"

#include "cli/report.h"
#include "fault.h"
#include "server/capture.h"

static struct report_file file_named(const char *path, const struct evaluation *evaluation)
{
    return (struct report_file){.path = path, .number = 1, .evaluation = evaluation};
}

static struct evaluation failed(void)
{
    struct evaluation evaluation = {.failed = true};

    problem_set(&evaluation.problem, PROBLEM_BAD_IMAGE, "broken, \"badly\"");
    return evaluation;
}

/* What is printed of `file`; nothing goes to a terminal, so there are no colours. */
static void print(enum report_format format, const struct report_file *file, struct capture *out,
                  struct capture *err)
{
    struct report report;

    capture_begin(out, STDOUT_FILENO);
    capture_begin(err, STDERR_FILENO);
    report_init(&report, format, fixture.model, &fixture.params);
    report_begin(&report);
    assert_true(report_file(&report, file));
    capture_end(err);
    capture_end(out);
    assert_null(strchr(out->text, '\033'));
    assert_null(strchr(err->text, '\033'));
}

static void table(void **state)
{
    struct report_file file = file_named("a\nb\x7f\xc3\xa9.jpg", &fixture.evaluation);
    struct capture out, err;
    size_t lines = 0;

    (void)state;
    print(REPORT_TABLE, &file, &out, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(strncmp(out.text, "a?b?\xc3\xa9.jpg\n", 11), 0);
    for (const char *line = strchr(out.text, '\n') + 1; *line != '\0'; lines++) {
        /* "    0.12%    281  n02123045  tabby, tabby cat" */
        assert_int_equal(line[8], '%');
        assert_int_equal(strncmp(line + 16, "  n", 3), 0);
        line = strchr(line, '\n') + 1;
    }
    assert_int_equal(lines, 5);
}

/* Before its classes, where it is unknown; in every row of CSV, where there is any. */
static void typicality(void **state)
{
    static const char shown[] = "a.jpg\n  not like anything this model was trained on: typicality "
                                "0.0039, below 0.01\n  ";
    struct evaluation evaluation = fixture.evaluation;
    struct report_file file = file_named("a.jpg", &evaluation);
    struct capture out, err;

    (void)state;
    evaluation.typicality = (struct evaluation_typicality){1 / 256.0, 0.01, false};
    print(REPORT_TABLE, &file, &out, &err);
    assert_int_equal(strncmp(out.text, shown, sizeof shown - 1), 0);
    print(REPORT_CSV, &file, &out, &err);
    for (const char *row = strstr(out.text, "\r\n") + 2; *row != '\0';
         row = strstr(row, "\r\n") + 2) {
        const char *end = strstr(row, ",,0.00390625,false\r\n");

        assert_true(end != NULL && end < strstr(row, "\r\n"));
    }
    evaluation.typicality.known = true;
    print(REPORT_CSV, &file, &out, &err);
    assert_non_null(strstr(out.text, ",,0.00390625,true\r\n"));
    print(REPORT_TABLE, &file, &out, &err);
    assert_null(strstr(out.text, "not like"));
    evaluation.typicality.p = 0;
    print(REPORT_CSV, &file, &out, &err);
    assert_non_null(strstr(out.text, ",,,\r\n"));
    print(REPORT_TABLE, &file, &out, &err);
    assert_null(strstr(out.text, "not like"));
}

static void failures(void **state)
{
    struct evaluation evaluation = failed();
    struct report_file file = file_named("x,y.jpg", &evaluation);
    struct capture out, err;

    (void)state;
    print(REPORT_TABLE, &file, &out, &err);
    assert_string_equal(out.text, "");
    assert_string_equal(err.text, "vgg: x,y.jpg: broken, \"badly\"\n");
    print(REPORT_CSV, &file, &out, &err);
    assert_string_equal(out.text, "file,rank,index,id,label,score,error,typicality,known\r\n"
                                  "\"x,y.jpg\",,,,,,\"broken, \"\"badly\"\"\",,\r\n");
    assert_string_equal(err.text, "vgg: x,y.jpg: broken, \"badly\"\n");
    print(REPORT_JSON, &file, &out, &err);
    assert_true(is_one_line(out.text));
    assert_non_null(strstr(out.text, "\"file\":\"x,y.jpg\""));
    assert_string_equal(err.text, "");
}

/* Either all of a file is printed, or it is said that it is not. */
static void memory_ends(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    for (enum report_format format = REPORT_TABLE; format <= REPORT_CSV; format++) {
        struct report_file file = file_named("a.jpg", &fixture.evaluation);
        struct capture whole, out, err;
        bool fired = true;

        print(format, &file, &whole, &err);
        for (unsigned n = 1; fired; n++) {
            struct report report;
            bool printed;

            capture_begin(&out, STDOUT_FILENO);
            capture_begin(&err, STDERR_FILENO);
            report_init(&report, format, fixture.model, &fixture.params);
            report_begin(&report);
            fault_arm(n);
            printed = report_file(&report, &file);
            fired = fault_disarm();
            capture_end(&err);
            capture_end(&out);
            if (printed)
                assert_string_equal(out.text, whole.text);
            else {
                assert_true(fired);
                assert_string_equal(err.text, "vgg: a.jpg: out of memory\n");
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(typicality),
        cmocka_unit_test(failures),
        cmocka_unit_test(memory_ends),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
