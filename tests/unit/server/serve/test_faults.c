/*
 * Every allocation on the way of a request fails once: the client gets its answer or a 503, the
 * next one is served, and nothing leaks.
 */
#include "check.h"

#include <stdbool.h>

#include <jansson.h>
#include <zlib.h>

#include "fault.h"
#include "jpeg_maker.h"
#include "server/exposition.h"
#include "server/http_client.h"
#include "server/serving.h"
#include "vgg.h"

enum {
    HANG_S = 300,
    QUIET_ROUNDS = 8, /* faults in a row that hit nothing: the path has been walked */
    FAULTS_MAX = 5000,
    BODY_BYTES = 32 << 10,
    /*
     * Allocations before a request can be seen at all: libmicrohttpd's for the connection, its
     * address, its memory pool; ours for it, its watch, its gate. There is nobody to answer yet.
     */
    CUT_MAX = 7
};

static char model_path[] = "/tmp/vgg-faults-XXXXXX";
static struct serving serving;
static struct answer answer;
static char wrong[512]; /* the first thing that was not right */

/* A kind of request, ready to send, and what makes its answer right. */
struct attempt {
    const char *name;
    bool v2;
    bool admin; /* for the admin listener */
    char bytes[BODY_BYTES];
    size_t size;
    bool (*right)(const struct attempt *attempt); /* of a 200 in `answer` */
    char expected[CLIENT_ANSWER_BYTES];           /* body of the first 200 */
};

static struct attempt attempt;

static bool complain(const char *what, const char *text)
{
    if (wrong[0] == '\0')
        snprintf(wrong, sizeof wrong, "%s: %s: %.300s", attempt.name, what, text);
    return false;
}

/* ---------------------------------------------------------------- right answers -------------- */

static bool is_ranked(const json_t *object, size_t k)
{
    return json_array_size(json_object_get(object, "top")) == k;
}

static bool right_image(const struct attempt *given)
{
    json_t *root = json_loads(answer.body, 0, NULL);
    bool right = is_ranked(root, 5) && json_object_get(root, "request_id") != NULL;

    (void)given;
    json_decref(root);
    return right;
}

/* Each of two images has its classes, or its own 503. */
static bool right_images(const struct attempt *given)
{
    json_t *root = json_loads(answer.body, 0, NULL);
    const json_t *results = json_object_get(root, "results");
    bool right = json_array_size(results) == 2;

    (void)given;
    for (size_t i = 0; i < 2 && right; i++) {
        const json_t *result = json_array_get(results, i);

        right =
            is_ranked(result, 5) || json_integer_value(json_object_get(result, "status")) == 503;
    }
    json_decref(root);
    return right;
}

/* As many series as there always are, in a well-formed text. */
static bool right_metrics(const struct attempt *given)
{
    static struct exposition now, first;

    return exposition_parse(&now, answer.body) && exposition_parse(&first, given->expected) &&
           now.series_n == first.series_n;
}

static bool right_body(const struct attempt *given)
{
    return strcmp(answer.body, given->expected) == 0;
}

/* Of a v2 path: its own form, or the one that is left when there is no memory for that either. */
static bool is_v2_out_of_memory(const json_t *root)
{
    return answer_has(&answer, "\r\nContent-Type: application/json\r\n") &&
           json_object_size(root) == 1 && json_is_string(json_object_get(root, "error"));
}

static bool is_out_of_memory(void)
{
    json_t *root = json_loads(answer.body, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    bool right =
        answer_has(&answer, "\r\nRetry-After: 1\r\n") && answer_has(&answer, "\r\nX-Request-Id: ");

    if (!attempt.v2 || !is_v2_out_of_memory(root))
        right = right && type != NULL && strcmp(type, "urn:vgg:problem:out-of-memory") == 0 &&
                answer_has(&answer, "\r\nContent-Type: application/problem+json\r\n") &&
                json_string_value(json_object_get(root, "request_id")) != NULL &&
                json_integer_value(json_object_get(root, "status")) == 503;
    json_decref(root);
    return right;
}

/* ---------------------------------------------------------------- requests ------------------- */

static void append(const void *bytes, size_t size)
{
    if (attempt.size + size > sizeof attempt.bytes)
        abort();
    memcpy(attempt.bytes + attempt.size, bytes, size);
    attempt.size += size;
}

static void begin(const char *name, bool (*right)(const struct attempt *attempt))
{
    memset(&attempt, 0, sizeof attempt);
    attempt.name = name;
    attempt.right = right;
    wrong[0] = '\0';
}

/* The head of a request for `size` bytes of body; size 0: a GET. */
static void append_head(const char *path, const char *type, size_t size)
{
    char head[512];
    int length =
        snprintf(head, sizeof head,
                 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "X-Request-Id: fault\r\n%s%sContent-Length: %zu\r\n\r\n",
                 size != 0 ? "POST" : "GET", path, type, type[0] != '\0' ? "\r\n" : "", size);

    append(head, (size_t)length);
}

static void append_jpeg(uint32_t width)
{
    const struct jpeg_spec spec = {.width = width, .height = 40, .quality = 50};
    uint8_t *bytes;
    size_t size;

    if (!jpeg_make(&spec, &bytes, &size))
        abort();
    append(bytes, size);
    free(bytes);
}

/* Put a head before the body collected so far. */
static void prepend_head(const char *path, const char *type)
{
    static char body[BODY_BYTES];
    size_t size = attempt.size;

    memcpy(body, attempt.bytes, size);
    attempt.size = 0;
    append_head(path, type, size);
    append(body, size);
}

static void append_part(const char *name, uint32_t width)
{
    char head[256];
    int length = snprintf(head, sizeof head,
                          "--XyZ\r\nContent-Disposition: form-data; name=\"image\"; "
                          "filename=\"%s\"\r\nContent-Type: image/jpeg\r\n\r\n",
                          name);

    append(head, (size_t)length);
    append_jpeg(width);
    append("\r\n", 2);
}

static void send_attempt(void)
{
    int fd = client_socket();

    answer.status = 0;
    answer.size = 0;
    answer.body = "";
    if (fd >= 0 && client_connect(fd, serving.ports[attempt.admin]) &&
        (client_send(fd, attempt.bytes, attempt.size) || true))
        client_receive(fd, &answer);
    else if (fd >= 0)
        close(fd);
}

/* Unarmed: it must succeed. */
static bool succeeds(void)
{
    send_attempt();
    if (answer.status != 200)
        return complain("without a fault", answer.text);
    if (attempt.expected[0] == '\0')
        strcpy(attempt.expected, answer.body);
    return attempt.right(&attempt) || complain("wrong without a fault", answer.body);
}

/* ---------------------------------------------------------------- the walk ------------------- */

/* The connection's memory is given back a moment after its end: until two looks agree. */
static long settled(void)
{
    long last = fault_outstanding(), now;

    for (int same = 0; same < 20; last = now) {
        usleep(1000);
        now = fault_outstanding();
        same = now == last ? same + 1 : 0;
    }
    return last;
}

struct tally {
    unsigned long answered, refused, cut;
};

/* With the n-th allocation failing. Returns whether it did. */
static bool walk_step(unsigned long n, struct tally *tally)
{
    char context[64];
    bool fired;

    fault_arm(n);
    send_attempt();
    fired = fault_disarm();
    snprintf(context, sizeof context, "allocation %lu failed", n);
    if (answer.status == 200) {
        if (!attempt.right(&attempt))
            complain(context, answer.body);
    } else if (answer.status == 0) {
        if (answer.size != 0)
            complain(context, "the answer is cut");
    } else if (answer.status != 503 || !is_out_of_memory()) {
        complain(context, answer.text);
    }
    tally->answered += answer.status == 200 && fired;
    tally->refused += answer.status == 503;
    tally->cut += answer.status == 0;
    return fired;
}

/* Fail each allocation in turn until there is none left to fail. */
static struct tally walk(void)
{
    struct tally tally = {0};
    unsigned long quiet = 0;

    for (unsigned long n = 1; quiet < QUIET_ROUNDS && n < FAULTS_MAX && wrong[0] == '\0'; n++) {
        quiet = walk_step(n, &tally) ? 0 : quiet + 1;
        if (wrong[0] == '\0')
            (void)succeeds();
    }
    if (quiet < QUIET_ROUNDS)
        complain("there is no end", "");
    return tally;
}

/* The whole experiment with one kind of request. `refused_min`: allocations that must matter. */
static void experiment(unsigned long refused_min)
{
    struct tally tally = {0};
    long before = 0, after = 0;

    (void)alarm(HANG_S);
    serving_start(&serving);
    if (serving.ready) {
        for (int i = 0; i < 5 && wrong[0] == '\0'; i++)
            (void)succeeds();
        before = settled();
        if (wrong[0] == '\0' && fault_available())
            tally = walk();
        after = settled();
    }
    serving_stop(&serving);
    (void)alarm(0);
    if (!serving.ready || serving.status != 0)
        fail_msg("the server ended with %d: %s", serving.status, serving.log.text);
    if (wrong[0] != '\0')
        fail_msg("%s", wrong);
    if (!fault_available())
        skip();
    print_message("%s: %lu answered, %lu refused, %lu cut\n", attempt.name, tally.answered,
                  tally.refused, tally.cut);
    assert_int_equal(after, before);
    assert_true(tally.refused >= refused_min);
    assert_in_range(tally.cut, 0, CUT_MAX);
}

static void raw_image(void **state)
{
    (void)state;
    begin("image", right_image);
    append_jpeg(48);
    prepend_head("/classify?top_k=5", "");
    experiment(20);
}

static void two_files(void **state)
{
    (void)state;
    begin("two files", right_images);
    append_part("a.jpg", 48);
    append_part("b.jpg", 56);
    append("--XyZ--\r\n", 9);
    prepend_head("/classify?flip=off", "Content-Type: multipart/form-data; boundary=XyZ");
    experiment(20);
}

/* The same compressed, and with a field: inflated on a parser, within its own memory. */
static void two_packed_files(void **state)
{
    static const char field[] = "--XyZ\r\nContent-Disposition: form-data; name=\"flip\"\r\n\r\noff"
                                "\r\n";
    static unsigned char form[BODY_BYTES];
    z_stream stream = {.next_in = form};

    (void)state;
    begin("two packed files", right_images);
    append_part("a.jpg", 48);
    append(field, sizeof field - 1);
    append_part("b.jpg", 56);
    append("--XyZ--\r\n", 9);
    memcpy(form, attempt.bytes, attempt.size);
    stream.avail_in = (uInt)attempt.size;
    stream.next_out = (unsigned char *)attempt.bytes;
    stream.avail_out = sizeof attempt.bytes;
    if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflate(&stream, Z_FINISH) != Z_STREAM_END)
        abort();
    attempt.size = sizeof attempt.bytes - stream.avail_out;
    deflateEnd(&stream);
    prepend_head("/classify", "Content-Encoding: gzip\r\n"
                              "Content-Type: multipart/form-data; boundary=XyZ");
    experiment(24);
}

static void metrics(void **state)
{
    (void)state;
    begin("metrics", right_metrics);
    append_head("/metrics", "", 0);
    experiment(3);
}

static void model(void **state)
{
    (void)state;
    begin("model", right_body);
    append_head("/model", "", 0);
    experiment(20);
}

/* Two pictures as base64, and their classes. */
static void v2_json(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char begin_text[] = "{\"id\":\"f\",\"inputs\":[{\"name\":\"image\",\"shape\":[2],"
                                     "\"datatype\":\"BYTES\",\"data\":[\"",
                      end_text[] = "\"]}],\"outputs\":[{\"name\":\"posteriors\","
                                   "\"parameters\":{\"classification\":3}}]}";
    static unsigned char jpeg[BODY_BYTES];
    size_t size;

    (void)state;
    begin("v2 json", right_body);
    attempt.v2 = true;
    append_jpeg(48);
    memcpy(jpeg, attempt.bytes, attempt.size);
    size = (attempt.size + 2) / 3 * 3; /* whole groups; zeros after the end of a JPEG are fine */
    attempt.size = 0;
    append(begin_text, sizeof begin_text - 1);
    for (int twice = 0; twice < 2; twice++) {
        for (size_t i = 0; i < size; i += 3) {
            unsigned group = (unsigned)jpeg[i] << 16 | (unsigned)jpeg[i + 1] << 8 | jpeg[i + 2];

            for (int shift = 18; shift >= 0; shift -= 6)
                append(&alphabet[group >> shift & 63], 1);
        }
        if (twice == 0)
            append("\",\"", 3);
    }
    append(end_text, sizeof end_text - 1);
    prepend_head("/v2/models/untrained-A-4/infer", "");
    experiment(20);
}

/* A tensor and posteriors, both binary. */
static void v2_binary(void **state)
{
    static const float pixels[3 * 32 * 33];
    static const char text[] =
        "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,3,32,33],\"datatype\":\"FP32\","
        "\"parameters\":{\"binary_data_size\":12672}}],\"parameters\":{\"binary_data_output\":true}"
        "}";
    char head[64];

    (void)state;
    begin("v2 binary", right_body);
    attempt.v2 = true;
    append(text, sizeof text - 1);
    append(pixels, sizeof pixels);
    snprintf(head, sizeof head, "Inference-Header-Content-Length: %zu", sizeof text - 1);
    prepend_head("/v2/models/untrained-A-4/versions/1/infer", head);
    experiment(15);
}

static void v2_model(void **state)
{
    (void)state;
    begin("v2 model", right_body);
    attempt.v2 = true;
    append_head("/v2/models/untrained-A-4", "", 0);
    experiment(3);
}

/* The whole of a reload: loaded, tried, in place of the old one; or a 503, and that serves on. */
static void reload(void **state)
{
    char body[64];
    int size = snprintf(body, sizeof body, "{\"model\":\"%s\"}", model_path);

    (void)state;
    begin("reload", right_body);
    attempt.admin = true;
    append_head("/admin/reload", "Content-Type: application/json", (size_t)size);
    append(body, (size_t)size);
    experiment(80);
}

static int setup(void **state)
{
    static const struct vgg_init_options narrow = {
        .arch = "A", .width = 4, .fc = 16, .classes = 10, .crop = 32, .seed = 1};
    int fd = mkstemp(model_path);

    (void)state;
    close(fd);
    serving.model = model_path;
    return fd >= 0 && vgg_model_init_file(model_path, &narrow, NULL) == VGG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(model_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_image),
        cmocka_unit_test(two_files),
        cmocka_unit_test(two_packed_files),
        cmocka_unit_test(metrics),
        cmocka_unit_test(model),
        cmocka_unit_test(v2_json),
        cmocka_unit_test(v2_binary),
        cmocka_unit_test(v2_model),
        cmocka_unit_test(reload),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
