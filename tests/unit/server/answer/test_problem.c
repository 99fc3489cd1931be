/* The table of problems against the contract's list of errors. */
#include "check.h"

#include <stdbool.h>
#include <string.h>

#include "answer/problem.h"

/* Written down from the contract, not from the table. */
static const struct {
    enum problem_kind kind;
    unsigned status;
} contract[] = {
    {PROBLEM_BAD_PARAMETER, 400},      {PROBLEM_EMPTY_BODY, 400},
    {PROBLEM_BAD_MULTIPART, 400},      {PROBLEM_UNAUTHORIZED, 401},
    {PROBLEM_CROSS_ORIGIN, 403},       {PROBLEM_HEADERS_TOO_LARGE, 431},
    {PROBLEM_NOT_FOUND, 404},          {PROBLEM_BAD_METHOD, 405},
    {PROBLEM_BODY_TOO_LARGE, 413},     {PROBLEM_IMAGE_TOO_LARGE, 413},
    {PROBLEM_TOO_MANY_IMAGES, 413},    {PROBLEM_TOO_COSTLY, 413},
    {PROBLEM_UNSUPPORTED_FORMAT, 415}, {PROBLEM_BAD_IMAGE, 422},
    {PROBLEM_INTERNAL, 500},           {PROBLEM_QUEUE_FULL, 503},
    {PROBLEM_DRAINING, 503},           {PROBLEM_NO_MEMORY, 503},
    {PROBLEM_DEADLINE, 504},           {PROBLEM_RELOADING, 409},
    {PROBLEM_NO_PREVIOUS, 409},        {PROBLEM_MEDIA_TYPE, 415},
    {PROBLEM_BAD_MODEL, 422},          {PROBLEM_BAD_ENCODING, 400},
    {PROBLEM_BAD_REQUEST, 400},        {PROBLEM_URI_TOO_LONG, 414},
    {PROBLEM_EXPECTATION, 417},        {PROBLEM_NOT_IMPLEMENTED, 501},
    {PROBLEM_HTTP_VERSION, 505},
};

static void statuses_of_the_contract(void **state)
{
    bool seen[PROBLEM_KINDS] = {false};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        assert_int_equal(problem_status(contract[i].kind), contract[i].status);
        seen[contract[i].kind] = true;
    }
    for (int kind = 0; kind < PROBLEM_KINDS; kind++)
        if (!seen[kind])
            fail_msg("%s is not in the contract", problem_type((enum problem_kind)kind));
}

/* Clients tell problems apart by type. */
static void types_are_distinct_uris(void **state)
{
    static const char prefix[] = "urn:vgg:problem:";

    (void)state;
    for (int a = 0; a < PROBLEM_KINDS; a++) {
        const char *type = problem_type((enum problem_kind)a);
        const char *slug = type + sizeof prefix - 1;

        assert_int_equal(strncmp(type, prefix, sizeof prefix - 1), 0);
        assert_true(slug[0] != '\0');
        assert_int_equal(strspn(slug, "abcdefghijklmnopqrstuvwxyz-"), strlen(slug));
        assert_true(problem_title((enum problem_kind)a)[0] != '\0');
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(type, problem_type((enum problem_kind)b));
            assert_string_not_equal(problem_title((enum problem_kind)a),
                                    problem_title((enum problem_kind)b));
        }
    }
}

/* Every status of the library; 500 is never the client's fault, so only ours are 500. */
static void every_status_has_a_kind(void **state)
{
    static const enum vgg_status statuses[] = {
#define STATUS(name, text) VGG_##name,
        VGG_STATUS_MAP(STATUS)
#undef STATUS
    };
    static const struct {
        enum vgg_status status;
        unsigned code;
    } expected[] = {
        {VGG_NO_MEMORY, 503}, {VGG_BAD_ARGUMENT, 400}, {VGG_UNSUPPORTED_FORMAT, 415},
        {VGG_BAD_IMAGE, 422}, {VGG_TOO_LARGE, 413},    {VGG_BAD_MODEL, 500},
        {VGG_IO, 500},        {VGG_DEADLINE, 504},     {VGG_CANCELLED, 503},
    };

    (void)state;
    assert_int_equal(COUNT_OF(expected) + 1, COUNT_OF(statuses));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        if (problem_status(problem_of_status(expected[i].status)) != expected[i].code)
            fail_msg("%s is a %u", vgg_status_text(expected[i].status),
                     problem_status(problem_of_status(expected[i].status)));
    assert_int_equal(problem_of_status(VGG_CANCELLED), PROBLEM_DRAINING);
    assert_int_equal(problem_of_status(VGG_NO_MEMORY), PROBLEM_NO_MEMORY);
}

/* What a request that is refused before any handler sees it is said to be. */
static void kinds_of_http(void **state)
{
    static const enum problem_kind kinds[] = {PROBLEM_BAD_REQUEST, PROBLEM_URI_TOO_LONG,
                                              PROBLEM_EXPECTATION, PROBLEM_HEADERS_TOO_LARGE,
                                              PROBLEM_INTERNAL,    PROBLEM_NOT_IMPLEMENTED,
                                              PROBLEM_HTTP_VERSION};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_int_equal(problem_of_http(problem_status(kinds[i])), kinds[i]);
    assert_int_equal(problem_of_http(299), PROBLEM_INTERNAL);
}

static void details(void **state)
{
    struct vgg_error error = {0};
    struct problem problem;
    char longest[1000];

    (void)state;
    problem_set(&problem, PROBLEM_NOT_FOUND, "nothing at %s, %d times", "/x", 3);
    assert_int_equal(problem.kind, PROBLEM_NOT_FOUND);
    assert_string_equal(problem.detail, "nothing at /x, 3 times");
    memset(longest, 'y', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    problem_set(&problem, PROBLEM_NOT_FOUND, "%s", longest);
    assert_int_equal(strlen(problem.detail), sizeof problem.detail - 1);
    /* A library's text is data, not a format; all of it fits. */
    vgg_fail(&error, VGG_BAD_IMAGE, "%s", "100%s %n of it");
    problem_set_error(&problem, &error);
    assert_int_equal(problem.kind, PROBLEM_BAD_IMAGE);
    assert_string_equal(problem.detail, "100%s %n of it");
    memset(error.text, 'z', sizeof error.text - 1);
    problem_set_error(&problem, &error);
    assert_string_equal(problem.detail, error.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_of_the_contract),
        cmocka_unit_test(types_are_distinct_uris),
        cmocka_unit_test(every_status_has_a_kind),
        cmocka_unit_test(kinds_of_http),
        cmocka_unit_test(details),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
