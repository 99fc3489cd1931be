/* Proposing the size of a network by measured passes. */
#include "training/scratch.h"

#include "vgg_bench.h"

enum {
    MEASURED_VIEWS = 4, /* of a pass */
    STEP_PASSES = 8, /* measured: a step takes 5 to 8 times a pass of inference on its pictures */
    CROP_BYTES =
        48, /* of maps and their gradients: for each pixel of a crop and channel of width */
    BATCH = 32,
    /* Pictures seen: fewer leave a network unfinished, more bring next to nothing. */
    SEEN_LEAST = 120000,
    SEEN_MOST = 300000,
    EPOCHS_LEAST = 20, /* as long as pictures are many */
    EPOCHS_MOST = 140
};

/* From the best on; the first that is done in time. */
static const struct {
    uint32_t width, crop;
} candidates[] = {{64, 224}, {64, 128}, {32, 224}, {32, 128}, {24, 128},
                  {16, 128}, {16, 96},  {16, 64},  {8, 64}};

static uint32_t either(uint32_t said, uint32_t otherwise)
{
    return said != 0 ? said : otherwise;
}

static uint32_t epochs_seeing(size_t seen, size_t pictures, uint32_t most)
{
    size_t epochs = seen / (pictures != 0 ? pictures : 1);

    return epochs > most ? most : (uint32_t)epochs;
}

static uint32_t at_least(uint32_t value, uint32_t least)
{
    return value > least ? value : least;
}

/* Seconds of an epoch. */
static enum vgg_status measure(const struct scratch_wish *wish, struct scratch *scratch,
                               struct vgg_error *error)
{
    const struct vgg_init_options init = {.arch = wish->arch,
                                          .width = scratch->width,
                                          .fc = scratch->fc,
                                          .classes = wish->classes,
                                          .crop = scratch->crop};
    const struct vgg_load_options load = {.threads = wish->threads};
    struct vgg_model *model = NULL;
    struct vgg_bench bench;
    enum vgg_status status = vgg_model_init(&init, &load, &model, error);

    if (status == VGG_OK)
        status = vgg_bench_run(model, scratch->crop, scratch->crop, MEASURED_VIEWS, wish->threads,
                               2, &bench, error);
    if (status == VGG_OK)
        scratch->epoch_seconds =
            bench.total_ms / 1e3 / MEASURED_VIEWS * STEP_PASSES * (double)wish->pictures;
    vgg_model_release(model);
    return status;
}

static struct scratch complete(const struct scratch_wish *wish, uint32_t width, uint32_t crop)
{
    struct scratch scratch = {.width = either(wish->width, width)};

    if (wish->crop_most != 0 && crop > wish->crop_most)
        crop = at_least(wish->crop_most / 32 * 32, 32);
    scratch.crop = either(wish->crop, crop);
    scratch.fc = either(wish->fc, at_least(8 * scratch.width, 256));
    scratch.batch = either(wish->batch, BATCH);
    return scratch;
}

static bool fits(const struct scratch_wish *wish, const struct scratch *scratch)
{
    return (uint64_t)CROP_BYTES * scratch->batch * scratch->width * scratch->crop * scratch->crop <
           wish->room;
}

enum vgg_status scratch_propose(const struct scratch_wish *wish, struct scratch *scratch,
                                struct vgg_error *error)
{
    const size_t n = sizeof candidates / sizeof *candidates;
    uint32_t least = at_least(epochs_seeing(SEEN_LEAST, wish->pictures, EPOCHS_MOST), EPOCHS_LEAST);
    uint32_t most = at_least(epochs_seeing(SEEN_MOST, wish->pictures, EPOCHS_MOST), least);

    if (wish->epochs != 0)
        least = most = wish->epochs;
    for (size_t i = 0; i < n; i++) {
        enum vgg_status status;
        double epochs;

        *scratch = complete(wish, candidates[i].width, candidates[i].crop);
        if (!fits(wish, scratch) && i + 1 < n)
            continue;
        status = measure(wish, scratch, error);
        if (status != VGG_OK)
            return status;
        epochs = SCRATCH_SECONDS / scratch->epoch_seconds;
        if (epochs < least && i + 1 < n)
            continue;
        scratch->epochs = epochs < most ? at_least((uint32_t)epochs, 1) : most;
        break;
    }
    return VGG_OK;
}
