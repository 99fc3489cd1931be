/* Files of a multipart body, and what is not one. */
#include "check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"
#include "http/multipart.h"

enum { PARTS_MAX = 3 };

/* Parse a copy of exactly the body's size, so that a sanitizer sees a read past its end. */
static enum multipart_result parse_form(const char *body, size_t size, struct multipart *form,
                                        struct http_part parts[PARTS_MAX], uint8_t **copy)
{
    enum multipart_result state;

    *form = (struct multipart){.parts = parts, .parts_max = PARTS_MAX};
    *copy = malloc(size + (size == 0));
    assert_non_null(*copy);
    if (size != 0)
        memcpy(*copy, body, size);
    state = multipart_parse(form, *copy, size, "XyZ");
    if (state == MULTIPART_BAD)
        assert_true(form->error != NULL && form->error[0] != '\0');
    return state;
}

static enum multipart_result parse(const char *body, size_t size, struct http_part parts[PARTS_MAX],
                                   size_t *n, uint8_t **copy)
{
    struct multipart form;
    enum multipart_result state = parse_form(body, size, &form, parts, copy);

    *n = form.parts_n;
    return state;
}

#define FILE_HEAD "Content-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n"

struct expected_part {
    const char *bytes;
    size_t size;
};

/* Bodies in one string; parts end with a NULL. */
static const struct {
    const char *body;
    struct expected_part parts[PARTS_MAX + 1];
} good[] = {
    {"--XyZ\r\n" FILE_HEAD "\r\nhello\r\n--XyZ--\r\n", {{"hello", 5}}},
    {"--XyZ\r\n" FILE_HEAD "\r\nhello\r\n--XyZ--", {{"hello", 5}}},
    {"--XyZ\r\n" FILE_HEAD "\r\nhello\r\n--XyZ--\r\nepilogue\r\n--XyZ", {{"hello", 5}}},
    {"preamble\r\n--XyZ\r\n" FILE_HEAD "\r\nhello\r\n--XyZ--\r\n", {{"hello", 5}}},
    {"--XyZ \t\r\n" FILE_HEAD "\r\nhello\r\n--XyZ--\r\n", {{"hello", 5}}},
    {"--XyZ\r\n" FILE_HEAD "Content-Type: image/jpeg\r\n\r\n\r\n--XyZ--\r\n", {{"", 0}}},
    {"--XyZ\r\n" FILE_HEAD "\r\n\r\n--XyZ\r\n" FILE_HEAD "\r\nb\r\n--XyZ--\r\n",
     {{"", 0}, {"b", 1}}},
    {"--XyZ\r\n" FILE_HEAD "\r\na\r\n--XyZw\r\nb\r\n--XyZ--\r\n", {{"a\r\n--XyZw\r\nb", 12}}},
    {"--XyZ\r\n" FILE_HEAD "\r\n\r\n--Xy\r\n-\r\n\r\n--XyZ--\r\n", {{"\r\n--Xy\r\n-\r\n", 11}}},
    {"--XyZ\r\n" FILE_HEAD "\r\nx--XyZ\r\n--XyZ--\r\n", {{"x--XyZ", 6}}}, /* not after a line end */
    {"--XyZ\r\ncontent-disposition:form-data;FileName=a.jpg\r\n\r\nc\r\n--XyZ--", {{"c", 1}}},
    {"--XyZ\r\nContent-Disposition: form-data; name=\"a\\\"b;c\"; filename*=UTF-8''x\r\n\r\nd\r\n"
     "--XyZ--",
     {{"d", 1}}},
    {"--XyZ\r\nX: filename=\r\n" FILE_HEAD "\r\ne\r\n--XyZ--", {{"e", 1}}},
    {"--XyZ\r\n" FILE_HEAD "\r\n1\r\n--XyZ\r\n" FILE_HEAD "\r\n2\r\n--XyZ\r\n" FILE_HEAD
     "\r\n3\r\n--XyZ--",
     {{"1", 1}, {"2", 1}, {"3", 1}}},
    {"--XyZ\r\n" FILE_HEAD "\r\n--XyZ--\r\n", {{"", 0}}}, /* the line end is the delimiter's */
};

static void files_of_good_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct http_part parts[PARTS_MAX];
        uint8_t *copy;
        size_t n, expected = 0;
        enum multipart_result found = parse(good[i].body, strlen(good[i].body), parts, &n, &copy);

        while (expected < PARTS_MAX && good[i].parts[expected].bytes != NULL)
            expected++;
        if (found != MULTIPART_DONE || n != expected)
            fail_msg("body %zu: state %d, %zu parts of %zu", i, (int)found, n, expected);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(parts[k].size, good[i].parts[k].size);
            assert_memory_equal(parts[k].bytes, good[i].parts[k].bytes, parts[k].size);
        }
        free(copy);
    }
}

static void bad_bodies(void **state)
{
    static const char *const bad[] = {
        "",
        "--XyZ",
        "--XyZ--",
        "--XyZ--\r\n",
        "--XyZ\r\n",
        "hello",
        "--XyA\r\n" FILE_HEAD "\r\nhello\r\n--XyA--\r\n",
        "--XyZ\r\n" FILE_HEAD "\r\nhello",
        "--XyZ\r\n" FILE_HEAD "\r\nhello\r\n--XyZ",
        "--XyZ\r\n" FILE_HEAD "\r\nhello\r\n--XyZ-",
        "--XyZ\r\n" FILE_HEAD "\r\nhello\r\n--XyZ\r\n",
        "--XyZ\r\n" FILE_HEAD "hello\r\n--XyZ--\r\n",
        "--XyZ\n" FILE_HEAD "\nhello\n--XyZ--\n",
        "--XyZ\r\n\r\nhello\r\n--XyZ--\r\n",
        "--XyZ\r\nContent-Type: text/plain\r\n\r\nhello\r\n--XyZ--\r\n",
        "--XyZ\r\nContent-Disposition: form-data; name=\"top_k\"\r\n\r\n5\r\n--XyZ--\r\n",
        "--XyZ\r\nContent-Disposition: form-data; name=\"filename=\"\r\n\r\n5\r\n--XyZ--\r\n",
        "--XyZ\r\nContent-Disposition: form-data; name=\"\\\"; filename=\"\r\n\r\n5\r\n--XyZ--\r\n",
        "--XyZ\r\nX-Content-Disposition: form-data; filename=\"a\"\r\n\r\n5\r\n--XyZ--\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct http_part parts[PARTS_MAX];
        uint8_t *copy;
        size_t n;

        if (parse(bad[i], strlen(bad[i]), parts, &n, &copy) != MULTIPART_BAD)
            fail_msg("%s: %zu parts", bad[i], n);
        free(copy);
    }
}

/* ---------------------------------------------------------------- fields --------------------- */

#define FIELD(name) "--XyZ\r\nContent-Disposition: form-data; name=" name "\r\n"
#define FILE_PART "--XyZ\r\n" FILE_HEAD "\r\nhello\r\n"

static void fields_of_forms(void **state)
{
    static const struct {
        const char *body;
        size_t size; /* 0: that of the string */
        struct http_field fields[3];
    } cases[] = {
        {FILE_PART FIELD("\"top_k\"") "\r\n3\r\n--XyZ--", 0, {{"top_k", "3"}}},
        {FIELD("\"top_k\"") "\r\n3\r\n" FILE_PART "--XyZ--", 0, {{"top_k", "3"}}},
        {FILE_PART FIELD("top_k") "\r\n3\r\n--XyZ--", 0, {{"top_k", "3"}}},
        {FILE_PART FIELD("\"top_k\"") "Content-Type: text/plain; charset=utf-8\r\n\r\n3\r\n--XyZ--",
         0,
         {{"top_k", "3"}}},
        {FILE_PART FIELD("\"top_k\"") "Content-Type: application/json\r\n\r\n3\r\n--XyZ--",
         0,
         {{"top_k", "3"}}},
        {FILE_PART FIELD("\"a\"") "\r\n\r\n" FIELD("\"b\"") "\r\nx\r\ny\r\n--XyZ--",
         0,
         {{"a", ""}, {"b", "x\r\ny"}}},
        {FILE_PART FIELD("\"a\"") "\r\n--XyZ--", 0, {{"a", ""}}}, /* the delimiter's line end */
        {FILE_PART FIELD("\"a\"") "\r\n1\r\n" FIELD("\"a\"") "\r\n2\r\n--XyZ--",
         0,
         {{"a", "1"}, {"a", "2"}}},
        {FILE_PART FIELD("\"a\\\"b;c\"; x=y") "\r\n1\r\n--XyZ--", 0, {{"a\"b;c", "1"}}},
        {FILE_PART FIELD("a ; x=y") "\r\n1\r\n--XyZ--", 0, {{"a", "1"}}},
        {FILE_PART FIELD("\"\"") "\r\n1\r\n--XyZ--", 0, {{"", "1"}}},
        {FILE_PART FIELD("\"filename=\"") "\r\n1\r\n--XyZ--", 0, {{"filename=", "1"}}},
        {FILE_PART FIELD("\"top_k\"") "\r\n3\0004\r\n--XyZ--",
         sizeof(FILE_PART FIELD("\"top_k\"") "\r\n3\0004\r\n--XyZ--") - 1,
         {{"\\0", "3"}}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct http_part parts[PARTS_MAX];
        struct multipart form;
        uint8_t *copy;
        size_t size = cases[i].size != 0 ? cases[i].size : strlen(cases[i].body), n = 0;

        if (parse_form(cases[i].body, size, &form, parts, &copy) != MULTIPART_DONE)
            fail_msg("case %zu: %s", i, form.error);
        assert_int_equal(form.parts_n, 1);
        assert_int_equal(parts[0].size, 5);
        assert_memory_equal(parts[0].bytes, "hello", 5);
        while (n < 3 && cases[i].fields[n].name != NULL)
            n++;
        assert_int_equal(form.fields_n, n);
        for (size_t k = 0; k < n; k++) {
            assert_string_equal(form.fields[k].name, cases[i].fields[k].name);
            assert_string_equal(form.fields[k].value, cases[i].fields[k].value);
        }
        free(copy);
    }
}

static void fields_are_bounded(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        char body[4096] = FILE_PART;
        struct http_part parts[PARTS_MAX];
        struct multipart form;
        uint8_t *copy;

        for (size_t i = 0; i < HTTP_FIELDS_MAX + extra; i++)
            strcat(body, FIELD("\"a\"") "\r\n1\r\n");
        strcat(body, "--XyZ--");
        assert_int_equal(parse_form(body, strlen(body), &form, parts, &copy),
                         extra == 0 ? MULTIPART_DONE : MULTIPART_BAD);
        free(copy);
    }
}

/* A file name, or the type of a picture or of any bytes, makes a file of a part. */
static void files_without_a_name(void **state)
{
    static const struct {
        const char *head;
        bool is_file;
    } cases[] = {
        {FIELD("\"image\"") "Content-Type: image/jpeg\r\n", true},
        {FIELD("\"image\"") "content-type:IMAGE/PNG; x=y\r\n", true},
        {FIELD("\"image\"") "Content-Type: application/octet-stream\r\n", true},
        {"--XyZ\r\nContent-Type: image/webp\r\nContent-Disposition: form-data; name=a\r\n", true},
        {"--XyZ\r\nContent-Type: image/webp\r\n", true},
        {FIELD("\"image\"; filename=\"\"") "Content-Type: image/jpeg\r\n", true}, /* not empty */
        {FIELD("\"image\"") "Content-Type: text/plain\r\n", false},
        {FIELD("\"image\""), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char body[512];
        struct http_part parts[PARTS_MAX];
        struct multipart form;
        uint8_t *copy;

        snprintf(body, sizeof body, "%s\r\nhello\r\n--XyZ--", cases[i].head);
        (void)parse_form(body, strlen(body), &form, parts, &copy);
        if (form.parts_n != cases[i].is_file || form.fields_n != !cases[i].is_file)
            fail_msg("case %zu: %zu files, %zu fields", i, form.parts_n, form.fields_n);
        free(copy);
    }
}

#define UNSELECTED(type) FIELD("\"more\"; filename=\"\"") type "\r\n\r\n"

/* File inputs of a form in which nothing was chosen. */
static void unselected_files(void **state)
{
    static const char *const bodies[] = {
        UNSELECTED("Content-Type: application/octet-stream\r\n") FILE_PART "--XyZ--",
        FILE_PART UNSELECTED("") "--XyZ--",
        UNSELECTED("") FILE_PART UNSELECTED("") "--XyZ--",
        FILE_PART FIELD("\"more\"; filename=") "\r\n\r\n--XyZ--",
        FILE_PART FIELD("\"more\"; filename=\"\"") "\r\n--XyZ--",
    };
    struct http_part parts[PARTS_MAX];
    struct multipart form;
    uint8_t *copy;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        if (parse_form(bodies[i], strlen(bodies[i]), &form, parts, &copy) != MULTIPART_DONE)
            fail_msg("case %zu: %s", i, form.error);
        assert_int_equal(form.parts_n, 1);
        assert_memory_equal(parts[0].bytes, "hello", 5);
        assert_int_equal(form.fields_n, 0);
        free(copy);
    }
    assert_int_equal(
        parse_form(UNSELECTED("") "--XyZ--", strlen(UNSELECTED("") "--XyZ--"), &form, parts, &copy),
        MULTIPART_BAD);
    assert_non_null(strstr(form.error, "no file was chosen"));
    free(copy);
    /* An empty file that has a name is one. */
    assert_int_equal(parse_form("--XyZ\r\n" FILE_HEAD "\r\n\r\n--XyZ--",
                                strlen("--XyZ\r\n" FILE_HEAD "\r\n\r\n--XyZ--"), &form, parts,
                                &copy),
                     MULTIPART_DONE);
    assert_int_equal(form.parts_n, 1);
    free(copy);
}

/* ---------------------------------------------------------------- hostile -------------------- */

/* Only the whole of a body is good; every beginning of one is bad, and none is read past its end.
 */
static void every_beginning_is_bad(void **state)
{
    const char *body = good[12].body;
    struct damage damage = damage_of(body, strlen(body));
    struct http_part parts[PARTS_MAX];
    uint8_t *copy;
    size_t n;

    (void)state;
    while (damage_cut(&damage)) {
        if (parse((const char *)damage.bytes, damage.size, parts, &n, &copy) != MULTIPART_BAD)
            fail_msg("the first %zu of %zu bytes", damage.size, damage.whole_size);
        free(copy);
    }
    assert_int_equal(parse(body, damage.whole_size, parts, &n, &copy), MULTIPART_DONE);
    free(copy);
}

static void one_too_many(void **state)
{
    static const char body[] =
        "--XyZ\r\n" FILE_HEAD "\r\n1\r\n--XyZ\r\n" FILE_HEAD "\r\n2\r\n--XyZ\r\n" FILE_HEAD
        "\r\n3\r\n--XyZ\r\n" FILE_HEAD "\r\n4\r\n--XyZ--\r\n";
    struct http_part parts[PARTS_MAX];
    uint8_t *copy;
    size_t n;

    (void)state;
    assert_int_equal(parse(body, sizeof body - 1, parts, &n, &copy), MULTIPART_MANY);
    free(copy);
}

/* Whatever the bytes, the parts lie inside the body, in order. */
static void random_bytes(void **state)
{
    static const char *const words[] = {
        "--XyZ",   "\r\n", "--", "\r",        "\n",
        FILE_HEAD, "\"",   ";",  "filename=", "Content-Disposition:",
        " ",       "x",    "",   "\\"};
    uint32_t seed = 1;
    size_t parsed = 0;

    (void)state;
    for (size_t round = 0; round < 20000; round++) {
        char body[1024] = "--XyZ\r\n" FILE_HEAD "\r\n";
        struct http_part parts[PARTS_MAX];
        uint8_t *copy;
        size_t size = strlen(body), n, last = 0;
        enum multipart_result found;

        if (round % 4 == 0)
            size = 0;
        for (size_t i = 0; i < 9; i++) {
            const char *word;

            seed = seed * 1664525 + 1013904223;
            word = words[(seed >> 16) % COUNT_OF(words)];
            memcpy(body + size, word, strlen(word));
            size += strlen(word);
        }
        memcpy(body + size, "\r\n--XyZ--", 9);
        size += 9;
        found = parse(body, size, parts, &n, &copy);
        for (size_t i = 0; found == MULTIPART_DONE && i < n; i++) {
            size_t begin = (size_t)(parts[i].bytes - copy);

            assert_true(begin >= last && begin <= size && parts[i].size <= size - begin);
            last = begin + parts[i].size;
        }
        parsed += found == MULTIPART_DONE;
        free(copy);
    }
    assert_true(parsed > 1000);
}

static void boundaries(void **state)
{
    static const struct {
        const char *type, *boundary;
    } cases[] = {
        {"multipart/form-data; boundary=XyZ", "XyZ"},
        {"multipart/form-data;boundary=XyZ", "XyZ"},
        {"multipart/form-data; Boundary=XyZ", "XyZ"},
        {"multipart/form-data; boundary=\"a b:c\"", "a b:c"},
        {"multipart/form-data; charset=utf-8; boundary=XyZ ; x=y", "XyZ"},
        {"multipart/form-data; x=\"; boundary=no\"; boundary=yes", "yes"},
        {"multipart/form-data", NULL},
        {"multipart/form-data;", NULL},
        {"multipart/form-data; boundary", NULL},
        {"multipart/form-data; boundary=", NULL},
        {"multipart/form-data; boundary=\"\"", NULL},
        {"multipart/form-data; boundary=\"open", NULL},
        {"multipart/form-data; xboundary=XyZ", NULL},
        {"boundary=XyZ", NULL},
        {"", NULL},
    };
    char boundary[MULTIPART_BOUNDARY_MAX + 1], type[256] = "multipart/form-data; boundary=";
    size_t length = strlen(type);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool found = multipart_boundary(cases[i].type, boundary);

        if (found != (cases[i].boundary != NULL) ||
            (found && strcmp(boundary, cases[i].boundary) != 0))
            fail_msg("%s: %s", cases[i].type, found ? boundary : "none");
    }
    memset(type + length, 'b', MULTIPART_BOUNDARY_MAX + 1);
    assert_false(multipart_boundary(type, boundary));
    type[length + MULTIPART_BOUNDARY_MAX] = '\0';
    assert_true(multipart_boundary(type, boundary));
    assert_int_equal(strlen(boundary), MULTIPART_BOUNDARY_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_good_bodies),   cmocka_unit_test(bad_bodies),
        cmocka_unit_test(every_beginning_is_bad), cmocka_unit_test(one_too_many),
        cmocka_unit_test(random_bytes),           cmocka_unit_test(boundaries),
        cmocka_unit_test(fields_of_forms),        cmocka_unit_test(fields_are_bounded),
        cmocka_unit_test(files_without_a_name),   cmocka_unit_test(unselected_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
