/*
 * Pictures under way: each is read, decoded and submitted ahead of those whose results are still
 * awaited, so that the engine has several to batch; they land in order.
 */
#ifndef FLIGHTS_H
#define FLIGHTS_H

#include "answer/evaluation.h"
#include "pictures/pictures.h"
#include "pictures/progress.h"
#include "process/options.h"

enum {
    FLIGHTS_MAX = 16, /* each holds its rescaled pictures, some megabytes */
    FLIGHT_WAYS = 2
};

/* Options of the commands that evaluate pictures. */
struct flight_options {
    const char *model;
    struct option_scales scales;
    bool flip, fc_half;
    uint32_t precision, threads;
    uint64_t body_max, pixels_max, view_pixels_max;
};

/* A picture between its submission and what becomes of it. */
struct flight {
    size_t number; /* from 0 */
    const struct picture *picture;
    uint64_t begun_ns;
    struct evaluation evaluations[FLIGHT_WAYS];
};

/* Zero-initialise; `ways` to `user` are set before flights_run. */
struct flights {
    const struct flight_options *options;
    struct vgg_model *model;
    struct vgg_engine *engine;
    const struct evaluation_params *ways[FLIGHT_WAYS]; /* of evaluating each picture; NULL: none */
    size_t ahead; /* pictures that are begun before the first lands, at most FLIGHTS_MAX */
    /* Called with each picture when its evaluations have ended; false: it counts as failed. */
    bool (*land)(void *user, const struct flight *flight);
    void *user;
    struct progress progress; /* to be hidden by `land` where it prints */
    bool stopped;             /* may be set by `land`: no further picture is begun */
};

/*
 * The model and the engine, and `params` completed by the options. False: one line on standard
 * error has said why.
 */
bool flights_open(struct flights *flights, const struct flight_options *options,
                  struct evaluation_params *params);
void flights_close(struct flights *flights);

/* Evaluate them all; false where any failed. */
bool flights_run(struct flights *flights, const struct pictures *pictures);

#endif
