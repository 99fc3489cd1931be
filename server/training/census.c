/* Counting pictures by class. */
#include "training/census.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pictures/left_out.h"
#include "vgg_pictures.h"

enum { CLASSES_NAMED = 12, CLASSES_FIRST = 16 };

/* ---------------------------------------------------------------- counting ------------------- */

static enum vgg_status meet_class(void *user, const char *path, const char *name, bool *known)
{
    struct census *census = user;
    size_t n = census->classes_n;

    (void)path;
    (void)known;
    if (n == 0 || (n >= CLASSES_FIRST && (n & (n - 1)) == 0)) { /* a power of two is full */
        size_t capacity = n == 0 ? CLASSES_FIRST : 2 * n;
        void *classes = realloc(census->classes, capacity * sizeof *census->classes);

        if (classes == NULL)
            return VGG_NO_MEMORY;
        census->classes = classes;
    }
    census->classes[n] = (struct census_class){.name = strdup(name)};
    if (census->classes[n].name == NULL)
        return VGG_NO_MEMORY;
    census->classes_n++;
    return VGG_OK;
}

static enum vgg_status meet_picture(void *user, const char *path)
{
    struct census *census = user;

    (void)path;
    census->classes[census->classes_n - 1].pictures++;
    return VGG_OK;
}

static enum vgg_status count_picture(void *user, const char *path)
{
    (void)path;
    ++*(size_t *)user;
    return VGG_OK;
}

/* The folder of no class is taken out. */
static void sum_up(struct census *census)
{
    size_t kept = 0;

    for (size_t i = 0; i < census->classes_n; i++) {
        struct census_class class = census->classes[i];

        if (strcmp(class.name, VGG_UNKNOWN_FOLDER) == 0) {
            census->unknown = class.pictures;
            free(class.name);
            continue;
        }
        census->classes[kept++] = class;
        census->pictures += class.pictures;
        census->most = class.pictures > census->most ? class.pictures : census->most;
        if (kept == 1 || class.pictures < census->least)
            census->least = class.pictures;
    }
    census->classes_n = kept;
}

/* ---------------------------------------------------------------- what was meant ------------- */

/* Names of the parts that data sets are cut into. */
static bool is_part(const char *name)
{
    static const char *const parts[] = {"train",      "training", "val",    "valid",
                                        "validation", "test",     "testing"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasecmp(name, parts[i]) == 0)
            return true;
    return false;
}

static bool has_only_parts(const struct census *census)
{
    size_t parts = 0;

    for (size_t i = 0; i < census->classes_n; i++)
        parts += is_part(census->classes[i].name);
    return parts != 0 && parts == census->classes_n;
}

static const struct census_class *find_train(const struct census *census)
{
    for (size_t i = 0; i < census->classes_n; i++)
        if (strncasecmp(census->classes[i].name, "train", 5) == 0)
            return &census->classes[i];
    return &census->classes[0];
}

static enum vgg_status fail_parts(const char *directory, const struct census *census,
                                  struct vgg_error *error)
{
    const struct census_class *train = find_train(census), *other = NULL;

    for (size_t i = 0; i < census->classes_n && other == NULL; i++)
        if (&census->classes[i] != train)
            other = &census->classes[i];
    if (other == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%s: its folder %s is named like a part of a data set, not like a class; "
                        "at least 2 are needed, as in vgg train %s/%s",
                        directory, train->name, directory, train->name);
    return vgg_fail(error, VGG_BAD_ARGUMENT,
                    "%s: its folders are named like parts of a data set, not like classes; say "
                    "vgg train %s/%s --validation %s/%s",
                    directory, directory, train->name, directory, other->name);
}

static enum vgg_status leave_out(void *user, const char *path, const char *reason, bool lost)
{
    (lost ? left_out_lose : left_out_add)(user, path, reason);
    return VGG_OK;
}

/* What else is there explains it. */
static void say_others(const char *directory)
{
    struct left_out left_out = {0};
    const struct vgg_walk walk = {.on_left_out = leave_out, .user = &left_out};

    (void)vgg_walk_classes(directory, &walk, NULL);
    left_out_say(&left_out);
}

static enum vgg_status fail_classes(const char *directory, const struct census *census,
                                    struct vgg_error *error)
{
    const struct vgg_walk walk = {.on_picture = count_picture, .user = &(size_t){0}};
    const size_t *pictures = walk.user;
    char found[320] = "no class folder with pictures (JPEG, PNG or WebP)";

    say_others(directory);
    (void)vgg_walk_pictures(directory, &walk, NULL);
    if (census->classes_n == 1)
        snprintf(found, sizeof found, "one class folder with pictures (%.200s)",
                 census->classes[0].name);
    else if (*pictures != 0)
        snprintf(found, sizeof found, "%zu picture%s and no class folders", *pictures,
                 *pictures == 1 ? "" : "s");
    return vgg_fail(error, VGG_BAD_ARGUMENT,
                    "%s: %s, and at least 2 are needed: a folder for each class, as in "
                    "%s/cup/1.jpg and %s/plate/2.jpg",
                    directory, found, directory, directory);
}

enum vgg_status census_take(const char *directory, struct census *census, struct vgg_error *error)
{
    const struct vgg_walk walk = {
        .on_picture = meet_picture, .on_class = meet_class, .user = census};
    enum vgg_status status = vgg_walk_classes(directory, &walk, error);

    if (status == VGG_NO_MEMORY)
        return vgg_fail(error, status, "out of memory");
    if (status != VGG_OK)
        return status;
    sum_up(census);
    if (has_only_parts(census))
        return fail_parts(directory, census, error);
    return census->classes_n < 2 ? fail_classes(directory, census, error) : VGG_OK;
}

void census_fini(struct census *census)
{
    for (size_t i = 0; i < census->classes_n; i++)
        free(census->classes[i].name);
    free(census->classes);
    *census = (struct census){0};
}

/* ---------------------------------------------------------------- in words ------------------- */

void census_print(const struct census *census, struct text *text)
{
    text_print(text, "%zu pictures of %zu classes", census->pictures, census->classes_n);
    if (census->classes_n > CLASSES_NAMED)
        text_print(text, ", %zu to %zu of each", census->least, census->most);
    for (size_t i = 0; i < census->classes_n && census->classes_n <= CLASSES_NAMED; i++)
        text_print(text, "%s %s %zu", i == 0 ? ":" : ",", census->classes[i].name,
                   census->classes[i].pictures);
    if (census->unknown != 0)
        text_print(text, "; %zu of none of these", census->unknown);
}
