/* Temperature and typicality of a trained network. */
#include "train/finish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "fit/calibration.h"
#include "model/convert.h"
#include "model/known.h"
#include "train/graft.h"
#include "typicality/fit.h"

enum { NUMBER_BYTES = 32, RESULT_BYTES = 384 };

struct finish {
    const struct vgg_training *training;
    struct vgg_base written;             /* the file, as a base of itself */
    const struct vgg_example **pictures; /* of validation, then unknown; owned */
    size_t known_n, pictures_n;
    struct vgg_frozen frozen; /* their features */
    float *weights, *bias;    /* of the last layer; owned */
    float *logits;            /* [known_n][views][classes]; owned */
    float *means;             /* [pictures_n][features]; owned */
    uint32_t *labels;         /* [known_n]; owned */
    double *posteriors;       /* [known_n][classes]; owned */
    double temperature;
    struct vgg_calibration before, after;
    struct vgg_typicality typicality;
    struct vgg_typicality_found found;
};

/* ---------------------------------------------------------------- the file ------------------- */

static enum vgg_status read_tensor(const struct vgg_base *base, enum vgg_role role, float **values,
                                   struct vgg_error *error)
{
    const struct vgg_tensor *tensor = base->binding.tensors[base->net.layers_n - 1][role];
    uint64_t bytes = tensor->end - tensor->begin;
    size_t n = (size_t)(bytes / vgg_dtype_bytes(tensor->dtype));
    unsigned char *raw = vgg_alloc((size_t)bytes, 1);
    enum vgg_status status = VGG_OK;

    *values = vgg_alloc(n, sizeof **values);
    if (*values == NULL || raw == NULL)
        status = vgg_fail_memory(error);
    if (status == VGG_OK)
        status =
            vgg_source_read(&base->source, base->data + tensor->begin, raw, (size_t)bytes, error);
    if (status == VGG_OK)
        (void)vgg_floats_convert(tensor->dtype, raw, n, *values); /* loaded, so finite */
    free(raw);
    return status;
}

static enum vgg_status open_written(struct finish *finish, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &finish->training->settings;
    const struct vgg_train_options written = {.base = settings->output,
                                              .threads = settings->threads,
                                              .on_memory = settings->on_memory,
                                              .user = settings->user};
    enum vgg_status status = vgg_base_open(&finish->written, &written, error);

    if (status == VGG_OK)
        status = vgg_base_load(&finish->written, 0, &written, error);
    if (status == VGG_OK)
        status = read_tensor(&finish->written, VGG_ROLE_WEIGHT, &finish->weights, error);
    return status == VGG_OK ? read_tensor(&finish->written, VGG_ROLE_BIAS, &finish->bias, error)
                            : status;
}

/* ---------------------------------------------------------------- the pictures --------------- */

static size_t append(struct finish *finish, size_t n, const struct vgg_dataset *dataset)
{
    for (size_t i = 0; i < dataset->examples_n; i++)
        finish->pictures[n++] = &dataset->examples[i];
    return n;
}

static enum vgg_status list_pictures(struct finish *finish, struct vgg_error *error)
{
    const struct vgg_sets *sets = &finish->training->sets;
    size_t known = sets->validation.examples_n;

    finish->pictures = vgg_alloc(known + sets->unknown.examples_n, sizeof *finish->pictures);
    finish->labels = vgg_alloc(known, sizeof *finish->labels);
    if (finish->pictures == NULL || finish->labels == NULL)
        return vgg_fail_memory(error);
    finish->known_n = append(finish, 0, &sets->validation);
    finish->pictures_n = append(finish, finish->known_n, &sets->unknown);
    for (size_t i = 0; i < known; i++)
        finish->labels[i] = finish->pictures[i]->label;
    return VGG_OK;
}

/* Their features, as the file is served. */
static enum vgg_status compute(struct finish *finish, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &finish->training->settings;
    const struct vgg_model_info *info = &finish->written.model->info;
    struct vgg_frozen_part parts[VGG_SCALES_MAX];
    struct vgg_frozen_options options = {.model = finish->written.model,
                                         .team = finish->training->team,
                                         .parts = parts,
                                         .parts_n = info->scales_n};
    struct vgg_engine_options engine = {.threads = settings->threads};
    enum vgg_status status;

    (void)vgg_parts_whole(info->scales, info->scales_n, parts);
    engine.view_pixels_max =
        vgg_frozen_pixels(parts, info->scales_n, finish->pictures, finish->pictures_n);
    status = vgg_engine_create(&engine, &options.engine, error);
    if (status == VGG_OK)
        status =
            vgg_frozen_init(&finish->frozen, &options, finish->pictures, finish->pictures_n, error);
    if (status == VGG_OK)
        status = vgg_frozen_compute(&finish->frozen, SIZE_MAX, error);
    vgg_engine_destroy(options.engine);
    return status;
}

/* ---------------------------------------------------------------- what it is worth ----------- */

/* Item: one view of a known picture. The layer commutes with the mean over positions. */
static void score_view(void *context, size_t item, unsigned thread)
{
    const struct finish *finish = context;
    size_t classes = finish->written.net.classes, features = finish->frozen.floats;
    const float *row = finish->frozen.values + item * features;

    (void)thread;
    for (size_t c = 0; c < classes; c++) {
        double sum = (double)finish->bias[c];

        for (size_t i = 0; i < features; i++)
            sum += (double)finish->weights[c * features + i] * (double)row[i];
        finish->logits[item * classes + c] = (float)sum;
    }
}

static enum vgg_status calibrate(struct finish *finish, struct vgg_error *error)
{
    struct vgg_team *team = finish->training->team;
    size_t classes = finish->written.net.classes, views = finish->known_n * finish->frozen.views;
    struct vgg_logits logits = {.pictures = finish->known_n,
                                .views = finish->frozen.views,
                                .classes = classes,
                                .labels = finish->labels};
    enum vgg_status status;

    finish->logits = vgg_alloc(views, classes * sizeof *finish->logits);
    finish->posteriors = vgg_alloc(finish->known_n, classes * sizeof *finish->posteriors);
    if (finish->logits == NULL || finish->posteriors == NULL)
        return vgg_fail_memory(error);
    vgg_team_run(team, score_view, finish, views);
    logits.rows = finish->logits;
    status = vgg_temperature_fit(&logits, team, &finish->temperature, error);
    if (status != VGG_OK)
        return status;
    vgg_temperature_apply(&logits, 1, team, finish->posteriors);
    finish->before =
        vgg_calibration_of(finish->posteriors, finish->known_n, classes, finish->labels);
    vgg_temperature_apply(&logits, finish->temperature, team, finish->posteriors);
    finish->after =
        vgg_calibration_of(finish->posteriors, finish->known_n, classes, finish->labels);
    for (size_t i = 0; i < classes * finish->frozen.floats; i++)
        finish->weights[i] = (float)((double)finish->weights[i] / finish->temperature);
    for (size_t i = 0; i < classes; i++)
        finish->bias[i] = (float)((double)finish->bias[i] / finish->temperature);
    return VGG_OK;
}

static enum vgg_status find_typical(struct finish *finish, struct vgg_error *error)
{
    const struct vgg_sets *sets = &finish->training->sets;
    size_t features = finish->frozen.floats;
    struct vgg_typicality_set known = {
        .features = (uint32_t)features,
        .classes = finish->written.net.classes,
        .n = finish->known_n,
        .labels = finish->labels,
        .groups = sets->group + sets->train.examples_n,
    };
    struct vgg_typicality_options options = {
        .team = finish->training->team,
        .trained = true,
        .unknown_n = finish->pictures_n - finish->known_n,
    };

    finish->means = vgg_alloc(finish->pictures_n, features * sizeof *finish->means);
    if (finish->means == NULL)
        return vgg_fail_memory(error);
    for (size_t i = 0; i < finish->pictures_n; i++)
        vgg_frozen_mean(&finish->frozen, i, finish->means + i * features);
    known.rows = finish->means;
    options.unknown = finish->means + finish->known_n * features;
    return vgg_typicality_fit(&known, &options, &finish->typicality, &finish->found, error);
}

/* ---------------------------------------------------------------- what is left --------------- */

static void format_result(const struct finish *finish, char text[RESULT_BYTES])
{
    const struct vgg_train_state *state = &finish->training->state;

    snprintf(text, RESULT_BYTES,
             "{\"epoch\":%" PRIu32 ",\"validation_error\":%.6f,\"validation_loss\":%.6f,"
             "\"measured\":%zu,\"error\":%.6f,\"nll\":[%.6f,%.6f],\"ece\":[%.6f,%.6f],"
             "\"ece_noise\":%.6f,\"temperature\":%.6f}",
             state->best_epoch, state->best_error, state->best_loss, finish->known_n,
             finish->after.error, finish->before.nll, finish->after.nll, finish->before.ece,
             finish->after.ece, finish->after.noise, finish->temperature);
}

static enum vgg_status write(const struct finish *finish, struct vgg_error *error)
{
    const struct vgg_base *written = &finish->written;
    char result[RESULT_BYTES], reject[NUMBER_BYTES];
    struct vgg_metadata metadata[] = {{(char *)"vgg.training.result", result},
                                      {(char *)VGG_KNOWN_REJECT, reject}};
    const struct vgg_graft graft = {
        .base = written,
        .classes = written->net.classes,
        .weights = finish->weights,
        .bias = finish->bias,
        .half = written->binding.tensors[written->net.layers_n - 1][VGG_ROLE_WEIGHT]->dtype ==
                VGG_DTYPE_F16,
        .typicality = &finish->typicality,
        .kept = true,
        .metadata = metadata,
        .metadata_n = finish->typicality.known_n != 0 ? 2 : 1,
    };

    format_result(finish, result);
    snprintf(reject, sizeof reject, "%.17g", finish->typicality.reject);
    return vgg_graft_write(finish->training->settings.output, &graft, error);
}

static void report_picture(const struct finish *finish, const struct vgg_example *example,
                           size_t index, float *posterior)
{
    const struct vgg_training *training = finish->training;
    const struct vgg_sets *sets = &training->sets;
    size_t classes = finish->written.net.classes, n = sets->train.examples_n;
    bool seen = index < n, known = index < n + finish->known_n, typical;
    struct vgg_train_picture picture = {
        .path = example->path,
        .label = example->label,
        .validation = !seen && known,
        .typicality = -1,
        .group = sets->group[index],
        .copy = sets->original[index] != index,
    };

    typical = !seen && finish->typicality.known_n != 0;
    if (typical)
        picture.typicality = known ? finish->found.known[index - n]
                                   : finish->found.unknown[index - n - finish->known_n];
    for (size_t c = 0; c < classes && picture.validation; c++)
        posterior[c] = (float)finish->posteriors[(index - n) * classes + c];
    if (picture.validation)
        picture.posterior = posterior;
    training->settings.on_picture(training->settings.user, &picture);
}

static enum vgg_status report(const struct finish *finish, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &finish->training->settings;
    const struct vgg_sets *sets = &finish->training->sets;
    size_t n = sets->train.examples_n;
    float *posterior;

    if (settings->on_classes != NULL)
        settings->on_classes(settings->user, (const char *const *)sets->train.classes,
                             sets->train.classes_n);
    if (settings->on_picture == NULL)
        return VGG_OK;
    posterior = vgg_alloc(sets->train.classes_n, sizeof *posterior);
    if (posterior == NULL)
        return vgg_fail_memory(error);
    for (size_t i = 0; i < n; i++)
        report_picture(finish, &sets->train.examples[i], i, posterior);
    for (size_t i = 0; i < finish->pictures_n; i++)
        report_picture(finish, finish->pictures[i], n + i, posterior);
    free(posterior);
    return VGG_OK;
}

static void fill_result(const struct finish *finish, struct vgg_train_result *result)
{
    result->measured = finish->known_n;
    result->error = finish->after.error;
    result->nll[0] = finish->before.nll;
    result->nll[1] = finish->after.nll;
    result->ece[0] = finish->before.ece;
    result->ece[1] = finish->after.ece;
    result->ece_noise = finish->after.noise;
    result->temperature = finish->temperature;
    result->typicality = finish->typicality.known_n;
    snprintf(result->typicality_reason, sizeof result->typicality_reason, "%s",
             finish->found.reason);
    result->unknown = finish->pictures_n - finish->known_n;
    result->unknown_auroc = finish->found.auroc;
    result->unknown_caught = finish->found.caught;
    result->reject = finish->typicality.reject;
}

static void fini(struct finish *finish)
{
    if (finish == NULL)
        return;
    vgg_typicality_fini(&finish->typicality);
    vgg_typicality_found_fini(&finish->found);
    vgg_frozen_fini(&finish->frozen);
    vgg_base_fini(&finish->written);
    free(finish->pictures);
    free(finish->weights);
    free(finish->bias);
    free(finish->logits);
    free(finish->means);
    free(finish->labels);
    free(finish->posteriors);
    free(finish);
}

/* The model, the pictures' features of all views and of their means, scores of views, posteriors.
 */
static struct vgg_finish_need need_of(const struct finish *finish)
{
    const struct vgg_train_options *settings = &finish->training->settings;
    const struct vgg_net *net = &finish->training->network.net;
    struct vgg_frozen_part parts[VGG_SCALES_MAX];
    const struct vgg_frozen_options options = {.parts = parts, .parts_n = settings->scales_n};
    const size_t views = 2 * settings->scales_n;
    struct vgg_finish_need need = {.macs = 0};
    uint64_t pixels;

    (void)vgg_parts_whole(settings->scales, settings->scales_n, parts);
    pixels = vgg_frozen_pixels(parts, settings->scales_n, finish->pictures, finish->pictures_n);
    need.bytes = vgg_net_bytes(net) +
                 vgg_frozen_bytes(net, &options, pixels, settings->threads, finish->pictures,
                                  finish->pictures_n, NULL) +
                 finish->pictures_n * vgg_net_features(net) * sizeof *finish->means +
                 finish->known_n * net->classes *
                     (views * sizeof *finish->logits + sizeof *finish->posteriors);
    for (size_t i = 0; i < finish->pictures_n; i++)
        for (size_t part = 0; part < settings->scales_n; part++)
            need.macs += vgg_part_macs(net, &parts[part], finish->pictures[i]);
    return need;
}

/* fini is due, also where it fails. */
static enum vgg_status begin(const struct vgg_training *training, struct finish **finish,
                             struct vgg_error *error)
{
    *finish = vgg_calloc(1, sizeof **finish);
    if (*finish == NULL)
        return vgg_fail_memory(error);
    (*finish)->training = training;
    return list_pictures(*finish, error);
}

enum vgg_status vgg_training_finish_need(const struct vgg_training *training,
                                         struct vgg_finish_need *need, struct vgg_error *error)
{
    struct finish *finish;
    enum vgg_status status = begin(training, &finish, error);

    if (status == VGG_OK)
        *need = need_of(finish);
    fini(finish);
    return status;
}

enum vgg_status vgg_training_finish(const struct vgg_training *training,
                                    struct vgg_train_result *result, struct vgg_error *error)
{
    struct finish *finish;
    enum vgg_status status = begin(training, &finish, error);

    if (status == VGG_OK)
        status = open_written(finish, error);
    if (status == VGG_OK)
        status = compute(finish, error);
    if (status == VGG_OK)
        status = calibrate(finish, error);
    if (status == VGG_OK)
        status = find_typical(finish, error);
    if (status == VGG_OK) {
        fill_result(finish, result);
        status = write(finish, error);
    }
    if (status == VGG_OK)
        status = report(finish, error);
    fini(finish);
    return status;
}
