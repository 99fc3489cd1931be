/* Proposing the size of a network by measured passes. */
#include "training/scratch.h"

#include "vgg_bench.h"
#include "vgg_footprint.h"

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

static struct vgg_init_options network_of(const struct scratch_wish *wish,
                                          const struct scratch *scratch)
{
    return (struct vgg_init_options){.arch = wish->arch,
                                     .width = scratch->width,
                                     .fc = scratch->fc,
                                     .classes = wish->classes,
                                     .crop = scratch->crop};
}

/* Seconds of an epoch. */
static enum vgg_status measure(const struct scratch_wish *wish, struct scratch *scratch,
                               struct vgg_error *error)
{
    const struct vgg_init_options init = network_of(wish, scratch);
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

/* Does memory hold the weights while they are measured, and the maps of a step? */
static bool fits(const struct scratch_wish *wish, const struct scratch *scratch)
{
    const struct vgg_init_options init = network_of(wish, scratch);
    const struct vgg_engine_options engine = {.threads = wish->threads};
    struct vgg_footprint footprint = {0};

    if (vgg_footprint_init(&init, NULL, &engine, &footprint, NULL) != VGG_OK)
        return true; /* no network at all: what is wrong is said when it is made */
    return footprint.load < wish->room && footprint.held < wish->room &&
           (uint64_t)CROP_BYTES * scratch->batch * scratch->width * scratch->crop * scratch->crop <
               wish->room;
}

/* Is it one that is done in time? Of the last one no more is asked, nor does it fail for memory. */
static enum vgg_status try_candidate(const struct scratch_wish *wish, struct scratch *scratch,
                                     uint32_t least, bool last, bool *taken,
                                     struct vgg_error *error)
{
    struct vgg_error reason = {0};
    enum vgg_status status;

    *taken = last;
    if (!fits(wish, scratch))
        return VGG_OK;
    status = measure(wish, scratch, &reason);
    if (status == VGG_NO_MEMORY)
        return VGG_OK;
    if (status != VGG_OK)
        return vgg_fail(error, status, "%s", reason.text);
    *taken = last || SCRATCH_SECONDS / scratch->epoch_seconds >= least;
    return VGG_OK;
}

enum vgg_status scratch_propose(const struct scratch_wish *wish, struct scratch *scratch,
                                struct vgg_error *error)
{
    const size_t n = sizeof candidates / sizeof *candidates;
    uint32_t least = at_least(epochs_seeing(SEEN_LEAST, wish->pictures, EPOCHS_MOST), EPOCHS_LEAST);
    uint32_t most = at_least(epochs_seeing(SEEN_MOST, wish->pictures, EPOCHS_MOST), least);
    bool taken = false;
    double epochs;

    if (wish->epochs != 0)
        least = most = wish->epochs;
    for (size_t i = 0; i < n && !taken; i++) {
        enum vgg_status status;

        *scratch = complete(wish, candidates[i].width, candidates[i].crop);
        status = try_candidate(wish, scratch, least, i + 1 == n, &taken, error);
        if (status != VGG_OK)
            return status;
    }
    epochs = scratch->epoch_seconds > 0 ? SCRATCH_SECONDS / scratch->epoch_seconds : most;
    scratch->epochs = epochs < most ? at_least((uint32_t)epochs, 1) : most;
    if (wish->epochs != 0)
        scratch->epochs = wish->epochs;
    return VGG_OK;
}
