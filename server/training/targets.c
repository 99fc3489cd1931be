/* Trying paths. */
#include "training/targets.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/replace.h"

static bool is_directory(const char *path)
{
    struct stat there;

    return stat(path, &there) == 0 && S_ISDIR(there.st_mode);
}

static enum vgg_status try_directory(const struct target *target, struct vgg_error *error)
{
    struct stat there;

    if (stat(target->path, &there) != 0 || S_ISDIR(there.st_mode))
        return VGG_OK;
    return vgg_fail(error, VGG_BAD_ARGUMENT, "--%s %s: it is no directory", target->option,
                    target->path);
}

static enum vgg_status try_file(const struct target *target, struct vgg_error *error)
{
    struct vgg_error reason = {0};
    size_t length = strlen(target->path);
    enum vgg_status status;

    if (is_directory(target->path) || (length != 0 && target->path[length - 1] == '/'))
        return vgg_fail(error, VGG_BAD_ARGUMENT, "--%s %s: a file is meant, not a directory",
                        target->option, target->path);
    status = vgg_replace_try(target->path, &reason);
    return status == VGG_OK
               ? VGG_OK
               : vgg_fail(error, status, "--%s %s: %s", target->option, target->path, reason.text);
}

/* What is written there: a name in a directory, however that is spelt. */
struct place {
    struct stat directory;
    const char *name;
    size_t length;
};

/* False where the directory cannot be found. */
static bool find_place(const char *path, struct place *place)
{
    char directory[PATH_MAX];
    const char *end = path + strlen(path);

    while (end > path && end[-1] == '/')
        end--;
    place->name = end;
    while (place->name > path && place->name[-1] != '/')
        place->name--;
    place->length = (size_t)(end - place->name);
    return snprintf(directory, sizeof directory, "%.*s.", (int)(place->name - path), path) <
               (int)sizeof directory &&
           stat(directory, &place->directory) == 0;
}

static bool is_same(const char *path, const char *other)
{
    struct place a, b;

    return find_place(path, &a) && find_place(other, &b) &&
           a.directory.st_dev == b.directory.st_dev && a.directory.st_ino == b.directory.st_ino &&
           a.length == b.length && memcmp(a.name, b.name, a.length) == 0;
}

enum vgg_status targets_try(const struct target *targets, size_t n, struct vgg_error *error)
{
    for (size_t i = 0; i < n; i++) {
        const struct target *target = &targets[i];
        enum vgg_status status = VGG_OK;

        if (target->path == NULL)
            continue;
        for (size_t j = 0; j < i; j++)
            if (targets[j].path != NULL && is_same(targets[j].path, target->path))
                return vgg_fail(error, VGG_BAD_ARGUMENT, "--%s and --%s are the same file, %s",
                                targets[j].option, target->option, target->path);
        status = target->directory ? try_directory(target, error) : try_file(target, error);
        if (status != VGG_OK)
            return status;
    }
    return VGG_OK;
}
