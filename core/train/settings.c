/* Defaults and limits of training's options. */
#include "train/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backprop/network.h"

enum { DIM_MAX = 1 << 16, BATCH_MAX = 1 << 16 };

static uint32_t count_or(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

/* 0 stands for the default, less than that for nothing. */
static double amount_or(double value, double otherwise)
{
    if (value < 0)
        return 0;
    return value != 0 ? value : otherwise;
}

/* The network, the pictures that it takes, and the recipe of the paper. */
static void fill_in(struct vgg_train_options *settings)
{
    if (settings->arch == NULL)
        settings->arch = "D";
    settings->width = count_or(settings->width, 64);
    settings->fc = count_or(settings->fc, 4096);
    settings->crop = count_or(settings->crop, 224);
    settings->scale_max =
        count_or(settings->scale_max, settings->scale_min != 0 ? settings->scale_min : 512);
    settings->scale_min = count_or(settings->scale_min, 256);
    settings->validation_scale =
        count_or(settings->validation_scale, (settings->scale_min + settings->scale_max) / 2);
    settings->batch = count_or(settings->batch, 256);
    settings->epochs = count_or(settings->epochs, 74);
    settings->patience = count_or(settings->patience, 10);
    settings->drops = count_or(settings->drops, 3);
    settings->dropout = amount_or(settings->dropout, 0.5);
    settings->colour = amount_or(settings->colour, 0.1);
    settings->momentum = amount_or(settings->momentum, 0.9);
    settings->decay = amount_or(settings->decay, 5e-4);
    settings->smoothing = amount_or(settings->smoothing, 0);
    settings->rate = settings->rate != 0 ? settings->rate : 1e-2;
    settings->validation_fraction =
        settings->validation_fraction != 0 ? settings->validation_fraction : 0.1;
    if (settings->threads == 0)
        settings->threads = vgg_threads_default();
}

/* Is the network to be narrower than its base? */
static bool is_narrower(const struct vgg_train_options *settings, const struct vgg_model *base)
{
    return settings->width < base->net.layers[0].conv.out;
}

/* Channels of a layer of a base, in a network whose first layer has `width` instead of `of`. */
static uint32_t narrow(uint32_t channels, uint32_t width, uint32_t of)
{
    uint64_t rounded = ((uint64_t)channels * width + of / 2) / of;

    return rounded > 0 ? (uint32_t)rounded : 1;
}

/* Small, so that what was learnt stays; but a narrower network has yet to learn. */
static double rate_on(const struct vgg_model *base, const struct vgg_train_options *settings)
{
    if (!is_narrower(settings, base))
        return 1e-3;
    return settings->batch_norm ? 1e-2 : 3e-3;
}

/*
 * What a base says of itself, and a recipe for what has been learnt already: few epochs at a small
 * rate that falls to nothing. A crop shows as much of a picture at the base's smallest test scale
 * as 224 pixels of 256.
 */
static void fill_in_of_base(const struct vgg_model *base, struct vgg_train_options *settings)
{
    const struct vgg_model_info *info = &base->info;
    const uint32_t width = base->net.layers[0].conv.out;
    const uint32_t fc = base->net.layers[base->net.arch->convs_n].conv.out;
    uint32_t crop, least;

    settings->arch = info->arch;
    settings->width = count_or(settings->width, width);
    settings->fc = count_or(settings->fc, narrow(fc, settings->width, width));
    settings->scale_max = count_or(settings->scale_max, settings->scale_min);
    settings->scale_min = count_or(settings->scale_min, info->scales[0]);
    settings->scale_max = count_or(settings->scale_max, settings->freeze == VGG_FREEZE_NONE
                                                            ? info->scales[info->scales_n - 1]
                                                            : settings->scale_min * 5 / 4);
    crop = settings->scale_min * 7 / 8 / VGG_STRIDE * VGG_STRIDE;
    least = is_narrower(settings, base) ? VGG_STRIDE : info->crop;
    settings->crop = count_or(settings->crop, crop > least ? crop : least);
    settings->cosine = settings->cosine || (settings->patience == 0 && settings->drops == 0);
    settings->batch = count_or(settings->batch, settings->freeze == VGG_FREEZE_CONVS ? 128 : 32);
    settings->epochs = count_or(settings->epochs, 12);
    settings->rate = settings->rate != 0 ? settings->rate : rate_on(base, settings);
    settings->dropout = settings->dropout != 0 ? settings->dropout : 0.3;
    settings->smoothing = settings->smoothing != 0 ? settings->smoothing : 0.05;
}

/* The paper's test scales (section 3.2): about a fixed training scale, or the ends and the middle
 * of a range. */
static void follow_scales(struct vgg_train_options *settings)
{
    uint32_t least = settings->scale_min, most = settings->scale_max;
    const uint32_t scales[] = {least == most ? least - VGG_STRIDE : least, (least + most) / 2,
                               least == most ? most + VGG_STRIDE : most};

    if (settings->scales_n != 0)
        return;
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (scales[i] >= settings->crop && scales[i] <= VGG_SCALE_MAX)
            settings->scales[settings->scales_n++] = scales[i];
}

static enum vgg_status check_network(const struct vgg_train_options *settings,
                                     struct vgg_error *error)
{
    enum vgg_status status = vgg_net_check(settings->arch, settings->crop, error);

    if (status != VGG_OK)
        return status;
    if (settings->batch_norm && vgg_arch_find(settings->arch)->convs[0].lrn)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "A-LRN normalises by itself: batch-norm is for the other configurations");
    if (settings->width > DIM_MAX || settings->fc > DIM_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "width and fc must be at most %d", DIM_MAX);
    return VGG_OK;
}

/* Of a base: what its frozen layers cannot do. */
static enum vgg_status check_base(const struct vgg_train_options *settings,
                                  const struct vgg_model *base, struct vgg_error *error)
{
    if (base == NULL && settings->freeze != VGG_FREEZE_NONE)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "there is nothing to freeze without a base");
    if (base == NULL)
        return VGG_OK;
    if (settings->init_from != NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "a base is begun with: it stands beside no other model");
    if (settings->freeze == VGG_FREEZE_BLOCKS &&
        (settings->freeze_blocks < 1 || settings->freeze_blocks >= VGG_STAGES))
        return vgg_fail(error, VGG_BAD_ARGUMENT, "of five blocks, 1 to 4 can be frozen");
    if (settings->freeze != VGG_FREEZE_NONE && settings->no_mirror)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "mirror images are among what frozen layers compute: they stay in");
    if (settings->freeze != VGG_FREEZE_NONE &&
        (settings->turn || settings->squeeze != 0 || settings->erase != 0))
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "what frozen layers see is not turned, squeezed or erased");
    if (settings->crop < base->info.crop && !is_narrower(settings, base))
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "the crop of the base is %" PRIu32 ": %" PRIu32 " is less", base->info.crop,
                        settings->crop);
    return VGG_OK;
}

enum vgg_status vgg_settings_complete(const struct vgg_train_options *given,
                                      const struct vgg_model *base,
                                      struct vgg_train_options *settings, struct vgg_error *error)
{
    enum vgg_status status;

    *settings = *given;
    if (base != NULL)
        fill_in_of_base(base, settings);
    fill_in(settings);
    status = check_network(settings, error);
    if (status == VGG_OK)
        status = check_base(settings, base, error);
    if (status != VGG_OK)
        return status;
    if (settings->scale_min < settings->crop || settings->scale_max < settings->scale_min ||
        settings->scale_max > VGG_SCALE_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "scales %" PRIu32 " to %" PRIu32 " must ascend from the crop (%" PRIu32
                        ") to at most %d",
                        settings->scale_min, settings->scale_max, settings->crop, VGG_SCALE_MAX);
    if (settings->validation_scale < settings->crop || settings->validation_scale > VGG_SCALE_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "the validation scale must be from the crop (%" PRIu32 ") to %d",
                        settings->crop, VGG_SCALE_MAX);
    if (settings->scales_n > VGG_SCALES_MAX || settings->init > VGG_TRAIN_GAUSSIAN)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "more than %d test scales, or no such init",
                        VGG_SCALES_MAX);
    for (size_t i = 0; i < settings->scales_n; i++)
        if (settings->scales[i] < settings->crop)
            return vgg_fail(error, VGG_BAD_ARGUMENT,
                            "test scale %" PRIu32 " is below the crop (%" PRIu32 ")",
                            settings->scales[i], settings->crop);
    if (settings->batch > BATCH_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "batch must be at most %d", BATCH_MAX);
    if (!(settings->smoothing < 1))
        return vgg_fail(error, VGG_BAD_ARGUMENT, "smoothing must be below 1");
    if (!(settings->dropout < 1) || !(settings->momentum < 1) || !(settings->rate < 1e3) ||
        !(settings->decay < 1) || !(settings->colour < 1e3) || !(settings->validation_fraction < 1))
        return vgg_fail(
            error, VGG_BAD_ARGUMENT,
            "dropout, momentum, decay and validation fraction must be below 1, rate and "
            "colour below 1000");
    if (!(settings->squeeze >= 0 && settings->squeeze < 1) ||
        !(settings->erase >= 0 && settings->erase <= 1) ||
        !(settings->mixup >= 0 && settings->mixup <= 1))
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "squeeze must be from 0 to below 1, erase and mixup from 0 to 1");
    follow_scales(settings);
    if (!(settings->rate > 0) || !(settings->validation_fraction > 0))
        return vgg_fail(error, VGG_BAD_ARGUMENT, "rate and validation fraction must be above 0");
    return VGG_OK;
}

struct vgg_net_sizes vgg_settings_sizes(const struct vgg_train_options *settings,
                                        const struct vgg_base *base, uint32_t classes)
{
    const struct vgg_arch *arch = vgg_arch_find(settings->arch);
    struct vgg_net_sizes sizes =
        vgg_net_sizes_regular(arch, settings->width, settings->fc, classes, settings->crop);
    const struct vgg_net *net = &base->net;
    const uint32_t own = net->layers[0].conv.out;

    if (settings->base == NULL)
        return sizes;
    for (size_t i = 0; i < arch->convs_n; i++)
        sizes.convs[i] = narrow(net->layers[i].conv.out, settings->width, own);
    if (settings->width == own && settings->fc == net->layers[arch->convs_n].conv.out)
        sizes.fc[1] = net->layers[arch->convs_n + 1].conv.out;
    if (sizes.positions_kernel > net->positions_kernel)
        sizes.positions_kernel = net->positions_kernel;
    return sizes;
}

static void format_base(const struct vgg_train_options *settings, const struct vgg_model *base,
                        char *text, size_t size)
{
    char blocks[] = {(char)('0' + settings->freeze_blocks), '\0'}, from[40] = "";

    if (is_narrower(settings, base))
        snprintf(from, sizeof from, " narrowed-from=%" PRIu32, base->net.layers[0].conv.out);
    snprintf(text, size, "%s base=%s freeze=%s", from, base->version,
             settings->freeze == VGG_FREEZE_BLOCKS  ? blocks
             : settings->freeze == VGG_FREEZE_CONVS ? "convs"
                                                    : "none");
}

void vgg_settings_format(const struct vgg_train_options *settings, const struct vgg_model *base,
                         const struct vgg_model *teacher, uint32_t classes,
                         char text[VGG_SETTINGS_TEXT_BYTES])
{
    static const char *const inits[] = {"he", "glorot", "gaussian"};
    size_t used = (size_t)snprintf(
        text, VGG_SETTINGS_TEXT_BYTES,
        "arch=%s width=%" PRIu32 " fc=%" PRIu32 " classes=%" PRIu32 " crop=%" PRIu32
        " batch-norm=%s init=%s%s dropout=%g scale-min=%" PRIu32 " scale-max=%" PRIu32
        " validation-scale=%" PRIu32 " mirror=%s colour=%g batch=%" PRIu32 " patience=%" PRIu32
        " rate=%g momentum=%g decay=%g seed=%" PRIu64,
        settings->arch, settings->width, settings->fc, classes, settings->crop,
        settings->batch_norm ? "on" : "off", inits[settings->init],
        settings->init_from != NULL ? "+model" : "", settings->dropout, settings->scale_min,
        settings->scale_max, settings->validation_scale, settings->no_mirror ? "off" : "on",
        settings->colour, settings->batch, settings->patience, settings->rate, settings->momentum,
        settings->decay, settings->seed);

    if (settings->smoothing != 0)
        used += (size_t)snprintf(text + used, VGG_SETTINGS_TEXT_BYTES - used, " smoothing=%g",
                                 settings->smoothing);
    if (settings->cosine)
        used += (size_t)snprintf(text + used, VGG_SETTINGS_TEXT_BYTES - used,
                                 " cosine-epochs=%" PRIu32, settings->epochs);
    if (settings->balance)
        used += (size_t)snprintf(text + used, VGG_SETTINGS_TEXT_BYTES - used, " balance=on");
    if (settings->turn)
        used += (size_t)snprintf(text + used, VGG_SETTINGS_TEXT_BYTES - used, " turn=on");
    if (settings->squeeze != 0)
        used += (size_t)snprintf(text + used, VGG_SETTINGS_TEXT_BYTES - used, " squeeze=%g",
                                 settings->squeeze);
    if (settings->erase != 0)
        used += (size_t)snprintf(text + used, VGG_SETTINGS_TEXT_BYTES - used, " erase=%g",
                                 settings->erase);
    if (settings->mixup != 0)
        used += (size_t)snprintf(text + used, VGG_SETTINGS_TEXT_BYTES - used, " mixup=%g",
                                 settings->mixup);
    if (teacher != NULL)
        used += (size_t)snprintf(text + used, VGG_SETTINGS_TEXT_BYTES - used, " teacher=%s",
                                 teacher->version);
    if (base != NULL)
        format_base(settings, base, text + used, VGG_SETTINGS_TEXT_BYTES - used);
}

enum vgg_status vgg_settings_compare(const char *saved, const char *wanted, struct vgg_error *error)
{
    while (*saved != '\0' || *wanted != '\0') {
        size_t a = strcspn(saved, " "), b = strcspn(wanted, " ");

        if (a != b || strncmp(saved, wanted, a) != 0)
            return vgg_fail(error, VGG_BAD_ARGUMENT,
                            "the checkpoint has %.*s, and the options %.*s", (int)a, saved, (int)b,
                            wanted);
        saved += a + (saved[a] != '\0');
        wanted += b + (wanted[b] != '\0');
    }
    return VGG_OK;
}
