/* Bodies of infer requests: what is read, cut anywhere, damaged anywhere, without memory. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"
#include "fault.h"
#include "v2/v2_body.h"

enum { IMAGES_MAX = 4 };

/* A body of exactly its size, read. */
struct reading {
    uint8_t *body;
    struct v2_request request;
    struct problem problem;
    bool good;
};

static void read_body(struct reading *reading, const void *body, size_t size, size_t json_size)
{
    *reading = (struct reading){.body = malloc(size + (size == 0))};
    assert_non_null(reading->body);
    memcpy(reading->body, body, size);
    reading->good = v2_request_read(&reading->request, reading->body, size, json_size, IMAGES_MAX,
                                    &reading->problem);
    assert_true(reading->good || reading->problem.detail[0] != '\0');
}

static void reading_end(struct reading *reading)
{
    v2_request_fini(&reading->request);
    free(reading->body);
}

#define PICTURES                                                                                   \
    "{\"id\":\"a\\n\",\"parameters\":{\"scales\":\"64,32\",\"flip\":false,\"timeout\":7},"         \
    "\"inputs\":[{\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":[2,1],"                      \
    "\"data\":[[\"Zm9v\"],[\"Zg==\"]]}],\"outputs\":[{\"name\":\"posteriors\","                    \
    "\"parameters\":{\"classification\":3,\"binary_data\":true}}]}"

#define PIXELS                                                                                     \
    "{\"inputs\":[{\"data\":[[[[1,2]],[[3,4]],[[5,6]]],[[[7,8]],[[9,10]],[[11,-12.5e0]]]],"        \
    "\"shape\":[2,3,1,2],\"name\":\"pixels\",\"datatype\":\"FP32\"}]}"

static void pictures_as_json(void **state)
{
    struct reading reading;
    const struct v2_request *request = &reading.request;

    (void)state;
    read_body(&reading, PICTURES, sizeof PICTURES - 1, sizeof PICTURES - 1);
    assert_true(reading.good);
    assert_int_equal(request->id.size, 5);
    assert_memory_equal(request->id.bytes, "\"a\\n\"", 5);
    assert_int_equal(request->scales.n, 2);
    assert_int_equal(request->scales.scales[0], 32);
    assert_true(request->has_flip && !request->flip);
    assert_int_equal(request->timeout_us, 7);
    assert_int_equal(request->n, 2);
    assert_int_equal(request->items[0].size, 3);
    assert_memory_equal(request->items[0].bytes, "foo", 3);
    assert_int_equal(request->items[1].size, 1);
    assert_memory_equal(request->items[1].bytes, "f", 1);
    assert_null(request->items[0].pixels);
    assert_int_equal(request->outputs_n, 1);
    assert_true(request->outputs[0].binary);
    assert_int_equal(request->outputs[0].kind, V2_OUTPUT_POSTERIORS);
    assert_int_equal(request->outputs[0].classification, 3);
    reading_end(&reading);
}

static void pixels_as_json(void **state)
{
    struct reading reading;
    const float *first, *second;

    (void)state;
    read_body(&reading, PIXELS, sizeof PIXELS - 1, sizeof PIXELS - 1);
    assert_true(reading.good);
    assert_int_equal(reading.request.n, 2);
    assert_int_equal(reading.request.height, 1);
    assert_int_equal(reading.request.width, 2);
    first = reading.request.items[0].pixels;
    second = reading.request.items[1].pixels;
    for (size_t i = 0; i < 6; i++) {
        assert_true(first[i] == (float)(i + 1));
        assert_true(second[i] == (i == 5 ? -12.5F : (float)(i + 7)));
    }
    assert_int_equal(reading.request.outputs_n, 1);
    assert_false(reading.request.outputs[0].binary);
    assert_int_equal(reading.request.outputs[0].kind, V2_OUTPUT_POSTERIORS);
    assert_null(reading.request.id.bytes);
    reading_end(&reading);
}

/* In the order asked for; the request says whether they are binary, or each of them does. */
static void outputs(void **state)
{
    static const char body[] = "{\"inputs\":[{\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":["
                               "1],\"data\":[\"Zg==\"]}],"
                               "\"outputs\":[{\"name\":\"features\"},{\"name\":\"known\"},"
                               "{\"name\":\"posteriors\",\"parameters\":{\"binary_data\":false}},"
                               "{\"name\":\"typicality\"}],"
                               "\"parameters\":{\"binary_data_output\":true}}";
    static const enum v2_output_kind kinds[] = {V2_OUTPUT_FEATURES, V2_OUTPUT_KNOWN,
                                                V2_OUTPUT_POSTERIORS, V2_OUTPUT_TYPICALITY};
    struct reading reading;

    (void)state;
    read_body(&reading, body, sizeof body - 1, sizeof body - 1);
    assert_true(reading.good);
    assert_int_equal(reading.request.outputs_n, COUNT_OF(kinds));
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct v2_output *output = &reading.request.outputs[i];

        assert_int_equal(output->kind, kinds[i]);
        assert_true(output->binary == (kinds[i] != V2_OUTPUT_POSTERIORS));
    }
    reading_end(&reading);
}

static void binary_data(void **state)
{
    static const char pictures[] =
        "{\"inputs\":[{\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":[2],"
        "\"parameters\":{\"binary_data_size\":12}}]}"
        "\3\0\0\0foo\1\0\0\0f";
    static const char pixels[] =
        "{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,3,1,1],"
        "\"parameters\":{\"binary_data_size\":12}}]}"
        "\0\0\200?\0\0\0@\0\0@@";
    struct reading reading;
    float values[3];

    (void)state;
    read_body(&reading, pictures, sizeof pictures - 1, sizeof pictures - 1 - 12);
    assert_true(reading.good);
    assert_int_equal(reading.request.items[0].size, 3);
    assert_memory_equal(reading.request.items[0].bytes, "foo", 3);
    assert_int_equal(reading.request.items[1].size, 1);
    assert_ptr_equal(reading.request.items[1].bytes, reading.body + sizeof pictures - 2);
    reading_end(&reading);
    read_body(&reading, pixels, sizeof pixels - 1, sizeof pixels - 1 - 12);
    assert_true(reading.good);
    memcpy(values, reading.request.items[0].pixels, sizeof values);
    assert_true(values[0] == 1 && values[1] == 2 && values[2] == 3);
    reading_end(&reading);
    /* Any other place of the border. */
    for (size_t json_size = 1; json_size <= sizeof pictures + 3; json_size++)
        if (json_size != sizeof pictures - 1 - 12) {
            read_body(&reading, pictures, sizeof pictures - 1, json_size);
            assert_false(reading.good);
            assert_int_equal(reading.problem.kind, PROBLEM_BAD_PARAMETER);
            reading_end(&reading);
        }
}

static void the_body_is_the_picture(void **state)
{
    struct reading reading;

    (void)state;
    read_body(&reading, "foo", 3, 0);
    assert_true(reading.good);
    assert_int_equal(reading.request.n, 1);
    assert_int_equal(reading.request.items[0].size, 3);
    reading_end(&reading);
}

/* An input with other members than the good ones. */
static void check_bad(const char *members, enum problem_kind kind)
{
    char body[1024];
    struct reading reading;
    int size = snprintf(body, sizeof body, "{\"inputs\":[{%s}]}", members);

    assert_in_range(size, 1, sizeof body - 1);
    read_body(&reading, body, (size_t)size, (size_t)size);
    if (reading.good || reading.problem.kind != kind)
        fail_msg("%s", members);
    reading_end(&reading);
}

static void shapes(void **state)
{
    static const char *const bad[] = {"[]",
                                      "[0]",
                                      "[2]",
                                      "[1,2]",
                                      "[1,1,1]",
                                      "[-1]",
                                      "[1.0]",
                                      "[1",
                                      "[\"1\"]",
                                      "{}",
                                      "1",
                                      "[1,1,1,1,1]",
                                      "[999999999999999999999]"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char members[256];

        snprintf(members, sizeof members,
                 "\"name\":\"image\",\"datatype\":\"BYTES\",\"data\":[\"Zg==\"],\"shape\":%s",
                 bad[i]);
        check_bad(members, PROBLEM_BAD_PARAMETER);
    }
    check_bad("\"name\":\"image\",\"datatype\":\"BYTES\",\"data\":[],\"shape\":[5]",
              PROBLEM_TOO_MANY_IMAGES);
    check_bad("\"name\":\"image\",\"datatype\":\"BYTES\",\"data\":[],\"shape\":[99999999999999999]",
              PROBLEM_TOO_MANY_IMAGES);
    check_bad("\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[1],\"shape\":[1,3,16777217,1]",
              PROBLEM_IMAGE_TOO_LARGE);
    /* As many floats as that would need all of memory: nothing is allocated for them. */
    check_bad(
        "\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[1],\"shape\":[4,3,16777216,16777216]",
        PROBLEM_BAD_PARAMETER);
    check_bad("\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[[[[1]],[[1,1]],[[1]]]],"
              "\"shape\":[1,3,1,1]",
              PROBLEM_BAD_PARAMETER);
}

/* ---------------------------------------------------------------- parameters ----------------- */

#define IMAGE "\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"Zm9v\"]"

/* A body that is refused for a reason, or with NULL a good one. */
static void check_text(const char *body, const char *detail)
{
    struct reading reading;

    read_body(&reading, body, strlen(body), strlen(body));
    if (reading.good != (detail == NULL) ||
        (detail != NULL && strstr(reading.problem.detail, detail) == NULL))
        fail_msg("%s: %s", body, reading.good ? "read" : reading.problem.detail);
    reading_end(&reading);
}

/* An input of these members. */
static void check_input(const char *members, const char *detail)
{
    char body[1024];

    assert_in_range(snprintf(body, sizeof body, "{\"inputs\":[{%s}]}", members), 1,
                    sizeof body - 1);
    check_text(body, detail);
}

/* A request of these members beside its input. */
static void check_members(const char *members, const char *detail)
{
    char body[1024];

    assert_in_range(snprintf(body, sizeof body, "{%s,\"inputs\":[{" IMAGE "}]}", members), 1,
                    sizeof body - 1);
    check_text(body, detail);
}

/* What would not change the answer is for other servers; what would is refused. */
static void parameters_of_others(void **state)
{
    static const char *const ignored[] = {
        "\"priority\":3",
        "\"priority\":\"high\"",
        "\"priority\":null",
        "\"sequence_id\":0",
        "\"sequence_id\":0.0",
        "\"sequence_id\":-0",
        "\"sequence_id\":\"\"",
        "\"sequence_id\":null",
        "\"sequence_start\":false",
        "\"sequence_end\":false",
        "\"content_type\":\"np\"",
        "\"mine\":{\"a\":[1,\"b\"]}",
        "\"scale\":5",
        "\"mine\":1,\"mine\":2",
        "\"headers\":{}",
        "\"triton_enable\":true",
        "\"timeout\":null",
        "\"timeout\":0",
        "\"flip\":\"TRUE\"",
        "\"flip\":\"0\"",
        "\"flip\":\"Off\"",
        "\"reject\":null",
        "\"reject\":5e-2",
        "\"reject\":\"0.05\"",
    };
    static const char *const refused[][2] = {
        {"\"sequence_id\":1", "sequence_id"},
        {"\"sequence_id\":-1", "sequence_id"},
        {"\"sequence_id\":18446744073709551615", "sequence_id"},
        {"\"sequence_id\":\"a\"", "sequence_id"},
        {"\"sequence_id\":\"0\"", "sequence_id"},
        {"\"sequence_id\":true", "sequence_id"},
        {"\"sequence_id\":[]", "sequence_id"},
        {"\"sequence_id\":0,\"sequence_id\":0", "\"sequence_id\" is there twice"},
        {"\"sequence_id\":7,\"sequence_start\":true,\"sequence_end\":true", "sequence_id"},
        {"\"timeout\":-1", "timeout"},
        {"\"timeout\":1.5", "timeout"},
        {"\"timeout\":\"5\"", "timeout"},
        {"\"flip\":1", "flip"},
        {"\"flip\":\"maybe\"", "flip"},
        {"\"flip\":\"on\\u0000\"", "flip"},
        {"\"reject\":0", "parameter reject: expected a number above 0, at most 1, as 0.05"},
        {"\"reject\":-0.05", "reject"},
        {"\"reject\":1.01", "reject"},
        {"\"reject\":true", "reject"},
        {"\"reject\":[0.05]", "reject"},
        {"\"reject\":\"0.05\\u0000\"", "reject"},
    };
    char members[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ignored); i++) {
        snprintf(members, sizeof members, "\"parameters\":{%s}", ignored[i]);
        check_members(members, NULL);
    }
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        snprintf(members, sizeof members, "\"parameters\":{%s}", refused[i][0]);
        check_members(members, refused[i][1]);
    }
}

static void parameters_of_tensors(void **state)
{
    (void)state;
    check_members("\"outputs\":[{\"name\":\"posteriors\",\"parameters\":{\"content_type\":\"np\","
                  "\"mine\":[1]}}]",
                  NULL);
    check_members("\"outputs\":[{\"name\":\"posteriors\",\"parameters\":"
                  "{\"shared_memory_region\":\"x\",\"shared_memory_byte_size\":8}}]",
                  "shared memory");
    check_input(IMAGE ",\"parameters\":{\"shared_memory_region\":\"x\"}", "shared memory");
    check_input(IMAGE ",\"parameters\":{\"content_type\":\"pillow_image\",\"x\":{}}", NULL);
    check_input(IMAGE ",\"parameters\":{\"content_type\":\"str\"}", NULL);
    check_members("\"outputs\":[{\"name\":\"logits\"}]",
                  "there is no output \"logits\": there are posteriors, features, typicality and "
                  "known");
    check_members("\"outputs\":[{\"name\":\"known\"},{\"name\":\"known\"}]",
                  "an output is asked for more than once");
    check_members("\"outputs\":[{\"name\":\"known\",\"parameters\":{\"classification\":1}}]",
                  "classification is of posteriors");
}

/* ---------------------------------------------------------------- what is wrong -------------- */

static void more_than_one_input(void **state)
{
    static const char *const second[] = {
        "{" IMAGE "}",
        "{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,3,1,1],\"data\":[1,2,3]}",
        "{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,3,1,1],"
        "\"parameters\":{\"binary_data_size\":12}}",
    };
    static const char first[] = "{\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":[1],"
                                "\"parameters\":{\"binary_data_size\":7}}";
    struct reading reading;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(second); i++)
        for (int swapped = 0; swapped < 2; swapped++) {
            char body[512];
            int size = snprintf(body, sizeof body, "{\"inputs\":[%s,%s]}",
                                swapped ? second[i] : first, swapped ? first : second[i]);

            assert_in_range(size, 1, sizeof body - 20);
            memcpy(body + size, "\3\0\0\0foo\0\0\200?\0\0\0@\0\0@@", 19);
            read_body(&reading, body, (size_t)size + 19, (size_t)size);
            assert_false(reading.good);
            if (strstr(reading.problem.detail, "has one input") == NULL)
                fail_msg("%s: %s", body, reading.problem.detail);
            reading_end(&reading);
        }
    check_input("\"name\":\"x\\ny\",\"datatype\":\"BYTES\",\"shape\":[1]",
                "no input \"x\\ny\": there are image and pixels");
}

static void empty_elements(void **state)
{
    static const char *const empty[] = {"\"\"", "\" \\n\"", "\"data:image/png;base64,\""};
    static const char body[] = "{\"inputs\":[{\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":"
                               "[2],\"parameters\":{\"binary_data_size\":11}}]}"
                               "\3\0\0\0foo\0\0\0\0";
    char members[256];
    struct reading reading;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        snprintf(members, sizeof members,
                 "\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":[2],"
                 "\"data\":[\"Zm9v\",%s]",
                 empty[i]);
        check_input(members, "picture 2 of input image is empty");
    }
    check_input("\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":[2],"
                "\"data\":[\"Zm9v\",\"b'Zm9v'\"]",
                "picture 2 of input image is not base64");
    read_body(&reading, body, sizeof body - 1, sizeof body - 1 - 11);
    assert_false(reading.good);
    assert_non_null(strstr(reading.problem.detail, "picture 2 of input image is empty"));
    reading_end(&reading);
}

/* Cut anywhere, and any byte changed: an answer or a refusal, and nothing read past the end. */
static void damaged_anywhere(void **state)
{
    static const char *const bodies[] = {PICTURES, PIXELS};
    struct reading reading;
    size_t refused = 0;

    (void)state;
    for (size_t b = 0; b < 2; b++) {
        struct damage damage = damage_of(bodies[b], strlen(bodies[b]));

        while (damage_cut(&damage))
            if (damage.size != 0) {
                read_body(&reading, damage.bytes, damage.size, damage.size);
                assert_false(reading.good);
                reading_end(&reading);
            }
        while (damage_byte(&damage)) {
            read_body(&reading, damage.bytes, damage.size, damage.size);
            refused += !reading.good;
            reading_end(&reading);
        }
    }
    assert_true(refused > 10000);
}

static void without_memory(void **state)
{
    static const char *const bodies[] = {PICTURES, PIXELS};
    long before = fault_outstanding();

    (void)state;
    for (size_t b = 0; b < 2; b++) {
        bool fired = fault_available();
        unsigned long n = 1;

        for (; fired; n++) {
            struct v2_request request = {0};
            struct problem problem;
            bool good;

            fault_arm(n);
            good = v2_request_read(&request, (const uint8_t *)bodies[b], strlen(bodies[b]),
                                   strlen(bodies[b]), IMAGES_MAX, &problem);
            fired = fault_disarm();
            assert_true(good == !fired);
            assert_true(good || problem.kind == PROBLEM_NO_MEMORY);
            v2_request_fini(&request);
            assert_int_equal(fault_outstanding(), before);
        }
        assert_true(!fault_available() || n > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_as_json),
        cmocka_unit_test(pixels_as_json),
        cmocka_unit_test(outputs),
        cmocka_unit_test(binary_data),
        cmocka_unit_test(the_body_is_the_picture),
        cmocka_unit_test(shapes),
        cmocka_unit_test(parameters_of_others),
        cmocka_unit_test(parameters_of_tensors),
        cmocka_unit_test(more_than_one_input),
        cmocka_unit_test(empty_elements),
        cmocka_unit_test(damaged_anywhere),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
