/*
 * How far image features are from those of known classes, and how rare that is among known
 * pictures: the Mahalanobis distance to the nearest class mean, of features of unit length.
 */
#ifndef VGG_CORE_TYPICALITY_TYPICALITY_H
#define VGG_CORE_TYPICALITY_TYPICALITY_H

#include "vgg.h"

enum { VGG_TYPICALITY_DIMS_MAX = 512 };

struct vgg_typicality {
    uint32_t features, dims, classes; /* dims <= VGG_TYPICALITY_DIMS_MAX */
    size_t known_n;                   /* 0: none, and no arrays */
    float *transform;                 /* [dims][features]: whitens, into fewer dimensions */
    float *means;                     /* [classes][dims], of transformed features */
    float *distances; /* [known_n], ascending: of known pictures that it was not fitted to */
    double reject;    /* the p below which a picture is unknown, where nobody asks for another */
};

/* Bytes of the arrays. */
uint64_t vgg_typicality_bytes(const struct vgg_typicality *typicality);

/* Frees the arrays. */
void vgg_typicality_fini(struct vgg_typicality *typicality);

/* The least squared distance of transform * (x / |x|) to a mean; x[features]. Pure. */
double vgg_typicality_distance(const struct vgg_typicality *typicality, const float *x);

/* (1 + number of known at least as far) / (known_n + 1). Pure. */
double vgg_typicality_p(const struct vgg_typicality *typicality, double distance);

#endif
