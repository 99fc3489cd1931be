/* Walking a directory of classes. No more than one directory is open at a time. */
#include "train/folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "text/utf8.h"

enum { DEPTH_MAX = 16, FIRST_ITEMS = 64 };

enum vgg_status vgg_names_add(struct vgg_names *names, char *name, struct vgg_error *error)
{
    if (name != NULL && names->n == names->capacity) {
        size_t capacity = names->capacity != 0 ? 2 * names->capacity : FIRST_ITEMS;
        char **items = realloc(names->items, capacity * sizeof *items);

        if (items != NULL) {
            names->items = items;
            names->capacity = capacity;
        } else {
            free(name);
            name = NULL;
        }
    }
    if (name == NULL)
        return vgg_fail_memory(error);
    names->items[names->n++] = name;
    return VGG_OK;
}

void vgg_names_fini(struct vgg_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct vgg_names){0};
}

static int bytewise(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(char **items, size_t n)
{
    if (n != 0)
        qsort(items, n, sizeof *items, bytewise);
}

/* Append "DIR/NAME" for all that is not hidden. */
static enum vgg_status list(const char *dir, struct vgg_names *paths, struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;
    DIR *stream = opendir(dir);
    struct dirent *entry;

    if (stream == NULL)
        return errno == ENOMEM ? vgg_fail_memory(error)
                               : vgg_fail(error, VGG_IO, "%s: %s", dir, strerror(errno));
    while (status == VGG_OK && (errno = 0, entry = readdir(stream)) != NULL) {
        char *path;

        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&path, "%s/%s", dir, entry->d_name) < 0)
            path = NULL;
        status = vgg_names_add(paths, path, error);
    }
    if (status == VGG_OK && errno != 0)
        status = vgg_fail(error, VGG_IO, "%s: %s", dir, strerror(errno));
    closedir(stream);
    return status;
}

enum vgg_status vgg_folders_list(const char *dir, struct vgg_names *names, struct vgg_error *error)
{
    struct vgg_names paths = {0};
    enum vgg_status status = list(dir, &paths, error);
    struct stat info;

    for (size_t i = 0; i < paths.n && status == VGG_OK; i++) {
        if (stat(paths.items[i], &info) != 0 || !S_ISDIR(info.st_mode))
            continue;
        /* Class names go into the model file, whose header is JSON. */
        if (!utf8_valid(paths.items[i] + strlen(dir) + 1))
            status = vgg_fail(error, VGG_BAD_ARGUMENT, "the name of folder %s is not UTF-8",
                              paths.items[i]);
        else
            status = vgg_names_add(names, strdup(paths.items[i] + strlen(dir) + 1), error);
    }
    vgg_names_fini(&paths);
    if (status == VGG_OK)
        sort(names->items, names->n);
    else
        vgg_names_fini(names);
    return status;
}

static bool looks_like_picture(const char *path)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp"};
    const char *ending = strrchr(path, '.');

    for (size_t i = 0; ending != NULL && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return true;
    return false;
}

/* A link to a picture is one; one to a folder might lead back here. */
static enum vgg_status walk(const char *folder, unsigned depth, struct vgg_names *paths,
                            struct vgg_error *error)
{
    struct vgg_names entries = {0};
    enum vgg_status status = list(folder, &entries, error);
    struct stat info, target;

    for (size_t i = 0; i < entries.n && status == VGG_OK; i++) {
        char **entry = &entries.items[i];

        if (lstat(*entry, &info) != 0)
            continue; /* gone since */
        if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX) {
            status = walk(*entry, depth + 1, paths, error);
        } else if (looks_like_picture(*entry) ||
                   (stat(*entry, &target) == 0 && S_ISDIR(target.st_mode))) {
            status = vgg_names_add(paths, *entry, error);
            *entry = NULL;
        }
    }
    vgg_names_fini(&entries);
    return status;
}

enum vgg_status vgg_folders_pictures(const char *folder, struct vgg_names *paths,
                                     struct vgg_error *error)
{
    size_t before = paths->n;
    enum vgg_status status = walk(folder, 1, paths, error);

    sort(paths->items + before, paths->n - before);
    return status;
}
