/*
 * Write beside the target, then rename: nobody ever sees half a file. A temporary file is locked by
 * the process that writes it, so that one without a lock is a dead process's, also where processes
 * do not see each other (containers that share a directory).
 */
#include "base/replace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

enum {
    SUFFIX_BYTES = 48, /* ".PID-N.tmp" */
    TRIES = 100        /* of N */
};

enum vgg_status vgg_write_all(int fd, const void *bytes, size_t size, struct vgg_error *error)
{
    const unsigned char *next = bytes;

    while (size != 0) {
        ssize_t n = write(fd, next, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vgg_fail(error, VGG_IO, "cannot write it: %s", strerror(errno));
        next += n;
        size -= (size_t)n;
    }
    return VGG_OK;
}

/* ---------------------------------------------------------------- dead processes ------------- */

/* Is `name` that of a temporary file of `base`? */
static bool is_temporary(const char *name, const char *base)
{
    size_t length = strlen(base);
    unsigned long pid;
    unsigned n;
    int end = 0;

    return strncmp(name, base, length) == 0 &&
           sscanf(name + length, ".%lu-%u.tmp%n", &pid, &n, &end) == 2 && end != 0 &&
           name[length + (size_t)end] == '\0';
}

/* Unlink it unless somebody holds its lock. */
static void remove_dead(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat opened, named;

    if (fd < 0)
        return;
    /* Its writer may have renamed it since it was opened: then the name is another's. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode) &&
        fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        named.st_ino == opened.st_ino && named.st_dev == opened.st_dev)
        (void)unlinkat(directory, name, 0);
    close(fd);
}

/* As good as it goes: what cannot be removed is no reason not to write. */
static void remove_all_dead(const char *path, char *scratch)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    const struct dirent *entry;
    DIR *entries;

    memcpy(scratch, path, length);
    memcpy(scratch + length, ".", sizeof ".");
    entries = opendir(scratch);
    while (entries != NULL && (entry = readdir(entries)) != NULL)
        if (is_temporary(entry->d_name, path + length))
            remove_dead(dirfd(entries), entry->d_name);
    if (entries != NULL)
        closedir(entries);
}

/* ---------------------------------------------------------------- this one ------------------- */

/* A new file, locked, its name in temporary[size]; -1 and errno where there is none. */
static int create_temporary(const char *path, char *temporary, size_t size)
{
    for (unsigned n = 0; n < TRIES; n++) {
        struct stat created;
        int fd;

        snprintf(temporary, size, "%s.%ld-%u.tmp", path, (long)getpid(), n);
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            return -1;
        if (fd < 0)
            continue;
        /* Before it was locked another process may have taken it for a dead one's. */
        if ((flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
            fstat(fd, &created) == 0 && created.st_nlink != 0)
            return fd;
        close(fd);
    }
    errno = EEXIST;
    return -1;
}

/* Fill the new file and give it the name `path`. */
static enum vgg_status put(const char *path, const char *temporary, int fd,
                           vgg_contents_fn *contents, void *user, struct vgg_error *error)
{
    enum vgg_status status = contents(user, fd, error);

    if (status == VGG_OK && fsync(fd) != 0)
        status = vgg_fail(error, VGG_IO, "cannot write it: %s", strerror(errno));
    if (status == VGG_OK && rename(temporary, path) != 0)
        status = vgg_fail(error, VGG_IO, "cannot put it in place: %s", strerror(errno));
    return status;
}

/* Without contents it is only tried. */
static enum vgg_status replace(const char *path, char *temporary, size_t size,
                               vgg_contents_fn *contents, void *user, struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;
    struct stat target;
    int fd;

    if (stat(path, &target) == 0 && !S_ISREG(target.st_mode))
        return vgg_fail(error, VGG_IO, "it exists and is not a regular file");
    remove_all_dead(path, temporary);
    fd = create_temporary(path, temporary, size);
    if (fd < 0)
        return vgg_fail(error, VGG_IO, "cannot create it: %s", strerror(errno));
    if (contents != NULL)
        status = put(path, temporary, fd, contents, user, error);
    if (contents == NULL || status != VGG_OK)
        (void)unlink(temporary);
    close(fd); /* after the rename: it ends the lock. fsync has told of what close could. */
    return status;
}

enum vgg_status vgg_replace(const char *path, vgg_contents_fn *contents, void *user,
                            struct vgg_error *error)
{
    size_t size = strlen(path) + SUFFIX_BYTES;
    char *temporary = vgg_alloc(size, 1);
    enum vgg_status status;

    if (temporary == NULL)
        return vgg_fail_memory(error);
    status = replace(path, temporary, size, contents, user, error);
    free(temporary);
    return status;
}

enum vgg_status vgg_replace_try(const char *path, struct vgg_error *error)
{
    return vgg_replace(path, NULL, NULL, error);
}

/* ---------------------------------------------------------------- room ----------------------- */

/* Bytes that this process may still write there; UINT64_MAX where that is not known. */
static uint64_t free_bytes(const char *directory)
{
    struct statvfs system;

    if (statvfs(directory, &system) != 0 || system.f_blocks == 0)
        return UINT64_MAX;
    return (uint64_t)(geteuid() == 0 ? system.f_bfree : system.f_bavail) * system.f_frsize;
}

enum vgg_status vgg_replace_room(const char *path, uint64_t bytes, struct vgg_error *error)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    char *directory = vgg_alloc(length + sizeof ".", 1);
    uint64_t room;

    if (directory == NULL)
        return vgg_fail_memory(error);
    memcpy(directory, path, length);
    memcpy(directory + length, ".", sizeof ".");
    room = free_bytes(directory);
    free(directory);
    if (bytes <= room)
        return VGG_OK;
    return vgg_fail(error, VGG_IO, "%s: it takes %.1f MiB, and %.1f are free there: %s", path,
                    (double)bytes / (1 << 20), (double)room / (1 << 20), strerror(ENOSPC));
}
