/* The ring of pictures under way. */
#include "pictures/flights.h"

#include <stdlib.h>

#include "models/model_file.h"
#include "process/clock.h"
#include "process/resources.h"
#include "process/terminal.h"

bool flights_open(struct flights *flights, const struct flight_options *options,
                  struct evaluation_params *params)
{
    const struct vgg_engine_options engine = {.threads = options->threads,
                                              .view_pixels_max = options->view_pixels_max};
    const struct vgg_load_options load = {
        .threads = options->threads, .precision = options->precision, .fc_half = options->fc_half};
    struct vgg_error error = {0};
    struct problem problem = {0};
    const char *remark;

    flights->options = options;
    if (model_open(options->model, &load, &engine, &flights->model, &error) != VGG_OK ||
        vgg_engine_create(&engine, &flights->engine, &error) != VGG_OK) {
        resources_explain(&error);
        terminal_say("%s", error.text);
        return false;
    }
    remark = model_remark(&load, flights->model);
    if (remark != NULL)
        terminal_say("%s", remark);
    params->request.flip = options->flip;
    if (evaluation_params_complete(params, flights->model, options->scales.scales,
                                   options->scales.n, &problem))
        return true;
    terminal_say("%s", problem.detail);
    return false;
}

void flights_close(struct flights *flights)
{
    vgg_engine_destroy(flights->engine);
    vgg_model_release(flights->model);
}

/* Decode and submit, in one way; the encoded bytes are not needed afterwards. */
static void evaluate(const struct flights *flights, const struct evaluation_params *params,
                     const uint8_t *bytes, size_t size, struct evaluation *evaluation)
{
    const struct flight_options *options = flights->options;
    const struct vgg_image_limits limits = {.pixels_max = options->pixels_max};

    evaluation->bytes = bytes;
    evaluation->size = size;
    evaluation_check(evaluation, flights->model, params, &limits, options->view_pixels_max);
    evaluation_begin(evaluation, flights->engine, flights->model, params, &limits, NULL);
    evaluation->bytes = NULL;
}

/* Read, and evaluate in every way. */
static void take_off(const struct flights *flights, struct flight *flight)
{
    struct problem problem = {0};
    uint8_t *bytes;
    size_t size;
    bool whole = picture_read(flight->picture, flights->options->body_max, &bytes, &size, &problem);

    for (size_t i = 0; i < FLIGHT_WAYS; i++) {
        struct evaluation *evaluation = &flight->evaluations[i];

        if (flights->ways[i] == NULL)
            continue;
        evaluation->failed = !whole;
        evaluation->problem = problem;
        if (whole)
            evaluate(flights, flights->ways[i], bytes, size, evaluation);
    }
    free(bytes);
}

/* Wait for the results and hand them over. */
static bool land(struct flights *flights, struct flight *flight)
{
    bool good;

    for (size_t i = 0; i < FLIGHT_WAYS; i++)
        if (flights->ways[i] != NULL)
            evaluation_end(&flight->evaluations[i]);
    good = flights->land(flights->user, flight);
    progress_step(&flights->progress, !good);
    progress_show(&flights->progress);
    for (size_t i = 0; i < FLIGHT_WAYS; i++)
        evaluation_fini(&flight->evaluations[i]);
    return good;
}

bool flights_run(struct flights *flights, const struct pictures *pictures)
{
    struct flight ring[FLIGHTS_MAX];
    size_t ahead = flights->ahead, n = pictures->n, begun = 0, landed = 0;
    bool good = true;

    progress_init(&flights->progress, n);
    progress_show(&flights->progress);
    while (landed < n)
        if (begun < n && begun - landed < ahead) {
            struct flight *flight = &ring[begun % ahead];

            *flight = (struct flight){
                .number = begun, .picture = &pictures->items[begun], .begun_ns = now_ns()};
            take_off(flights, flight);
            begun++;
        } else {
            good = land(flights, &ring[landed % ahead]) && good;
            landed++;
            if (flights->stopped)
                n = begun;
        }
    progress_hide(&flights->progress);
    return good;
}
