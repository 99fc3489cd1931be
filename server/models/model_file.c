/* Files of models. */
#include "models/model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/resources.h"

enum { PICTURE_BYTES = 16 << 20 }; /* read, decoded, rescaled, reported */

/* embedded.S */
extern const char vgg_embedded_model[], vgg_embedded_model_end[];

static size_t embedded_bytes(void)
{
    return (size_t)(vgg_embedded_model_end - vgg_embedded_model);
}

const void *model_embedded(size_t *size)
{
    *size = embedded_bytes();
    return vgg_embedded_model;
}

static void identify(struct model_file *file, const struct stat *info)
{
    file->device = info->st_dev;
    file->inode = info->st_ino;
    file->bytes = (uint64_t)info->st_size;
    file->modified = info->st_mtim;
    file->changed = info->st_ctim;
}

enum vgg_status model_file_open(const char *path, struct model_file *file, struct vgg_error *error)
{
    struct stat info;

    *file = (struct model_file){.fd = -1};
    if (path == NULL)
        return embedded_bytes() != 0
                   ? VGG_OK
                   : vgg_fail(error, VGG_BAD_ARGUMENT,
                              "this build has no embedded model: name one with --model FILE");
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &info) != 0) {
        enum vgg_status status = vgg_fail(error, VGG_IO, "model %s: %s", path, strerror(errno));

        model_file_close(file);
        return status;
    }
    identify(file, &info);
    file->path = strdup(path);
    if (file->path != NULL)
        return VGG_OK;
    model_file_close(file);
    return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
}

enum vgg_status model_file_load(const struct model_file *file,
                                const struct vgg_load_options *options, struct vgg_model **model,
                                struct vgg_error *error)
{
    if (file->path != NULL)
        return vgg_model_load_fd(file->fd, file->path, options, model, error);
    return vgg_model_load_memory(vgg_embedded_model, embedded_bytes(), "embedded", options, model,
                                 error);
}

const char *model_remark(const struct vgg_load_options *options, const struct vgg_model *model)
{
    if (options->fc_half)
        return "--fc-weights f16 is going to be dropped: --precision i8 takes less memory and time";
    if (options->precision == VGG_PRECISION_AUTO &&
        strcmp(vgg_model_get_info(model)->precision, "f32") == 0)
        return "--precision auto: f32 serves, this CPU (or VGG_KERNELS) has no 8-bit kernels";
    return NULL;
}

enum vgg_status model_file_predict(const struct model_file *file,
                                   const struct vgg_load_options *load,
                                   const struct vgg_engine_options *engine,
                                   struct vgg_footprint *footprint, struct vgg_error *error)
{
    if (file->path != NULL)
        return vgg_footprint_fd(file->fd, file->path, load, engine, footprint, error);
    return vgg_footprint_memory(vgg_embedded_model, embedded_bytes(), load, engine, footprint,
                                error);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool model_file_unchanged(const struct model_file *file)
{
    struct model_file now;
    struct stat info;

    if (file->path == NULL)
        return true;
    if (stat(file->path, &info) != 0)
        return false;
    identify(&now, &info);
    return now.device == file->device && now.inode == file->inode && now.bytes == file->bytes &&
           same_time(now.modified, file->modified) && same_time(now.changed, file->changed);
}

const char *model_file_name(const struct model_file *file)
{
    return file->path != NULL ? file->path : "the embedded model";
}

void model_file_close(struct model_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    *file = (struct model_file){.fd = -1};
}

/* Is there room for it? */
static enum vgg_status admit(const struct model_file *file, const struct vgg_load_options *options,
                             const struct vgg_engine_options *engine, struct vgg_error *error)
{
    struct resources_need need = {.bytes = PICTURE_BYTES};
    struct vgg_footprint footprint;
    enum vgg_status status = model_file_predict(file, options, engine, &footprint, error);

    if (status != VGG_OK)
        return status;
    resources_add_model(&need, &footprint, engine);
    return resources_check(&need, "", error);
}

enum vgg_status model_open(const char *path, const struct vgg_load_options *options,
                           const struct vgg_engine_options *engine, struct vgg_model **model,
                           struct vgg_error *error)
{
    struct model_file file;
    enum vgg_status status = model_file_open(path, &file, error);

    if (status == VGG_OK)
        status = admit(&file, options, engine, error);
    if (status == VGG_OK)
        status = model_file_load(&file, options, model, error);
    model_file_close(&file);
    return status;
}
