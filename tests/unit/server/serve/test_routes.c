/*
 * The table of routes: for every path its methods, its listener, whether it needs a token and where
 * it leads; and what is answered before a route's handler.
 */
#include "serve/routes.h"

#include "api/cors.h"
#include "api/openapi.h"
#include "fault.h"
#include "server/server_fixture.h"

/* ---------------------------------------------------------------- the table ------------------ */

enum { GET, POST };

/* What a request for the path is answered without a body, and of which type that is. */
static const struct path {
    const char *path;
    bool admin, post, open;
    enum metrics_route metric;
    unsigned status;
    const char *type;
} paths[] = {
    {"/classify", false, POST, false, ROUTE_CLASSIFY, 400, "application/problem+json"},
    {"/livez", false, GET, true, ROUTE_LIVEZ, 200, "application/json"},
    {"/readyz", false, GET, true, ROUTE_READYZ, 200, "application/json"},
    {"/healthz", false, GET, true, ROUTE_HEALTHZ, 200, "application/json"},
    {"/metrics", false, GET, false, ROUTE_METRICS, 200, "text/plain; version=0.0.4; charset=utf-8"},
    {"/model", false, GET, false, ROUTE_MODEL, 200, "application/json"},
    {"/openapi.json", false, GET, false, ROUTE_OPENAPI, 200, "application/json"},
    {"/", false, GET, true, ROUTE_PAGE, 200, "text/html; charset=utf-8"},
    {"/page/page.js", false, GET, true, ROUTE_PAGE, 200, "text/javascript; charset=utf-8"},
    {"/page/glass.jpg", false, GET, true, ROUTE_PAGE, 200, "image/jpeg"},
    {"/page/LICENSE.txt", false, GET, true, ROUTE_PAGE, 200, "text/plain; charset=utf-8"},
    {"/v2", false, GET, false, ROUTE_V2, 200, "application/json"},
    {"/v2/health/live", false, GET, true, ROUTE_V2_LIVE, 200, "application/json"},
    {"/v2/health/ready", false, GET, true, ROUTE_V2_READY, 200, "application/json"},
    {"/v2/models/stats", false, GET, false, ROUTE_V2_STATS, 200, "application/json"},
    {"/v2/models/m", false, GET, false, ROUTE_V2_MODEL, 200, "application/json"},
    {"/v2/models/m/versions/1", false, GET, false, ROUTE_V2_MODEL, 200, "application/json"},
    {"/v2/models/m/ready", false, GET, false, ROUTE_V2_MODEL_READY, 200, "application/json"},
    {"/v2/models/m/versions/1/ready", false, GET, false, ROUTE_V2_MODEL_READY, 200,
     "application/json"},
    {"/v2/models/m/stats", false, GET, false, ROUTE_V2_STATS, 200, "application/json"},
    {"/v2/models/m/versions/1/stats", false, GET, false, ROUTE_V2_STATS, 200, "application/json"},
    {"/v2/models/m/config", false, GET, false, ROUTE_V2_CONFIG, 200, "application/json"},
    {"/v2/models/m/versions/1/config", false, GET, false, ROUTE_V2_CONFIG, 200, "application/json"},
    {"/v2/models/m/infer", false, POST, false, ROUTE_V2_INFER, 400, "application/json"},
    {"/v2/models/m/versions/1/infer", false, POST, false, ROUTE_V2_INFER, 400, "application/json"},
    {"/admin/model", true, GET, false, ROUTE_ADMIN_MODEL, 200, "application/json"},
    {"/admin/reload", true, POST, false, ROUTE_ADMIN_RELOAD, 200, "application/json"},
    {"/admin/rollback", true, POST, false, ROUTE_ADMIN_ROLLBACK, 200, "application/json"},
    {"/v2/repository/index", true, POST, false, ROUTE_V2_INDEX, 200, "application/json"},
    {"/v2/repository/models/m/load", true, POST, false, ROUTE_V2_LOAD, 200, "application/json"},
    {"/v2/repository/models/m/unload", true, POST, false, ROUTE_V2_UNLOAD, 400, "application/json"},
};

static void make(struct fake *fake, const struct path *path, const char *method)
{
    fake_init(fake, method, path->path);
    fake->request->admin = path->admin;
}

static bool admit(struct fake *fake)
{
    return routes_admit(&fixture.server, fake->request);
}

/* Nothing of the metrics' list is forgotten in this one. */
static void every_route_is_here(void **state)
{
    (void)state;
    for (enum metrics_route route = ROUTE_OTHER + 1; route < METRICS_ROUTES_N; route++) {
        size_t i = 0;

        while (i < COUNT_OF(paths) && paths[i].metric != route)
            i++;
        if (i == COUNT_OF(paths))
            fail_msg("%s is not tested", metrics_route_label(route));
    }
}

static void methods(void **state)
{
    static const char *const all[] = {"GET",    "HEAD",    "POST",  "PUT",
                                      "DELETE", "OPTIONS", "PATCH", "get"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        for (size_t m = 0; m < COUNT_OF(all); m++) {
            bool good = paths[i].post ? m == 2 : m < 2;
            struct fake fake;

            make(&fake, &paths[i], all[m]);
            if (admit(&fake) != good)
                fail_msg("%s %s", all[m], paths[i].path);
            if (good) {
                assert_int_equal(fake.request->route, paths[i].metric);
                fake_fini(&fake);
                continue;
            }
            assert_int_equal(fake.left.route, paths[i].metric);
            assert_string_equal(fake.left.response.allow, paths[i].post ? "POST" : "GET, HEAD");
            check_problem(&fake, PROBLEM_BAD_METHOD, paths[i].post ? " takes POST" : " takes GET");
        }
}

/* Each leads to its handler, also with a slash at its end. */
static void handlers(void **state)
{
    char path[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        for (unsigned slash = 0; slash <= (paths[i].path[1] != '\0'); slash++) {
            struct fake fake;

            snprintf(path, sizeof path, "%s%s", paths[i].path, slash ? "/" : "");
            make(&fake, &paths[i], paths[i].post ? "POST" : "GET");
            fake.request->path = path;
            if (!admit(&fake))
                fail_msg("%s: %s", path, fake.left.detail);
            routes_handle(&fixture.server, fake.request);
            if (fake_wait(&fake) != paths[i].status ||
                strcmp(fake.left.response.type, paths[i].type) != 0)
                fail_msg("%s: %u %s", path, fake.left.response.status, fake.left.response.type);
            if (strstr(path, "/m") == NULL || strstr(path, "/v2") == NULL)
                assert_string_equal(fake.left.path, paths[i].path); /* as in the log */
            fake_fini(&fake);
        }
}

static void the_other_listener(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct fake fake;

        make(&fake, &paths[i], paths[i].post ? "POST" : "GET");
        fake.request->admin = !paths[i].admin;
        assert_false(admit(&fake));
        assert_int_equal(fake.left.route, ROUTE_OTHER);
        check_problem(&fake, PROBLEM_NOT_FOUND,
                      paths[i].admin ? ": it is on the admin listener"
                                     : ": it is on the main listener");
    }
}

static void nowhere(void **state)
{
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"/classify2", "there is nothing at /classify2"},
        {"/classif", "there is nothing at /classif"},
        {"/classify//", "there is nothing at /classify//"},
        {"", "there is nothing at "},
        {"/page", "there is nothing at /page"},
        {"/page/", "there is nothing at /page/"},
        {"/page/../openapi.json", "there is nothing at /page/../openapi.json"},
        {"/v2/models", "there is nothing at /v2/models"},
        {"/v2/models/", "there is nothing at /v2/models/"},
        {"/v2/repository/models/m", "there is nothing at "},
        {"/\x1b[2J", "there is nothing at /%1b[2J"},
        {"/v2/models/m/nothing", "the model has nothing at \"/nothing\", but /config, /infer"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (unsigned admin = 0; admin < 2; admin++) {
            struct fake fake;

            fake_init(&fake, "GET", cases[i].path);
            fake.request->admin = admin;
            if (admin && strncmp(cases[i].text, "there", 5) != 0) {
                fake_fini(&fake);
                continue; /* only the main one has the model's paths */
            }
            assert_false(admit(&fake));
            check_problem(&fake, PROBLEM_NOT_FOUND, cases[i].text);
        }
}

static void another_model(void **state)
{
    static const char *const methods[] = {"GET", "POST"};
    static const struct {
        bool admin, post;
        const char *path;
    } cases[] = {{false, POST, "/v2/models/other/infer"},
                 {false, POST, "/v2/models/m/versions/2/infer"},
                 {true, POST, "/v2/repository/models/other/load"},
                 {true, POST, "/v2/repository/models/other/unload"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake fake;

        fake_init(&fake, methods[cases[i].post], cases[i].path);
        fake.request->admin = cases[i].admin;
        assert_false(admit(&fake)); /* before the body comes */
        check_problem(&fake, PROBLEM_NOT_FOUND, "there is no ");
    }
}

/* ---------------------------------------------------------------- tokens --------------------- */

static char *token_file(const char *name, const char *token)
{
    char *path = strdup(fixture_file(name));

    assert_non_null(path);
    maker_write(path, token, strlen(token));
    return path;
}

static void tokens(void **state)
{
    static const char *const bearers[] = {NULL, "Bearer main", "Bearer admin", "Bearer "};
    char *main_file = token_file("main", "main\n"), *admin_file = token_file("admin", "admin\n");
    const struct secrets_files files = {.tokens = {main_file, admin_file}};

    (void)state;
    assert_int_equal(secrets_init(&fixture.server.secrets, &files, NULL), VGG_OK);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        for (size_t b = 0; b < COUNT_OF(bearers); b++) {
            bool good = paths[i].open || b == (paths[i].admin ? 2 : 1);
            struct fake fake;

            make(&fake, &paths[i], paths[i].post ? "POST" : "GET");
            fake.request->authorization = bearers[b];
            if (admit(&fake) != good)
                fail_msg("%s for %s", paths[i].path, bearers[b]);
            if (good) {
                fake_fini(&fake);
                continue;
            }
            assert_non_null(fake.left.response.challenge);
            check_problem(&fake, PROBLEM_UNAUTHORIZED, "Authorization: Bearer TOKEN");
        }
    for (size_t b = 0; b < 2; b++) { /* nor does one learn what there is */
        struct fake fake;

        fake_init(&fake, "GET", "/nothing");
        fake.request->authorization = bearers[b];
        assert_false(admit(&fake));
        check_problem(&fake, b == 0 ? PROBLEM_UNAUTHORIZED : PROBLEM_NOT_FOUND, "");
    }
    secrets_fini(&fixture.server.secrets);
    fixture.server.secrets = (struct secrets){0};
    free(main_file);
    free(admin_file);
}

/* ---------------------------------------------------------------- other origins -------------- */

static void make_from(struct fake *fake, const struct path *path, const char *method,
                      const char *origin)
{
    make(fake, path, method);
    fake->request->origin = origin;
    fake->headers[0] = (struct http_header){"Access-Control-Request-Method", "POST"};
}

static void preflights(void **state)
{
    (void)state;
    fixture.options.cors_origins = "https://good.example";
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct fake fake;

        if (paths[i].admin)
            continue;
        make_from(&fake, &paths[i], "OPTIONS", "https://good.example");
        assert_false(admit(&fake));
        assert_int_equal(fake_wait(&fake), 204);
        assert_string_equal(fake.left.response.preflight_methods,
                            paths[i].post ? "POST" : "GET, HEAD");
        assert_string_equal(fake.left.response.preflight_headers, CORS_TAKEN);
        assert_true(fake.left.response.allow_origin && fake.left.response.vary_origin);
        fake_fini(&fake);

        make_from(&fake, &paths[i], "OPTIONS", "https://bad.example");
        assert_false(admit(&fake));
        assert_false(fake.left.response.allow_origin);
        assert_null(fake.left.response.preflight_methods);
        check_problem(&fake, PROBLEM_CROSS_ORIGIN, "scripts of https://bad.example may not use");
    }
    fixture.options.cors_origins = NULL;
}

/* An OPTIONS is a preflight where it says so, where other origins are known, and to a route. */
static void what_is_no_preflight(void **state)
{
    static const struct {
        const char *path, *origins, *origin, *header;
        enum problem_kind kind;
    } cases[] = {
        {"/classify", NULL, "https://a.example", "Access-Control-Request-Method",
         PROBLEM_BAD_METHOD},
        {"/classify", "*", NULL, "Access-Control-Request-Method", PROBLEM_BAD_METHOD},
        {"/classify", "*", "https://a.example", "X-Other", PROBLEM_BAD_METHOD},
        {"/nothing", "*", "https://a.example", "Access-Control-Request-Method", PROBLEM_NOT_FOUND},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake fake;

        fixture.options.cors_origins = cases[i].origins;
        fake_init(&fake, "OPTIONS", cases[i].path);
        fake.request->origin = cases[i].origin;
        fake.headers[0] = (struct http_header){cases[i].header, "POST"};
        assert_false(admit(&fake));
        check_problem(&fake, cases[i].kind, "");
    }
    fixture.options.cors_origins = NULL;
}

static void origins_of_ordinary_requests(void **state)
{
    struct fake fake;

    (void)state;
    fixture.options.cors_origins = "https://good.example";
    for (unsigned good = 0; good < 2; good++) {
        fake_init(&fake, "GET", "/model");
        fake.request->origin = good ? "https://good.example" : "https://bad.example";
        assert_true(admit(&fake));
        assert_true(fake.request->response.vary_origin);
        assert_true(fake.request->response.allow_origin == good);
        assert_string_equal(fake.request->response.exposed, CORS_EXPOSED);
        fake_fini(&fake);
    }
    fixture.options.cors_origins = NULL;
    fake_init(&fake, "GET", "/model");
    fake.request->origin = "https://good.example";
    assert_true(admit(&fake));
    assert_false(fake.request->response.vary_origin);
    fake_fini(&fake);
}

static void no_origin_on_the_admin_listener(void **state)
{
    (void)state;
    fixture.options.cors_origins = "*";
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct fake fake;

        if (!paths[i].admin)
            continue;
        for (unsigned preflight = 0; preflight < 2; preflight++) {
            make_from(&fake, &paths[i],
                      preflight       ? "OPTIONS"
                      : paths[i].post ? "POST"
                                      : "GET",
                      "https://a.example");
            assert_false(admit(&fake));
            assert_false(fake.left.response.vary_origin || fake.left.response.allow_origin);
            check_problem(&fake, PROBLEM_CROSS_ORIGIN, "takes nothing from web pages");
        }
    }
    fixture.options.cors_origins = NULL;
}

/* ---------------------------------------------------------------- other answers -------------- */

static void options_of_the_server(void **state)
{
    struct fake fake;

    (void)state;
    fake_init(&fake, "OPTIONS", "*");
    assert_false(admit(&fake));
    assert_int_equal(fake_wait(&fake), 204);
    assert_string_equal(fake.left.response.allow, "GET, HEAD, POST, OPTIONS");
    fake_fini(&fake);
}

/* Only where a body is read at all. */
static void unknown_codings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct fake fake;
        bool admitted;

        make(&fake, &paths[i], paths[i].post ? "POST" : "GET");
        fake.request->coding = CODING_UNKNOWN;
        admitted = admit(&fake);
        assert_true(admitted == !paths[i].post);
        if (admitted) {
            fake_fini(&fake);
            continue;
        }
        assert_string_equal(fake.left.response.accept_encoding, CODINGS_READ);
        check_problem(&fake, PROBLEM_MEDIA_TYPE, "Content-Encoding");
    }
}

static void inflate(struct http_request *request)
{
    request->body = HTTP_BODY_PLAIN;
}

/* It is inflated before its handler sees it; the body of a GET is nobody's. */
static void coded_bodies(void **state)
{
    struct fake fake;

    (void)state;
    fake_init(&fake, "POST", "/classify");
    fake_part(&fake, fixture.jpeg, fixture.jpeg_size);
    fake.request->body = HTTP_BODY_CODED;
    fake.inflate = inflate;
    assert_true(admit(&fake));
    routes_handle(&fixture.server, fake.request);
    assert_int_equal(fake_wait(&fake), 200);
    fake_fini(&fake);

    fake_init(&fake, "GET", "/livez");
    fake.request->body = HTTP_BODY_CODED;
    assert_true(admit(&fake));
    routes_handle(&fixture.server, fake.request);
    assert_int_equal(fake_wait(&fake), 200);
    fake_fini(&fake);
}

static void refused_without_their_body(void **state)
{
    const struct head_fault fault = {431, "too much"};
    struct fake fake;

    (void)state;
    fixture.options.cors_origins = "*";
    fake_init(&fake, "POST", "/classify/");
    fake.request->origin = "https://a.example";
    routes_refuse(&fixture.server, fake.request, HTTP_BODY_TOO_LARGE);
    assert_int_equal(fake.left.route, ROUTE_CLASSIFY);
    assert_true(fake.left.response.allow_origin); /* so that a script may read why */
    check_problem(&fake, PROBLEM_BODY_TOO_LARGE, "over the limit of 1048576 bytes (--max-body)");
    fixture.options.cors_origins = NULL;

    fake_init(&fake, "?", "");
    fake.request->fault = &fault;
    routes_refuse(&fixture.server, fake.request, HTTP_MALFORMED);
    assert_int_equal(fake.left.route, ROUTE_OTHER);
    check_problem(&fake, PROBLEM_HEADERS_TOO_LARGE, "too much");
}

static void an_answer_without_memory(void **state)
{
    char body[HTTP_NO_MEMORY_BYTES];
    unsigned long before;
    struct fake fake;
    json_t *root;
    size_t size;

    (void)state;
    fake_init(&fake, "GET", "/livez");
    memset(fake.request->id, 'x', HTTP_ID_MAX);
    before = fault_allocations();
    size = routes_no_memory(&fixture.server, fake.request, body);
    assert_int_equal(fault_allocations(), before);
    assert_in_range(size, 1, sizeof body - 1);
    root = json_loadb(body, size, 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "status")), 503);
    assert_string_equal(json_string_value(json_object_get(root, "request_id")), fake.request->id);
    assert_string_equal(json_string_value(json_object_get(root, "type")), fake.request->problem);
    assert_string_equal(fake.request->response.type, "application/problem+json");
    assert_int_equal(fake.request->response.retry_after_s, 1);
    json_decref(root);
    fake_fini(&fake);
}

/* ---------------------------------------------------------------- ends ----------------------- */

static void ends_are_counted(void **state)
{
    static const struct {
        unsigned status;
        bool body_cut, dropped, begun;
        const char *series;
    } cases[] = {
        {200, false, false, false, "vgg_http_requests_total{route=\"/model\",code=\"200\"}"},
        {503, false, true, true, "vgg_http_requests_total{route=\"/model\",code=\"503\"}"},
        {0, true, false, false, "vgg_requests_cancelled_total{stage=\"body\"}"},
        {0, false, true, false, "vgg_requests_cancelled_total{stage=\"queue\"}"},
        {0, false, true, true, "vgg_requests_cancelled_total{stage=\"infer\"}"},
        {0, false, false, true, "vgg_requests_cancelled_total{stage=\"answer\"}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake fake;

        fake_init(&fake, "GET", "/model");
        fake.request->route = ROUTE_MODEL;
        fake.request->dropped = cases[i].dropped;
        fake.request->begun = cases[i].begun;
        routes_done(&fixture.server, fake.request, cases[i].status, cases[i].body_cut);
        for (size_t k = 0; k < COUNT_OF(cases); k++)
            if (cases[k].status == 0 || k <= i) /* a code has a series from its first answer on */
                assert_true(fixture_metric(cases[k].series) == (k <= i));
        fake_fini(&fake);
    }
}

static void connections_close_at_the_end(void **state)
{
    (void)state;
    assert_false(routes_closing(&fixture.server));
    fixture.server.phase = SERVER_DRAINING;
    assert_true(routes_closing(&fixture.server));
    fixture.server.phase = SERVER_SERVING;
}

static int setup(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    fixture.server.openapi = openapi_create("127.0.0.1:1", FIXTURE_IMAGES_MAX);
    return fixture.server.openapi != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    openapi_destroy(fixture.server.openapi);
    return fixture_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_here),
        cmocka_unit_test(methods),
        cmocka_unit_test(handlers),
        cmocka_unit_test(the_other_listener),
        cmocka_unit_test(nowhere),
        cmocka_unit_test(another_model),
        cmocka_unit_test(tokens),
        cmocka_unit_test(preflights),
        cmocka_unit_test(what_is_no_preflight),
        cmocka_unit_test(origins_of_ordinary_requests),
        cmocka_unit_test(no_origin_on_the_admin_listener),
        cmocka_unit_test(options_of_the_server),
        cmocka_unit_test(unknown_codings),
        cmocka_unit_test(coded_bodies),
        cmocka_unit_test(refused_without_their_body),
        cmocka_unit_test(an_answer_without_memory),
        cmocka_unit_test(ends_are_counted),
        cmocka_unit_test(connections_close_at_the_end),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
