/* Fitting typicality to the image features of a data set. */
#ifndef VGG_CORE_TYPICALITY_FIT_H
#define VGG_CORE_TYPICALITY_FIT_H

#include "base/team.h"
#include "typicality/typicality.h"

enum {
    VGG_TYPICALITY_HELD_OUT_MIN = 50, /* known distances that are worth having */
    VGG_TYPICALITY_REASON_BYTES = 128
};

/* Features of pictures as vgg_job_features gives them: rows[n][features]. */
struct vgg_typicality_set {
    const float *rows;
    size_t n;
    const uint32_t *labels; /* [n] */
    /* [n]: pictures of one group (duplicates) are left out together; NULL: each alone. */
    const size_t *groups;
};

struct vgg_typicality_options {
    uint32_t features, classes;
    struct vgg_team *team; /* changes no bit */
    /*
     * Were the features trained on the pictures? Then the known distances are those of held_out,
     * pictures that nothing was trained on, else those of the set itself, left out in turn.
     */
    bool trained;
    struct vgg_typicality_set held_out; /* needs no labels or groups */
    struct vgg_typicality_set unknown;  /* pictures of _unknown/, if any: they set the level */
};

/* What it found. */
struct vgg_typicality_found {
    char reason[VGG_TYPICALITY_REASON_BYTES]; /* why there is no typicality; "": there is */
    double *known;        /* p among the others: of the set's pictures, or those held out; owned */
    double *unknown;      /* [unknown.n]; owned */
    double auroc, caught; /* of the unknown, at the reject level; below 0: there are none */
};

/*
 * Fit *typicality (known_n 0 where found->reason says why) and fill *found. Each class has two
 * pictures or more. Errors: NO_MEMORY, BAD_MODEL (features that are not finite); both are empty
 * then.
 */
enum vgg_status vgg_typicality_fit(const struct vgg_typicality_set *set,
                                   const struct vgg_typicality_options *options,
                                   struct vgg_typicality *typicality,
                                   struct vgg_typicality_found *found, struct vgg_error *error);
void vgg_typicality_found_fini(struct vgg_typicality_found *found);

#endif
