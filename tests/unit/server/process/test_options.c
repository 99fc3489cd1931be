/* Flags, values and environment variables; what is wrong is told in exactly one line. */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "process/clock.h"
#include "process/options.h"
#include "server/capture.h"

struct target {
    const char *text, *output;
    uint32_t count, guard; /* guard: a wider write would change it */
    uint64_t seed, size, gmac, duration;
    bool flip, json;
    struct option_scales scales;
    double real, positive, level;
    uint32_t way;
    enum option_log log;
};

#define FIELD(name) offsetof(struct target, name)

static const struct option options[] = {
    {"text", "TEXT", OPTION_STRING, FIELD(text), 0, 0, NULL, "some text [none]"},
    {"output", "FILE", OPTION_STRING, FIELD(output), 0, 0, NULL, "where to write [nowhere]"},
    {"count", "N", OPTION_COUNT, FIELD(count), 2, 1000, NULL, "a count [0]"},
    {"seed", "N", OPTION_SEED, FIELD(seed), 0, 0, NULL, "a seed [0]"},
    {"a-size", "SIZE", OPTION_SIZE, FIELD(size), 0, 0, NULL, "a size [0]"},
    {"max-cost", "GMAC", OPTION_GMAC, FIELD(gmac), 0, 0, NULL, "a cost [0]"},
    {"time", "TIME", OPTION_DURATION, FIELD(duration), NS_PER_MS, 3600 * NS_PER_S, NULL,
     "a time [0]"},
    {"flip", "on|off", OPTION_SWITCH, FIELD(flip), 0, 0, NULL, "a switch [off]"},
    {"json", NULL, OPTION_FLAG, FIELD(json), 0, 0, NULL, "a flag"},
    {"scales", "LIST", OPTION_SCALES, FIELD(scales), 0, 0, NULL, "some scales [none]"},
    {"real", "X", OPTION_REAL, FIELD(real), 0, 0, NULL, "a number [0]"},
    {"above", "X", OPTION_POSITIVE, FIELD(positive), 0, 0, NULL, "another [0]"},
    {"level", "P", OPTION_LEVEL, FIELD(level), 0, 0, NULL, "a share [0]"},
    {"way", "to|fro|to-and-fro", OPTION_CHOICE, FIELD(way), 0, 0, NULL, "a word [to]"},
    {"log", "json|text", OPTION_LOG, FIELD(log), 0, 0, NULL, "a format [text]"},
};

static const struct command_usage usage = {
    .command = "vgg try",
    .operands = "[OPTIONS] FILE...",
    .summary = "Try options.",
    .options = options,
    .options_n = COUNT_OF(options),
    .footer = "The end.\n",
};

enum { ARGS_MAX = 12, GUARD = 0x5a5a5a5a };

/* One command line, what came of it and what it wrote. */
struct run {
    struct target target;
    struct operands operands;
    char *argv[ARGS_MAX + 2];
    enum options_result result;
    struct capture out, err;
};

/* Arguments end with NULL. */
static struct run *run_list(struct run *run, va_list list)
{
    static char name[] = "try";
    int argc = 1;

    memset(run, 0, sizeof *run);
    run->target.guard = GUARD;
    run->argv[0] = name;
    while ((run->argv[argc] = va_arg(list, char *)) != NULL)
        assert_true(++argc < ARGS_MAX);
    capture_begin(&run->out, STDOUT_FILENO);
    capture_begin(&run->err, STDERR_FILENO);
    run->result = options_parse(&usage, argc, run->argv, &run->target, &run->operands);
    capture_end(&run->err);
    capture_end(&run->out);
    assert_int_equal(run->target.guard, GUARD);
    return run;
}

/* A good command line: nothing is printed. */
static struct target good(struct run *run, ...)
{
    va_list list;

    va_start(list, run);
    run_list(run, list);
    va_end(list);
    if (run->result != OPTIONS_RUN)
        fail_msg("refused: %s", run->err.text);
    assert_string_equal(run->out.text, "");
    assert_string_equal(run->err.text, "");
    return run->target;
}

/* A bad one: one line on standard error that holds `expected`, and exit status 2. */
static void bad(const char *expected, ...)
{
    struct run run;
    va_list list;

    va_start(list, expected);
    run_list(&run, list);
    va_end(list);
    assert_int_equal(run.result, 2);
    assert_string_equal(run.out.text, "");
    if (!is_one_line(run.err.text) || strncmp(run.err.text, "vgg: ", 5) != 0 ||
        strstr(run.err.text, expected) == NULL)
        fail_msg("not one line with \"%s\": %s", expected, run.err.text);
}

static void whole_numbers(void **state)
{
    struct run run;

    (void)state;
    assert_int_equal(good(&run, "--count", "2", NULL).count, 2);
    assert_int_equal(good(&run, "--count", "1000", NULL).count, 1000);
    assert_int_equal(good(&run, "--count", "0010", NULL).count, 10);
    assert_true(good(&run, "--seed", "18446744073709551615", NULL).seed == UINT64_MAX);
    assert_true(good(&run, "--seed", "0", NULL).seed == 0);
    bad("--count 1: must be from 2 to 1000", "--count", "1", NULL);
    bad("--count 1001: must be from 2 to 1000", "--count", "1001", NULL);
    bad("--count 4294967298: must be from 2 to 1000", "--count", "4294967298", NULL);
    bad("--seed 18446744073709551616: must be a whole number", "--seed", "18446744073709551616",
        NULL);
    for (const char *const *text =
             (const char *const[]){"", " 5", "5 ", "+5", "-5", "5.0", "0x5", "5k", "five", NULL};
         *text != NULL; text++)
        bad("must be a whole number", "--count", *text, NULL);
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"1048576", 1 << 20},
        {"16MiB", 16 << 20},
        {"16MB", 16 << 20},
        {"16Mi", 16 << 20},
        {"16M", 16 << 20},
        {"512K", 512 << 10},
        {"512KiB", 512 << 10},
        {"3G", UINT64_C(3) << 30},
        {"1.5K", 1536},
        {"7B", 7},
        {"8589934591G", UINT64_C(8589934591) << 30},
    };
    static const char *const wrong[] = {"",     "M",      "16m",  "16MiBB", "16iB", "16 M",  "-1",
                                        "1e99", "0x10",   "nan",  "inf",    "1T",   "16MM",  ".5K",
                                        "1K1",  "9e999G", "1..5", "+1",     "1,5K", "16MBi", NULL};
    struct run run;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (good(&run, "--a-size", cases[i].text, NULL).size != cases[i].bytes)
            fail_msg("%s read as %ju", cases[i].text, (uintmax_t)run.target.size);
    for (size_t i = 0; wrong[i] != NULL; i++)
        bad("must be a size such as 16MiB", "--a-size", wrong[i], NULL);
}

static void durations(void **state)
{
    struct run run;

    (void)state;
    assert_true(good(&run, "--time", "5s", NULL).duration == 5 * NS_PER_S);
    assert_true(good(&run, "--time", "5", NULL).duration == 5 * NS_PER_S);
    assert_true(good(&run, "--time", "250ms", NULL).duration == 250 * NS_PER_MS);
    assert_true(good(&run, "--time", "1m", NULL).duration == 60 * NS_PER_S);
    assert_true(good(&run, "--time", "0.5s", NULL).duration == NS_PER_S / 2);
    assert_true(good(&run, "--time", "3600s", NULL).duration == 3600 * NS_PER_S);
    bad("must be from 0.001s to 3600s", "--time", "0", NULL);
    bad("must be from 0.001s to 3600s", "--time", "61m", NULL);
    for (const char *const *text =
             (const char *const[]){"", "s", "5h", "5 s", "-1s", "5sec", "5us", "1e400", NULL};
         *text != NULL; text++)
        bad("must be a duration such as 5s", "--time", *text, NULL);
}

static void costs(void **state)
{
    struct run run;

    (void)state;
    assert_true(good(&run, "--max-cost", "250", NULL).gmac == UINT64_C(250000000000));
    assert_true(good(&run, "--max-cost", "0.25", NULL).gmac == 250000000);
    for (const char *const *text = (const char *const[]){"0", "0.0", "1e-10", "", "1G", "-1",
                                                         "1e30", "many", "0x1", NULL};
         *text != NULL; text++)
        bad("must be a number of GMAC", "--max-cost", *text, NULL);
}

/* Where nothing stands for the default, 0 is refused. */
static void numbers(void **state)
{
    struct run run;

    (void)state;
    assert_true(good(&run, "--real", "0.5", NULL).real == 0.5);
    assert_true(good(&run, "--real", "0", NULL).real == 0);
    assert_true(good(&run, "--above", "1e-300", NULL).positive == 1e-300);
    for (const char *const *text =
             (const char *const[]){"", "-1", "+1", "nan", "inf", "1e999", "0x1", "1s", NULL};
         *text != NULL; text++) {
        bad("must be a number, not below 0", "--real", *text, NULL);
        bad("must be a number above 0", "--above", *text, NULL);
    }
    bad("must be a number above 0", "--above", "0", NULL);
    bad("must be a number above 0", "--above", "0.000", NULL);
    bad("must be a number above 0", "--above", "1e-999", NULL);
    assert_true(good(&run, "--level", "0.05", NULL).level == 0.05);
    assert_true(good(&run, "--level", "1", NULL).level == 1);
    bad("must be a number above 0, at most 1, as 0.05", "--level", "0", NULL);
    bad("must be a number above 0, at most 1, as 0.05", "--level", "1.01", NULL);
    bad("must be a number above 0, at most 1, as 0.05", "--level", "5%", NULL);
}

static void choices(void **state)
{
    struct run run;

    (void)state;
    assert_true(good(&run, "--flip", "on", NULL).flip);
    assert_false(good(&run, "--flip", "on", "--flip", "off", NULL).flip);
    assert_true(good(&run, "--json", NULL).json);
    assert_true(good(&run, "--json=on", NULL).json);
    assert_false(good(&run, "--json", "--json=off", NULL).json);
    assert_int_equal(good(&run, "--log", "json", NULL).log, LOG_JSON);
    assert_int_equal(good(&run, "--log", "json", "--log", "text", NULL).log, LOG_TEXT);
    assert_string_equal(good(&run, "--text", "a b", NULL).text, "a b");
    assert_string_equal(good(&run, "--text", "--flip", NULL).text, "--flip");
    bad("--flip yes: must be on or off", "--flip", "yes", NULL);
    bad("--flip ON: must be on or off", "--flip", "ON", NULL);
    bad("--json 1: must be on or off", "--json=1", NULL);
    bad("--log xml: must be json or text", "--log", "xml", NULL);
    assert_int_equal(good(&run, NULL).way, 0);
    assert_int_equal(good(&run, "--way", "fro", NULL).way, 1);
    assert_int_equal(good(&run, "--way", "to-and-fro", "--way", "to", NULL).way, 0);
    assert_int_equal(good(&run, "--way=to-and-fro", NULL).way, 2);
    bad("--way fr: must be one of to|fro|to-and-fro", "--way", "fr", NULL);
    bad("--way to|fro: must be one of to|fro|to-and-fro", "--way", "to|fro", NULL);
    bad("--way : must be one of to|fro|to-and-fro", "--way", "", NULL);
    bad("--text : must not be empty", "--text", "", NULL);
    /* A flag takes no value from the next argument. */
    good(&run, "--json", "off", NULL);
    assert_true(run.target.json);
    assert_int_equal(run.operands.n, 1);
    assert_string_equal(run.operands.items[0], "off");
}

static void lists_of_scales(void **state)
{
    static const char *const wrong[] = {"",         ",",     "256,", ",256",
                                        "256,,384", "0",     "1025", "-256",
                                        "256, 384", "256.0", "2x",   "99999999999999999999",
                                        NULL};
    struct run run;
    struct option_scales scales = {.n = 77};
    char reason[160] = "", many[256] = "1";

    (void)state;
    scales = good(&run, "--scales", "512,256,384,256", NULL).scales;
    assert_int_equal(scales.n, 3);
    assert_int_equal(scales.scales[0], 256);
    assert_int_equal(scales.scales[1], 384);
    assert_int_equal(scales.scales[2], 512);
    assert_int_equal(good(&run, "--scales", "1,2,3,4,5,6,7,8", NULL).scales.n, 8);
    assert_int_equal(good(&run, "--scales", "1,2,3,4,5,6,7,8,8,1", NULL).scales.n, 8);
    assert_int_equal(good(&run, "--scales", "1024", NULL).scales.scales[0], 1024);
    bad("at most 8 scales", "--scales", "1,2,3,4,5,6,7,8,9", NULL);
    for (size_t i = 0; wrong[i] != NULL; i++)
        bad("whole numbers of pixels up to 1024", "--scales", wrong[i], NULL);
    for (size_t i = 0; i < 100; i++)
        strcat(many, ",1");
    assert_false(scales_parse(many, &scales, reason, sizeof reason));
    assert_string_equal(reason, "at most 8 scales");
}

static void values_and_operands(void **state)
{
    struct run run;

    (void)state;
    assert_string_equal(good(&run, "--text=a=b", NULL).text, "a=b");
    assert_int_equal(good(&run, "--count=7", NULL).count, 7);
    assert_string_equal(good(&run, "-o", "x.json", NULL).output, "x.json");
    assert_string_equal(good(&run, "--output", "y", NULL).output, "y");
    good(&run, "one", "--count", "3", "-", "--", "--count", "-o", NULL);
    assert_int_equal(run.target.count, 3);
    assert_int_equal(run.operands.n, 4);
    assert_string_equal(run.operands.items[0], "one");
    assert_string_equal(run.operands.items[1], "-");
    assert_string_equal(run.operands.items[2], "--count");
    assert_string_equal(run.operands.items[3], "-o");
    good(&run, "--", "--", NULL);
    assert_int_equal(run.operands.n, 1);
    good(&run, "--", "--help", NULL);
    assert_string_equal(run.operands.items[0], "--help");
    good(&run, NULL);
    assert_int_equal(run.operands.n, 0);
}

static void unknown_options(void **state)
{
    (void)state;
    bad("unknown option --nonsense (see vgg try --help)", "--nonsense", NULL);
    bad("unknown option --nonsense=1", "--nonsense=1", NULL);
    bad("unknown option --coun", "--coun", "5", NULL);
    bad("unknown option --counts", "--counts", "5", NULL);
    bad("unknown option --=5", "--=5", NULL);
    bad("unknown option -x", "-x", NULL);
    bad("unknown option -ox", "-ox", NULL);
    bad("unknown option -count", "-count", "5", NULL);
    bad("unknown option --cuont: did you mean --count? (see vgg try", "--cuont", "5", NULL);
    bad("unknown option --A_Size=5: did you mean --a-size?", "--A_Size=5", NULL);
    bad("unknown option -scales: did you mean --scales?", "-scales", NULL);
    bad("unknown option --versoin: did you mean --version?", "--versoin", NULL);
    bad("--log jsno: must be json or text: did you mean json?", "--log", "jsno", NULL);
    bad("to|fro|to-and-fro: did you mean to-and-fro?", "--way", "to_and_for", NULL);
    bad("as in 256,384,512: did you mean 256,384?", "--scales", "256;384", NULL);
    bad("as in 256,384,512: did you mean 256,384?", "--scales", "256 x 384 px", NULL);
    bad("unknown option --a?b?[1mc (see", "--a\nb\033[1mc", NULL);
    bad("--log ?[1m?: must be", "--log", "\x1b[1m\n", NULL);
    bad("a value is missing after --count", "--count", NULL);
    bad("a value is missing after -o", "--count", "5", "-o", NULL);
    bad("--count : must be a whole number", "--count=", NULL);
}

static void environment(void **state)
{
    struct run run;

    (void)state;
    setenv("VGG_COUNT", "42", 1);
    setenv("VGG_A_SIZE", "2K", 1);
    setenv("VGG_JSON", "on", 1);
    setenv("VGG_TEXT", "", 1);
    good(&run, NULL);
    assert_int_equal(run.target.count, 42);
    assert_int_equal(run.target.size, 2048);
    assert_true(run.target.json);
    assert_null(run.target.text); /* empty is unset */
    good(&run, "--count", "7", "--json=off", NULL);
    assert_int_equal(run.target.count, 7);
    assert_int_equal(run.target.size, 2048);
    assert_false(run.target.json);
    setenv("VGG_COUNT", "many", 1);
    bad("VGG_COUNT=many: must be a whole number", NULL);
    setenv("VGG_COUNT", "1001", 1);
    bad("VGG_COUNT=1001: must be from 2 to 1000", NULL);
    setenv("VGG_COUNT", "", 1);
    setenv("VGG_A_SIZE", "", 1);
    setenv("VGG_JSON", "", 1);
    good(&run, NULL);
    assert_int_equal(run.target.count, 0);
    assert_int_equal(run.target.size, 0);
    assert_false(run.target.json);
    unsetenv("VGG_COUNT");
    unsetenv("VGG_A_SIZE");
    unsetenv("VGG_JSON");
    unsetenv("VGG_TEXT");
}

/* What neither flags nor the environment say, the rows do: by the same reading, before both. */
static void presets(void **state)
{
    static const struct option rows[] = {
        {"a-size", "SIZE", OPTION_SIZE, FIELD(size), 1, UINT32_MAX, "16MiB", "a size"},
        {"time", "TIME", OPTION_DURATION, FIELD(duration), 0, 0, "250ms", "a time"},
        {"flip", "on|off", OPTION_SWITCH, FIELD(flip), 0, 0, "on", "a switch"},
        {"way", "to|fro", OPTION_CHOICE, FIELD(way), 0, 0, "fro", "a word"},
        {"text", "TEXT", OPTION_STRING, FIELD(text), 0, 0, "a text", "some text"},
        {"count", "N", OPTION_COUNT, FIELD(count), 0, 0, NULL, "a count [as many as there are]"},
    };
    static const struct command_usage with_presets = {
        .command = "vgg try", .operands = "", .summary = "", .options = rows, .options_n = 6};
    char *argv[] = {(char *)"try", (char *)"--time=1s", NULL};
    struct target target = {0};
    struct operands operands;

    (void)state;
    setenv("VGG_WAY", "to", 1);
    assert_int_equal(options_parse(&with_presets, 2, argv, &target, &operands), OPTIONS_RUN);
    unsetenv("VGG_WAY");
    assert_int_equal(target.size, 16 << 20);
    assert_int_equal(target.duration, NS_PER_S);
    assert_true(target.flip);
    assert_int_equal(target.way, 0);
    assert_string_equal(target.text, "a text");
    assert_int_equal(target.count, 0);
}

static void help_of(const struct option *rows, size_t n, struct capture *out)
{
    const struct command_usage some = {
        .command = "vgg try", .operands = "", .summary = "", .options = rows, .options_n = n};
    char *argv[] = {(char *)"try", (char *)"--help", NULL};
    struct target target = {0};
    struct operands operands;

    capture_begin(out, STDOUT_FILENO);
    assert_int_equal(options_parse(&some, 2, argv, &target, &operands), OPTIONS_HELP);
    capture_end(out);
}

/* The preset in brackets after the meaning, in lines of at most 80 below each other. */
static void help_is_as_wide_as_a_terminal(void **state)
{
    static const struct option rows[] = {
        {"long", "N", OPTION_COUNT, FIELD(count), 0, 0, "7",
         "a meaning with so many words that no line of eighty holds them, and neither do two of "
         "them, beside the names"},
        {"exact", "N", OPTION_COUNT, FIELD(count), 0, 0, "7",
         "48 letters, and four more with the default: 52 ."},
        {"word", NULL, OPTION_FLAG, FIELD(json), 0, 0, NULL,
         "one-word-that-is-longer-than-the-whole-column-of-help-can-be-at-most"},
    };
    struct capture out;

    (void)state;
    help_of(rows, 3, &out);
    assert_non_null(strstr(
        out.text,
        "  --long N                  a meaning with so many words that no line of eighty\n"
        "                            holds them, and neither do two of them, beside the\n"
        "                            names [7]\n"
        "  --exact N                 48 letters, and four more with the default: 52 . [7]\n"));
    assert_non_null(strstr(out.text, rows[2].help));
}

/* Help wins over everything else on the line, and over a bad environment. */
static void help_lists_every_option(void **state)
{
    static const char *const spellings[] = {"--help", "-h"};
    struct run run;

    (void)state;
    setenv("VGG_COUNT", "many", 1);
    for (size_t i = 0; i < 2; i++) {
        memset(&run, 0, sizeof run);
        capture_begin(&run.out, STDOUT_FILENO);
        run.result = options_parse(
            &usage, 3, (char *[]){(char *)"try", (char *)"--wrong", (char *)spellings[i], NULL},
            &run.target, &run.operands);
        capture_end(&run.out);
        assert_int_equal(run.result, 0);
        for (size_t k = 0; k < COUNT_OF(options); k++) {
            char line[128];

            snprintf(line, sizeof line, "\n  --%s%s%s ", options[k].name,
                     options[k].value != NULL ? " " : "",
                     options[k].value != NULL ? options[k].value : "");
            if (strstr(run.out.text, line) == NULL || strstr(run.out.text, options[k].help) == NULL)
                fail_msg("--%s is not in the help:\n%s", options[k].name, run.out.text);
        }
        assert_non_null(strstr(run.out.text, "usage: vgg try [OPTIONS] FILE...\n"));
        assert_non_null(strstr(run.out.text, "\n  --help "));
        assert_non_null(strstr(run.out.text, "The end.\n"));
    }
    unsetenv("VGG_COUNT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(sizes),
        cmocka_unit_test(durations),
        cmocka_unit_test(costs),
        cmocka_unit_test(numbers),
        cmocka_unit_test(choices),
        cmocka_unit_test(lists_of_scales),
        cmocka_unit_test(values_and_operands),
        cmocka_unit_test(unknown_options),
        cmocka_unit_test(environment),
        cmocka_unit_test(presets),
        cmocka_unit_test(help_is_as_wide_as_a_terminal),
        cmocka_unit_test(help_lists_every_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
