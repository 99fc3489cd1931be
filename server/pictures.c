/* Finding and reading pictures. */
#include "pictures.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_BYTES = 1 << 20, FIRST_ITEMS = 64 };

/* ---------------------------------------------------------------- finding -------------------- */

static bool add(struct pictures *pictures, const char *path, bool empty)
{
    if (pictures->n == pictures->capacity) {
        size_t capacity = pictures->capacity != 0 ? 2 * pictures->capacity : FIRST_ITEMS;
        struct picture *items = realloc(pictures->items, capacity * sizeof *items);

        if (items == NULL)
            return false;
        pictures->items = items;
        pictures->capacity = capacity;
    }
    pictures->items[pictures->n] = (struct picture){.path = strdup(path), .empty = empty};
    if (pictures->items[pictures->n].path == NULL)
        return false;
    pictures->n++;
    return true;
}

static bool looks_like_picture(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp"};
    const char *ending = strrchr(name, '.');

    for (size_t i = 0; ending != NULL && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return true;
    return false;
}

bool pictures_is_directory(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int pictures_scan(const char *directory, struct dirent ***entries)
{
    return scandir(directory, entries, not_hidden, by_name);
}

static bool add_directory(struct pictures *pictures, const char *path);

/*
 * One entry of a directory; false when out of memory. A link to a picture is one; one to a
 * directory might lead back here.
 */
static bool add_entry(struct pictures *pictures, const char *directory, const char *name)
{
    struct stat info;
    bool fits = true;
    char *path;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return false;
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
        fits = add_directory(pictures, path);
    else if (looks_like_picture(name) && (stat(path, &info) != 0 || S_ISREG(info.st_mode)))
        fits = add(pictures, path, false);
    free(path);
    return fits;
}

static bool add_directory(struct pictures *pictures, const char *path)
{
    struct dirent **entries;
    int n = pictures_scan(path, &entries);
    bool fits = true;

    if (n < 0) /* reading it will say why it cannot be read */
        return errno != ENOMEM && add(pictures, path, false);
    for (int i = 0; i < n; i++) {
        fits = fits && add_entry(pictures, path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return fits;
}

bool pictures_add(struct pictures *pictures, const char *operand)
{
    size_t before = pictures->n;
    char *path;
    bool fits;

    if (!pictures_is_directory(operand))
        return add(pictures, operand, false);
    path = strdup(operand);
    if (path == NULL)
        return false;
    /* "photos/" and "photos" name the same files. */
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
    fits = add_directory(pictures, path) && (pictures->n != before || add(pictures, path, true));
    free(path);
    return fits;
}

void pictures_fini(struct pictures *pictures)
{
    for (size_t i = 0; i < pictures->n; i++)
        free(pictures->items[i].path);
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
    if (picture->empty) {
        problem_set(problem, PROBLEM_NOT_FOUND,
                    "no pictures in this directory (.jpg, .jpeg, .png, .webp)");
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
