/* Finding and reading pictures. */
#include "pictures/pictures.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vgg_pictures.h"

enum { FIRST_BYTES = 1 << 20, FIRST_ITEMS = 64 };

/* ---------------------------------------------------------------- finding -------------------- */

static void picture_fini(struct picture *picture)
{
    free(picture->path);
    free(picture->reason);
}

enum vgg_status pictures_append(struct pictures *pictures, const char *path, const char *reason)
{
    struct picture *picture;

    if (pictures->n == pictures->capacity) {
        size_t capacity = pictures->capacity != 0 ? 2 * pictures->capacity : FIRST_ITEMS;
        struct picture *items = realloc(pictures->items, capacity * sizeof *items);

        if (items == NULL)
            return VGG_NO_MEMORY;
        pictures->items = items;
        pictures->capacity = capacity;
    }
    picture = &pictures->items[pictures->n];
    *picture = (struct picture){.path = strdup(path)};
    if (reason != NULL)
        picture->reason = strdup(reason);
    if (picture->path == NULL || (reason != NULL && picture->reason == NULL)) {
        picture_fini(picture);
        return VGG_NO_MEMORY;
    }
    pictures->n++;
    return VGG_OK;
}

bool pictures_is_directory(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

struct adding {
    struct pictures *pictures;
    struct left_out *left_out;
};

static enum vgg_status add_picture(void *user, const char *path)
{
    return pictures_append(((struct adding *)user)->pictures, path, NULL);
}

static enum vgg_status add_left_out(void *user, const char *path, const char *reason, bool lost)
{
    struct adding *adding = user;

    if (lost)
        return pictures_append(adding->pictures, path, reason);
    left_out_add(adding->left_out, path, reason);
    return VGG_OK;
}

static bool add_directory(struct adding *adding, const char *path)
{
    const struct vgg_walk walk = {
        .on_picture = add_picture, .on_left_out = add_left_out, .user = adding};
    size_t before = adding->pictures->n;
    enum vgg_status status = vgg_walk_pictures(path, &walk, NULL);

    if (status == VGG_IO) /* reading it will say why it cannot be read */
        status = pictures_append(adding->pictures, path, NULL);
    else if (status == VGG_OK && adding->pictures->n == before)
        status = pictures_append(adding->pictures, path,
                                 "no pictures in this directory (.jpg, .jpeg, .png, .webp ...)");
    return status == VGG_OK;
}

bool pictures_add(struct pictures *pictures, const char *operand, struct left_out *left_out)
{
    struct adding adding = {pictures, left_out};
    char *path;
    bool fits;

    if (!pictures_is_directory(operand))
        return pictures_append(pictures, operand, NULL) == VGG_OK;
    path = strdup(operand);
    if (path == NULL)
        return false;
    /* "photos/" and "photos" name the same files. */
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
    fits = add_directory(&adding, path);
    free(path);
    return fits;
}

void pictures_fini(struct pictures *pictures)
{
    for (size_t i = 0; i < pictures->n; i++)
        picture_fini(&pictures->items[i]);
    free(pictures->items);
    *pictures = (struct pictures){0};
}

/* ---------------------------------------------------------------- reading -------------------- */

static bool read_all(int fd, uint64_t max, uint8_t **bytes, size_t *size, struct problem *problem)
{
    size_t capacity = 0;

    for (;;) {
        ssize_t n;

        if (*size == capacity) {
            uint8_t *grown;

            capacity = capacity != 0 ? 2 * capacity : FIRST_BYTES;
            grown = realloc(*bytes, capacity);
            if (grown == NULL) {
                problem_set(problem, PROBLEM_NO_MEMORY, "out of memory");
                return false;
            }
            *bytes = grown;
        }
        n = read(fd, *bytes + *size, capacity - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            problem_set(problem, PROBLEM_NOT_FOUND, "cannot read it: %s", strerror(errno));
            return false;
        }
        *size += (size_t)n;
        if (*size > max) {
            problem_set(problem, PROBLEM_BODY_TOO_LARGE,
                        "over the limit of %" PRIu64 " bytes (--max-body)", max);
            return false;
        }
        if (n == 0)
            return true;
    }
}

bool picture_read(const struct picture *picture, uint64_t max, uint8_t **bytes, size_t *size,
                  struct problem *problem)
{
    bool standard_input = strcmp(picture->path, "-") == 0, whole;
    int fd;

    *bytes = NULL;
    *size = 0;
    if (picture->reason != NULL) {
        problem_set(problem, PROBLEM_NOT_FOUND, "%s", picture->reason);
        return false;
    }
    fd = standard_input ? STDIN_FILENO : open(picture->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        problem_set(problem, PROBLEM_NOT_FOUND, "cannot open it: %s", strerror(errno));
        return false;
    }
    whole = read_all(fd, max, bytes, size, problem);
    if (!standard_input)
        close(fd);
    if (whole && *size == 0)
        problem_set(problem, PROBLEM_EMPTY_BODY, "it is empty");
    return whole && *size != 0;
}
