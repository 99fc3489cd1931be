/*
 * What the model has done since it began to serve, as Triton's statistics extension tells it:
 * requests by how they ended, their time by stage, and the pictures of a request as its batch.
 */
#ifndef STATISTICS_H
#define STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One request for predictions. */
struct statistics_sample {
    uint64_t model;  /* model_key */
    size_t pictures; /* answered; 0: the request failed */
    uint64_t total_ns;
    uint64_t queue_ns, input_ns, infer_ns, output_ns; /* of one that did not fail */
};

struct statistics;

/* For requests of at most `batch_max` pictures. NULL when out of memory; then thread-safe. */
struct statistics *statistics_create(size_t batch_max, uint64_t model);
void statistics_destroy(struct statistics *statistics);

/* Another model serves, or the same one loaded again: all counts are 0. */
void statistics_restart(struct statistics *statistics, uint64_t model);

/* Requests that the model before this one still answers are left out. */
void statistics_count(struct statistics *statistics, const struct statistics_sample *sample);

/* What GET /v2/models/{model}/stats answers, malloc'ed; NULL when out of memory. */
char *statistics_json(struct statistics *statistics, const char *name, const char *version,
                      size_t *size);

#endif
