/* Class folders. */
#include "class_folders.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "terminal.h"

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

static bool set_class(struct class_folders *folders, size_t before, uint32_t class)
{
    size_t n = folders->pictures.n;
    uint32_t *grown = realloc(folders->classes, (n != 0 ? n : 1) * sizeof *grown);

    if (grown == NULL)
        return false;
    folders->classes = grown;
    for (size_t i = before; i < n; i++)
        grown[i] = class;
    return true;
}

static bool add_folder(struct class_folders *folders, const char *path, const char *name,
                       const struct vgg_model *model)
{
    struct pictures *pictures = &folders->pictures;
    struct problem problem = {0};
    size_t before = pictures->n;
    uint32_t class;
    bool found = class_find(model, name, &class, &problem);

    if (found) {
        found = pictures_add(pictures, path);
        /* A class without pictures is not measured. */
        if (found && pictures->items[pictures->n - 1].empty)
            free(pictures->items[--pictures->n].path);
        found = found && set_class(folders, before, class);
        if (!found)
            problem_set(&problem, PROBLEM_NO_MEMORY, "out of memory");
    }
    if (!found)
        terminal_failure(path, problem.detail);
    return found;
}

static bool add_entry(struct class_folders *folders, const char *directory, const char *name,
                      const struct vgg_model *model)
{
    bool good = true;
    char *path;

    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        terminal_failure(directory, "out of memory");
        return false;
    }
    if (pictures_is_directory(path))
        good = add_folder(folders, path, name, model);
    free(path);
    return good;
}

bool class_folders_open(struct class_folders *folders, const char *directory,
                        const struct vgg_model *model)
{
    struct dirent **entries;
    int n = pictures_scan(directory, &entries);
    bool good = true;

    if (n < 0) {
        terminal_failure(directory, strerror(errno));
        return false;
    }
    for (int i = 0; i < n; i++) {
        good = good && add_entry(folders, directory, entries[i]->d_name, model);
        free(entries[i]);
    }
    free(entries);
    if (good && folders->pictures.n == 0) {
        terminal_failure(directory, "no pictures in its class folders (.jpg, .jpeg, .png, .webp)");
        good = false;
    }
    return good;
}

void class_folders_fini(struct class_folders *folders)
{
    pictures_fini(&folders->pictures);
    free(folders->classes);
    *folders = (struct class_folders){0};
}
