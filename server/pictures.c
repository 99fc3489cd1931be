/* Finding and reading pictures. */
#include "pictures.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
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

    if (ending == NULL || name[0] == '.')
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return true;
    return false;
}

static bool is_directory(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* What to do with one entry of a walk; false when out of memory. */
static bool visit(struct pictures *pictures, FTS *walk, FTSENT *entry)
{
    switch (entry->fts_info) {
    case FTS_D:
        if (entry->fts_level > FTS_ROOTLEVEL && entry->fts_name[0] == '.')
            fts_set(walk, entry, FTS_SKIP);
        return true;
    case FTS_SL: /* a link to a picture is one, a link to a directory might lead back here */
        if (is_directory(entry->fts_path))
            return true;
        break;
    case FTS_F:
    case FTS_NSOK:
        break;
    case FTS_DNR: /* reading it will say why it cannot be read */
        return add(pictures, entry->fts_path, false);
    default:
        return true;
    }
    return !looks_like_picture(entry->fts_name) || add(pictures, entry->fts_path, false);
}

static bool add_directory(struct pictures *pictures, char *path)
{
    size_t before = pictures->n;
    FTS *walk =
        fts_open((char *[]){path, NULL}, FTS_COMFOLLOW | FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    FTSENT *entry;
    bool fits = walk != NULL;

    while (fits && (errno = 0, entry = fts_read(walk)) != NULL)
        fits = visit(pictures, walk, entry);
    fits = fits && errno != ENOMEM;
    if (walk != NULL)
        fts_close(walk);
    return fits && (pictures->n != before || add(pictures, path, true));
}

bool pictures_add(struct pictures *pictures, const char *operand)
{
    char *path;
    bool fits;

    if (!is_directory(operand))
        return add(pictures, operand, false);
    path = strdup(operand);
    if (path == NULL)
        return false;
    /* "photos/" and "photos" name the same files. */
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
    fits = add_directory(pictures, path);
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
