/*
 * Error rates of `vgg eval`, for all combinations of scales, mirror images and protocols at once:
 * from the posteriors of the single views, averaged in double as the engine does it.
 */
#ifndef ERROR_RATES_H
#define ERROR_RATES_H

#include "vgg.h"

/* In the order of the words of --protocol. */
enum test_protocol { PROTOCOL_DENSE, PROTOCOL_CROPS, PROTOCOL_BOTH, PROTOCOLS };
#define PROTOCOL_WORDS "dense|multicrop|both"
const char *protocol_name(enum test_protocol protocol);

enum {
    RATES_TOP = 5,
    RATES_CONFUSION_MAX = 20, /* classes */
    RATES_GRID = 5,           /* of the paper: 50 crops a scale, with mirrors */
    RATES_VIEWS_MAX = VGG_SCALES_MAX * RATES_GRID * RATES_GRID * 2
};

/* Pictures whose class is not the first, not among the first five. */
struct error_count {
    size_t top1, top5;
};

struct error_rates {
    enum test_protocol protocol;
    uint32_t classes;
    size_t scales_n;
    bool flip;
    size_t pictures;
    /* By protocol; without mirrors or with; by scale, then of all scales. */
    struct error_count wrong[PROTOCOLS][2][VGG_SCALES_MAX + 1];
    size_t *class_pictures, *class_wrong; /* [classes], of the answer */
    size_t *confusion; /* [class][answer]; NULL: over RATES_CONFUSION_MAX classes */
    double *sum, *mean;
    float *posterior;
};

/* What one protocol said of a picture: by scale, by position, then original before mirror. */
struct protocol_views {
    const float *answer; /* over all of them */
    const float *views[RATES_VIEWS_MAX];
    size_t n;
};

/* The answer that counts: by the whole protocol, all scales, and mirrors if flip. */
struct protocol_answer {
    uint32_t class;
    float score;
};

/* False when out of memory. */
bool error_rates_init(struct error_rates *rates, enum test_protocol protocol, uint32_t classes,
                      size_t scales_n, bool flip);
void error_rates_fini(struct error_rates *rates);

/* Are the views of `protocol` (dense or crops) needed? Is it one whose errors are counted? */
bool error_rates_takes(const struct error_rates *rates, enum test_protocol protocol);
bool error_rates_counts(const struct error_rates *rates, enum test_protocol protocol);

/* Count a picture of class `truth`: views[PROTOCOL_DENSE] and views[PROTOCOL_CROPS], those that it
 * takes.
 */
struct protocol_answer error_rates_add(struct error_rates *rates, uint32_t truth,
                                       const struct protocol_views views[2]);

/* Top-5 errors say something. */
bool error_rates_has_top5(const struct error_rates *rates);

/* In per cent of `n`, which is not 0. */
double error_percent(size_t wrong, size_t n);

#endif
