/* Class folders. */
#include "pictures/class_folders.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "process/terminal.h"
#include "vgg_pictures.h"

/* ---------------------------------------------------------------- names ---------------------- */

/* A class's index in decimal, of a model without labels. */
static bool parse_index(const char *name, uint32_t classes, uint32_t *index)
{
    unsigned long value;
    char *end;

    errno = 0;
    value = strtoul(name, &end, 10);
    *index = (uint32_t)value;
    return isdigit((unsigned char)name[0]) && *end == '\0' && errno == 0 && value < classes;
}

/* How many classes have this id (or label), as `compare` sees it; *index is the first of them. */
static uint32_t count_matches(const struct vgg_model *model, const char *name, bool by_id,
                              int (*compare)(const char *, const char *), uint32_t *index)
{
    uint32_t n = 0;

    for (uint32_t i = vgg_model_get_info(model)->classes; i-- > 0;) {
        const char *id, *label, *text;

        vgg_model_get_label(model, i, &id, &label);
        text = by_id ? id : label;
        if (text != NULL && compare(text, name) == 0) {
            *index = i;
            n++;
        }
    }
    return n;
}

bool class_find(const struct vgg_model *model, const char *name, uint32_t *index,
                struct problem *problem)
{
    uint32_t classes = vgg_model_get_info(model)->classes;
    const char *id, *label;

    vgg_model_get_label(model, 0, &id, &label);
    if (label == NULL && parse_index(name, classes, index))
        return true;
    for (unsigned attempt = 0; attempt < 4; attempt++) {
        uint32_t n =
            count_matches(model, name, attempt % 2 == 0, attempt < 2 ? strcmp : strcasecmp, index);

        if (n > 1)
            problem_set(problem, PROBLEM_BAD_PARAMETER,
                        "%u classes of the model are called this; name the folder by the id", n);
        if (n > 0)
            return n == 1;
    }
    if (label != NULL)
        problem_set(problem, PROBLEM_BAD_PARAMETER, "no class of the model has this id or label");
    else
        problem_set(problem, PROBLEM_BAD_PARAMETER,
                    "the model has no labels: a class folder is named 0 to %u", classes - 1);
    return false;
}

/* ---------------------------------------------------------------- folders -------------------- */

struct opening {
    struct class_folders *folders;
    const struct vgg_model *model;
    struct left_out *left_out;
    uint32_t class;         /* of the folder that is walked through */
    bool unknown;           /* its pictures are of no class */
    struct problem problem; /* of the first folder that is no class */
};

/* Append with the class. */
static enum vgg_status append(struct opening *opening, const char *path, const char *reason)
{
    struct class_folders *folders = opening->folders;
    uint32_t *grown;

    if (pictures_append(&folders->pictures, path, reason) != VGG_OK)
        return VGG_NO_MEMORY;
    grown = realloc(folders->classes, folders->pictures.capacity * sizeof *grown);
    if (grown == NULL)
        return VGG_NO_MEMORY;
    folders->classes = grown;
    grown[folders->pictures.n - 1] = opening->class;
    return VGG_OK;
}

static enum vgg_status meet_class(void *user, const char *path, const char *name, bool *known)
{
    struct opening *opening = user;
    struct problem problem = {0};

    opening->unknown = strcmp(name, VGG_UNKNOWN_FOLDER) == 0;
    if (opening->unknown)
        return (opening->folders->unknown_folder = strdup(path)) != NULL ? VGG_OK : VGG_NO_MEMORY;
    *known = class_find(opening->model, name, &opening->class, &problem);
    if (!*known && opening->problem.detail[0] == '\0')
        opening->problem = problem;
    return VGG_OK;
}

static enum vgg_status meet_picture(void *user, const char *path)
{
    struct opening *opening = user;

    return opening->unknown ? pictures_append(&opening->folders->unknown, path, NULL)
                            : append(opening, path, NULL);
}

/* The class does not matter: what is lost is not counted. */
static enum vgg_status leave_out(void *user, const char *path, const char *reason, bool lost)
{
    struct opening *opening = user;

    if (lost)
        return append(opening, path, reason);
    left_out_add(opening->left_out, path, reason);
    return VGG_OK;
}

bool class_folders_open(struct class_folders *folders, const char *directory,
                        const struct vgg_model *model, struct left_out *left_out)
{
    struct opening opening = {.folders = folders, .model = model, .left_out = left_out};
    const struct vgg_walk walk = {.on_class = meet_class,
                                  .on_picture = meet_picture,
                                  .on_left_out = leave_out,
                                  .user = &opening};
    struct vgg_error error = {0};
    enum vgg_status status = vgg_walk_classes(directory, &walk, &error);

    if (status == VGG_NO_MEMORY)
        terminal_failure(directory, "out of memory");
    else if (status == VGG_BAD_ARGUMENT)
        terminal_say("%s (%s)", error.text, opening.problem.detail);
    else if (status != VGG_OK)
        terminal_say("%s", error.text);
    else if (folders->pictures.n == 0)
        terminal_failure(directory, "no pictures in its class folders (.jpg, .png, .webp ...)");
    else
        return true;
    return false;
}

void class_folders_fini(struct class_folders *folders)
{
    pictures_fini(&folders->pictures);
    free(folders->classes);
    pictures_fini(&folders->unknown);
    free(folders->unknown_folder);
    *folders = (struct class_folders){0};
}
