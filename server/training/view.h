/* What is shown of a training while it goes on, and its room in memory. */
#ifndef TRAINING_VIEW_H
#define TRAINING_VIEW_H

#include "pictures/left_out.h"
#include "pictures/progress.h"
#include "report/report.h"
#include "training/telling.h"

/* Zero-initialise, then fill `facts`. */
struct training_view {
    struct facts facts;
    struct progress progress;
    struct left_out left_out;
    struct html_report *report; /* owned by the caller; NULL: none */
    uint64_t single_bytes;      /* memory for a single crop */
    bool planned;               /* what it takes has been told */
    bool begun;                 /* steps or views are being computed */
};

/* Have a training show itself: sets callbacks, and `user` to the view. */
void training_view_attach(struct training_view *view, struct vgg_train_options *options);

/* It has ended: the bar goes, what was left out is said. */
void training_view_end(struct training_view *view);

#endif
