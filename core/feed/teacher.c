/* A teacher's posteriors of all pictures. */
#include "feed/teacher.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
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
    size_t classes = lesson->dataset->classes_n;
    float *target = lesson->teacher->targets + picture * classes;
    double sum = 0;

    for (size_t i = 0; i < classes; i++)
        sum += pow((double)posterior[lesson->teacher->classes[i]], 1 / SOFTNESS);
    for (size_t i = 0; i < classes; i++)
        target[i] =
            (float)(pow((double)posterior[lesson->teacher->classes[i]], 1 / SOFTNESS) / sum);
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

void vgg_teacher_fini(struct vgg_teacher *teacher)
{
    vgg_model_release(teacher->model);
    free(teacher->classes);
    free(teacher->targets);
    *teacher = (struct vgg_teacher){.model = NULL};
}
