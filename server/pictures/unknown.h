/* How well typicality tells the pictures of a model's classes from those of none, for `vgg eval`.
 */
#ifndef UNKNOWN_H
#define UNKNOWN_H

#include "answer/evaluation.h"
#include "pictures/pictures.h"
#include "vgg_typicality.h"

/* p of one kind of picture. */
struct typicalities {
    double *values; /* [n] */
    size_t n;
    size_t below; /* of the reject level */
};

/* Zero-initialise. */
struct unknown {
    struct pictures pictures; /* that are unknown */
    double level;
    struct typicalities of_known, of_unknown;
    /*
     * After unknown_rank: areas under the ROC curve, against the known pictures, and against those
     * of the model, each left out: where these are the same the first says too much. Below 0: none.
     */
    double auroc, auroc_left_out;
};

/*
 * Find the pictures in and below `directory` (NULL: they are there), and room for `known_n` others,
 * where evaluations have typicality (evaluation_objection). False: one line on standard error has
 * said why.
 */
bool unknown_open(struct unknown *unknown, const char *directory, const struct vgg_model *model,
                  size_t known_n, struct left_out *left_out);
void unknown_fini(struct unknown *unknown);

/* Count a picture of one of its kinds. */
void unknown_count(const struct unknown *unknown, struct typicalities *kind, double p);

/* When all are counted. */
void unknown_rank(struct unknown *unknown, const struct vgg_model *model);

#endif
