/* One event, one line, whatever it holds. */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "fault.h"
#include "ops/log.h"
#include "ops/metrics.h"
#include "process/clock.h"
#include "server/capture.h"

static const char forged[] = "/x\n2024-01-01T00:00:00.000Z info forged\r\n\x1b[31m\t\x7f";

static struct capture captured;

static struct http_request request_for(const char *path)
{
    struct http_request request = {
        .method = "POST",
        .path = path,
        .id = "abc-123",
        .client = "192.0.2.7",
        .received_ns = now_ns(),
        .route = ROUTE_CLASSIFY,
        .body_bytes = 1234,
        .model_version = "sha256:00ff",
        .response = {.size = 567},
    };

    return request;
}

static const char *access_line(enum option_log format, const struct http_request *request,
                               unsigned status)
{
    log_init(format);
    capture_begin(&captured, STDERR_FILENO);
    log_access(request, status);
    capture_end(&captured);
    return captured.text;
}

static const char *event_line(enum option_log format, const char *message)
{
    log_init(format);
    capture_begin(&captured, STDERR_FILENO);
    log_event("warning", "%s", message);
    capture_end(&captured);
    return captured.text;
}

/* 2024-01-31T23:59:59.123Z */
static bool begins_with_time(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";

    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

static json_t *parse_line(const char *line)
{
    json_t *root;

    if (!is_one_line(line))
        fail_msg("not one line: %s", line);
    root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL)
        fail_msg("not JSON: %s", line);
    return root;
}

static const char *string(const json_t *root, const char *key)
{
    const char *text = json_string_value(json_object_get(root, key));

    return text != NULL ? text : "(none)";
}

static void text_of_a_request(void **state)
{
    struct http_request request = request_for("/classify");
    const char *line = access_line(LOG_TEXT, &request, 200);

    (void)state;
    assert_true(is_one_line(line));
    assert_true(begins_with_time(line));
    assert_non_null(strstr(line, " 192.0.2.7 POST /classify 200 in=1234 out=567 ms="));
    assert_non_null(strstr(line, " id=abc-123\n"));
}

/* No control characters, no spaces: a client can add neither lines nor fields. */
static void text_cannot_be_forged(void **state)
{
    struct http_request request = request_for(forged);
    char path[4000];
    const char *line;

    (void)state;
    line = access_line(LOG_TEXT, &request, 404);
    assert_true(is_one_line(line));
    assert_null(strstr(line, " forged"));
    for (const char *c = line; c[1] != '\0'; c++)
        assert_true(*c >= ' ' && *c <= '~');
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    request = request_for(path);
    request.method = path;
    memset(request.id, 'i', HTTP_ID_MAX);
    line = access_line(LOG_TEXT, &request, 404);
    assert_true(is_one_line(line));
    assert_true(strlen(line) < 1024);
    assert_non_null(strstr(line, "iii\n")); /* the end is not what is cut */
    request.method = request.path = NULL;
    assert_true(is_one_line(access_line(LOG_TEXT, &request, 0)));
}

static void json_of_a_request(void **state)
{
    struct http_request request = request_for("/classify");
    json_t *root;

    (void)state;
    request.timing = (struct http_timing){.queue_ns = 1000000, .infer_ns = 2500000};
    snprintf(request.traceparent, sizeof request.traceparent, "%s",
             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    root = parse_line(access_line(LOG_JSON, &request, 200));
    assert_true(begins_with_time(string(root, "time")));
    assert_string_equal(string(root, "event"), "request");
    assert_string_equal(string(root, "id"), "abc-123");
    assert_string_equal(string(root, "client"), "192.0.2.7");
    assert_string_equal(string(root, "method"), "POST");
    assert_string_equal(string(root, "path"), "/classify");
    assert_string_equal(string(root, "route"), "/classify");
    assert_string_equal(string(root, "model"), "sha256:00ff");
    assert_string_equal(string(root, "traceparent"), request.traceparent);
    assert_int_equal(json_integer_value(json_object_get(root, "status")), 200);
    assert_int_equal(json_integer_value(json_object_get(root, "bytes_in")), 1234);
    assert_int_equal(json_integer_value(json_object_get(root, "bytes_out")), 567);
    assert_true(json_real_value(json_object_get(json_object_get(root, "ms"), "queue")) == 1.0);
    assert_true(json_real_value(json_object_get(json_object_get(root, "ms"), "infer")) == 2.5);
    assert_true(json_real_value(json_object_get(json_object_get(root, "ms"), "total")) >= 0);
    json_decref(root);
}

static void json_cannot_be_forged(void **state)
{
    struct http_request request = request_for(forged);
    json_t *root = parse_line(access_line(LOG_JSON, &request, 404));

    (void)state;
    assert_string_equal(string(root, "path"), forged);
    json_decref(root);
    request = request_for("/\",\"status\":200,\"x\":\"");
    root = parse_line(access_line(LOG_JSON, &request, 404));
    assert_int_equal(json_integer_value(json_object_get(root, "status")), 404);
    assert_string_equal(string(root, "path"), "/\",\"status\":200,\"x\":\"");
    json_decref(root);
    request = request_for("/caf\xe9");
    request.method = "P\xff";
    root = parse_line(access_line(LOG_JSON, &request, 404));
    assert_int_equal(json_integer_value(json_object_get(root, "status")), 404);
    json_decref(root);
    request.method = request.path = NULL;
    request.id[0] = '\0';
    root = parse_line(access_line(LOG_JSON, &request, 0));
    assert_null(json_object_get(root, "id"));
    json_decref(root);
}

/* Why a request failed is in its line, however its client has worded it. */
static void problems(void **state)
{
    static const char type[] = "urn:vgg:problem:not-found";
    struct http_request request = request_for("/nope");
    const char *line;
    json_t *root;

    (void)state;
    request.problem = type;
    snprintf(request.detail, sizeof request.detail, "there is nothing at \"%s\" \\ caf\xc3\xa9",
             forged);
    line = access_line(LOG_TEXT, &request, 404);
    assert_true(is_one_line(line));
    assert_non_null(strstr(line, " id=abc-123 type=urn:vgg:problem:not-found detail=\"there is "
                                 "nothing at \\\""));
    assert_non_null(strstr(line, "\\\" \\\\ caf??\"\n"));
    for (const char *c = line; c[1] != '\0'; c++)
        assert_true(*c >= ' ' && *c <= '~');
    root = parse_line(access_line(LOG_JSON, &request, 404));
    assert_string_equal(string(root, "type"), type);
    assert_string_equal(string(root, "detail"), request.detail);
    json_decref(root);
}

/* The longest, all of it escaped, beside all else at its longest. */
static void long_problems(void **state)
{
    char path[600] = "";
    struct http_request request = request_for(path);
    json_t *root;

    (void)state;
    memset(path, '\1', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    memset(request.id, 'i', HTTP_ID_MAX);
    request.problem = "urn:vgg:problem:unsupported-media-type";
    memset(request.detail, '"', HTTP_DETAIL_MAX);
    assert_true(is_one_line(access_line(LOG_TEXT, &request, 400)));
    assert_non_null(strstr(captured.text, "\\\"\\\"\"\n")); /* the end is not what is cut */
    memset(request.detail, '\1', HTTP_DETAIL_MAX);
    root = parse_line(access_line(LOG_JSON, &request, 400));
    assert_int_equal(strlen(string(root, "detail")), HTTP_DETAIL_MAX);
    json_decref(root);
    request.detail[0] = '\0'; /* no memory for more */
    assert_non_null(strstr(access_line(LOG_TEXT, &request, 503), "media-type\n"));
    request.problem = NULL;
    root = parse_line(access_line(LOG_JSON, &request, 200));
    assert_null(json_object_get(root, "type"));
    assert_null(json_object_get(root, "detail"));
    json_decref(root);
}

static void events(void **state)
{
    json_t *root;

    (void)state;
    event_line(LOG_TEXT, "the disk is \"full\"");
    assert_true(is_one_line(captured.text) && begins_with_time(captured.text));
    assert_non_null(strstr(captured.text, "Z warning the disk is \"full\"\n"));
    root = parse_line(event_line(LOG_JSON, "the disk is \"full\""));
    assert_true(begins_with_time(string(root, "time")));
    assert_string_equal(string(root, "message"), "the disk is \"full\"");
    assert_non_null(strstr(captured.text, "\"warning\""));
    json_decref(root);
}

/* The name of a model comes from its file. */
static void events_cannot_be_forged(void **state)
{
    char message[5000];
    json_t *root;

    (void)state;
    root = parse_line(event_line(LOG_JSON, forged));
    assert_string_equal(string(root, "message"), forged);
    json_decref(root);
    json_decref(parse_line(event_line(LOG_JSON, "caf\xe9")));
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    json_decref(parse_line(event_line(LOG_JSON, message)));
    assert_true(is_one_line(event_line(LOG_TEXT, message)));
    assert_true(is_one_line(event_line(LOG_TEXT, "caf\xe9")));
    assert_true(is_one_line(event_line(LOG_TEXT, forged)));
}

/* A line that cannot be made is left out; never half of one. */
static void out_of_memory(void **state)
{
    struct http_request request = request_for("/classify");
    unsigned long lost = 0;
    long before;

    (void)state;
    if (!fault_available())
        skip();
    log_init(LOG_JSON);
    before = fault_outstanding();
    for (unsigned long n = 1;; n++) {
        bool fired;

        capture_begin(&captured, STDERR_FILENO);
        fault_arm(n);
        log_access(&request, 200);
        fired = fault_disarm();
        capture_end(&captured);
        assert_int_equal(fault_outstanding(), before);
        if (captured.text[0] != '\0')
            json_decref(parse_line(captured.text));
        lost += captured.text[0] == '\0';
        if (!fired)
            break;
    }
    assert_true(lost >= 10);
    assert_true(captured.text[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_a_request),
        cmocka_unit_test(text_cannot_be_forged),
        cmocka_unit_test(json_of_a_request),
        cmocka_unit_test(json_cannot_be_forged),
        cmocka_unit_test(problems),
        cmocka_unit_test(long_problems),
        cmocka_unit_test(events),
        cmocka_unit_test(events_cannot_be_forged),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
