/* A training's state as named arrays and strings (checkpoint.h). */
#include "train/state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "train/checkpoint.h"
#include "train/settings.h"

enum {
    ARRAYS_MAX = 2 * VGG_NETWORK_PARAMETERS_MAX + VGG_NETWORK_STATISTICS_MAX,
    ARRAY_NAME_BYTES = VGG_PARAMETER_NAME_BYTES + 16,
    PROGRESS_BYTES = 384,
    METADATA = 4
};

void vgg_train_state_fini(struct vgg_train_state *state)
{
    free(state->history);
    *state = (struct vgg_train_state){0};
}

enum vgg_status vgg_train_state_log(struct vgg_train_state *state, const char *line,
                                    struct vgg_error *error)
{
    size_t used = state->history != NULL ? strlen(state->history) : 0;
    char *longer = realloc(state->history, used + strlen(line) + 1);

    if (longer == NULL)
        return vgg_fail_memory(error);
    memcpy(longer + used, line, strlen(line) + 1);
    state->history = longer;
    return VGG_OK;
}

/* ---------------------------------------------------------------- arrays --------------------- */

struct arrays {
    struct vgg_named_floats items[ARRAYS_MAX];
    char names[ARRAYS_MAX][ARRAY_NAME_BYTES];
    size_t n;
};

static void add(struct arrays *arrays, const char *name, const char *suffix, float *values,
                uint64_t n)
{
    size_t i = arrays->n++;

    snprintf(arrays->names[i], sizeof arrays->names[i], "%s%s", name, suffix);
    arrays->items[i] = (struct vgg_named_floats){arrays->names[i], values, n};
}

/* Everything that a step reads and writes; the caller frees it. */
static struct arrays *list_arrays(const struct vgg_network *network)
{
    struct arrays *arrays = vgg_alloc(1, sizeof *arrays);

    if (arrays == NULL)
        return NULL;
    arrays->n = 0;
    for (size_t i = 0; i < network->parameters_n; i++) {
        struct vgg_parameter *parameter = network->parameters[i];

        add(arrays, parameter->name, "", parameter->value, parameter->n);
        add(arrays, parameter->name, ".velocity", parameter->velocity, parameter->n);
    }
    for (size_t i = 0; i < network->statistics_n; i++)
        add(arrays, network->statistics[i].name, "", network->statistics[i].value,
            network->statistics[i].n);
    return arrays;
}

/* ---------------------------------------------------------------- numbers -------------------- */

/* Doubles in hexadecimal, so that they come back to the bit. */
static const char progress_format[] =
    "epoch=%" PRIu32 " step=%" PRIu32 " drops=%" PRIu32 " since=%" PRIu32 " best-epoch=%" PRIu32
    " best-error=%a best-loss=%a loss=%a wrong=%" PRIu64 " seconds=%a";

static void format_progress(const struct vgg_train_state *state, char text[PROGRESS_BYTES])
{
    snprintf(text, PROGRESS_BYTES, progress_format, state->epoch, state->step, state->drops,
             state->since, state->best_epoch, state->best_error, state->best_loss, state->loss,
             state->wrong, state->seconds);
}

static bool parse_progress(const char *text, struct vgg_train_state *state)
{
    int fields =
        sscanf(text,
               "epoch=%" SCNu32 " step=%" SCNu32 " drops=%" SCNu32 " since=%" SCNu32
               " best-epoch=%" SCNu32 " best-error=%la best-loss=%la loss=%la"
               " wrong=%" SCNu64 " seconds=%la",
               &state->epoch, &state->step, &state->drops, &state->since, &state->best_epoch,
               &state->best_error, &state->best_loss, &state->loss, &state->wrong, &state->seconds);

    return fields == 10 && isfinite(state->loss) && isfinite(state->seconds);
}

/* ---------------------------------------------------------------- the file ------------------- */

enum vgg_status vgg_train_state_save(const struct vgg_train_state *state,
                                     const struct vgg_network *network, const char *settings,
                                     const char *data, const char *path, struct vgg_error *error)
{
    struct arrays *arrays = list_arrays(network);
    char progress[PROGRESS_BYTES];
    const struct vgg_metadata metadata[METADATA] = {
        {(char *)"vgg.training", (char *)settings},
        {(char *)"vgg.training.data", (char *)data},
        {(char *)"vgg.training.progress", progress},
        {(char *)"vgg.training.history", state->history != NULL ? state->history : (char *)""},
    };
    enum vgg_status status;

    if (arrays == NULL)
        return vgg_fail_memory(error);
    format_progress(state, progress);
    status = vgg_checkpoint_write(path, arrays->items, arrays->n, metadata, METADATA, error);
    free(arrays);
    return status;
}

/* Of the same settings and data? */
static enum vgg_status check_origin(const struct vgg_checkpoint *checkpoint, const char *settings,
                                    const char *data, const char *path, struct vgg_error *error)
{
    const char *saved = vgg_checkpoint_get(checkpoint, "vgg.training");
    const char *saved_data = vgg_checkpoint_get(checkpoint, "vgg.training.data");
    struct vgg_error reason = {0};

    if (saved == NULL || saved_data == NULL)
        return vgg_fail(error, VGG_BAD_MODEL, "%s: not a checkpoint of a training", path);
    if (vgg_settings_compare(saved, settings, &reason) != VGG_OK)
        return vgg_fail(error, reason.status, "%s: %s", path, reason.text);
    if (strcmp(saved_data, data) != 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%s: it was trained on other pictures, or some have changed since", path);
    return VGG_OK;
}

static enum vgg_status read_progress(const struct vgg_checkpoint *checkpoint,
                                     struct vgg_train_state *state, const char *path,
                                     struct vgg_error *error)
{
    const char *progress = vgg_checkpoint_get(checkpoint, "vgg.training.progress");
    const char *history = vgg_checkpoint_get(checkpoint, "vgg.training.history");

    if (progress == NULL || history == NULL || !parse_progress(progress, state))
        return vgg_fail(error, VGG_BAD_MODEL, "%s: not a checkpoint of a training", path);
    if (history[0] == '\0')
        state->best_error = -1; /* nothing was judged yet, of which older files say 0 */
    return vgg_train_state_log(state, history, error);
}

enum vgg_status vgg_train_state_restore(struct vgg_train_state *state, struct vgg_network *network,
                                        const char *settings, const char *data, const char *path,
                                        struct vgg_error *error)
{
    struct vgg_checkpoint checkpoint;
    struct arrays *arrays;
    enum vgg_status status = vgg_checkpoint_open(path, &checkpoint, error);

    if (status != VGG_OK)
        return status;
    status = check_origin(&checkpoint, settings, data, path, error);
    if (status == VGG_OK)
        status = read_progress(&checkpoint, state, path, error);
    arrays = list_arrays(network);
    if (arrays == NULL)
        status = vgg_fail_memory(error);
    else if (status == VGG_OK)
        status = vgg_checkpoint_read(&checkpoint, arrays->items, arrays->n, error);
    free(arrays);
    vgg_checkpoint_close(&checkpoint);
    return status;
}
