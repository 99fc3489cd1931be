/* How answers look: problems in the form of either protocol, and what comes with them. */
#include "api/respond.h"

#include "fault.h"
#include "server/server_fixture.h"

static void whose_errors(void **state)
{
    (void)state;
    assert_true(respond_in_v2("/v2"));
    assert_true(respond_in_v2("/v2/"));
    assert_true(respond_in_v2("/v2/any"));
    assert_false(respond_in_v2("/v20"));
    assert_false(respond_in_v2("/"));
    assert_false(respond_in_v2("/classify/v2/"));
}

/* The answer of a request for `path` with such a problem. */
static void respond(struct fake *fake, const char *path, enum problem_kind kind, const char *detail,
                    unsigned retry_after_s)
{
    struct problem problem;

    problem_set(&problem, kind, "%s", detail);
    fake_init(fake, "POST", path);
    respond_problem(&fixture.server, fake->request, &problem, retry_after_s);
}

static void check_string(const json_t *object, const char *key, const char *expected)
{
    const json_t *value = json_object_get(object, key);

    assert_true(json_is_string(value));
    assert_string_equal(json_string_value(value), expected);
}

static void a_problem(void **state)
{
    struct fake fake;
    json_t *json;

    (void)state;
    respond(&fake, "/classify", PROBLEM_BAD_IMAGE, "it is \"bad\"", 7);
    json = answer_json(&fake, 422);
    assert_string_equal(fake.left.response.type, "application/problem+json");
    check_string(json, "type", "urn:vgg:problem:bad-image");
    check_string(json, "title", "Image cannot be decoded");
    check_string(json, "detail", "it is \"bad\"");
    check_string(json, "request_id", "id-1");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 422);
    assert_int_equal(fake.left.response.retry_after_s, 0); /* not of a 503 */
    assert_string_equal(fake.left.problem, "urn:vgg:problem:bad-image");
    assert_string_equal(fake.left.detail, "it is \"bad\"");
    json_decref(json);
    fake_fini(&fake);
}

static void a_problem_in_v2(void **state)
{
    struct fake fake;
    json_t *json;

    (void)state;
    respond(&fake, "/v2/models/m/infer", PROBLEM_BAD_PARAMETER, "it is \"bad\"", 0);
    json = answer_json(&fake, 400);
    assert_string_equal(fake.left.response.type, "application/json");
    assert_int_equal(json_object_size(json), 1);
    check_string(json, "error", "it is \"bad\"");
    assert_string_equal(fake.left.problem, "urn:vgg:problem:bad-parameter");
    json_decref(json);
    fake_fini(&fake);
}

static void when_to_try_again(void **state)
{
    struct fake fake;

    (void)state;
    respond(&fake, "/classify", PROBLEM_QUEUE_FULL, "full", 0);
    assert_int_equal(fake.left.response.retry_after_s, 1);
    fake_fini(&fake);
    respond(&fake, "/v2", PROBLEM_QUEUE_FULL, "full", 17);
    assert_int_equal(fake.left.response.retry_after_s, 17);
    fake_fini(&fake);
}

static void a_challenge_of_401_only(void **state)
{
    struct fake fake;

    (void)state;
    for (enum problem_kind kind = 0; kind < PROBLEM_KINDS; kind++) {
        respond(&fake, "/classify", kind, "x", 0);
        assert_int_equal(fake.left.response.status, problem_status(kind));
        if (kind == PROBLEM_UNAUTHORIZED)
            assert_string_equal(fake.left.response.challenge, "Bearer realm=\"vgg\"");
        else
            assert_null(fake.left.response.challenge);
        fake_fini(&fake);
    }
}

static void what_is_shed_is_counted(void **state)
{
    static const struct {
        enum problem_kind kind;
        const char *series;
    } cases[] = {
        {PROBLEM_QUEUE_FULL, "vgg_requests_shed_total{reason=\"queue_full\"}"},
        {PROBLEM_DRAINING, "vgg_requests_shed_total{reason=\"draining\"}"},
        {PROBLEM_NO_MEMORY, "vgg_requests_shed_total{reason=\"out_of_memory\"}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t k = 0; k < COUNT_OF(cases); k++) {
            double before = fixture_metric(cases[i].series);
            struct fake fake;

            respond(&fake, "/classify", cases[k].kind, "x", 0);
            fake_fini(&fake);
            assert_true(fixture_metric(cases[i].series) == before + (i == k));
        }
}

/* ---------------------------------------------------------------- curl -d @FILE -------------- */

static void stripped_bodies_are_explained(void **state)
{
    static const struct {
        const char *path, *type, *body;
        size_t size;
        enum problem_kind kind;
        bool explained;
    } cases[] = {
        {"/classify", "application/x-www-form-urlencoded", "\xff\xd8 and so on", 12,
         PROBLEM_BAD_IMAGE, true},
        {"/classify", "Application/X-WWW-form-urlencoded; charset=x", "GIF89a", 6,
         PROBLEM_UNSUPPORTED_FORMAT, true},
        {"/classify", "image/jpeg", "GIF89a", 6, PROBLEM_UNSUPPORTED_FORMAT, false},
        {"/classify", NULL, "GIF89a", 6, PROBLEM_UNSUPPORTED_FORMAT, false},
        {"/classify", "application/x-www-form-urlencoded", "GIF\n89a", 7, PROBLEM_BAD_IMAGE, false},
        {"/classify", "application/x-www-form-urlencoded", "GIF\r89a", 7, PROBLEM_BAD_IMAGE, false},
        {"/classify", "application/x-www-form-urlencoded", "GIF\0", 4, PROBLEM_BAD_IMAGE, false},
        {"/classify", "application/x-www-form-urlencoded", "GIF89a", 6, PROBLEM_DEADLINE, false},
        {"/v2/x", "application/x-www-form-urlencoded", "GIF89a", 6, PROBLEM_BAD_IMAGE, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct problem problem;
        struct fake fake;

        problem_set(&problem, cases[i].kind, "no");
        fake_init(&fake, "POST", cases[i].path);
        fake.request->content_type = cases[i].type;
        fake_part(&fake, cases[i].body, cases[i].size);
        respond_problem(&fixture.server, fake.request, &problem, 0);
        assert_true((strstr(fake.left.detail, "no (curl -d strips newlines") != NULL) ==
                    cases[i].explained);
        fake_fini(&fake);
    }
}

/* ---------------------------------------------------------------- bytes ---------------------- */

static void bytes_and_none(void **state)
{
    const char *shed = "vgg_requests_shed_total{reason=\"out_of_memory\"}";
    double before = fixture_metric(shed);
    struct fake fake;

    (void)state;
    fake_init(&fake, "GET", "/");
    respond_bytes(&fixture.server, fake.request, 201, "text/plain", strdup("text"), 4);
    assert_int_equal(fake.left.response.status, 201);
    assert_string_equal(fake.left.response.type, "text/plain");
    assert_int_equal(fake.left.response.size, 4);
    assert_string_equal(fake.left.response.body, "text");
    assert_null(fake.left.problem);
    fake_fini(&fake);
    assert_true(fixture_metric(shed) == before);

    fake_init(&fake, "GET", "/");
    respond_json(&fixture.server, fake.request, 200, NULL, 99);
    assert_null(fake.left.response.body); /* HTTP says what that means */
    assert_int_equal(fake.left.response.size, 0);
    fake_fini(&fake);
    assert_true(fixture_metric(shed) == before + 1);

    fake_init(&fake, "OPTIONS", "*");
    fake.request->response.allow = "GET";
    respond_empty(fake.request);
    assert_int_equal(fake.left.response.status, 204);
    assert_string_equal(fake.left.response.allow, "GET");
    assert_null(fake.left.response.type);
    assert_int_equal(fake.left.response.size, 0);
    assert_non_null(fake.left.response.body); /* none at all would be for want of memory */
    fake_fini(&fake);
}

static void problems_without_memory(void **state)
{
    static const char *const paths[] = {"/classify", "/v2"};

    (void)state;
    if (!fault_available())
        skip();
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        for (unsigned long n = 2; n > 0; n++) { /* the first is the fake's own */
            long before = fault_outstanding();
            struct fake fake;
            bool fired;

            fault_arm(n);
            respond(&fake, paths[i], PROBLEM_BAD_IMAGE, "bad", 0);
            fired = fault_disarm();
            assert_int_equal(fake.left.response.status, 422);
            assert_true((fake.left.response.body != NULL) == !fired);
            fake_fini(&fake);
            assert_int_equal(fault_outstanding(), before);
            if (!fired)
                break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_errors),
        cmocka_unit_test(a_problem),
        cmocka_unit_test(a_problem_in_v2),
        cmocka_unit_test(when_to_try_again),
        cmocka_unit_test(a_challenge_of_401_only),
        cmocka_unit_test(what_is_shed_is_counted),
        cmocka_unit_test(stripped_bodies_are_explained),
        cmocka_unit_test(bytes_and_none),
        cmocka_unit_test(problems_without_memory),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
