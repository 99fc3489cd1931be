/* Evaluating one image. */
#include "answer/evaluation.h"

#include <string.h>

#include "process/clock.h"
#include "vgg_typicality.h"

static void fail(struct evaluation *evaluation, const struct vgg_error *error)
{
    evaluation->failed = true;
    problem_set_error(&evaluation->problem, error);
}

bool evaluation_params_complete(struct evaluation_params *params, const struct vgg_model *model,
                                const uint32_t *scales, size_t scales_n, struct problem *problem)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    struct vgg_error error = {0};
    uint64_t macs;

    if (scales_n == 0) {
        scales = info->scales;
        scales_n = info->scales_n;
    }
    memcpy(params->request.scales, scales, scales_n * sizeof *scales);
    params->request.scales_n = scales_n;
    /* A square picture at the scale itself: only the scales can be wrong. */
    if (vgg_request_check(model, &params->request, 1, 1, UINT64_MAX, &macs, &error) != VGG_OK)
        problem_set_error(problem, &error);
    else if (params->map && params->top_k > EVALUATION_MAP_CLASSES &&
             info->classes > EVALUATION_MAP_CLASSES)
        problem_set(problem, PROBLEM_BAD_PARAMETER, "map takes a top_k of at most %d",
                    EVALUATION_MAP_CLASSES);
    else
        return true;
    return false;
}

const char *evaluation_objection(const struct evaluation_params *params,
                                 const struct vgg_model *model)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    const struct vgg_request *request = &params->request;

    if (info->typicality == 0)
        return "this model has no typicality";
    if (params->grid != 0 || !request->flip || request->scales_n != info->scales_n ||
        memcmp(request->scales, info->scales, info->scales_n * sizeof *info->scales) != 0)
        return "typicality is of the model's own scales with mirrors";
    return NULL;
}

static uint64_t count_view_pixels(const struct vgg_image_info *info,
                                  const struct vgg_request *request)
{
    uint64_t pixels = 0;

    for (size_t i = 0; i < request->scales_n; i++) {
        uint64_t width, height;

        vgg_image_scaled_size(info->width, info->height, request->scales[i], &width, &height);
        pixels += width * height;
    }
    return pixels;
}

/* One view, as it is. */
static void check_pixels(struct evaluation *evaluation, const struct vgg_model *model,
                         uint64_t view_pixels_max)
{
    const struct vgg_image_info *info = &evaluation->info;
    uint64_t pixels = (uint64_t)info->width * info->height;
    uint32_t crop = vgg_model_get_info(model)->crop;

    evaluation->failed = true;
    if (info->width < crop || info->height < crop)
        problem_set(&evaluation->problem, PROBLEM_BAD_PARAMETER,
                    "a view of %ux%u pixels does not cover this model's crop of %u", info->width,
                    info->height, crop);
    else if (pixels > view_pixels_max)
        problem_set(&evaluation->problem, PROBLEM_IMAGE_TOO_LARGE,
                    "a view of %ux%u is over the limit of %llu pixels", info->width, info->height,
                    (unsigned long long)view_pixels_max);
    else {
        evaluation->failed = false;
        evaluation->info.work = pixels; /* copied, and looked at for what is not finite */
        evaluation->macs = vgg_model_view_macs(model, info->width, info->height);
        evaluation->view_pixels = sizeof(float) * pixels; /* where others have a byte */
    }
}

void evaluation_check(struct evaluation *evaluation, const struct vgg_model *model,
                      const struct evaluation_params *params, const struct vgg_image_limits *limits,
                      uint64_t view_pixels_max)
{
    struct vgg_error error = {0};

    if (evaluation->pixels != NULL) {
        check_pixels(evaluation, model, view_pixels_max);
        return;
    }
    if (evaluation->size == 0) {
        evaluation->failed = true;
        problem_set(&evaluation->problem, PROBLEM_EMPTY_BODY,
                    "there is no image: send one as the body, as curl --data-binary @FILE does");
        return;
    }
    if (vgg_image_peek(evaluation->bytes, evaluation->size, limits, &evaluation->info, &error) !=
            VGG_OK ||
        vgg_request_check(model, &params->request, evaluation->info.width, evaluation->info.height,
                          view_pixels_max, &evaluation->macs, &error) != VGG_OK)
        fail(evaluation, &error);
    else
        evaluation->view_pixels = count_view_pixels(&evaluation->info, &params->request);
}

/* As the engine goes by, while decoding and rescaling as between views. */
static enum vgg_status poll(void *options)
{
    return vgg_job_verdict(options, now_ns());
}

static enum vgg_status make_views(struct evaluation *evaluation, const struct vgg_model *model,
                                  const struct evaluation_params *params,
                                  const struct vgg_image_limits *limits,
                                  struct vgg_job_options *options, struct vgg_views **views,
                                  struct vgg_error *error)
{
    struct vgg_image_limits polled = *limits;
    struct vgg_request request = params->request;
    struct vgg_image *image = NULL;
    enum vgg_status status = poll(options);

    if (status != VGG_OK)
        return vgg_fail(error, status, "%s", vgg_status_text(status));
    polled.poll = request.poll = poll;
    polled.user = request.user = options;
    if (evaluation->pixels != NULL)
        return vgg_views_create_input(evaluation->pixels, evaluation->info.width,
                                      evaluation->info.height, views, error);
    status = vgg_image_decode(evaluation->bytes, evaluation->size, &polled, &image, error);
    if (status != VGG_OK)
        return status;
    evaluation->info = vgg_image_get_info(image);
    evaluation->decode_ns = now_ns() - evaluation->begun_ns;
    status = params->grid == 0
                 ? vgg_views_create(image, &request, views, error)
                 : vgg_views_create_crops(image, &request, vgg_model_get_info(model)->crop,
                                          params->grid, views, error);
    vgg_image_destroy(image);
    return status;
}

void evaluation_begin(struct evaluation *evaluation, struct vgg_engine *engine,
                      struct vgg_model *model, const struct evaluation_params *params,
                      const struct vgg_image_limits *limits, const struct vgg_job_options *options)
{
    struct vgg_error error = {0};
    struct vgg_views *views = NULL;
    struct vgg_job_options job_options = {0};

    if (evaluation->failed)
        return;
    if (options != NULL)
        job_options = *options;
    job_options.maps = params->map;
    job_options.features = params->features;
    job_options.typicality = true; /* where the model has it */
    evaluation->typicality.reject = vgg_reject_level(vgg_model_get_info(model), params->reject);
    evaluation->begun_ns = now_ns();
    if (make_views(evaluation, model, params, limits, &job_options, &views, &error) != VGG_OK) {
        fail(evaluation, &error);
        return;
    }
    evaluation->submitted_ns = now_ns();
    evaluation->rescale_ns =
        evaluation->submitted_ns - evaluation->begun_ns - evaluation->decode_ns;
    if (vgg_engine_submit(engine, model, views, &job_options, &evaluation->job, &error) == VGG_OK)
        return;
    vgg_views_destroy(views);
    fail(evaluation, &error);
}

void evaluation_end(struct evaluation *evaluation)
{
    struct vgg_error error = {0};

    if (evaluation->failed)
        return;
    if (vgg_job_wait(evaluation->job, &error) != VGG_OK)
        fail(evaluation, &error);
    else if (vgg_job_typicality(evaluation->job, &evaluation->typicality.p))
        evaluation->typicality.known = evaluation->typicality.p >= evaluation->typicality.reject;
    evaluation->wait_ns = vgg_job_wait_ns(evaluation->job);
    evaluation->infer_ns = vgg_job_run_ns(evaluation->job);
}

void evaluation_fini(struct evaluation *evaluation)
{
    vgg_job_destroy(evaluation->job);
    evaluation->job = NULL;
}
