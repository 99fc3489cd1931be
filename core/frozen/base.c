/* Opening a base, and what of it options must agree with. */
#include "frozen/base.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

static enum vgg_status open_source(struct vgg_base *base, const struct vgg_train_options *settings,
                                   struct vgg_error *error)
{
    enum vgg_status status;

    if (settings->base_bytes != NULL) {
        base->source = (struct vgg_source){
            .fd = -1, .bytes = settings->base_bytes, .size = settings->base_size};
        return VGG_OK;
    }
    status = vgg_source_open(settings->base, &base->source, error);
    base->opened = status == VGG_OK;
    return status;
}

enum vgg_status vgg_base_open(struct vgg_base *base, const struct vgg_train_options *settings,
                              struct vgg_error *error)
{
    const struct vgg_kernels *kernels = vgg_kernels_select(VGG_PRECISION_F32, error);
    struct vgg_error reason = {0};
    struct vgg_reader reader;
    enum vgg_status status;

    if (kernels == NULL)
        return VGG_BAD_ARGUMENT;
    base->name = settings->base;
    status = open_source(base, settings, &reason);
    if (status == VGG_OK) {
        vgg_reader_init(&reader, &base->source);
        status = vgg_reader_header(&reader, &base->header, &reason);
    }
    if (status == VGG_OK) {
        base->data = reader.offset;
        status = vgg_names_bind(&base->header, kernels, &base->net, &base->binding, &reason);
    }
    return status == VGG_OK ? status
                            : vgg_fail(error, status, "base %s: %s", base->name, reason.text);
}

enum vgg_status vgg_base_load(struct vgg_base *base, unsigned blocks,
                              const struct vgg_train_options *settings, struct vgg_error *error)
{
    const struct vgg_load_options options = {.threads = settings->threads};
    struct vgg_error reason = {0};
    struct vgg_net net = base->net;
    enum vgg_status status = VGG_OK;

    if (blocks != 0)
        vgg_net_cut(&net, blocks);
    if (settings->on_memory != NULL)
        status = settings->on_memory(settings->user, vgg_net_bytes(&net), &reason);
    if (status == VGG_OK)
        status = vgg_model_load_source(&base->source, base->name, NULL, blocks, &options,
                                       &base->model, &reason);
    return status == VGG_OK ? status : vgg_fail(error, status, "base: %s", reason.text);
}

bool vgg_base_is_wider(const struct vgg_base *base, uint32_t width)
{
    return width != 0 && width < base->net.layers[0].conv.out;
}

static enum vgg_status check_width(const struct vgg_base *base,
                                   const struct vgg_train_options *given, struct vgg_error *error)
{
    uint32_t own = base->net.layers[0].conv.out;

    if (given->width > own)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "base %s has width %" PRIu32 ", and the options %" PRIu32
                        ": it can be made narrower, not wider",
                        base->name, own, given->width);
    if (vgg_base_is_wider(base, given->width) && given->freeze != VGG_FREEZE_NONE)
        return vgg_fail(
            error, VGG_BAD_ARGUMENT,
            "base %s has width %" PRIu32 ", and the options %" PRIu32
            ": a narrower network has layers of its own, and they all train (freeze none)",
            base->name, own, given->width);
    return VGG_OK;
}

enum vgg_status vgg_base_check(const struct vgg_base *base, const struct vgg_train_options *given,
                               bool head, struct vgg_error *error)
{
    const struct vgg_layer *fc = &base->net.layers[base->net.arch->convs_n];
    const struct {
        const char *what;
        uint32_t given, own;
    } numbers[] = {{"crop", given->crop, vgg_net_crop(&base->net)},
                   {"fc", head ? given->fc : 0, fc->conv.out}};

    enum vgg_status status = check_width(base, given, error);

    if (status != VGG_OK)
        return status;
    if (given->arch != NULL && strcmp(given->arch, base->net.arch->name) != 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "base %s is of configuration %s, not %s",
                        base->name, base->net.arch->name, given->arch);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].given != 0 && numbers[i].given != numbers[i].own)
            return vgg_fail(error, VGG_BAD_ARGUMENT,
                            "base %s has %s %" PRIu32 ", and the options %" PRIu32
                            ": leave it out, or take another base",
                            base->name, numbers[i].what, numbers[i].own, numbers[i].given);
    return VGG_OK;
}

enum vgg_status vgg_base_unchanged(const struct vgg_base *base, struct vgg_error *error)
{
    if (!base->opened || vgg_source_unchanged(&base->source))
        return VGG_OK;
    return vgg_fail(error, VGG_IO, "base %s: it changed while it was used", base->name);
}

enum vgg_status vgg_train_base_width(const struct vgg_train_options *options, uint32_t *width,
                                     struct vgg_error *error)
{
    struct vgg_base base = {0};
    enum vgg_status status = vgg_base_open(&base, options, error);

    if (status == VGG_OK)
        status = check_width(&base, options, error);
    if (status == VGG_OK)
        *width = base.net.layers[0].conv.out;
    vgg_base_fini(&base);
    return status;
}

void vgg_base_fini(struct vgg_base *base)
{
    vgg_model_release(base->model);
    vgg_header_fini(&base->header);
    if (base->opened)
        close(base->source.fd);
    *base = (struct vgg_base){0};
}
