/* Checks of good answers. */
#include "answers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

json_t *member(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    if (value == NULL)
        fail_msg("no member \"%s\"", key);
    return value;
}

json_int_t integer_member(const json_t *object, const char *key)
{
    assert_true(json_is_integer(member(object, key)));
    return json_integer_value(member(object, key));
}

double number_member(const json_t *object, const char *key)
{
    assert_true(json_is_number(member(object, key)));
    return json_number_value(member(object, key));
}

const char *string_member(const json_t *object, const char *key)
{
    assert_true(json_is_string(member(object, key)));
    return json_string_value(member(object, key));
}

bool bool_member(const json_t *object, const char *key)
{
    assert_true(json_is_boolean(member(object, key)));
    return json_is_true(member(object, key));
}

/* Scores are floats: read as a double, printed to nine digits, they must be a float again. */
static double score_of(const json_t *entry)
{
    double score = number_member(entry, "score");

    assert_true(score >= 0 && score <= 1);
    assert_true(fabs((double)(float)score - score) <= 5.1e-9 * score);
    return score;
}

void check_top(const json_t *top, size_t n, size_t classes, bool labelled)
{
    double sum = 0, last = 2;
    json_int_t last_index = -1;

    assert_true(json_is_array(top));
    assert_int_equal(json_array_size(top), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(top, i);
        json_int_t index = integer_member(entry, "index");
        double score = score_of(entry);

        assert_int_equal(integer_member(entry, "rank"), i + 1);
        assert_true(index >= 0 && (size_t)index < classes);
        assert_true(score < last || (score == last && index > last_index));
        assert_int_equal(json_object_size(entry), labelled ? 5 : 3);
        if (labelled) {
            assert_int_equal(strlen(string_member(entry, "id")), 9);
            assert_true(strlen(string_member(entry, "label")) > 0);
        }
        last = score;
        last_index = index;
        sum += score;
    }
    assert_true(sum <= 1 + 1e-6);
    if (n == classes)
        assert_true(sum >= 1 - 1e-5);
}

static void check_model(const json_t *model)
{
    const char *version = string_member(model, "version");

    assert_true(strlen(string_member(model, "name")) > 0);
    assert_string_equal(string_member(model, "arch"), "D");
    assert_int_equal(strncmp(version, "sha256:", 7), 0);
    assert_int_equal(strspn(version + 7, "0123456789abcdef"), 64);
    assert_int_equal(strlen(version), 7 + 64);
    assert_true(strlen(string_member(model, "kernel")) > 0);
    assert_true(strlen(string_member(model, "precision")) > 0);
}

static void check_timing(const json_t *timing)
{
    static const char *const stages[] = {"queue", "decode", "infer", "total"};

    for (size_t i = 0; i < COUNT_OF(stages); i++)
        assert_true(number_member(timing, stages[i]) >= 0);
    assert_true(number_member(timing, "total") >= number_member(timing, "decode"));
}

void check_result(const json_t *result, size_t width, size_t height)
{
    const json_t *image = member(result, "image");
    const json_t *scales = member(result, "scales");

    check_model(member(result, "model"));
    assert_non_null(strstr("jpeg png webp", string_member(image, "format")));
    assert_int_equal(integer_member(image, "width"), width);
    assert_int_equal(integer_member(image, "height"), height);
    assert_true(json_array_size(scales) >= 1 && json_array_size(scales) <= 8);
    (void)bool_member(result, "flip");
    assert_true(json_is_array(member(result, "top")));
    check_timing(member(result, "timing_ms"));
}

void check_answer(const struct answer *answer, size_t width, size_t height)
{
    if (answer->status != 200)
        fail_msg("status %ld: %s", answer->status, answer->body);
    assert_non_null(answer->json);
    assert_string_equal(answer_header(answer, "Content-Type"), "application/json");
    assert_non_null(answer_header(answer, "X-Request-Id"));
    assert_string_equal(answer_header(answer, "X-Request-Id"),
                        string_member(answer->json, "request_id"));
    check_result(answer->json, width, height);
}

void check_continued(const struct server *server, const char *more, unsigned width, unsigned height)
{
    struct blob image = picture(width, height);
    struct answer answer;
    struct raw raw;
    char head[256];

    snprintf(head, sizeof head,
             "POST /classify HTTP/1.1\r\nHost: x\r\n%sExpect: 100-continue\r\n"
             "Content-Length: %zu\r\n\r\n",
             more, image.size);
    raw_open(&raw, server);
    assert_true(raw_text(&raw, head));
    assert_true(raw_answer(&raw, &answer));
    assert_int_equal(answer.status, 100);
    answer_free(&answer);
    assert_true(raw_send(&raw, image.bytes, image.size));
    assert_true(raw_answer(&raw, &answer));
    check_answer(&answer, width, height);
    answer_free(&answer);
    raw_close(&raw);
    blob_free(&image);
}

void check_scales(const json_t *result, const int *scales, size_t n)
{
    const json_t *array = member(result, "scales");

    assert_int_equal(json_array_size(array), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(json_integer_value(json_array_get(array, i)), scales[i]);
}

char *top_bytes(const struct answer *answer, size_t nth)
{
    static const char key[] = "\"top\":[";
    const char *start = answer->body, *end;
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i <= nth && start != NULL; i++) {
        start = strstr(start, key);
        start = start != NULL ? start + sizeof key - 2 : NULL;
    }
    if (start == NULL)
        return NULL;
    for (end = start; *end != '\0'; end++) {
        if (*end == '"' && end[-1] != '\\')
            quoted = !quoted;
        else if (!quoted && (*end == '[' || *end == ']'))
            depth += *end == '[' ? 1 : -1;
        if (depth == 0)
            return strndup(start, (size_t)(end - start) + 1);
    }
    return NULL;
}
