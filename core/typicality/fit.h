/*
 * Fitting typicality to the features of pictures that nothing was trained on.
 * Path of a fit: [this] -> folding.c -> whitening.c -> left_out.c -> level.c.
 */
#ifndef VGG_CORE_TYPICALITY_FIT_H
#define VGG_CORE_TYPICALITY_FIT_H

#include "base/team.h"
#include "typicality/typicality.h"

enum {
    VGG_TYPICALITY_TRAINED_MIN = 50, /* pictures, where features were trained */
    VGG_TYPICALITY_REASON_BYTES = 128
};

struct vgg_typicality_set {
    uint32_t features, classes;
    size_t n;
    const float *rows;      /* [n][features], as vgg_job_features gives them: over all views */
    const uint32_t *labels; /* [n], < classes; without two of a class there is no typicality */
    /* [n]: pictures of one class and group (duplicates, bursts) are left out together; NULL: none
     * has such. */
    const size_t *groups;
};

struct vgg_typicality_options {
    struct vgg_team *team; /* changes no bit */
    /*
     * Were the features trained on pictures of these classes? The set is those kept from that, the
     * validation's, and has VGG_TYPICALITY_TRAINED_MIN or more; else it is all pictures.
     */
    bool trained;
    const float *unknown; /* [unknown_n][features] of pictures of none of the classes, or NULL */
    size_t unknown_n;
};

/* What was found. */
struct vgg_typicality_found {
    char reason[VGG_TYPICALITY_REASON_BYTES]; /* why there is no typicality; "": there is */
    double *known;        /* [n]: typicality of each picture among the others; owned, or NULL */
    double *unknown;      /* [unknown_n]: that of the unknown; owned, or NULL */
    double auroc, caught; /* of the unknown; the share below the reject level; below 0: none */
};

/*
 * Fit *typicality (known_n 0 where found->reason says why) and fill *found. The level is the
 * default, 0.01; with unknown pictures it is the one, of at most 0.05, at which the share of them
 * that is caught less that of the known refused is greatest. The same bits for any number of
 * threads. Errors: BAD_ARGUMENT (features that are not finite), NO_MEMORY; both are empty then.
 */
enum vgg_status vgg_typicality_fit(const struct vgg_typicality_set *set,
                                   const struct vgg_typicality_options *options,
                                   struct vgg_typicality *typicality,
                                   struct vgg_typicality_found *found, struct vgg_error *error);
/* Frees the arrays. */
void vgg_typicality_found_fini(struct vgg_typicality_found *found);

#endif
