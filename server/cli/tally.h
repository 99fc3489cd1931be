/*
 * Error rates of `vgg eval`, for all combinations of scales, mirror images and protocols at once:
 * from the posteriors of the single views, averaged in double as the engine does it.
 */
#ifndef TALLY_H
#define TALLY_H

#include "vgg.h"

/* In the order of --protocol. */
enum tally_protocol { TALLY_DENSE, TALLY_CROPS, TALLY_BOTH, TALLY_PROTOCOLS };

enum {
    TALLY_TOP = 5,
    TALLY_CONFUSION_MAX = 20, /* classes */
    TALLY_GRID = 5,           /* of the paper: 50 crops a scale, with mirrors */
    TALLY_VIEWS_MAX = VGG_SCALES_MAX * TALLY_GRID * TALLY_GRID * 2
};

/* Pictures whose class is not the first, not among the first five. */
struct tally_wrong {
    size_t top1, top5;
};

struct tally {
    enum tally_protocol protocol;
    uint32_t classes;
    size_t scales_n;
    bool flip;
    size_t pictures;
    /* By protocol; without mirrors or with; by scale, then of all scales. */
    struct tally_wrong wrong[TALLY_PROTOCOLS][2][VGG_SCALES_MAX + 1];
    size_t *class_pictures, *class_wrong; /* [classes], of the answer */
    size_t *confusion; /* [class][answer]; NULL: over TALLY_CONFUSION_MAX classes */
    double *sum, *mean;
    float *posterior;
};

/* What one protocol said of a picture: by scale, by position, then original before mirror. */
struct tally_views {
    const float *answer; /* over all of them */
    const float *views[TALLY_VIEWS_MAX];
    size_t n;
};

/* The answer that counts: by the whole protocol, all scales, and mirrors if flip. */
struct tally_answer {
    uint32_t class;
    float score;
};

/* False when out of memory. */
bool tally_init(struct tally *tally, enum tally_protocol protocol, uint32_t classes,
                size_t scales_n, bool flip);
void tally_fini(struct tally *tally);

/* Are the views of `protocol` (dense or crops) needed? Is it one whose errors are counted? */
bool tally_takes(const struct tally *tally, enum tally_protocol protocol);
bool tally_counts(const struct tally *tally, enum tally_protocol protocol);

/* Count a picture of class `truth`: views[TALLY_DENSE] and views[TALLY_CROPS], those that it takes.
 */
struct tally_answer tally_add(struct tally *tally, uint32_t truth,
                              const struct tally_views views[2]);

/* Top-5 errors say something. */
bool tally_has_top5(const struct tally *tally);

/* In per cent of `n`, which is not 0. */
double tally_percent(size_t wrong, size_t n);

#endif
