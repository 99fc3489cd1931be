/* POST /v2/models/{model}/infer, from its headers to its answer. */
#include "check.h"

#include "fault.h"
#include "server/server_fixture.h"
#include "v2/v2.h"

#define INFER "/v2/models/m/infer"
#define LENGTH "Inference-Header-Content-Length"

/* A body with one picture in binary data behind its JSON, of which there are json_size bytes. */
static struct {
    uint8_t bytes[65536];
    size_t size, json_size;
} body;

/* `more`: members of the request, each after a comma. */
static void make_body(const char *more)
{
    body.json_size =
        (size_t)snprintf((char *)body.bytes, sizeof body.bytes,
                         "{\"inputs\":[{\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":[1],"
                         "\"parameters\":{\"binary_data_size\":%zu}}]%s}",
                         4 + fixture.jpeg_size, more);
    body.size = body.json_size;
    for (unsigned i = 0; i < 4; i++)
        body.bytes[body.size++] = (uint8_t)(fixture.jpeg_size >> 8 * i);
    memcpy(body.bytes + body.size, fixture.jpeg, fixture.jpeg_size);
    body.size += fixture.jpeg_size;
}

/* A request with that body, and the header that says where its JSON ends. */
static void make(struct fake *fake, const char *path, const char *more)
{
    static char length[24];

    make_body(more);
    fake_init(fake, "POST", path);
    fake_part(fake, body.bytes, body.size);
    snprintf(length, sizeof length, "%zu", body.json_size);
    fake->headers[0] = (struct http_header){LENGTH, length};
}

static json_t *infer(struct fake *fake)
{
    struct problem problem;

    assert_true(v2_check_infer(&fixture.server, fake->request, &problem));
    v2_handle_infer(&fixture.server, fake->request);
    return answer_json(fake, 200);
}

static const json_t *output(const json_t *answer, size_t i)
{
    const json_t *found = json_array_get(json_object_get(answer, "outputs"), i);

    assert_non_null(found);
    return found;
}

/* ---------------------------------------------------------------- answers -------------------- */

static void a_picture(void **state)
{
    static const char *const paths[] = {INFER, "/v2/models/m/versions/1/infer",
                                        "/v2/models/m/infer/"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const json_t *data;
        struct fake fake;
        json_t *answer;
        double sum = 0;

        make(&fake, paths[i], ",\"id\":\"mine\"");
        answer = infer(&fake);
        assert_true(fake.deferred);
        assert_string_equal(fake.left.response.type, "application/json");
        assert_null(fake.left.response.number_header);
        assert_string_equal(json_string_value(json_object_get(answer, "id")), "mine");
        data = json_object_get(output(answer, 0), "data");
        assert_int_equal(json_array_size(data), FIXTURE_CLASSES);
        for (size_t k = 0; k < FIXTURE_CLASSES; k++)
            sum += json_number_value(json_array_get(data, k));
        assert_float_equal(sum, 1, 1e-5);
        json_decref(answer);
        fake_fini(&fake);
    }
}

/* The version that serves, by its digest. */
static void a_picture_for_these_weights(void **state)
{
    struct fake fake;
    char path[160];

    (void)state;
    snprintf(path, sizeof path, "/v2/models/m/versions/%s/infer",
             vgg_model_get_info(fixture.server.model.model)->version);
    make(&fake, path, "");
    json_decref(infer(&fake));
    fake_fini(&fake);
}

/* A body that is one picture and nothing else. */
static void a_bare_picture(void **state)
{
    struct fake fake;

    (void)state;
    fake_init(&fake, "POST", INFER);
    fake_part(&fake, fixture.jpeg, fixture.jpeg_size);
    fake.headers[0] = (struct http_header){LENGTH, "0"};
    json_decref(infer(&fake));
    fake_fini(&fake);
}

/* A request for pixels, of JSON alone, with more members. */
static void make_pixels(struct fake *fake, const char *more)
{
    static char text[65536];
    size_t length;

    length = (size_t)snprintf(text, sizeof text,
                              "{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\","
                              "\"shape\":[1,3,64,64],\"data\":[0");
    for (unsigned i = 1; i < 3 * 64 * 64; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, ",%u", i % 3);
    length += (size_t)snprintf(text + length, sizeof text - length, "]}]%s}", more);
    fake_init(fake, "POST", INFER);
    fake_part(fake, text, length);
}

/* Without the header all is JSON. */
static void pixels_as_json(void **state)
{
    struct fake fake;

    (void)state;
    make_pixels(&fake, "");
    json_decref(infer(&fake));
    assert_int_equal(fake.left.timing.decode_ns, 0);
    fake_fini(&fake);
    make_pixels(&fake, ",\"outputs\":[{\"name\":\"typicality\"}]");
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(
        &fake, PROBLEM_BAD_PARAMETER,
        "there is no output typicality: typicality is of encoded pictures, not of pixels");
}

static void outputs_as_binary_data(void **state)
{
    struct fake fake;
    json_t *answer;
    size_t size;

    (void)state;
    make(&fake, INFER,
         ",\"outputs\":[{\"name\":\"posteriors\",\"parameters\":{\"binary_data\":true}}]");
    v2_handle_infer(&fixture.server, fake.request);
    assert_int_equal(fake_wait(&fake), 200);
    assert_string_equal(fake.left.response.type, "application/octet-stream");
    assert_string_equal(fake.left.response.number_header, LENGTH);
    size = fake.left.response.number;
    assert_int_equal(fake.left.response.size, size + FIXTURE_CLASSES * sizeof(float));
    answer = json_loadb(fake.left.response.body, size, 0, NULL);
    assert_non_null(answer);
    json_decref(answer);
    fake_fini(&fake);
}

static void parameters(void **state)
{
    struct fake fake;
    json_t *answer;

    (void)state;
    make(
        &fake, INFER,
        ",\"parameters\":{\"scales\":\"32\",\"flip\":false},\"outputs\":[{\"name\":\"posteriors\"},"
        "{\"name\":\"features\"}]");
    answer = infer(&fake);
    assert_string_equal(json_string_value(json_object_get(output(answer, 1), "name")), "features");
    json_decref(answer);
    fake_fini(&fake);

    make(&fake, INFER, ",\"parameters\":{\"scales\":\"31\"}");
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, "31");
}

/* Beside posteriors, in JSON or as binary data. */
static void typicality(void **state)
{
    static const char *const outputs = ",\"parameters\":{\"reject\":0.999},\"outputs\":["
                                       "{\"name\":\"known\"},{\"name\":\"posteriors\"},"
                                       "{\"name\":\"typicality\"}]";
    struct fake fake;
    json_t *answer;
    double p;

    (void)state;
    make(&fake, INFER, outputs);
    answer = infer(&fake);
    p = json_number_value(json_array_get(json_object_get(output(answer, 2), "data"), 0));
    assert_true(p > 0 && p < 0.99);
    assert_true(json_is_false(json_array_get(json_object_get(output(answer, 0), "data"), 0)));
    assert_float_equal(
        json_number_value(json_object_get(json_object_get(answer, "parameters"), "reject")), 0.999,
        1e-9);
    json_decref(answer);
    fake_fini(&fake);

    make(&fake, INFER,
         ",\"parameters\":{\"binary_data_output\":true},"
         "\"outputs\":[{\"name\":\"typicality\"},{\"name\":\"known\"}]");
    v2_handle_infer(&fixture.server, fake.request);
    assert_int_equal(fake_wait(&fake), 200);
    assert_int_equal(fake.left.response.size - fake.left.response.number, sizeof(float) + 1);
    assert_memory_equal(fake.left.response.body + fake.left.response.number, &(float){(float)p},
                        sizeof(float));
    assert_int_equal(fake.left.response.body[fake.left.response.size - 1], p >= 0.02);
    fake_fini(&fake);
}

static void without_typicality(void **state)
{
    static const char *const own = "typicality is of the model's own scales with mirrors";
    static const char known[] = ",\"outputs\":[{\"name\":\"known\"}]";
    struct fake fake;

    (void)state;
    make(&fake, INFER,
         ",\"parameters\":{\"scales\":\"32\"},\"outputs\":[{\"name\":\"typicality\"}]");
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, "there is no output typicality: ");
    make(&fake, INFER, ",\"parameters\":{\"flip\":false},\"outputs\":[{\"name\":\"known\"}]");
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, own);
    fixture_serve_known(0);
    make(&fake, INFER, known);
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, "this model has no typicality");
    fixture_serve_known(FIXTURE_KNOWN);
    make(&fake, INFER, known);
    json_decref(infer(&fake));
    fake_fini(&fake);
}

/* A client's own patience, in microseconds from the first byte of the request. */
static void timeouts(void **state)
{
    struct fake fake;

    (void)state;
    make(&fake, INFER, ",\"parameters\":{\"timeout\":1}");
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_DEADLINE, "");
    make(&fake, INFER, ",\"parameters\":{\"timeout\":3600000000}");
    json_decref(infer(&fake));
    fake_fini(&fake);
    make(&fake, INFER, ",\"parameters\":{\"timeout\":3600000000}"); /* shortens, never more */
    fake.request->deadline_ns = fake.request->received_ns + 1;
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_DEADLINE, "");
}

/* ---------------------------------------------------------------- refusals ------------------- */

static void where_the_json_ends(void **state)
{
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "0x10", "1.0", "abc", "1000000000000000000"};
    struct fake fake;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        make(&fake, INFER, "");
        fake.headers[0].value = bad[i];
        v2_handle_infer(&fixture.server, fake.request);
        check_problem(&fake, PROBLEM_BAD_PARAMETER, LENGTH ": expected one number of bytes");
    }
    make(&fake, INFER, "");
    fake.headers[1] = fake.headers[0];
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, LENGTH ": expected one number of bytes");
    make(&fake, INFER, "");
    fake.headers[0].value = "999999999999999999";
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, LENGTH);
}

static void bodies_of_another_kind(void **state)
{
    static const struct {
        enum http_body body;
        enum problem_kind kind;
    } cases[] = {{HTTP_BODY_NO_MEMORY, PROBLEM_NO_MEMORY},
                 {HTTP_BODY_MULTIPART, PROBLEM_BAD_PARAMETER},
                 {HTTP_BODY_BAD, PROBLEM_BAD_PARAMETER}};
    struct fake fake;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        make(&fake, INFER, "");
        fake.request->body = cases[i].body;
        v2_handle_infer(&fixture.server, fake.request);
        check_problem(&fake, cases[i].kind, "body");
    }
    fake_init(&fake, "POST", INFER);
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_EMPTY_BODY, "the body is empty");
}

static void bad_bodies(void **state)
{
    struct fake fake;

    (void)state;
    fake_init(&fake, "POST", INFER);
    fake_part(&fake, "{}", 2);
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, "");
    fake_init(&fake, "POST", INFER);
    fake_part(&fake, "no picture", 10);
    fake.headers[0] = (struct http_header){LENGTH, "0"};
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_UNSUPPORTED_FORMAT, "");
    make(&fake, INFER, "");
    fake.parts[0].size--;
    v2_handle_infer(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, "binary");
}

static void another_model(void **state)
{
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"/v2/models/other/infer", "there is no model \"other\": m serves"},
        {"/v2/models/m/versions/2/infer", "there is no version \"2\": there are 1 and sha256:"},
        {"/v2/models/m/x/infer", "the model has nothing at \"/x\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct problem problem;
        struct fake fake;

        make(&fake, cases[i].path, "");
        assert_false(v2_check_infer(&fixture.server, fake.request, &problem));
        assert_int_equal(problem.kind, PROBLEM_NOT_FOUND);
        assert_non_null(strstr(problem.detail, cases[i].text));
        /* It may have been replaced since. */
        v2_handle_infer(&fixture.server, fake.request);
        check_problem(&fake, PROBLEM_NOT_FOUND, cases[i].text);
    }
}

static void a_server_that_ends(void **state)
{
    struct problem problem;
    struct fake fake;

    (void)state;
    fixture.server.phase = SERVER_CLOSING;
    make(&fake, INFER, "");
    fake.request->first = false;
    assert_false(v2_check_infer(&fixture.server, fake.request, &problem));
    assert_int_equal(problem.kind, PROBLEM_DRAINING);
    v2_handle_infer(&fixture.server, fake.request);
    fixture.server.phase = SERVER_SERVING;
    check_problem(&fake, PROBLEM_DRAINING, "");
}

/* Nobody reads bodies any more. */
static void no_parser(void **state)
{
    struct parsers *parsers = NULL, *real = fixture.server.parsers;
    struct fake fake;

    (void)state;
    assert_int_equal(parsers_create(&parsers, NULL), VGG_OK);
    parsers_stop(parsers);
    fixture.server.parsers = parsers;
    make(&fake, INFER, "");
    v2_handle_infer(&fixture.server, fake.request);
    fixture.server.parsers = real;
    parsers_destroy(parsers);
    check_problem(&fake, PROBLEM_QUEUE_FULL, "too many requests wait to be read");
}

/* ---------------------------------------------------------------- memory --------------------- */

static void without_memory(void **state)
{
    unsigned long failures = 0;
    bool fired = true;

    (void)state;
    if (!fault_available())
        skip();
    for (unsigned long n = 1; fired; n++) {
        long before = fault_outstanding();
        struct fake fake;

        make(&fake, INFER, ",\"outputs\":[{\"name\":\"features\"},{\"name\":\"known\"}]");
        fault_arm(n);
        v2_handle_infer(&fixture.server, fake.request);
        (void)fake_wait(&fake);
        fired = fault_disarm();
        if (fake.left.response.status == 503 || fake.left.response.body == NULL) {
            assert_true(fired);
            failures++;
        } else
            assert_int_equal(fake.left.response.status, 200);
        fake_fini(&fake);
        assert_int_equal(fault_outstanding(), before);
    }
    assert_true(failures > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture),
        cmocka_unit_test(a_picture_for_these_weights),
        cmocka_unit_test(a_bare_picture),
        cmocka_unit_test(pixels_as_json),
        cmocka_unit_test(outputs_as_binary_data),
        cmocka_unit_test(parameters),
        cmocka_unit_test(typicality),
        cmocka_unit_test(without_typicality),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(where_the_json_ends),
        cmocka_unit_test(bodies_of_another_kind),
        cmocka_unit_test(bad_bodies),
        cmocka_unit_test(another_model),
        cmocka_unit_test(a_server_that_ends),
        cmocka_unit_test(no_parser),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
