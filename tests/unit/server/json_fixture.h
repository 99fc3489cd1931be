/*
 * Reading back what json.c writes: an evaluated image of a tiny network with ImageNet's classes,
 * and strict accessors.
 */
#ifndef VGG_TESTS_JSON_FIXTURE_H
#define VGG_TESTS_JSON_FIXTURE_H

#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "answer/json.h"
#include "jpeg_maker.h"
#include "model_maker.h"

enum { CLASSES = 1000, SCALES = 2 };

/* An evaluated image of a tiny network with ImageNet's classes. */
static struct {
    struct vgg_model *model;
    struct vgg_engine *engine;
    uint8_t *jpeg;
    size_t jpeg_size;
    struct evaluation_params params;
    struct evaluation evaluation;
    float *posterior; /* [CLASSES], of the evaluation */
} fixture;

static inline int setup(void **state)
{
    static const struct vgg_init_options tiny = {
        .arch = "A", .width = 2, .fc = 8, .classes = CLASSES, .crop = 32, .seed = 7};
    static const struct jpeg_spec spec = {.width = 80, .height = 64};
    static const struct vgg_image_limits limits;
    static const struct vgg_job_options options;
    struct evaluation *evaluation = &fixture.evaluation;
    char path[] = "/tmp/vgg-json-XXXXXX";
    int fd = mkstemp(path);
    bool loaded;

    (void)state;
    loaded = fd >= 0 && vgg_model_init_file(path, &tiny, NULL) == VGG_OK &&
             vgg_model_load(path, NULL, &fixture.model, NULL) == VGG_OK;
    close(fd);
    unlink(path);
    if (!loaded ||
        vgg_engine_create(&(struct vgg_engine_options){.threads = 1}, &fixture.engine, NULL) !=
            VGG_OK ||
        !jpeg_make(&spec, &fixture.jpeg, &fixture.jpeg_size))
        return -1;
    fixture.params = (struct evaluation_params){
        .request = {.scales = {32, 64}, .scales_n = SCALES, .flip = true}, .top_k = 5, .map = true};
    evaluation->bytes = fixture.jpeg;
    evaluation->size = fixture.jpeg_size;
    evaluation_check(evaluation, fixture.model, &fixture.params, &limits, UINT64_MAX);
    evaluation_begin(evaluation, fixture.engine, fixture.model, &fixture.params, &limits, &options);
    evaluation_end(evaluation);
    fixture.params.map = false; /* computed, shown where a test asks */
    if (evaluation->failed)
        return -1;
    fixture.posterior = (float *)(uintptr_t)vgg_job_posterior(evaluation->job);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    evaluation_fini(&fixture.evaluation);
    vgg_engine_destroy(fixture.engine);
    vgg_model_release(fixture.model);
    free(fixture.jpeg);
    return 0;
}

/* Another model, with 99 known distances; release it. */
static inline struct vgg_model *model_with_typicality(void)
{
    char path[] = "/tmp/vgg-known-XXXXXX";
    struct vgg_model *model = NULL;
    struct maker maker;
    unsigned char *bytes;
    size_t size;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    maker_make(&maker, &(struct maker_spec){.known = 99});
    bytes = maker_bytes(&maker, &size);
    maker_write(path, bytes, size);
    free(bytes);
    maker_free(&maker);
    assert_int_equal(vgg_model_load(path, NULL, &model, NULL), VGG_OK);
    close(fd);
    unlink(path);
    return model;
}

/* ---------------------------------------------------------------- reading back --------------- */

/* One line, one JSON value, nothing else. */
static inline json_t *parse(char *line, size_t size)
{
    json_t *root;

    if (line == NULL)
        fail_msg("the line is lost");
    assert_int_equal(strlen(line), size);
    assert_ptr_equal(strchr(line, '\n'), line + size - 1);
    root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL)
        fail_msg("not JSON: %s", line);
    free(line);
    return root;
}

static inline const json_t *get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (value == NULL)
        fail_msg("%s is missing", key);
    return value;
}

static inline const char *string(const json_t *object, const char *key)
{
    const json_t *value = get(object, key);

    assert_true(json_is_string(value));
    return json_string_value(value);
}

static inline json_int_t integer(const json_t *object, const char *key)
{
    const json_t *value = get(object, key);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static inline struct json_answer answer_about(const struct evaluation *evaluations, size_t n)
{
    return (struct json_answer){.request_id = "id-1",
                                .model = fixture.model,
                                .params = &fixture.params,
                                .evaluations = evaluations,
                                .evaluations_n = n,
                                .several = n > 1,
                                .queue_ns = 1500000,
                                .total_ns = 9876543210};
}

static inline json_t *parse_answer(const struct json_answer *answer)
{
    size_t size = 0;
    char *line = json_answer(answer, &size);

    return parse(line, size);
}

/* The k best in order, with the scores as exactly those floats. */
static inline void check_top(const json_t *top, const float *posterior, size_t k)
{
    const float *previous = NULL;

    assert_int_equal(json_array_size(top), k);
    for (size_t i = 0; i < k; i++) {
        const json_t *entry = json_array_get(top, i);
        json_int_t index = integer(entry, "index");
        const char *id, *label;
        float score;

        assert_int_equal(integer(entry, "rank"), i + 1);
        assert_in_range(index, 0, CLASSES - 1);
        score = (float)json_real_value(get(entry, "score"));
        if (memcmp(&score, &posterior[index], sizeof score) != 0)
            fail_msg("class %d: %a became %a", (int)index, (double)posterior[index], (double)score);
        assert_true(previous == NULL || *previous > posterior[index] ||
                    (*previous == posterior[index] && previous < &posterior[index]));
        previous = &posterior[index];
        vgg_model_get_label(fixture.model, (uint32_t)index, &id, &label);
        assert_string_equal(string(entry, "id"), id);
        assert_string_equal(string(entry, "label"), label);
    }
}

#endif
