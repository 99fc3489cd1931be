/* Walking directories of pictures. No more than one directory is open at a time. */
#include "vgg_pictures.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "text/list.h"

enum { DEPTH_MAX = 64, FIRST_ITEMS = 64 };

static const char hidden[] = "hidden", junk[] = "of an archiver or a file manager",
                  unlike[] = "not a picture's name",
                  foreign[] = "of a format that is not read: convert it to JPEG",
                  irregular[] = "not a regular file", link_to[] = "a link to a directory",
                  deep[] = "nested too deep", loose[] = "not in a class folder",
                  round_about[] = "a link to where it is",
                  empty[] = "a class folder without pictures";

/* ---------------------------------------------------------------- names ---------------------- */

static bool ends_like(const char *name, const char *const *endings)
{
    const char *ending = strrchr(name, '.');

    for (; ending != NULL && *endings != NULL; endings++)
        if (strcasecmp(ending, *endings) == 0)
            return true;
    return false;
}

/* Those of Pillow, and what browsers save as. */
static bool looks_like_picture(const char *name)
{
    static const char *const endings[] = {".jpg",   ".jpeg", ".jpe",  ".jfif", ".jif", ".pjp",
                                          ".pjpeg", ".png",  ".apng", ".webp", NULL};

    return ends_like(name, endings);
}

/* What telephones, cameras and scanners write beside. */
static bool looks_foreign(const char *name)
{
    static const char *const endings[] = {
        ".heic", ".heif", ".hif", ".avif", ".tif", ".tiff", ".bmp", ".gif", ".jxl", ".jp2",
        ".dng",  ".cr2",  ".cr3", ".nef",  ".arw", ".orf",  ".rw2", ".raf", NULL};

    return ends_like(name, endings);
}

/* Why a name is passed over, whatever it names; NULL where it is not. */
static const char *pass_over(const char *name)
{
    static const char *const names[] = {"__MACOSX",    "Thumbs.db", "ehthumbs.db",
                                        "desktop.ini", "@eaDir",    "$RECYCLE.BIN",
                                        "lost+found",  "Icon\r",    "System Volume Information"};

    if (name[0] == '.')
        return hidden;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i], name) == 0)
            return junk;
    return NULL;
}

/* ---------------------------------------------------------------- one directory -------------- */

enum kind { DIRECTORY, LINK_TO_DIRECTORY, REGULAR, OTHER, UNKNOWN };

struct entry {
    char *path;
    const char *name; /* the end of `path` */
    enum kind kind;
    int code; /* errno of an unknown kind */
};

struct entries {
    struct entry *items;
    size_t n, capacity;
};

static void entries_fini(struct entries *entries)
{
    for (size_t i = 0; i < entries->n; i++)
        free(entries->items[i].path);
    free(entries->items);
}

/* A link is what it leads to, but for directories. */
static void look_at(struct entry *entry)
{
    struct stat own, target;

    entry->kind = UNKNOWN;
    if (lstat(entry->path, &own) != 0 || stat(entry->path, &target) != 0)
        entry->code = errno;
    else if (S_ISDIR(target.st_mode))
        entry->kind = S_ISLNK(own.st_mode) ? LINK_TO_DIRECTORY : DIRECTORY;
    else
        entry->kind = S_ISREG(target.st_mode) ? REGULAR : OTHER;
}

static bool add(struct entries *entries, const char *directory, const char *name)
{
    size_t length = strlen(directory);
    /* "/" and "photos/" need no further slash. */
    const char *slash = length != 0 && directory[length - 1] == '/' ? "" : "/";
    struct entry *entry;

    if (entries->n == entries->capacity) {
        size_t capacity = entries->capacity != 0 ? 2 * entries->capacity : FIRST_ITEMS;
        struct entry *items = realloc(entries->items, capacity * sizeof *items);

        if (items == NULL)
            return false;
        entries->items = items;
        entries->capacity = capacity;
    }
    entry = &entries->items[entries->n];
    *entry = (struct entry){0};
    if (asprintf(&entry->path, "%s%s%s", directory, slash, name) < 0)
        return false;
    entry->name = entry->path + strlen(entry->path) - strlen(name);
    look_at(entry);
    entries->n++;
    return true;
}

/* All that is in a directory. 0, or the errno. */
static int list(const char *directory, struct entries *entries)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    int code = 0;

    if (stream == NULL)
        return errno;
    while (code == 0 && (errno = 0, entry = readdir(stream)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !add(entries, directory, entry->d_name))
            code = ENOMEM;
    if (code == 0)
        code = errno;
    closedir(stream);
    return code;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* The order of the paths below: a directory's name goes on with a slash. */
static int by_path(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    size_t at = 0;
    int ends[2];

    while (left->name[at] != '\0' && left->name[at] == right->name[at])
        at++;
    ends[0] = (unsigned char)left->name[at];
    ends[1] = (unsigned char)right->name[at];
    if (ends[0] == 0 && left->kind == DIRECTORY)
        ends[0] = '/';
    if (ends[1] == 0 && right->kind == DIRECTORY)
        ends[1] = '/';
    return ends[0] - ends[1];
}

static void sort(struct entries *entries, int (*order)(const void *, const void *))
{
    if (entries->n != 0)
        qsort(entries->items, entries->n, sizeof *entries->items, order);
}

/* ---------------------------------------------------------------- the walk ------------------- */

struct walking {
    const struct vgg_walk *walk;
    struct vgg_error *error;
    /* Below a class folder: pictures, those of other formats, directories. */
    size_t pictures, foreigners, unread;
    /* Of classes. */
    const struct entry *folder;
    bool known;
    struct text_list strangers; /* folders that are no class */
};

static enum vgg_status leave_out(struct walking *walking, const char *path, const char *reason,
                                 bool lost)
{
    const struct vgg_walk *walk = walking->walk;

    return walk->on_left_out != NULL ? walk->on_left_out(walk->user, path, reason, lost) : VGG_OK;
}

/* Is the folder of this first picture a class? */
static enum vgg_status meet_class(struct walking *walking)
{
    const struct vgg_walk *walk = walking->walk;
    enum vgg_status status = VGG_OK;

    walking->known = true;
    if (walking->folder != NULL && walk->on_class != NULL)
        status = walk->on_class(walk->user, walking->folder->path, walking->folder->name,
                                &walking->known);
    if (!walking->known)
        text_list_add(&walking->strangers, walking->folder->name);
    return status;
}

static enum vgg_status meet_picture(struct walking *walking, const char *path)
{
    enum vgg_status status = walking->pictures++ == 0 ? meet_class(walking) : VGG_OK;

    if (status != VGG_OK || !walking->known || walking->walk->on_picture == NULL)
        return status;
    return walking->walk->on_picture(walking->walk->user, path);
}

static enum vgg_status walk_below(struct walking *walking, const char *directory, unsigned depth);

/* What cannot be looked at, but for links that lead nowhere or round. */
static bool may_be_directory(const struct entry *entry)
{
    return entry->kind == UNKNOWN && entry->code != ENOENT && entry->code != ELOOP;
}

static enum vgg_status walk_entry(struct walking *walking, const struct entry *entry,
                                  unsigned depth)
{
    const char *reason = pass_over(entry->name);
    bool picture = looks_like_picture(entry->name);

    if (reason != NULL)
        return leave_out(walking, entry->path, reason, false);
    if (entry->kind == DIRECTORY)
        return depth < DEPTH_MAX ? walk_below(walking, entry->path, depth + 1)
                                 : leave_out(walking, entry->path, deep, true);
    if (entry->kind == LINK_TO_DIRECTORY)
        return leave_out(walking, entry->path, link_to, false);
    if (entry->kind == OTHER)
        return leave_out(walking, entry->path, irregular, false);
    if (may_be_directory(entry) || (entry->kind == UNKNOWN && picture))
        return leave_out(walking, entry->path, strerror(entry->code), true);
    if (!picture && looks_foreign(entry->name)) {
        walking->foreigners++;
        return leave_out(walking, entry->path, foreign, false);
    }
    if (!picture)
        return leave_out(walking, entry->path, unlike, false);
    return meet_picture(walking, entry->path);
}

static enum vgg_status walk_entries(struct walking *walking, struct entries *entries,
                                    unsigned depth)
{
    enum vgg_status status = VGG_OK;

    sort(entries, by_path);
    for (size_t i = 0; i < entries->n && status == VGG_OK; i++)
        status = walk_entry(walking, &entries->items[i], depth);
    return status;
}

static enum vgg_status fail_reading(const char *directory, int code, struct vgg_error *error)
{
    /* Of what people give in a directory's place, an archive of it is the likeliest. */
    const char *advice = code == ENOTDIR ? " (an archive is to be unpacked first)" : "";

    if (code == ENOMEM)
        return vgg_fail_memory(error);
    return vgg_fail(error, VGG_IO, "%s: %s%s", directory, strerror(code), advice);
}

/* What cannot be read is left out, but not for want of memory or descriptors. */
static enum vgg_status walk_below(struct walking *walking, const char *directory, unsigned depth)
{
    struct entries entries = {0};
    int code = list(directory, &entries);
    enum vgg_status status;

    if (code == 0)
        status = walk_entries(walking, &entries, depth);
    else if (code == ENOMEM || code == EMFILE || code == ENFILE)
        status = fail_reading(directory, code, walking->error);
    else {
        walking->unread++;
        status = leave_out(walking, directory, strerror(code), true);
    }
    entries_fini(&entries);
    return status;
}

/* The entries of the directory itself. */
static enum vgg_status begin(const struct walking *walking, const char *directory,
                             struct entries *entries)
{
    int code;

    if (directory == NULL || walking->walk == NULL)
        return vgg_fail(walking->error, VGG_BAD_ARGUMENT, "no directory or no walk");
    code = list(directory, entries);
    return code == 0 ? VGG_OK : fail_reading(directory, code, walking->error);
}

enum vgg_status vgg_walk_pictures(const char *directory, const struct vgg_walk *walk,
                                  struct vgg_error *error)
{
    struct walking walking = {.walk = walk, .error = error};
    struct entries entries = {0};
    enum vgg_status status = begin(&walking, directory, &entries);

    if (status == VGG_OK)
        status = walk_entries(&walking, &entries, 1);
    entries_fini(&entries);
    return status;
}

/* ---------------------------------------------------------------- classes -------------------- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Does a link lead to `top` or to a directory above it? Everything would be of its class. */
static bool leads_up(const char *link, const char *top)
{
    struct stat target, here, above;
    int fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool known = stat(link, &target) == 0 && fd >= 0 && fstat(fd, &here) == 0, up = false;

    while (known && !(up = is_same(&target, &here))) {
        int parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

        close(fd);
        fd = parent;
        if (fd < 0 || fstat(fd, &above) != 0 || is_same(&above, &here))
            break; /* the root */
        here = above;
    }
    if (fd >= 0)
        close(fd);
    return up;
}

static enum vgg_status walk_class(struct walking *walking, const char *top,
                                  const struct entry *entry)
{
    const char *reason = pass_over(entry->name);
    enum vgg_status status;

    if (reason == NULL && may_be_directory(entry))
        return leave_out(walking, entry->path, strerror(entry->code), true);
    if (reason == NULL && entry->kind != DIRECTORY && entry->kind != LINK_TO_DIRECTORY)
        reason = loose;
    if (reason != NULL)
        return leave_out(walking, entry->path, reason, false);
    if (entry->kind == LINK_TO_DIRECTORY && leads_up(entry->path, top))
        return leave_out(walking, entry->path, round_about, false);
    walking->folder = entry;
    walking->pictures = walking->foreigners = walking->unread = 0;
    status = walk_below(walking, entry->path, 1);
    if (status != VGG_OK || walking->pictures != 0)
        return status;
    if (walking->foreigners != 0)
        return meet_class(walking);
    return walking->unread == 0 ? leave_out(walking, entry->path, empty, false) : VGG_OK;
}

static enum vgg_status fail_strangers(struct walking *walking, const char *directory)
{
    size_t n = walking->strangers.n;

    return vgg_fail(walking->error, VGG_BAD_ARGUMENT, "%zu folder%s none of the classes: %s; in %s",
                    n, n == 1 ? " is" : "s are", text_list_end(&walking->strangers), directory);
}

enum vgg_status vgg_walk_classes(const char *directory, const struct vgg_walk *walk,
                                 struct vgg_error *error)
{
    struct walking walking = {.walk = walk, .error = error};
    struct entries entries = {0};
    enum vgg_status status = begin(&walking, directory, &entries);

    sort(&entries, by_name);
    for (size_t i = 0; i < entries.n && status == VGG_OK; i++)
        status = walk_class(&walking, directory, &entries.items[i]);
    if (status == VGG_OK && walking.strangers.n != 0)
        status = fail_strangers(&walking, directory);
    entries_fini(&entries);
    return status;
}
