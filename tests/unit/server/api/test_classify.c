/* POST /classify: its parameters, wherever they stand, and what a body may be. */
#include "api/classify.h"

#include <math.h>

#include "server/server_fixture.h"

/* ---------------------------------------------------------------- parameters ----------------- */

/* A request for the fixture's picture. */
static void make(struct fake *fake, const char *query)
{
    fake_init(fake, "POST", "/classify");
    fake->query = query;
    fake_part(fake, fixture.jpeg, fixture.jpeg_size);
}

/* What the answer says was done: "32,64 flip top 5 views map features". */
static void describe(const json_t *answer, char *text, size_t size)
{
    const json_t *scales = json_object_get(answer, "scales");
    size_t length = 0;

    for (size_t i = 0; i < json_array_size(scales); i++)
        length += (size_t)snprintf(text + length, size - length, "%s%d", i != 0 ? "," : "",
                                   (int)json_integer_value(json_array_get(scales, i)));
    snprintf(text + length, size - length, "%s top %zu%s%s%s",
             json_is_true(json_object_get(answer, "flip")) ? " flip" : "",
             json_array_size(json_object_get(answer, "top")),
             json_object_get(answer, "views") != NULL ? " views" : "",
             json_object_get(answer, "map") != NULL ? " map" : "",
             json_object_get(answer, "features") != NULL ? " features" : "");
}

static void check_done(struct fake *fake, const char *expected)
{
    json_t *answer;
    char text[128];

    classify_handle(&fixture.server, fake->request);
    answer = answer_json(fake, 200);
    describe(answer, text, sizeof text);
    if (strcmp(text, expected) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", fake->query, text, expected);
    json_decref(answer);
    fake_fini(fake);
}

static void good_parameters(void **state)
{
    static const struct {
        const char *query, *done;
    } cases[] = {
        {NULL, "64 flip top 5"},
        {"", "64 flip top 5"},
        {"top_k=3", "64 flip top 3"},
        {"top_k=1", "64 flip top 1"},
        {"top_k=6", "64 flip top 6"},
        {"top_k=7", "64 flip top 6"}, /* all classes */
        {"top_k=4294967296", "64 flip top 6"},
        {"top_k=99999999999999999999999999", "64 flip top 6"},
        {"scales=32", "32 flip top 5"},
        {"scales=64,32", "32,64 flip top 5"},
        {"scales=64&scales=32", "32,64 flip top 5"},
        {"scales=64&top_k=2&scales=32,64&scales=48", "32,48,64 flip top 2"},
        {"scales=32,33,34,35&scales=36,37,38,39", "32,33,34,35,36,37,38,39 flip top 5"},
        {"scales=32,33,34,35&scales=36,37,38,39&scales=32", "32,33,34,35,36,37,38,39 flip top 5"},
        {"flip=off", "64 top 5"},
        {"flip=on", "64 flip top 5"},
        {"flip=0", "64 top 5"},
        {"flip=False", "64 top 5"},
        {"views=1", "64 flip top 5 views"},
        {"views=0", "64 flip top 5"},
        {"map=1&views=0", "64 flip top 5 map"},
        {"features=true", "64 flip top 5 features"},
        {"features=1&map=1&views=1&top_k=2&flip=off&scales=32", "32 top 2 views map features"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake fake;

        make(&fake, cases[i].query);
        assert_true(classify_check(&fixture.server, fake.request, &(struct problem){0}));
        check_done(&fake, cases[i].done);
    }
}

/* What the operator has set holds where a request says nothing, and gives way to what it says. */
static void defaults_of_the_server(void **state)
{
    const struct work_options before = fixture.options.work;
    struct fake fake;

    (void)state;
    fixture.options.work.scales = (struct option_scales){{48, 56}, 2};
    fixture.options.work.top_k = 2;
    fixture.options.work.flip = false;
    make(&fake, NULL);
    check_done(&fake, "48,56 top 2");
    make(&fake, "scales=32&scales=40");
    check_done(&fake, "32,40 top 2");
    make(&fake, "flip=1&top_k=4");
    check_done(&fake, "48,56 flip top 4");
    fixture.options.work = before;
}

/* The same as text fields of a form, and some here, some there. */
static void parameters_of_a_form(void **state)
{
    struct fake fake;

    (void)state;
    make(&fake, "top_k=2");
    fake_field(&fake, "scales", "64");
    fake_field(&fake, "scales", "32");
    fake_field(&fake, "flip", "off");
    check_done(&fake, "32,64 top 2");
}

/* Refused with its body; where the query is wrong, at the headers. */
static void check_refused(struct fake *fake, const char *text)
{
    struct problem problem;

    if (fake->request->fields_n == 0) {
        assert_false(classify_check(&fixture.server, fake->request, &problem));
        assert_int_equal(problem.kind, PROBLEM_BAD_PARAMETER);
        if (strstr(problem.detail, text) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", problem.detail, text);
    }
    classify_handle(&fixture.server, fake->request);
    check_problem(fake, PROBLEM_BAD_PARAMETER, text);
}

static void bad_parameters(void **state)
{
    static const struct {
        const char *query, *text;
    } cases[] = {
        {"top_k=0", "top_k=0: expected a whole number, at least 1"},
        {"top_k=", "top_k=: expected a whole number"},
        {"top_k", "top_k=: expected a whole number"},
        {"top_k=-1", "top_k=-1: "},
        {"top_k=+1", "top_k=+1: "},
        {"top_k=1.0", "top_k=1.0: "},
        {"top_k= 1", "top_k=%201: "},
        {"top_k=0x1", "top_k=0x1: "},
        {"top_k=1&top_k=1", "parameter top_k is repeated"},
        {"flip=maybe", "flip=maybe: expected on or off"},
        {"flip=", "flip=: expected on or off"},
        {"views=2", "views=2: expected 1 or 0"},
        {"map=x", "map=x: expected 1 or 0"},
        {"features", "features=: expected 1 or 0"},
        {"features=1&features=0", "parameter features is repeated"},
        {"scales=", "scales=: expected "},
        {"scales=32,", "scales=32,: expected "},
        {"scales=32;64", "scales=32;64: expected "},
        {"scales=0", "scales=0: expected "},
        {"scales=1025", "scales=1025: expected "},
        {"scales=32,33,34,35,36,37,38,39,40", "expected at most 8 scales"},
        {"scales=32,33,34,35&scales=36,37,38,39&scales=40", "expected at most 8 scales"},
        {"scale=32", "unknown parameter \"scale\": there are top_k, scales, flip, views, map, "
                     "features and reject"},
        {"TOP_K=1", "unknown parameter \"TOP_K\""},
        {"top_k=2&\x1b[1m=1", "unknown parameter \"%1b[1m\""},
        {"=", "unknown parameter \"\""},
        {"reject=", "reject=: expected a number above 0, at most 1, as 0.05"},
        {"reject=0", "reject=0: expected a number"},
        {"reject=1e-999", "reject=1e-999: "},
        {"reject=1.0001", "reject=1.0001: "},
        {"reject=-0.1", "reject=-0.1: "},
        {"reject=0x1p-3", "reject=0x1p-3: "},
        {"reject=nan", "reject=nan: "},
        {"reject=5%", "reject=5%: "},
        {"reject=0,05", "reject=0,05: "},
        {"reject= 0.05", "reject=%200.05: "},
        {"reject=0.05&reject=0.05", "parameter reject is repeated"},
        {"top_k=1\x07", "top_k=1%07: expected"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake fake;

        make(&fake, cases[i].query);
        check_refused(&fake, cases[i].text);
    }
}

static void bad_fields(void **state)
{
    static const struct {
        const char *query, *name, *value, *text;
    } cases[] = {
        {NULL, "top_k", "0", "top_k=0: expected"},
        {NULL, "image", "not a file", "unknown field \"image\": there are top_k"},
        {NULL, "image", "not a file", "an image has a filename, as with curl -F image=@FILE"},
        {"top_k=1", "top_k", "1", "parameter top_k is given both in the query and in the form"},
        {"scales=32", "scales", "64",
         "parameter scales is given both in the query and in the form"},
        {NULL, "reject", "5", "reject=5: expected"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake fake;

        make(&fake, cases[i].query);
        fake_field(&fake, cases[i].name, cases[i].value);
        check_refused(&fake, cases[i].text);
    }
}

/* Scales that this model cannot take are known only where there is a model: with the body. */
static void scales_below_the_crop(void **state)
{
    struct fake fake;

    (void)state;
    make(&fake, "scales=31,64");
    assert_true(classify_check(&fixture.server, fake.request, &(struct problem){0}));
    classify_handle(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, "31");
}

/* ---------------------------------------------------------------- typicality ----------------- */

/* What the answer to the fixture's picture says of it; p is 0 where it says nothing. */
static struct evaluation_typicality typicality_with(const char *query)
{
    struct evaluation_typicality typicality = {0};
    const json_t *known;
    struct fake fake;
    json_t *answer;

    make(&fake, query);
    classify_handle(&fixture.server, fake.request);
    answer = answer_json(&fake, 200);
    known = json_object_get(answer, "known");
    assert_true((known != NULL) == (json_object_get(answer, "typicality") != NULL));
    assert_true((known != NULL) == (json_object_get(answer, "reject") != NULL));
    if (known != NULL) {
        assert_true(json_is_boolean(known));
        typicality.p = json_real_value(json_object_get(answer, "typicality"));
        typicality.reject = json_real_value(json_object_get(answer, "reject"));
        typicality.known = json_is_true(known);
        assert_in_range(lround(typicality.p * (FIXTURE_KNOWN + 1)), 1, FIXTURE_KNOWN + 1);
    }
    json_decref(answer);
    fake_fini(&fake);
    return typicality;
}

/* Not below what can be said of so few known pictures. */
static void levels(void **state)
{
    static const struct {
        const char *query;
        double reject;
    } cases[] = {{NULL, 0.02},
                 {"reject=0.000001", 0.02},
                 {"reject=1e-6", 0.02},
                 {"reject=0.02", 0.02},
                 {"reject=0.05", 0.05},
                 {"reject=5e-2", 0.05},
                 {"reject=0.999", 0.999},
                 {"reject=1", 1}};
    double p = typicality_with(NULL).p;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct evaluation_typicality typicality = typicality_with(cases[i].query);

        assert_true(typicality.p == p);
        assert_float_equal(typicality.reject, cases[i].reject, 1e-9);
        assert_true(typicality.known == (p >= cases[i].reject));
    }
}

/* What is as typical as the level is known; what is below it is counted. */
static void known_and_unknown(void **state)
{
    static const char answered[] = "vgg_typicality_answers_total";
    static const char unknown[] = "vgg_unknown_answers_total";
    double p = typicality_with(NULL).p;
    double before[] = {fixture_metric(answered), fixture_metric(unknown)};
    char query[64];

    (void)state;
    assert_true(p > 0.02 && p < 0.99);
    snprintf(query, sizeof query, "reject=%.9g", p);
    assert_true(typicality_with(query).known);
    assert_true(fixture_metric(answered) == before[0] + 1 && fixture_metric(unknown) == before[1]);
    snprintf(query, sizeof query, "reject=%.9g", p + 1e-6);
    assert_false(typicality_with(query).known);
    assert_true(fixture_metric(answered) == before[0] + 2);
    assert_true(fixture_metric(unknown) == before[1] + 1);
}

/* At the model's own scales with mirrors, however these were asked for. */
static void where_there_is_typicality(void **state)
{
    static const char *const with[] = {"", "scales=64", "flip=on", "views=1&map=1&features=1",
                                       "top_k=1&scales=64&scales=64"};
    static const char *const without[] = {"scales=48", "scales=64,48", "flip=off",
                                          "reject=0.05&flip=0"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(with); i++)
        assert_true(typicality_with(with[i]).p != 0);
    for (size_t i = 0; i < COUNT_OF(without); i++)
        assert_true(typicality_with(without[i]).p == 0);
    fixture_serve_known(0);
    assert_true(typicality_with(NULL).p == 0);
    assert_true(typicality_with("reject=0.05").p == 0);
    fixture_serve_known(FIXTURE_KNOWN);
    assert_true(typicality_with(NULL).p != 0);
}

/* The level from a form is that of all its pictures; the one that fails has none. */
static void typicality_of_several(void **state)
{
    struct fake fake;
    json_t *answer;

    (void)state;
    make(&fake, NULL);
    fake_part(&fake, "no picture", 10);
    fake_part(&fake, fixture.jpeg, fixture.jpeg_size);
    fake_field(&fake, "reject", "1");
    classify_handle(&fixture.server, fake.request);
    answer = answer_json(&fake, 200);
    for (size_t i = 0; i < 3; i++) {
        const json_t *result = json_array_get(json_object_get(answer, "results"), i);

        assert_true((json_object_get(result, "typicality") != NULL) == (i != 1));
        assert_true(json_is_false(json_object_get(result, "known")) == (i != 1));
        assert_true(json_number_value(json_object_get(result, "reject")) == (i != 1));
    }
    json_decref(answer);
    fake_fini(&fake);
}

/* ---------------------------------------------------------------- bodies --------------------- */

/* One picture is answered as such, several as a list, in which one may fail. */
static void one_picture_and_several(void **state)
{
    const json_t *results;
    struct fake fake;
    json_t *answer;

    (void)state;
    make(&fake, NULL);
    fake_part(&fake, "no picture", 10);
    fake_part(&fake, fixture.jpeg, fixture.jpeg_size);
    classify_handle(&fixture.server, fake.request);
    answer = answer_json(&fake, 200);
    results = json_object_get(answer, "results");
    assert_int_equal(json_array_size(results), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *result = json_array_get(results, i);

        assert_true((json_object_get(result, "top") != NULL) == (i != 1));
        assert_int_equal(json_integer_value(json_object_get(result, "status")), i == 1 ? 415 : 0);
    }
    json_decref(answer);
    fake_fini(&fake);

    make(&fake, NULL);
    fake.parts[0].size /= 2;
    classify_handle(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_IMAGE, "Premature end");
}

static void bodies_that_cannot_be_read(void **state)
{
    static const struct {
        enum http_body body;
        enum problem_kind kind;
        const char *text;
    } cases[] = {
        {HTTP_BODY_BAD, PROBLEM_BAD_MULTIPART, "why not"},
        {HTTP_BODY_MANY, PROBLEM_TOO_MANY_IMAGES, "at most 4 images (--max-images)"},
        {HTTP_BODY_NO_MEMORY, PROBLEM_NO_MEMORY, "there is no memory for the body now"},
    };
    struct fake fake;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        make(&fake, NULL);
        fake.request->body = cases[i].body;
        fake.request->body_error = "why not";
        classify_handle(&fixture.server, fake.request);
        check_problem(&fake, cases[i].kind, cases[i].text);
    }
    fake_init(&fake, "POST", "/classify");
    classify_handle(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_EMPTY_BODY, "there is no image");
}

/* At its headers and, in case it ended meanwhile, with its body. */
static void a_server_that_ends(void **state)
{
    struct problem problem;
    struct fake fake;

    (void)state;
    fixture.server.phase = SERVER_CLOSING;
    make(&fake, NULL); /* the first of its connection is still served */
    check_done(&fake, "64 flip top 5");
    make(&fake, NULL);
    fake.request->first = false;
    assert_false(classify_check(&fixture.server, fake.request, &problem));
    assert_int_equal(problem.kind, PROBLEM_DRAINING);
    classify_handle(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_DRAINING, "the server is shutting down");
    fixture.server.phase = SERVER_SERVING;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_parameters),
        cmocka_unit_test(defaults_of_the_server),
        cmocka_unit_test(parameters_of_a_form),
        cmocka_unit_test(bad_parameters),
        cmocka_unit_test(bad_fields),
        cmocka_unit_test(scales_below_the_crop),
        cmocka_unit_test(levels),
        cmocka_unit_test(known_and_unknown),
        cmocka_unit_test(where_there_is_typicality),
        cmocka_unit_test(typicality_of_several),
        cmocka_unit_test(one_picture_and_several),
        cmocka_unit_test(bodies_that_cannot_be_read),
        cmocka_unit_test(a_server_that_ends),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
