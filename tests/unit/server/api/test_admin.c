/* POST /admin/reload and /admin/rollback: what their bodies may say, and how they end. */
#include "api/admin.h"

#include <semaphore.h>

#include "fault.h"
#include "server/server_fixture.h"

static void make(struct fake *fake, const char *path, const char *body)
{
    fake_init(fake, "POST", path);
    fake->request->admin = true;
    fake->request->content_type = "application/json";
    if (body != NULL)
        fake_part(fake, body, strlen(body));
}

/* A reload with this body; the model's version in the answer, which is valid until the next. */
static const char *reload(const char *body)
{
    static char version[MODEL_VERSION_BYTES];
    struct fake fake;
    json_t *answer;

    make(&fake, "/admin/reload", body);
    admin_reload(&fixture.server, fake.request);
    answer = answer_json(&fake, 200);
    snprintf(version, sizeof version, "%s", json_string_value(json_object_get(answer, "version")));
    assert_string_equal(fake.left.model_version, version);
    assert_true(fake.deferred);
    json_decref(answer);
    fake_fini(&fake);
    return version;
}

/* What serves now. */
static const char *serving(void)
{
    return vgg_model_get_info(fixture.server.model.model)->version;
}

/* The body that names a file of the fixture's directory, made with this seed if that is not 0. */
static const char *naming(const char *name, uint64_t seed)
{
    static char body[128];

    if (seed != 0)
        fixture_write_model(fixture_file(name), seed);
    snprintf(body, sizeof body, "{\"model\": \"%s\"}", fixture_file(name));
    return body;
}

static void check_refused(const char *body, enum problem_kind kind, const char *text)
{
    const struct vgg_model *before = fixture.server.model.model;
    struct fake fake;

    make(&fake, "/admin/reload", body);
    admin_reload(&fixture.server, fake.request);
    check_problem(&fake, kind, text);
    assert_ptr_equal(fixture.server.model.model, before);
}

/* ---------------------------------------------------------------- bodies --------------------- */

static void nothing_names_the_file_in_use(void **state)
{
    static const char *const bodies[] = {NULL, "", "{}", " { } \n"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        char before[MODEL_VERSION_BYTES];

        snprintf(before, sizeof before, "%s", serving());
        assert_string_equal(reload(bodies[i]), before);
        assert_string_equal(serving(), before);
    }
}

static void a_body_names_a_file(void **state)
{
    char body[160], before[MODEL_VERSION_BYTES], again[MODEL_VERSION_BYTES];

    (void)state;
    snprintf(before, sizeof before, "%s", serving());
    assert_string_not_equal(reload(naming("b.safetensors", 2)), before);
    /* The same with escapes, and the one before. */
    snprintf(body, sizeof body, "{\"\\u006dodel\":\"%s\\/\\u0062.safetensors\"}",
             fixture.directory);
    snprintf(again, sizeof again, "%s", serving());
    assert_string_equal(reload(body), again);
    assert_string_equal(reload(naming("model.safetensors", 0)), before);
}

static void bad_bodies(void **state)
{
    static const struct {
        const char *body, *text;
    } cases[] = {
        {"[]", ""},
        {"{", ""},
        {"{} x", ""},
        {"{\"model\"}", ""},
        {"{\"model\": 1}", "\"model\" must be a string, the path of a file"},
        {"{\"model\": null}", "\"model\" must be a string"},
        {"{\"model\": \"\"}", "\"model\" is not the path of a file"},
        {"{\"model\": \"a\\u0000b\"}", "\"model\" is not the path of a file"},
        {"{\"model\": \"a\", \"model\": \"b\"}", "\"model\" is repeated"},
        {"{\"path\": \"a\"}", "unknown key: there is \"model\", a file"},
        {"{\"model\": \"a\", \"more\": 1}", "unknown key"},
        {"{\"model\": \"\xff\"}", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_refused(cases[i].body, PROBLEM_BAD_PARAMETER, cases[i].text);
}

static void bodies_of_another_kind(void **state)
{
    static const struct {
        const char *type;
        enum http_body body;
        size_t size;
        enum problem_kind kind;
    } cases[] = {
        {NULL, HTTP_BODY_PLAIN, 2, PROBLEM_MEDIA_TYPE},
        {"text/plain", HTTP_BODY_PLAIN, 2, PROBLEM_MEDIA_TYPE},
        {"multipart/form-data; boundary=x", HTTP_BODY_MULTIPART, 2, PROBLEM_MEDIA_TYPE},
        {"application/json", HTTP_BODY_NO_MEMORY, 2, PROBLEM_NO_MEMORY},
        {"application/json", HTTP_BODY_PLAIN, (16 << 10) + 1, PROBLEM_BODY_TOO_LARGE},
    };
    static char spaces[(16 << 10) + 1];

    (void)state;
    memset(spaces, ' ', sizeof spaces);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake fake;

        make(&fake, "/admin/reload", NULL);
        fake_part(&fake, spaces, cases[i].size);
        fake.request->content_type = cases[i].type;
        fake.request->body = cases[i].body;
        admin_reload(&fixture.server, fake.request);
        check_problem(&fake, cases[i].kind, "");
    }
}

/* ---------------------------------------------------------------- ends ----------------------- */

static void files_that_are_no_models(void **state)
{
    (void)state;
    maker_write(fixture_file("bad"), "GIF89a and so on", 16);
    check_refused(naming("bad", 0), PROBLEM_BAD_MODEL, "not a safetensors file");
    check_refused(naming("missing", 0), PROBLEM_BAD_MODEL, "No such file");
    check_refused("{\"model\": \"/\"}", PROBLEM_BAD_MODEL, "");
}

static void rollbacks(void **state)
{
    char old[MODEL_VERSION_BYTES], new[MODEL_VERSION_BYTES];
    struct fake fake;

    (void)state;
    snprintf(old, sizeof old, "%s", serving());
    snprintf(new, sizeof new, "%s", reload(naming("c.safetensors", 3)));
    for (unsigned i = 0; i < 3; i++) { /* there and back again */
        json_t *answer;

        make(&fake, "/admin/rollback", i == 0 ? NULL : "{}");
        admin_rollback(&fixture.server, fake.request);
        answer = answer_json(&fake, 200);
        assert_string_equal(json_string_value(json_object_get(answer, "version")),
                            i % 2 == 0 ? old : new);
        assert_string_equal(serving(), i % 2 == 0 ? old : new);
        json_decref(answer);
        fake_fini(&fake);
    }
    make(&fake, "/admin/rollback", naming("c.safetensors", 0));
    admin_rollback(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_BAD_PARAMETER, "a rollback takes no model");
    assert_string_equal(serving(), old);
}

/* Runs first, before any model was replaced. */
static void no_previous_model(void **state)
{
    struct fake fake;

    (void)state;
    make(&fake, "/admin/rollback", NULL);
    admin_rollback(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_NO_PREVIOUS, "there is no previous model");
}

/* Somebody else's reload, which waits for the test before it is done. */
struct other {
    sem_t go, ended;
};

static bool wait_for_go(void *user, const struct vgg_model *model)
{
    (void)model;
    sem_wait(&((struct other *)user)->go);
    return true;
}

static void tell_end(void *user, enum reload_end end, const struct vgg_error *error)
{
    (void)end, (void)error;
    sem_post(&((struct other *)user)->ended);
}

static void one_at_a_time(void **state)
{
    struct other other;
    const struct reload_client client = {wait_for_go, tell_end, &other};
    struct fake fake;

    (void)state;
    sem_init(&other.go, 0, 0);
    sem_init(&other.ended, 0, 0);
    assert_true(reloader_begin(fixture.server.reloader, RELOAD_FILE, NULL, &client));
    make(&fake, "/admin/reload", naming("c.safetensors", 0)); /* whose path is nobody's then */
    admin_reload(&fixture.server, fake.request);
    check_problem(&fake, PROBLEM_RELOADING, "another reload is under way");
    sem_post(&other.go);
    sem_wait(&other.ended);
    (void)reload(NULL);
    sem_destroy(&other.go);
    sem_destroy(&other.ended);
}

static void a_server_that_ends(void **state)
{
    (void)state;
    fixture.server.phase = SERVER_DRAINING;
    check_refused(naming("c.safetensors", 0), PROBLEM_DRAINING, "the server is shutting down");
    fixture.server.phase = SERVER_SERVING;
}

/* Each allocation of the request and of the reload fails once: the old model serves on. */
static void without_memory(void **state)
{
    unsigned long failures = 0;
    bool fired = true;

    (void)state;
    if (!fault_available())
        skip();
    fixture_write_model(fixture_file("d.safetensors"), 4);
    for (unsigned long n = 1; fired; n++) {
        char old[MODEL_VERSION_BYTES];
        struct fake fake;

        snprintf(old, sizeof old, "%s", serving());
        make(&fake, "/admin/reload", naming("d.safetensors", 0));
        fault_arm(n);
        admin_reload(&fixture.server, fake.request);
        (void)fake_wait(&fake);
        fired = fault_disarm();
        if (fake.left.response.status == 503) {
            assert_true(fired);
            assert_string_equal(serving(), old);
            failures++;
        } else
            assert_int_equal(fake.left.response.status, 200);
        fake_fini(&fake);
    }
    assert_true(failures > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_previous_model),
        cmocka_unit_test(nothing_names_the_file_in_use),
        cmocka_unit_test(a_body_names_a_file),
        cmocka_unit_test(bad_bodies),
        cmocka_unit_test(bodies_of_another_kind),
        cmocka_unit_test(files_that_are_no_models),
        cmocka_unit_test(rollbacks),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(a_server_that_ends),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
