/* What a good answer of /classify must look like. */
#ifndef VGG_TESTS_ANSWERS_H
#define VGG_TESTS_ANSWERS_H

#include "client.h"

/* Members that must be there and of that type. */
json_t *member(const json_t *object, const char *key);
json_int_t integer_member(const json_t *object, const char *key);
double number_member(const json_t *object, const char *key);
const char *string_member(const json_t *object, const char *key);
bool bool_member(const json_t *object, const char *key);

/*
 * "top": `n` classes ranked from 1 by falling score, ties by index, scores in [0, 1] with a sum of
 * at most 1, or of 1 where they are all of `classes`; id and label on every one, or on none.
 */
void check_top(const json_t *top, size_t n, size_t classes, bool labelled);

/* One image's answer, every field of it; width and height as they should be. */
void check_result(const json_t *result, size_t width, size_t height);

/* A 200 with one image's answer and its request id. */
void check_answer(const struct answer *answer, size_t width, size_t height);

/*
 * POST a picture to /classify whose head asks first, with more header lines or "": it is told to
 * continue, once, and then answered.
 */
void check_continued(const struct server *server, const char *more, unsigned width,
                     unsigned height);

/* The array of scales. */
void check_scales(const json_t *result, const int *scales, size_t n);

/* The bytes of the `nth` "top" array of an answer, malloc'ed. */
char *top_bytes(const struct answer *answer, size_t nth);

#endif
