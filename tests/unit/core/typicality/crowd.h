/* Made-up features: classes about means of their own, in which some dimensions vary more. */
#ifndef VGG_TESTS_CORE_TYPICALITY_CROWD_H
#define VGG_TESTS_CORE_TYPICALITY_CROWD_H

#include <math.h>
#include <stdlib.h>

#include "base/random.h"

/* How features vary about their class's mean. */
enum noise { NOISE_NORMAL, NOISE_HEAVY };

struct crowd {
    size_t features, n;
    uint32_t classes;
    float *rows;      /* [n][features] */
    uint32_t *labels; /* [n], in turn */
};

/* Student's t with three degrees of freedom for a whole row: its tails have no fourth moment. */
static inline double crowd_spread(struct vgg_random *random, enum noise noise)
{
    double squares = 0;

    if (noise == NOISE_NORMAL)
        return 1;
    for (unsigned i = 0; i < 3; i++) {
        double normal = vgg_random_normal(random);

        squares += normal * normal;
    }
    return sqrt(3 / squares);
}

/*
 * `each` pictures of each of the classes first to first + classes - 1. One seed gives one set of
 * means; `draw` tells sets about them apart.
 */
static inline struct crowd crowd_make(size_t features, uint32_t first, uint32_t classes,
                                      size_t each, enum noise noise, uint64_t seed, uint64_t draw)
{
    struct crowd crowd = {.features = features, .n = each * classes, .classes = classes};
    struct vgg_random random;

    crowd.rows = malloc(crowd.n * features * sizeof *crowd.rows);
    crowd.labels = malloc(crowd.n * sizeof *crowd.labels);
    if (crowd.rows == NULL || crowd.labels == NULL)
        abort();
    for (size_t i = 0; i < crowd.n; i++) {
        uint32_t class = (uint32_t)(i % classes);
        double spread;

        vgg_random_init_keyed(&random, (uint64_t[]){seed, draw, i}, 3);
        spread = crowd_spread(&random, noise);
        crowd.labels[i] = class;
        for (size_t j = 0; j < features; j++)
            crowd.rows[i * features + j] =
                (float)(spread * vgg_random_normal(&random) / (1 + (double)j / 8));
        vgg_random_init_keyed(&random, (uint64_t[]){seed, first + class}, 2);
        for (size_t j = 0; j < features; j++)
            crowd.rows[i * features + j] += (float)(3 + vgg_random_normal(&random));
    }
    return crowd;
}

static inline void crowd_free(struct crowd *crowd)
{
    free(crowd->rows);
    free(crowd->labels);
}

#endif
