/* Defaults and limits of training's options. */
#include "train/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

static void fill_in(const struct vgg_train_options *given, struct vgg_train_options *settings)
{
    *settings = *given;
    if (given->arch == NULL)
        settings->arch = "D";
    settings->width = count_or(given->width, 64);
    settings->fc = count_or(given->fc, 4096);
    settings->crop = count_or(given->crop, 224);
    settings->scale_min = count_or(given->scale_min, 256);
    settings->scale_max =
        count_or(given->scale_max, given->scale_min != 0 ? given->scale_min : 512);
    settings->validation_scale =
        count_or(given->validation_scale, (settings->scale_min + settings->scale_max) / 2);
    settings->batch = count_or(given->batch, 256);
    settings->epochs = count_or(given->epochs, 74);
    settings->patience = count_or(given->patience, 10);
    settings->drops = count_or(given->drops, 3);
    settings->dropout = amount_or(given->dropout, 0.5);
    settings->colour = amount_or(given->colour, 0.1);
    settings->momentum = amount_or(given->momentum, 0.9);
    settings->decay = amount_or(given->decay, 5e-4);
    settings->rate = given->rate != 0 ? given->rate : 1e-2;
    settings->validation_fraction =
        given->validation_fraction != 0 ? given->validation_fraction : 0.1;
    if (given->threads == 0)
        settings->threads = vgg_threads_default();
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

enum vgg_status vgg_settings_complete(const struct vgg_train_options *given,
                                      struct vgg_train_options *settings, struct vgg_error *error)
{
    enum vgg_status status;

    fill_in(given, settings);
    status = check_network(settings, error);
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
    if (!(settings->dropout < 1) || !(settings->momentum < 1) || !(settings->rate < 1e3) ||
        !(settings->decay < 1) || !(settings->colour < 1e3) || !(settings->validation_fraction < 1))
        return vgg_fail(
            error, VGG_BAD_ARGUMENT,
            "dropout, momentum, decay and validation fraction must be below 1, rate and "
            "colour below 1000");
    if (!(settings->rate > 0) || !(settings->validation_fraction > 0))
        return vgg_fail(error, VGG_BAD_ARGUMENT, "rate and validation fraction must be above 0");
    return VGG_OK;
}

struct vgg_net_sizes vgg_settings_sizes(const struct vgg_train_options *settings,
                                        const struct vgg_arch *arch, uint32_t classes)
{
    return vgg_net_sizes_regular(arch, settings->width, settings->fc, classes, settings->crop);
}

void vgg_settings_format(const struct vgg_train_options *settings, uint32_t classes,
                         char text[VGG_SETTINGS_TEXT_BYTES])
{
    static const char *const inits[] = {"he", "glorot", "gaussian"};

    snprintf(text, VGG_SETTINGS_TEXT_BYTES,
             "arch=%s width=%" PRIu32 " fc=%" PRIu32 " classes=%" PRIu32 " crop=%" PRIu32
             " batch-norm=%s init=%s%s dropout=%g scale-min=%" PRIu32 " scale-max=%" PRIu32
             " validation-scale=%" PRIu32 " mirror=%s colour=%g batch=%" PRIu32 " patience=%" PRIu32
             " rate=%g momentum=%g decay=%g seed=%" PRIu64,
             settings->arch, settings->width, settings->fc, classes, settings->crop,
             settings->batch_norm ? "on" : "off", inits[settings->init],
             settings->init_from != NULL ? "+model" : "", settings->dropout, settings->scale_min,
             settings->scale_max, settings->validation_scale, settings->no_mirror ? "off" : "on",
             settings->colour, settings->batch, settings->patience, settings->rate,
             settings->momentum, settings->decay, settings->seed);
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
