/* A teacher's posteriors, of all pictures or of each crop. */
#include "feed/teacher.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "data/statistics.h"
#include "engine/footprint.h"
#include "feed/pictures.h"

/*
 * The teacher has been trained, as a rule on these very pictures, to be sure; at this temperature
 * what it takes a picture for beside its class weighs something.
 */
#define SOFTNESS 2.0

/* The teacher's class of this name, or its number of classes. */
static uint32_t find_class(const struct vgg_model *model, const char *name)
{
    uint32_t n = model->net.classes;

    for (uint32_t i = 0; i < n; i++) {
        const char *id, *label;

        vgg_model_get_label(model, i, &id, &label);
        if ((id != NULL && strcmp(id, name) == 0) || (label != NULL && strcmp(label, name) == 0))
            return i;
    }
    return n;
}

enum vgg_status vgg_teacher_open(struct vgg_teacher *teacher, const struct vgg_dataset *dataset,
                                 const struct vgg_train_options *settings, struct vgg_error *error)
{
    const struct vgg_load_options options = {.threads = settings->threads};
    enum vgg_status status = vgg_model_load(settings->teacher, &options, &teacher->model, error);

    if (status != VGG_OK)
        return status;
    teacher->classes = vgg_alloc(dataset->classes_n, sizeof *teacher->classes);
    if (teacher->classes == NULL)
        return vgg_fail_memory(error);
    teacher->classes_n = dataset->classes_n;
    for (size_t i = 0; i < dataset->classes_n; i++) {
        teacher->classes[i] = find_class(teacher->model, dataset->classes[i]);
        if (teacher->classes[i] == teacher->model->net.classes)
            return vgg_fail(error, VGG_BAD_ARGUMENT, "teacher %s has no class \"%s\"",
                            settings->teacher, dataset->classes[i]);
    }
    if (teacher->model->net.classes != dataset->classes_n)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "teacher %s has %" PRIu32 " classes, and the pictures %zu",
                        settings->teacher, teacher->model->net.classes, dataset->classes_n);
    return VGG_OK;
}

/* In the order of the set's classes. */
static void soften(const struct vgg_teacher *teacher, const float *posterior, float *target)
{
    double sum = 0;

    for (size_t i = 0; i < teacher->classes_n; i++)
        sum += pow((double)posterior[teacher->classes[i]], 1 / SOFTNESS);
    for (size_t i = 0; i < teacher->classes_n; i++)
        target[i] = (float)(pow((double)posterior[teacher->classes[i]], 1 / SOFTNESS) / sum);
}

/* ---------------------------------------------------------------- of whole pictures ---------- */

struct lesson {
    struct vgg_teacher *teacher;
    const struct vgg_dataset *dataset;
    const struct vgg_train_options *settings;
};

static bool take(void *user, size_t picture, const float *posterior)
{
    const struct lesson *lesson = user;
    const struct vgg_train_options *settings = lesson->settings;
    const struct vgg_train_features done = {.done = picture + 1,
                                            .views = lesson->dataset->examples_n};

    soften(lesson->teacher, posterior,
           lesson->teacher->targets + picture * lesson->teacher->classes_n);
    if (settings->on_features != NULL)
        settings->on_features(settings->user, &done);
    return settings->stop == NULL || !settings->stop(settings->user);
}

enum vgg_status vgg_teacher_ask(struct vgg_teacher *teacher, const struct vgg_dataset *dataset,
                                const struct vgg_train_options *settings, struct vgg_error *error)
{
    const struct vgg_model_info *info = vgg_model_get_info(teacher->model);
    const struct vgg_engine_options options = {.threads = settings->threads};
    struct vgg_request request = {.scales_n = info->scales_n, .flip = true};
    struct lesson lesson = {teacher, dataset, settings};
    struct vgg_pictures pictures = {.model = teacher->model,
                                    .dataset = dataset,
                                    .request = &request,
                                    .take = take,
                                    .user = &lesson};
    enum vgg_status status;

    memcpy(request.scales, info->scales, sizeof request.scales);
    teacher->views = 1;
    teacher->targets =
        vgg_alloc(dataset->examples_n, dataset->classes_n * sizeof *teacher->targets);
    if (teacher->targets == NULL)
        return vgg_fail_memory(error);
    status = vgg_engine_create(&options, &pictures.engine, error);
    if (status == VGG_OK)
        status = vgg_pictures_evaluate(&pictures, error);
    vgg_engine_destroy(pictures.engine);
    vgg_model_release(teacher->model);
    teacher->model = NULL;
    return status;
}

double vgg_teacher_macs(const struct vgg_teacher *teacher, const struct vgg_dataset *dataset)
{
    const struct vgg_model_info *info = &teacher->model->info;
    double macs = 0;

    for (size_t i = 0; i < info->scales_n; i++)
        macs += 2 * vgg_pictures_macs(&teacher->model->net, dataset, info->scales[i]);
    return macs;
}

/* ---------------------------------------------------------------- of crops ------------------- */

static bool is_bgr(const struct vgg_teacher *teacher)
{
    return strcmp(teacher->model->info.channels, "BGR") == 0;
}

static size_t floats_of(const struct vgg_teacher *teacher)
{
    return 3 * (size_t)teacher->sampling.side * teacher->sampling.side;
}

enum vgg_status vgg_teacher_attend(struct vgg_teacher *teacher, struct vgg_engine *engine,
                                   const struct vgg_dataset *dataset,
                                   const struct vgg_sampling *sampling, uint32_t batch,
                                   struct vgg_error *error)
{
    const struct vgg_model_info *info = &teacher->model->info;

    teacher->engine = engine;
    teacher->sampling = *sampling;
    teacher->sampling.side = sampling->crop > info->crop ? sampling->crop : info->crop;
    teacher->seen = *dataset;
    vgg_dataset_normalise_as(&teacher->seen, info);
    teacher->views = VGG_TEACHER_VIEWS;
    teacher->targets = vgg_calloc(dataset->examples_n, VGG_TEACHER_VIEWS * dataset->classes_n *
                                                           sizeof *teacher->targets);
    teacher->jobs = vgg_calloc(batch, sizeof(struct vgg_job *));
    teacher->inputs = vgg_alloc(batch, floats_of(teacher) * sizeof *teacher->inputs);
    return teacher->targets != NULL && teacher->jobs != NULL && teacher->inputs != NULL
               ? VGG_OK
               : vgg_fail_memory(error);
}

uint64_t vgg_teacher_bytes(const struct vgg_teacher *teacher, uint32_t batch, unsigned threads)
{
    const struct vgg_engine_options engine =
        vgg_engine_complete(&(struct vgg_engine_options){.threads = threads});
    size_t arenas[2];

    if (teacher->inputs == NULL)
        return 0;
    vgg_engine_demand(&engine, &teacher->model->net, arenas);
    return vgg_net_bytes(&teacher->model->net) + arenas[0] + arenas[1] +
           2 * (uint64_t)batch * floats_of(teacher) * sizeof *teacher->inputs +
           teacher->seen.examples_n * VGG_TEACHER_VIEWS * teacher->classes_n *
               sizeof *teacher->targets;
}

size_t vgg_teacher_view(const struct vgg_teacher *teacher, uint64_t epoch)
{
    return teacher->views != 0 ? (size_t)(epoch % teacher->views) : 0;
}

static float *target_of(const struct vgg_teacher *teacher, size_t example, size_t view)
{
    return teacher->targets + (example * teacher->views + view) * teacher->classes_n;
}

/* A posterior has a value above 0. */
static bool has_looked(const struct vgg_teacher *teacher, size_t example, size_t view)
{
    const float *target = target_of(teacher, example, view);
    float sum = 0;

    for (size_t i = 0; i < teacher->classes_n; i++)
        sum += target[i];
    return sum > 0;
}

enum vgg_status vgg_teacher_sample(struct vgg_teacher *teacher, size_t item, size_t example,
                                   size_t view, struct vgg_error *error)
{
    size_t channel = floats_of(teacher) / 3;
    float *input = teacher->inputs + item * 3 * channel;
    enum vgg_status status;

    if (has_looked(teacher, example, view))
        return VGG_OK;
    status = vgg_sample(&teacher->seen, &teacher->sampling, example, view, input, error);
    if (status != VGG_OK || !is_bgr(teacher))
        return status;
    for (size_t i = 0; i < channel; i++) {
        float red = input[i];

        input[i] = input[2 * channel + i];
        input[2 * channel + i] = red;
    }
    return VGG_OK;
}

static enum vgg_status submit(struct vgg_teacher *teacher, size_t item, struct vgg_error *error)
{
    uint32_t side = teacher->sampling.side;
    struct vgg_views *views;
    enum vgg_status status = vgg_views_create_input(teacher->inputs + item * floats_of(teacher),
                                                    side, side, &views, error);

    if (status != VGG_OK)
        return status;
    status = vgg_engine_submit(teacher->engine, teacher->model, views, NULL, &teacher->jobs[item],
                               error);
    if (status != VGG_OK)
        vgg_views_destroy(views);
    return status;
}

enum vgg_status vgg_teacher_judge(struct vgg_teacher *teacher, const uint32_t *examples, size_t n,
                                  size_t view, struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;

    for (size_t i = 0; i < n && status == VGG_OK; i++)
        if (!has_looked(teacher, examples[i], view))
            status = submit(teacher, i, error);
    for (size_t i = 0; i < n; i++) {
        struct vgg_job *job = teacher->jobs[i];

        if (job == NULL)
            continue;
        if (status == VGG_OK)
            status = vgg_job_wait(job, error);
        else
            (void)vgg_job_wait(job, NULL);
        if (status == VGG_OK)
            soften(teacher, vgg_job_posterior(job), target_of(teacher, examples[i], view));
        vgg_job_destroy(job);
        teacher->jobs[i] = NULL;
    }
    return status;
}

const float *vgg_teacher_target(const struct vgg_teacher *teacher, size_t example, size_t view)
{
    return target_of(teacher, example, view);
}

void vgg_teacher_fini(struct vgg_teacher *teacher)
{
    vgg_model_release(teacher->model);
    free(teacher->classes);
    free(teacher->targets);
    free(teacher->inputs);
    free(teacher->jobs);
    *teacher = (struct vgg_teacher){.model = NULL};
}
