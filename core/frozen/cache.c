/*
 * A file is its key, and then, view after view, the values as they are in memory and the SHA-256 of
 * key, number of the view and values. So one view can be read and checked by itself. The name of
 * the file is the SHA-256 of the key: DIR/12/3456...
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

static size_t view_bytes(const struct vgg_cache_entry *entry)
{
    return entry->floats * sizeof(float);
}

/* Of a view in the file. */
static off_t offset_of(const struct vgg_cache_entry *entry, size_t view)
{
    return (off_t)(strlen(entry->key) + view * (view_bytes(entry) + DIGEST_BYTES));
}

static void digest_key(const char *key, char hex[VGG_SHA256_HEX_BYTES])
{
    struct vgg_sha256 sha;

    vgg_sha256_init(&sha);
    vgg_sha256_update(&sha, key, strlen(key));
    vgg_sha256_final(&sha, hex);
}

static void digest_view(const struct vgg_cache_entry *entry, size_t view, const float *values,
                        char hex[VGG_SHA256_HEX_BYTES])
{
    const uint64_t number = view;
    struct vgg_sha256 sha;

    vgg_sha256_init(&sha);
    vgg_sha256_update(&sha, entry->key, strlen(entry->key));
    vgg_sha256_update(&sha, &number, sizeof number);
    vgg_sha256_update(&sha, values, view_bytes(entry));
    vgg_sha256_final(&sha, hex);
}

/* The path of an entry, malloc'ed; with `folder`, of the folder that it is in. */
static char *path_of(const char *dir, const char *key, bool folder)
{
    size_t size = strlen(dir) + sizeof "//" + DIGEST_BYTES;
    char hex[VGG_SHA256_HEX_BYTES], *path = vgg_alloc(size, 1);

    digest_key(key, hex);
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

static bool read_at(int fd, off_t offset, void *out, size_t size)
{
    unsigned char *next = out;

    while (size != 0) {
        ssize_t n = pread(fd, next, size, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        next += n;
        offset += n;
        size -= (size_t)n;
    }
    return true;
}

/* Is it as long as the entry, and does it begin with its key? */
static bool is_entry(int fd, const struct vgg_cache_entry *entry)
{
    size_t key = strlen(entry->key);
    char begin[VGG_CACHE_KEY_BYTES];
    struct stat info;

    return fstat(fd, &info) == 0 && info.st_size == offset_of(entry, entry->views) &&
           read_at(fd, 0, begin, key) && memcmp(begin, entry->key, key) == 0;
}

static bool read_view(int fd, const struct vgg_cache_entry *entry, size_t view, float *values)
{
    off_t offset = offset_of(entry, view);
    char end[DIGEST_BYTES], hex[VGG_SHA256_HEX_BYTES];

    if (!read_at(fd, offset, values, view_bytes(entry)) ||
        !read_at(fd, offset + (off_t)view_bytes(entry), end, sizeof end))
        return false;
    digest_view(entry, view, values, hex);
    return memcmp(hex, end, sizeof end) == 0;
}

bool vgg_cache_get(const char *dir, const struct vgg_cache_entry *entry, size_t first, size_t n,
                   float *values)
{
    char *path = path_of(dir, entry->key, false);
    bool found;
    int fd;

    if (path == NULL)
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    free(path);
    if (fd < 0)
        return false;
    found = is_entry(fd, entry);
    for (size_t i = 0; i < n && found; i++)
        found = read_view(fd, entry, first + i, values + i * entry->floats);
    close(fd);
    return found;
}

/* ---------------------------------------------------------------- writing -------------------- */

struct writing {
    const struct vgg_cache_entry *entry;
    const float *values;
};

static enum vgg_status write_entry(void *user, int fd, struct vgg_error *error)
{
    const struct writing *writing = user;
    const struct vgg_cache_entry *entry = writing->entry;
    enum vgg_status status = vgg_write_all(fd, entry->key, strlen(entry->key), error);

    for (size_t view = 0; view < entry->views && status == VGG_OK; view++) {
        const float *values = writing->values + view * entry->floats;
        char hex[VGG_SHA256_HEX_BYTES];

        digest_view(entry, view, values, hex);
        status = vgg_write_all(fd, values, view_bytes(entry), error);
        if (status == VGG_OK)
            status = vgg_write_all(fd, hex, DIGEST_BYTES, error);
    }
    return status;
}

enum vgg_status vgg_cache_put(const char *dir, const struct vgg_cache_entry *entry,
                              const float *values, struct vgg_error *error)
{
    struct writing writing = {entry, values};
    char *folder = path_of(dir, entry->key, true), *path = path_of(dir, entry->key, false);
    struct vgg_error reason = {0};
    enum vgg_status status;

    if (folder == NULL || path == NULL)
        status = vgg_fail_memory(error);
    else {
        (void)mkdir(folder, 0777); /* why it could not be made, the next call says */
        status = vgg_replace(path, write_entry, &writing, &reason);
        if (status != VGG_OK)
            (void)fail(dir, reason.text, error);
    }
    free(folder);
    free(path);
    return status;
}
