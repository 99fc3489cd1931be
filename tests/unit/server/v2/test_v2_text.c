/* What the v2 protocol answers: each text read back, and binary data byte by byte. */
#include "v2/v2_text.h"

#include "fault.h"
#include "server/json_fixture.h"

/* ---------------------------------------------------------------- of the server and the model  */

/* parse() of a text and the size that it was said to have. */
static json_t *read_back(char *text, const size_t *size)
{
    return parse(text, *size);
}

static void of_the_server(void **state)
{
    const json_t *extensions;
    size_t size = 0;
    json_t *root = read_back(v2_text_server(&size), &size);

    (void)state;
    extensions = get(root, "extensions");
    assert_string_equal(string(root, "name"), "vgg");
    assert_string_equal(string(root, "version"), VGG_VERSION);
    assert_int_equal(json_array_size(extensions), 5);
    json_decref(root);
}

static void of_its_health(void **state)
{
    size_t size = 0;
    json_t *root = read_back(v2_text_health("live", true, &size), &size);

    (void)state;
    assert_true(json_is_true(get(root, "live")));
    json_decref(root);
    root = read_back(v2_text_health("ready", false, &size), &size);
    assert_true(json_is_false(get(root, "ready")));
    json_decref(root);
}

static const char *model_name(void)
{
    return vgg_model_get_info(fixture.model)->name;
}

/* An element of the array `key` with that name. */
static const json_t *named(const json_t *root, const char *key, const char *name)
{
    const json_t *array = get(root, key);

    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(string(json_array_get(array, i), "name"), name) == 0)
            return json_array_get(array, i);
    fail_msg("no %s in %s", name, key);
    return NULL;
}

static void check_numbers(const json_t *array, size_t n, const json_int_t *expected)
{
    assert_int_equal(json_array_size(array), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(json_integer_value(json_array_get(array, i)), expected[i]);
}

static void of_the_model(void **state)
{
    const struct vgg_model_info *info = vgg_model_get_info(fixture.model);
    const json_t *output;
    size_t size = 0;
    json_t *root = read_back(v2_text_model(fixture.model, &size), &size);

    (void)state;
    assert_string_equal(string(root, "name"), model_name());
    assert_string_equal(json_string_value(json_array_get(get(root, "versions"), 0)), "1");
    assert_string_equal(string(named(root, "inputs", "image"), "datatype"), "BYTES");
    check_numbers(get(named(root, "inputs", "pixels"), "shape"), 4, (json_int_t[]){-1, 3, -1, -1});
    output = named(root, "outputs", "posteriors");
    assert_string_equal(string(output, "datatype"), "FP32");
    check_numbers(get(output, "shape"), 2, (json_int_t[]){-1, CLASSES});
    check_numbers(get(named(root, "outputs", "features"), "shape"), 2,
                  (json_int_t[]){-1, info->features});
    assert_int_equal(json_array_size(get(root, "outputs")), 2);
    json_decref(root);
}

/* Outputs that only such a model has, in its metadata and in its configuration. */
static void of_a_model_with_typicality(void **state)
{
    struct vgg_model *model = model_with_typicality();
    size_t size = 0;
    json_t *metadata = read_back(v2_text_model(model, &size), &size);
    json_t *config = read_back(v2_text_config(model, 16, &size), &size);
    const json_t *outputs = get(metadata, "outputs");

    (void)state;
    assert_int_equal(json_array_size(outputs), 4);
    assert_int_equal(json_array_size(get(config, "output")), 4);
    for (size_t i = 2; i < 4; i++) {
        const json_t *output = json_array_get(outputs, i);
        const json_t *configured = named(config, "output", string(output, "name"));

        assert_string_equal(string(output, "name"), i == 2 ? "typicality" : "known");
        assert_string_equal(string(output, "datatype"), i == 2 ? "FP32" : "BOOL");
        assert_string_equal(string(configured, "data_type"), i == 2 ? "TYPE_FP32" : "TYPE_BOOL");
        check_numbers(get(output, "shape"), 2, (json_int_t[]){-1, 1});
        check_numbers(get(configured, "dims"), 1, (json_int_t[]){1});
    }
    json_decref(metadata);
    json_decref(config);
    vgg_model_release(model);
}

static void of_its_configuration(void **state)
{
    const struct vgg_model_info *info = vgg_model_get_info(fixture.model);
    size_t size = 0;
    json_t *root = read_back(v2_text_config(fixture.model, 16, &size), &size);
    const json_t *parameters = get(root, "parameters");

    (void)state;
    assert_string_equal(string(root, "name"), model_name());
    assert_int_equal(integer(root, "max_batch_size"), 16);
    check_numbers(get(named(root, "input", "image"), "dims"), 1, (json_int_t[]){1});
    check_numbers(get(named(root, "input", "pixels"), "dims"), 3, (json_int_t[]){3, -1, -1});
    check_numbers(get(named(root, "output", "posteriors"), "dims"), 1, (json_int_t[]){CLASSES});
    check_numbers(get(named(root, "output", "features"), "dims"), 1,
                  (json_int_t[]){info->features});
    assert_string_equal(string(get(parameters, "version"), "string_value"), info->version);
    assert_string_equal(string(get(parameters, "kernel"), "string_value"), info->kernel);
    assert_string_equal(string(get(parameters, "precision"), "string_value"), info->precision);
    json_decref(root);
}

static void of_its_readiness(void **state)
{
    (void)state;
    for (unsigned ready = 0; ready < 2; ready++) {
        size_t size = 0;
        json_t *root = read_back(v2_text_model_ready(fixture.model, ready, &size), &size);
        json_t *index = read_back(v2_text_index(fixture.model, ready, &size), &size);
        const json_t *entry = json_array_get(index, 0);

        assert_string_equal(string(root, "name"), model_name());
        assert_true(json_is_true(get(root, "ready")) == ready);
        assert_int_equal(json_array_size(index), 1);
        assert_string_equal(string(entry, "name"), model_name());
        assert_string_equal(string(entry, "version"), "1");
        assert_string_equal(string(entry, "state"), ready ? "READY" : "UNAVAILABLE");
        assert_string_equal(string(entry, "reason"), ready ? "" : "shutting down");
        json_decref(root);
        json_decref(index);
    }
}

/* ---------------------------------------------------------------- answers -------------------- */

/* The fixture's picture twice, with these outputs; features are those of a job of its own. */
enum { PICTURES = 2 };

static struct evaluation pictures[PICTURES];

static char *answer(const struct v2_output *outputs, size_t n, size_t *size, size_t *json_size)
{
    struct v2_request request = {.n = PICTURES, .outputs_n = n};

    memcpy(request.outputs, outputs, n * sizeof *outputs);
    return v2_text_answer(&request, fixture.model, pictures, size, json_size);
}

static json_t *json_answer_of(const struct v2_output *outputs, size_t n)
{
    size_t size = 0, json_size = 1;
    char *text = answer(outputs, n, &size, &json_size);

    assert_int_equal(json_size, 0); /* there is nothing else */
    return parse(text, size);
}

/* The same floats, digit by digit, for every picture. */
static void check_floats(const json_t *output, const float *expected, size_t n)
{
    const json_t *data = get(output, "data");

    assert_string_equal(string(output, "datatype"), "FP32");
    check_numbers(get(output, "shape"), 2, (json_int_t[]){PICTURES, (json_int_t)n});
    assert_int_equal(json_array_size(data), PICTURES * n);
    for (size_t i = 0; i < PICTURES * n; i++) {
        float value = (float)json_number_value(json_array_get(data, i));

        assert_memory_equal(&value, &expected[i % n], sizeof value);
    }
}

static void numbers(void **state)
{
    static const struct v2_output outputs[] = {{.kind = V2_OUTPUT_FEATURES},
                                               {.kind = V2_OUTPUT_POSTERIORS}};
    const struct vgg_model_info *info = vgg_model_get_info(fixture.model);
    json_t *root = json_answer_of(outputs, 2);
    const json_t *array = get(root, "outputs");

    (void)state;
    assert_string_equal(string(root, "model_name"), model_name());
    assert_string_equal(string(root, "model_version"), "1");
    assert_null(json_object_get(root, "id"));
    assert_string_equal(string(get(root, "parameters"), "version"), info->version);
    assert_int_equal(json_array_size(array), 2);
    assert_string_equal(string(json_array_get(array, 0), "name"), "features"); /* as asked for */
    check_floats(json_array_get(array, 0), vgg_job_features(pictures[0].job), info->features);
    check_floats(json_array_get(array, 1), fixture.posterior, CLASSES);
    json_decref(root);
}

/* One of each picture, with the level that has decided. */
static void typicalities(void **state)
{
    static const struct v2_output outputs[] = {{.kind = V2_OUTPUT_TYPICALITY},
                                               {.kind = V2_OUTPUT_KNOWN, .binary = true}};
    size_t size = 0, json_size = 0;
    json_t *root;
    char *text;

    (void)state;
    pictures[0].typicality = (struct evaluation_typicality){0.25, 0.05, true};
    pictures[1].typicality = (struct evaluation_typicality){0.03125, 0.05, false};
    text = answer(outputs, 2, &size, &json_size);
    root = json_loadb(text, json_size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_true(json_number_value(get(get(root, "parameters"), "reject")) == 0.05);
    check_numbers(get(named(root, "outputs", "typicality"), "shape"), 2, (json_int_t[]){2, 1});
    for (size_t i = 0; i < PICTURES; i++)
        assert_true(json_number_value(
                        json_array_get(get(named(root, "outputs", "typicality"), "data"), i)) ==
                    pictures[i].typicality.p);
    assert_string_equal(string(named(root, "outputs", "known"), "datatype"), "BOOL");
    assert_int_equal(size - json_size, PICTURES);
    assert_memory_equal(text + json_size, "\1\0", PICTURES);
    json_decref(root);
    free(text);
    root = json_answer_of((const struct v2_output[]){{.kind = V2_OUTPUT_KNOWN}}, 1);
    assert_true(json_is_true(json_array_get(get(named(root, "outputs", "known"), "data"), 0)));
    assert_true(json_is_false(json_array_get(get(named(root, "outputs", "known"), "data"), 1)));
    json_decref(root);
    root = json_answer_of((const struct v2_output[]){{.kind = V2_OUTPUT_POSTERIORS}}, 1);
    assert_null(json_object_get(get(root, "parameters"), "reject"));
    json_decref(root);
}

static void the_id_as_it_was(void **state)
{
    static const char id[] = "\"\\u0041 \\\"x\"";
    struct v2_request request = {.id = {id, sizeof id - 1}, .n = PICTURES, .outputs_n = 1};
    size_t size = 0, json_size = 0;
    char *text;

    (void)state;
    text = v2_text_answer(&request, fixture.model, pictures, &size, &json_size);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"id\":\"\\u0041 \\\"x\","));
    json_decref(parse(text, size));
}

/* "score:index:label", best first. */
static void check_class(const char *text, size_t rank)
{
    uint32_t top[4];
    const char *id, *label, *end;
    unsigned index;
    float score;

    vgg_top_k(fixture.posterior, CLASSES, COUNT_OF(top), top);
    vgg_model_get_label(fixture.model, top[rank], &id, &label);
    score = strtof(text, (char **)(uintptr_t)&end);
    assert_memory_equal(&score, &fixture.posterior[top[rank]], sizeof score);
    assert_int_equal(sscanf(end, ":%u:", &index), 1);
    assert_int_equal(index, top[rank]);
    assert_string_equal(strchr(end + 1, ':') + 1, label);
}

static void classes(void **state)
{
    static const struct v2_output three = {.classification = 3};
    static const struct v2_output all = {.classification = UINT64_MAX};
    json_t *root = json_answer_of(&three, 1);
    const json_t *output = named(root, "outputs", "posteriors"), *data = get(output, "data");

    (void)state;
    assert_string_equal(string(output, "datatype"), "BYTES");
    check_numbers(get(output, "shape"), 2, (json_int_t[]){PICTURES, 3});
    assert_int_equal(json_array_size(data), PICTURES * 3);
    for (size_t i = 0; i < PICTURES * 3; i++)
        check_class(json_string_value(json_array_get(data, i)), i % 3);
    json_decref(root);

    root = json_answer_of(&all, 1);
    check_numbers(get(named(root, "outputs", "posteriors"), "shape"), 2,
                  (json_int_t[]){PICTURES, CLASSES});
    json_decref(root);
}

static void binary_data(void **state)
{
    static const struct v2_output outputs[] = {{.binary = true, .classification = 2},
                                               {.kind = V2_OUTPUT_FEATURES, .binary = true}};
    uint32_t features = vgg_model_get_info(fixture.model)->features;
    size_t size = 0, json_size = 0, expected = PICTURES * features * sizeof(float);
    char *text = answer(outputs, 2, &size, &json_size);
    const char *at = text + json_size;
    const json_t *classes_of, *features_of;
    json_t *root;

    (void)state;
    assert_non_null(text);
    root = json_loadb(text, json_size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    classes_of = named(root, "outputs", "posteriors");
    features_of = named(root, "outputs", "features");
    assert_null(json_object_get(classes_of, "data"));
    assert_int_equal(integer(get(features_of, "parameters"), "binary_data_size"), expected);
    expected += (size_t)integer(get(classes_of, "parameters"), "binary_data_size");
    assert_int_equal(size - json_size, expected);
    for (size_t i = 0; i < PICTURES * 2; i++) { /* lengths, each before its text */
        char element[256];
        uint32_t length;

        memcpy(&length, at, sizeof length);
        snprintf(element, sizeof element, "%.*s", (int)length, at + sizeof length);
        assert_int_equal(strlen(element), length);
        check_class(element, i % 2);
        at += sizeof length + length;
    }
    for (size_t i = 0; i < PICTURES; i++, at += features * sizeof(float))
        assert_memory_equal(at, vgg_job_features(pictures[0].job), features * sizeof(float));
    assert_ptr_equal(at, text + size);
    json_decref(root);
    free(text);
}

/* One as JSON, the other as bytes. */
static void some_of_it_binary(void **state)
{
    static const struct v2_output outputs[] = {{.binary = false},
                                               {.kind = V2_OUTPUT_FEATURES, .binary = true}};
    uint32_t features = vgg_model_get_info(fixture.model)->features;
    size_t size = 0, json_size = 0;
    char *text = answer(outputs, 2, &size, &json_size);
    json_t *root = json_loadb(text, json_size, 0, NULL);

    (void)state;
    assert_non_null(root);
    check_floats(named(root, "outputs", "posteriors"), fixture.posterior, CLASSES);
    assert_int_equal(size - json_size, PICTURES * features * sizeof(float));
    assert_memory_equal(text + json_size, vgg_job_features(pictures[0].job),
                        features * sizeof(float));
    json_decref(root);
    free(text);
}

/* ---------------------------------------------------------------- memory --------------------- */

static char *write_text(size_t which, size_t *size)
{
    static const struct v2_output outputs[] = {{.classification = 2},
                                               {.kind = V2_OUTPUT_FEATURES, .binary = true}};
    size_t json_size;

    switch (which) {
    case 0:
        return v2_text_server(size);
    case 1:
        return v2_text_health("live", true, size);
    case 2:
        return v2_text_model(fixture.model, size);
    case 3:
        return v2_text_config(fixture.model, 1, size);
    case 4:
        return v2_text_model_ready(fixture.model, true, size);
    case 5:
        return v2_text_index(fixture.model, true, size);
    default:
        return answer(outputs, 2, size, &json_size);
    }
}

static void without_memory(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    for (size_t which = 0; which < 7; which++) {
        bool fired = true;
        unsigned long n;

        for (n = 1; fired; n++) {
            long before = fault_outstanding();
            size_t size;
            char *text;

            fault_arm(n);
            text = write_text(which, &size);
            fired = fault_disarm();
            assert_true((text == NULL) == fired);
            free(text);
            assert_int_equal(fault_outstanding(), before);
        }
        assert_true(n > 2);
    }
}

/* ---------------------------------------------------------------- fixtures ------------------- */

static int start(void **state)
{
    static const struct vgg_image_limits limits;
    static const struct vgg_job_options options;

    if (setup(state) != 0)
        return -1;
    fixture.params.features = true;
    for (size_t i = 0; i < PICTURES; i++) {
        struct evaluation *picture = &pictures[i];

        picture->bytes = fixture.jpeg;
        picture->size = fixture.jpeg_size;
        evaluation_check(picture, fixture.model, &fixture.params, &limits, UINT64_MAX);
        evaluation_begin(picture, fixture.engine, fixture.model, &fixture.params, &limits,
                         &options);
        evaluation_end(picture);
        if (picture->failed)
            return -1;
    }
    return 0;
}

static int stop(void **state)
{
    for (size_t i = 0; i < PICTURES; i++)
        evaluation_fini(&pictures[i]);
    return teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_the_server),    cmocka_unit_test(of_its_health),
        cmocka_unit_test(of_the_model),     cmocka_unit_test(of_its_configuration),
        cmocka_unit_test(of_its_readiness), cmocka_unit_test(numbers),
        cmocka_unit_test(the_id_as_it_was), cmocka_unit_test(classes),
        cmocka_unit_test(binary_data),      cmocka_unit_test(some_of_it_binary),
        cmocka_unit_test(without_memory),   cmocka_unit_test(of_a_model_with_typicality),
        cmocka_unit_test(typicalities),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
