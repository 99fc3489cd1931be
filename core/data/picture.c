/* Reading picture files. */
#include "data/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

/* The longer side of a picture at VGG_SCALE_MAX stays below VGG_SIDE_MAX. */
enum { RATIO_MAX = VGG_SIDE_MAX / VGG_SCALE_MAX };

/* Looked at before it is opened, as opening alone may do something, and again when it is open. */
static enum vgg_status check_kind(const struct stat *info, struct vgg_error *error)
{
    if (!S_ISREG(info->st_mode))
        return vgg_fail(error, VGG_IO, "not a regular file");
    if (info->st_size > VGG_PICTURE_BYTES_MAX)
        return vgg_fail(error, VGG_TOO_LARGE, "a file of over %d MiB", VGG_PICTURE_BYTES_MAX >> 20);
    return VGG_OK;
}

static enum vgg_status fail_io(struct vgg_error *error)
{
    return vgg_fail(error, VGG_IO, "%s", strerror(errno));
}

static enum vgg_status open_regular(const char *path, int *fd, size_t *size,
                                    struct vgg_error *error)
{
    enum vgg_status status;
    struct stat info;

    if (stat(path, &info) != 0)
        return fail_io(error);
    status = check_kind(&info, error);
    if (status != VGG_OK)
        return status;
    /* O_NONBLOCK: opening what has become a FIFO must not wait for a writer. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return fail_io(error);
    status = fstat(*fd, &info) == 0 ? check_kind(&info, error) : fail_io(error);
    if (status != VGG_OK)
        close(*fd);
    *size = (size_t)info.st_size;
    return status;
}

static enum vgg_status read_all(int fd, uint8_t *bytes, size_t size, struct vgg_error *error)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, bytes + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_io(error);
        if (n == 0)
            return vgg_fail(error, VGG_IO, "it became shorter while it was read");
        done += (size_t)n;
    }
    return VGG_OK;
}

static enum vgg_status decode(const uint8_t *bytes, size_t size, struct vgg_image **image,
                              struct vgg_error *error)
{
    struct vgg_image_info info;
    enum vgg_status status = vgg_image_peek(bytes, size, NULL, &info, error);

    if (status != VGG_OK)
        return status;
    if (info.width / info.height >= RATIO_MAX || info.height / info.width >= RATIO_MAX)
        return vgg_fail(error, VGG_TOO_LARGE, "%u x %u pixels: too narrow to be rescaled",
                        info.width, info.height);
    return vgg_image_decode(bytes, size, NULL, image, error);
}

static void describe(const uint8_t *bytes, size_t size, struct vgg_picture_file *file)
{
    struct vgg_sha256 sha;

    file->bytes = size;
    vgg_sha256_init(&sha);
    vgg_sha256_update(&sha, bytes, size);
    vgg_sha256_final(&sha, file->sha256);
}

enum vgg_status vgg_picture_read(const char *path, struct vgg_image **image,
                                 struct vgg_picture_file *file, struct vgg_error *error)
{
    size_t size = 0;
    int fd = -1;
    enum vgg_status status = open_regular(path, &fd, &size, error);
    uint8_t *bytes;

    if (status != VGG_OK)
        return status;
    bytes = vgg_alloc(size, 1);
    status = bytes != NULL ? read_all(fd, bytes, size, error) : vgg_fail_memory(error);
    close(fd);
    if (status == VGG_OK)
        status = decode(bytes, size, image, error);
    if (status == VGG_OK && file != NULL)
        describe(bytes, size, file);
    free(bytes);
    return status;
}
