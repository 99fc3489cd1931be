/*
 * A file is its key, the values as they are in memory, and the SHA-256 of both. Its name is that of
 * the key: DIR/12/3456...
 */
#include "frozen/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/replace.h"
#include "base/sha256.h"

enum { DIGEST_BYTES = VGG_SHA256_HEX_BYTES - 1, FOLDER_DIGITS = 2 };

struct entry {
    const char *key;
    const float *values;
    size_t n;
};

static void digest(const struct entry *entry, char hex[VGG_SHA256_HEX_BYTES])
{
    struct vgg_sha256 sha;

    vgg_sha256_init(&sha);
    vgg_sha256_update(&sha, entry->key, strlen(entry->key));
    vgg_sha256_update(&sha, entry->values, entry->n * sizeof *entry->values);
    vgg_sha256_final(&sha, hex);
}

/* The path of an entry, malloc'ed; with `folder`, of the folder that it is in. */
static char *path_of(const char *dir, const char *key, bool folder)
{
    const struct entry name = {.key = key};
    size_t size = strlen(dir) + sizeof "//" + DIGEST_BYTES;
    char hex[VGG_SHA256_HEX_BYTES], *path = vgg_alloc(size, 1);

    digest(&name, hex);
    if (path != NULL)
        snprintf(path, size, "%s/%.*s%s%s", dir, FOLDER_DIGITS, hex, folder ? "" : "/",
                 folder ? "" : hex + FOLDER_DIGITS);
    return path;
}

static enum vgg_status fail(const char *dir, const char *reason, struct vgg_error *error)
{
    return vgg_fail(error, VGG_IO, "features cache %s: %s", dir, reason);
}

enum vgg_status vgg_cache_open(const char *dir, struct vgg_error *error)
{
    struct stat info;

    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return fail(dir, strerror(errno), error);
    if (stat(dir, &info) != 0)
        return fail(dir, strerror(errno), error);
    if (!S_ISDIR(info.st_mode))
        return fail(dir, "it is no directory", error);
    return access(dir, R_OK | X_OK) == 0 ? VGG_OK : fail(dir, strerror(errno), error);
}

/* ---------------------------------------------------------------- reading -------------------- */

static bool read_exactly(int fd, void *out, size_t size)
{
    unsigned char *next = out;

    while (size != 0) {
        ssize_t n = read(fd, next, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        next += n;
        size -= (size_t)n;
    }
    return true;
}

/* Is it as long as the entry, and does it begin and end as the entry does? */
static bool read_entry(int fd, const struct entry *entry, float *values)
{
    size_t key = strlen(entry->key), bytes = entry->n * sizeof *values;
    char begin[VGG_CACHE_KEY_BYTES], end[DIGEST_BYTES], hex[VGG_SHA256_HEX_BYTES];
    struct stat info;

    if (fstat(fd, &info) != 0 || (size_t)info.st_size != key + bytes + sizeof end ||
        !read_exactly(fd, begin, key) || memcmp(begin, entry->key, key) != 0 ||
        !read_exactly(fd, values, bytes) || !read_exactly(fd, end, sizeof end))
        return false;
    digest(entry, hex);
    return memcmp(hex, end, sizeof end) == 0;
}

bool vgg_cache_get(const char *dir, const char *key, float *values, size_t n)
{
    const struct entry entry = {key, values, n};
    char *path = path_of(dir, key, false);
    bool found = false;
    int fd;

    if (path == NULL)
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) {
        found = read_entry(fd, &entry, values);
        close(fd);
    }
    free(path);
    return found;
}

/* ---------------------------------------------------------------- writing -------------------- */

static enum vgg_status write_entry(void *user, int fd, struct vgg_error *error)
{
    const struct entry *entry = user;
    char hex[VGG_SHA256_HEX_BYTES];
    enum vgg_status status = vgg_write_all(fd, entry->key, strlen(entry->key), error);

    digest(entry, hex);
    if (status == VGG_OK)
        status = vgg_write_all(fd, entry->values, entry->n * sizeof *entry->values, error);
    return status == VGG_OK ? vgg_write_all(fd, hex, DIGEST_BYTES, error) : status;
}

enum vgg_status vgg_cache_put(const char *dir, const char *key, const float *values, size_t n,
                              struct vgg_error *error)
{
    struct entry entry = {key, values, n};
    char *folder = path_of(dir, key, true), *path = path_of(dir, key, false);
    struct vgg_error reason = {0};
    enum vgg_status status;

    if (folder == NULL || path == NULL)
        status = vgg_fail_memory(error);
    else {
        (void)mkdir(folder, 0777); /* why it could not be made, the next call says */
        status = vgg_replace(path, write_entry, &entry, &reason);
        if (status != VGG_OK)
            (void)fail(dir, reason.text, error);
    }
    free(folder);
    free(path);
    return status;
}
