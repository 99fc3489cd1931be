/* A progress bar on standard error, where that is a terminal and there is more than one thing. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "vgg.h"

enum { PROGRESS_NOTE_BYTES = 96 };

struct progress {
    bool shown;
    size_t done, failed, total;
    size_t passed; /* of those done, before it began: they say nothing about time */
    uint64_t begun_ns;
    double left_seconds; /* of all that is to come, where it is known; 0: by those that are done */
    char note[PROGRESS_NOTE_BYTES]; /* shown beside the numbers */
};

void progress_init(struct progress *progress, size_t total);

/* Take the bar away so that other lines can be written, and bring it back. */
void progress_hide(const struct progress *progress);
void progress_show(struct progress *progress);

/* Where no number tells how far it is: a line in the place of the bar, on a terminal. */
void progress_say(const char *text);

/* So many were done before it began. */
void progress_pass(struct progress *progress, size_t done);

/* One more is done; the bar shows it with the next progress_show. */
void progress_step(struct progress *progress, bool failed);

#endif
