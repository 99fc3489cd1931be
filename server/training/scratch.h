/* A network from random weights: its size, and how long it may train. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "vgg_train.h"

enum { SCRATCH_SECONDS = 3000 }; /* of the steps: what is left of an hour is for validation */

/* What was said; zeros are open. */
struct scratch_wish {
    const char *arch; /* never NULL */
    uint32_t width, fc, crop, batch, epochs;
    uint32_t crop_most; /* 0: any */
    size_t pictures;
    uint32_t classes;
    unsigned threads;
    uint64_t room; /* bytes of memory that may be taken */
};

struct scratch {
    uint32_t width, fc, crop, batch, epochs;
    double epoch_seconds; /* about; 0: memory did not hold it */
};

/*
 * The widest network and largest crop that memory holds and whose epochs, as many as so many
 * pictures ask for, end in time on this machine: a pass of each candidate is measured, from the
 * largest on. Where none does, the smallest. Errors: BAD_ARGUMENT (no such arch or crop).
 */
enum vgg_status scratch_propose(const struct scratch_wish *wish, struct scratch *scratch,
                                struct vgg_error *error);

#endif
