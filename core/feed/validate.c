/* Validation, of pictures through the engine or of maps through the network. */
#include "feed/validate.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "feed/pictures.h"

struct tally {
    const struct vgg_dataset *dataset;
    uint32_t classes;
    struct vgg_validation *sum;
};

static bool count(void *user, size_t picture, const float *posterior)
{
    const struct tally *tally = user;
    uint32_t label = tally->dataset->examples[picture].label, best;

    vgg_top_k(posterior, tally->classes, 1, &best);
    tally->sum->error += best != label;
    tally->sum->loss -= log(fmax((double)posterior[label], 1e-30));
    return true;
}

enum vgg_status vgg_validate(struct vgg_engine *engine, struct vgg_model *model,
                             const struct vgg_dataset *dataset, uint32_t scale,
                             struct vgg_validation *validation, struct vgg_error *error)
{
    const struct vgg_request request = {.scales = {scale}, .scales_n = 1};
    struct tally tally = {dataset, vgg_model_get_info(model)->classes, validation};
    const struct vgg_pictures pictures = {engine, model, dataset, &request, count, &tally};
    enum vgg_status status;

    *validation = (struct vgg_validation){0};
    status = vgg_pictures_evaluate(&pictures, error);
    validation->loss /= (double)dataset->examples_n;
    validation->error /= (double)dataset->examples_n;
    return status;
}

/* ---------------------------------------------------------------- on maps -------------------- */

/* Add the soft-max of a view's scores. */
static void add_posterior(const float *scores, size_t classes, double *posterior)
{
    double largest = (double)scores[0], sum = 0;

    for (size_t i = 1; i < classes; i++)
        largest = fmax(largest, (double)scores[i]);
    for (size_t i = 0; i < classes; i++)
        sum += exp((double)scores[i] - largest);
    for (size_t i = 0; i < classes; i++)
        posterior[i] += exp((double)scores[i] - largest) / sum;
}

static bool is_best(const double *posterior, size_t classes, uint32_t label)
{
    for (size_t i = 0; i < classes; i++)
        if (posterior[i] > posterior[label])
            return false;
    return true;
}

/* Of posteriors[pictures][classes] that are sums over views. */
static enum vgg_status judge(const struct vgg_maps *maps, const double *posteriors, size_t classes,
                             struct vgg_validation *validation, struct vgg_error *error)
{
    const struct vgg_frozen *frozen = &maps->frozen;
    double n = (double)(frozen->pictures_n - maps->train_n);

    for (size_t i = maps->train_n; i < frozen->pictures_n; i++, posteriors += classes) {
        uint32_t label = frozen->pictures[i]->label;
        double posterior = posteriors[label] / (double)frozen->views;

        if (!isfinite(posterior))
            return vgg_fail(error, VGG_BAD_MODEL, "scores are not finite");
        validation->error += is_best(posteriors, classes, label) ? 0 : 1 / n;
        validation->loss -= log(fmax(posterior, 1e-30)) / n;
    }
    return VGG_OK;
}

enum vgg_status vgg_validate_maps(struct vgg_network *network, struct vgg_team *team,
                                  const struct vgg_maps *maps, struct vgg_validation *validation,
                                  struct vgg_error *error)
{
    const struct vgg_frozen *frozen = &maps->frozen;
    size_t classes = network->net.classes, pictures = frozen->pictures_n - maps->train_n;
    size_t first = maps->train_n * frozen->views, views = pictures * frozen->views;
    float *inputs = vgg_alloc(network->batch, frozen->floats * sizeof *inputs);
    float *scores = vgg_alloc(network->batch, classes * sizeof *scores);
    double *posteriors = vgg_calloc(pictures, classes * sizeof *posteriors);
    enum vgg_status status = VGG_OK;

    *validation = (struct vgg_validation){0};
    if (inputs == NULL || scores == NULL || posteriors == NULL)
        status = vgg_fail_memory(error);
    for (size_t done = 0; done < views && status == VGG_OK; done += network->batch) {
        size_t n = vgg_min_size(views - done, network->batch);

        status = vgg_maps_read(maps, team, first + done, n, inputs, error);
        if (status == VGG_OK)
            vgg_network_evaluate(network, team, inputs, (uint32_t)n, scores, NULL);
        for (size_t i = 0; i < n && status == VGG_OK; i++)
            add_posterior(scores + i * classes, classes,
                          posteriors + (done + i) / frozen->views * classes);
    }
    if (status == VGG_OK)
        status = judge(maps, posteriors, classes, validation, error);
    free(inputs);
    free(scores);
    free(posteriors);
    return status;
}
