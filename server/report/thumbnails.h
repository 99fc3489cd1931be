/* Small copies of pictures, made by reading the files again. */
#ifndef HTML_REPORT_THUMBNAILS_H
#define HTML_REPORT_THUMBNAILS_H

#include "report/collected.h"

enum {
    THUMBNAIL_SIDE = 128,            /* pixels of the longer side, at most */
    THUMBNAIL_BYTES_MAX = 16 * 1024, /* of a JPEG */
    THUMBNAILS_MAX = 2000            /* that are made */
};

struct thumbnail {
    unsigned char *jpeg; /* NULL: there is none */
    size_t size;
    uint32_t width, height;
};

struct thumbnails {
    struct thumbnail *items;  /* [pictures] */
    size_t *wanted, wanted_n; /* pictures, in the order in which they were asked for */
    bool *asked;              /* [pictures] */
};

/* False when out of memory; to be ended in any case. */
bool thumbnails_init(struct thumbnails *thumbnails, const struct html_report *report);
void thumbnails_fini(struct thumbnails *thumbnails, const struct html_report *report);

/* Ask for that of a picture; past THUMBNAILS_MAX it gets none. */
void thumbnails_want(struct thumbnails *thumbnails, size_t picture);

/*
 * Make what was asked for, on all CPUs, with a bar on the terminal. What cannot be read any more
 * stays without one. Errors: NO_MEMORY (no threads).
 */
enum vgg_status thumbnails_make(struct thumbnails *thumbnails, const struct html_report *report,
                                struct vgg_error *error);

#endif
