/* Groups of pictures, as a training tells them one by one. */
#include "training/copies.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_PICTURES = 256, PAIRS_NAMED = 3 };

struct copies_picture {
    char *path;
    uint32_t label;
    size_t group, index; /* in the order in which they were told */
    bool validation, copy;
};

/* ---------------------------------------------------------------- what is told --------------- */

void copies_classes(struct copies *copies, const char *const *classes, size_t classes_n)
{
    copies->classes = calloc(classes_n, sizeof *copies->classes);
    copies->failed = copies->classes == NULL;
    for (size_t i = 0; i < classes_n && !copies->failed; i++) {
        copies->classes[i] = strdup(classes[i]);
        copies->failed = copies->classes[i] == NULL;
        copies->classes_n++;
    }
}

static bool grow(struct copies *copies)
{
    size_t capacity = copies->capacity != 0 ? 2 * copies->capacity : FIRST_PICTURES;
    struct copies_picture *grown = reallocarray(copies->pictures, capacity, sizeof *grown);

    if (grown == NULL)
        return false;
    copies->pictures = grown;
    copies->capacity = capacity;
    return true;
}

void copies_add(struct copies *copies, const struct vgg_train_picture *picture)
{
    struct copies_picture added = {.label = picture->label,
                                   .group = picture->group,
                                   .index = copies->n,
                                   .validation = picture->validation,
                                   .copy = picture->copy};

    if (copies->failed || picture->group == SIZE_MAX)
        return;
    added.path = copies->n < copies->capacity || grow(copies) ? strdup(picture->path) : NULL;
    copies->failed = added.path == NULL;
    if (!copies->failed)
        copies->pictures[copies->n++] = added;
}

void copies_fini(struct copies *copies)
{
    for (size_t i = 0; i < copies->n; i++)
        free(copies->pictures[i].path);
    for (size_t i = 0; i < copies->classes_n; i++)
        free(copies->classes[i]);
    free(copies->pictures);
    free(copies->classes);
    *copies = (struct copies){0};
}

/* ---------------------------------------------------------------- groups --------------------- */

static int compare(const void *left, const void *right)
{
    const struct copies_picture *a = left, *b = right;

    if (a->group != b->group)
        return a->group > b->group ? 1 : -1;
    return (a->index > b->index) - (a->index < b->index);
}

/* Members of one group follow each other then, in the order in which they were told. */
static void sort(struct copies *copies)
{
    if (copies->n != 0)
        qsort(copies->pictures, copies->n, sizeof *copies->pictures, compare);
}

static size_t group_end(const struct copies *copies, size_t first)
{
    size_t end = first;

    while (end < copies->n && copies->pictures[end].group == copies->pictures[first].group)
        end++;
    return end;
}

typedef bool is_pair_fn(const struct copies_picture *earlier, const struct copies_picture *later);

static bool is_in_two_classes(const struct copies_picture *earlier,
                              const struct copies_picture *later)
{
    return later->copy && earlier->label != later->label;
}

static bool is_trained_on(const struct copies_picture *earlier, const struct copies_picture *later)
{
    return later->validation && !earlier->validation && earlier->label != UINT32_MAX;
}

/* The member before `later`, the first being `first`, that is such a pair with it, or NULL. */
static const struct copies_picture *find_earlier(const struct copies *copies, size_t first,
                                                 size_t later, is_pair_fn *is_pair)
{
    for (size_t i = first; i < later; i++)
        if (is_pair(&copies->pictures[i], &copies->pictures[later]))
            return &copies->pictures[i];
    return NULL;
}

/* ---------------------------------------------------------------- lines ---------------------- */

static void print_place(const struct copies *copies, const struct copies_picture *picture,
                        struct text *text)
{
    const char *slash = strrchr(picture->path, '/');

    text_print(text, "%s in %s", slash != NULL ? slash + 1 : picture->path,
               picture->label < copies->classes_n ? copies->classes[picture->label] : "_unknown");
}

void copies_print_classes(struct copies *copies, struct text *text)
{
    size_t pairs = 0;

    sort(copies);
    for (size_t first = 0, end; first < copies->n && !copies->failed; first = end) {
        const struct copies_picture *earlier = NULL;

        end = group_end(copies, first);
        for (size_t later = first + 1; later < end && earlier == NULL; later++) {
            earlier = find_earlier(copies, first, later, is_in_two_classes);
            if (earlier == NULL || pairs++ >= PAIRS_NAMED)
                continue;
            text_print(text, "%s", pairs == 1 ? "likely in a wrong folder: " : ", ");
            print_place(copies, earlier, text);
            text_print(text, " and ");
            print_place(copies, &copies->pictures[later], text);
            text_print(text, pairs == 1 ? " are the same picture" : "");
        }
    }
    if (pairs > PAIRS_NAMED)
        text_print(text, ", and %zu more pairs", pairs - PAIRS_NAMED);
}

void copies_print_validation(struct copies *copies, struct text *text)
{
    const struct copies_picture *pair[2] = {NULL, NULL};
    size_t n = 0;

    sort(copies);
    for (size_t first = 0, end; first < copies->n && !copies->failed; first = end) {
        end = group_end(copies, first);
        for (size_t later = first + 1; later < end; later++) {
            const struct copies_picture *earlier =
                find_earlier(copies, first, later, is_trained_on);

            if (earlier != NULL && n++ == 0) {
                pair[0] = earlier;
                pair[1] = &copies->pictures[later];
            }
        }
    }
    if (n != 0)
        text_print(text,
                   "%zu validation picture%s also trained on, or nearly, so that the error is too "
                   "low: %s is %s",
                   n, n == 1 ? " is" : "s are", pair[1]->path, pair[0]->path);
}
