/* What stops a server from starting: exit status 2 and one line that says why. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answers.h"
#include "process.h"
#include "work.h"

/* ---------------------------------------------------------------- refusals ------------------- */

/* Run a command that must fail at once with one line that holds `needle`. */
static void check_fails(const char *const *args, const char *const *env, const char *needle)
{
    struct output output = command_run(args, env, NULL);

    if (output.status != 2 || count_lines(output.err) != 1 || strstr(output.err, needle) == NULL)
        fail_msg("status %d, without \"%s\" or not one line: %s", output.status, needle,
                 output.err);
    assert_int_equal(strncmp(output.err, "vgg: ", 5), 0);
    assert_int_equal(output.out_size, 0);
    output_free(&output);
}

/* `vgg serve` with two more arguments, on ports that would be free. */
static void check_option(const char *option, const char *value, const char *needle)
{
    check_fails((const char *[]){"serve", "--listen", "127.0.0.1:0", "--admin-listen",
                                 "127.0.0.1:0", "--model", model_narrow(), option, value, NULL},
                NULL, needle);
}

static void check_model(const char *path, const char *needle)
{
    check_option("--model", path, needle);
    check_option("--model", path, path); /* and it names the file */
    check_fails((const char *[]){"inspect", path, NULL}, NULL, needle);
    check_fails((const char *[]){"classify", "--model", path, "x.jpg", NULL}, NULL, needle);
}

/* ---------------------------------------------------------------- flags ---------------------- */

static void test_unknown_flags(void **state)
{
    (void)state;
    check_option("--unknown", "1", "--unknown");
    check_option("-x", "1", "-x");
    check_option("--listenn=127.0.0.1:0", "x", "--listenn");
    check_option("operand", "operand", "operand");
    check_fails((const char *[]){"serve", "--model", NULL}, NULL, "--model");
    check_fails((const char *[]){"frobnicate", NULL}, NULL, "frobnicate");
}

static void test_bad_values(void **state)
{
    static const struct {
        const char *option, *value;
    } cases[] = {
        {"--listen", "nonsense"},
        {"--listen", "127.0.0.1:99999"},
        {"--listen", "127.0.0.1:"},
        {"--listen", "127.0.0.1:http"},
        {"--listen", ""},
        {"--admin-listen", "::1:80"},
        {"--scales", "0"},
        {"--scales", "a"},
        {"--scales", "2000"},
        {"--scales", "64,65,66,67,68,69,70,71,72"},
        {"--scales", ""},
        {"--flip", "maybe"},
        {"--top-k", "0"},
        {"--top-k", "-1"},
        {"--top-k", "5x"},
        {"--threads", "0"},
        {"--threads", "99999999"},
        {"--max-body", "0"},
        {"--max-body", "16X"},
        {"--max-body", "-1"},
        {"--max-pixels", "many"},
        {"--max-view-pixels", "0"},
        {"--max-images", "0"},
        {"--max-cost", "cheap"},
        {"--max-queue", "-5s"},
        {"--max-queue", "5h"},
        {"--deadline", "0s"},
        {"--deadline", "soon"},
        {"--drain-delay", "x"},
        {"--drain-timeout", "1e99s"},
        {"--log", "xml"},
        {"--api-token-file", "/nowhere"},
        {"--admin-token-file", "/nowhere"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        /* An address or a file speaks for itself; else the flag is named. */
        bool itself = (strstr(cases[i].option, "listen") != NULL ||
                       strstr(cases[i].option, "-file") != NULL) &&
                      cases[i].value[0] != '\0';

        check_option(cases[i].option, cases[i].value,
                     itself ? cases[i].value : cases[i].option + 2);
    }
}

static void test_empty_token(void **state)
{
    (void)state;
    work_write(work_file("empty-token"), "\n", 1);
    check_option("--api-token-file", work_file("empty-token"), "empty-token");
}

/* ---------------------------------------------------------------- environment ---------------- */

static void test_environment(void **state)
{
    char model[512], listen_on[] = "VGG_LISTEN=nonsense";
    const char *const env[] = {
        model, "VGG_TOP_K=3", "VGG_SCALES=96", "VGG_FLIP=off", "VGG_THREADS=", listen_on, NULL};
    struct blob image = picture(64, 64);
    struct server server;
    struct answer answer;

    (void)state;
    snprintf(model, sizeof model, "VGG_MODEL=%s", model_narrow());
    /* server_start gives --listen, which wins over VGG_LISTEN; so does --top-k. */
    server_start_with(&server, (const char *[]){"--top-k", "2", NULL}, env);
    classify(&server, "", &image, &answer);
    check_answer(&answer, 64, 64);
    assert_int_equal(json_array_size(member(answer.json, "top")), 2);
    check_scales(answer.json, (const int[]){96}, 1);
    assert_false(bool_member(answer.json, "flip"));
    answer_free(&answer);
    server_stop(&server);
    check_fails((const char *[]){"serve", "--admin-listen", "127.0.0.1:0", NULL}, env, "nonsense");
    blob_free(&image);
}

static void test_bad_environment(void **state)
{
    (void)state;
    check_fails((const char *[]){"serve", NULL}, (const char *[]){"VGG_TOP_K=x", NULL},
                "VGG_TOP_K");
    check_fails((const char *[]){"serve", NULL}, (const char *[]){"VGG_MAX_BODY=big", NULL},
                "VGG_MAX_BODY");
    check_fails((const char *[]){"classify", "x.jpg", NULL}, (const char *[]){"VGG_FLIP=2", NULL},
                "VGG_FLIP");
}

/* ---------------------------------------------------------------- addresses ------------------ */

static void test_port_in_use(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char taken[32];

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(taken, sizeof taken, "127.0.0.1:%u", ntohs(address.sin_port));
    check_option("--listen", taken, taken);
    check_option("--admin-listen", taken, taken);
    close(fd);
}

static void test_public_admin_needs_a_token(void **state)
{
    struct server server;

    (void)state;
    check_option("--admin-listen", "0.0.0.0:0", "admin-token-file");
    check_option("--admin-listen", ":0", "admin-token-file");
    work_write(work_file("token"), "secret\n", 7);
    server_start(&server, (const char *[]){"--model", model_narrow(), "--admin-token-file",
                                           work_file("token"), NULL});
    server_stop(&server);
}

/* ---------------------------------------------------------------- models --------------------- */

static void test_model_that_is_no_file(void **state)
{
    (void)state;
    check_model(work_file("missing.safetensors"), "No such file");
    check_model(work_file(""), "");
    assert_int_equal(mkfifo(work_file("fifo"), 0600), 0);
    check_model(work_file("fifo"), "regular file"); /* at once, though nobody writes to it */
    check_model("/dev/null", "regular file");
}

static void test_model_that_is_too_short(void **state)
{
    struct blob whole = work_read(model_narrow());
    const char *path = work_file("short.safetensors");
    const size_t sizes[] = {1, 7, 8, 9, 100, whole.size / 2, whole.size - 1};

    (void)state;
    work_write(path, "", 0);
    check_model(path, "empty");
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        work_write(path, whole.bytes, sizes[i]);
        check_model(path, "");
    }
    work_write(path, "this is only some text, with no header", 38);
    check_model(path, "safetensors");
    blob_free(&whole);
}

#define FIRST "features.0.weight"

static json_t *tensor_member(struct model_parts *parts, const char *key)
{
    return json_object_get(json_object_get(parts->header, FIRST), key);
}

static void overlap(struct model_parts *parts)
{
    json_t *other =
        json_object_get(json_object_get(parts->header, "features.2.weight"), "data_offsets");
    json_int_t length =
        json_integer_value(json_array_get(other, 1)) - json_integer_value(json_array_get(other, 0));

    json_array_set_new(other, 0, json_integer(0));
    json_array_set_new(other, 1, json_integer(length));
}

static void beyond_the_end(struct model_parts *parts)
{
    json_t *offsets = tensor_member(parts, "data_offsets");

    json_array_set_new(offsets, 0, json_integer(1LL << 40));
    json_array_set_new(offsets, 1, json_integer((1LL << 40) + 4 * 3 * 9 * 4));
}

static void huge_shape(struct model_parts *parts)
{
    json_array_set_new(tensor_member(parts, "shape"), 0, json_integer(1LL << 60));
}

static void overflowing_shape(struct model_parts *parts)
{
    for (size_t i = 0; i < 4; i++)
        json_array_set_new(tensor_member(parts, "shape"), i, json_integer(1LL << 16));
}

static void negative_shape(struct model_parts *parts)
{
    json_array_set_new(tensor_member(parts, "shape"), 0, json_integer(-4));
}

static void missing_layer(struct model_parts *parts)
{
    parts_drop(parts, "features.10.weight");
    parts_drop(parts, "features.10.bias");
}

static void missing_bias(struct model_parts *parts)
{
    parts_drop(parts, "classifier.6.bias");
}

static void wrong_dtype(struct model_parts *parts)
{
    json_object_set_new(json_object_get(parts->header, FIRST), "dtype", json_string("I32"));
}

static void unknown_tensor(struct model_parts *parts)
{
    json_object_set(parts->header, "surprise", json_object_get(parts->header, FIRST));
    json_object_del(parts->header, FIRST);
}

/* A bit pattern in the middle of a tensor's data. */
static void poison(struct model_parts *parts, uint32_t bits)
{
    json_t *offsets =
        json_object_get(json_object_get(parts->header, "features.5.weight"), "data_offsets");
    size_t at = (size_t)json_integer_value(json_array_get(offsets, 0)) + 40;

    memcpy(parts->data + at, &bits, sizeof bits);
}

static void nan_value(struct model_parts *parts)
{
    poison(parts, 0x7fc00000);
}

static void infinite_value(struct model_parts *parts)
{
    poison(parts, 0xff800000);
}

static void test_damaged_models(void **state)
{
    static const struct {
        void (*edit)(struct model_parts *parts);
        const char *needle;
    } cases[] = {
        {overlap, "features"},
        {beyond_the_end, "features.0."},
        {huge_shape, FIRST},
        {overflowing_shape, FIRST},
        {negative_shape, FIRST},
        {missing_layer, "features"},
        {missing_bias, "classifier.6"},
        {wrong_dtype, FIRST},
        {unknown_tensor, ""},
        {nan_value, "features.5.weight"},
        {infinite_value, "features.5.weight"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_model(model_edited("damaged.safetensors", cases[i].edit), cases[i].needle);
}

/* Scales that the model cannot take are found before the server is ready. */
static void test_scales_below_the_crop(void **state)
{
    (void)state;
    check_option("--scales", "31", "31");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_flags),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_empty_token),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_bad_environment),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_public_admin_needs_a_token),
        cmocka_unit_test(test_model_that_is_no_file),
        cmocka_unit_test(test_model_that_is_too_short),
        cmocka_unit_test(test_damaged_models),
        cmocka_unit_test(test_scales_below_the_crop),
    };

    return cmocka_run_group_tests_name("startup", tests, work_setup, work_teardown);
}
