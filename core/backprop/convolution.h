/*
 * A convolution in training: batch normalisation, ReLU, local response normalisation and max-pool
 * after it, forward and backward, on the blocked maps of the kernels.
 */
#ifndef VGG_CORE_BACKPROP_CONVOLUTION_H
#define VGG_CORE_BACKPROP_CONVOLUTION_H

#include "backprop/parameter.h"
#include "kernels/gradients.h"

#define VGG_BATCH_NORM_MOMENTUM 0.1 /* of a batch in the running statistics */

/* Memory that the layers of a network take in turn. */
struct vgg_convolution_work {
    void *scratch;       /* of the kernels' conv */
    float *sums_scratch; /* of the gradient kernels */
    float *flipped;      /* [in][out][k][k] */
    double *sums;        /* [2][channels, padded] */
};

/* Bytes and counts that a layer needs of them. */
struct vgg_convolution_needs {
    size_t scratch_bytes, sums_scratch, flipped, sums;
};

struct vgg_convolution {
    const struct vgg_kernels *kernels;
    struct vgg_conv conv;              /* with what follows it */
    struct vgg_conv forward, backward; /* alone; backward takes out to in */
    struct vgg_shape in, unpooled, out;
    struct vgg_parameter weight;       /* [out][in][k][k] */
    struct vgg_parameter bias;         /* [out]; beta of batch-norm */
    struct vgg_parameter gamma;        /* [out]; n is 0 without batch-norm */
    float *mean, *variance;            /* [out], running; NULL without batch-norm */
    void *packed, *packed_back;        /* the latter NULL where no gradient of the input is asked */
    float *y, *rectified, *normalised; /* maps; the latter two with LRN alone */
    float *result;                     /* the map after all of it */

    /* Vectors [channels, padded]. */
    float *scale, *shift;  /* y to u (gradients.h): of batch-norm, else 1 and the bias */
    float *centre;         /* of y in the batch, which sums are taken about; 0 without batch-norm */
    float *inverse;        /* of the deviation of y in the batch */
    float *slope, *offset; /* the gradient of u to that of y, beside scale */
    float *zeros;
    float *zeros_back; /* [in] */
};

/*
 * Allocate for a batch of inputs of shape `in`. `first`: the input is the picture, and has no
 * gradient. Errors: NO_MEMORY; vgg_convolution_fini is allowed then.
 */
enum vgg_status vgg_convolution_init(struct vgg_convolution *layer,
                                     const struct vgg_kernels *kernels, const char *name,
                                     const struct vgg_conv *conv, struct vgg_shape in,
                                     bool batch_norm, bool first, struct vgg_error *error);
void vgg_convolution_fini(struct vgg_convolution *layer);

/* Bytes that it will allocate, and what it will need beside. */
uint64_t vgg_convolution_predict(const struct vgg_kernels *kernels, const struct vgg_conv *conv,
                                 struct vgg_shape in, unsigned threads,
                                 struct vgg_convolution_needs *needs);

struct vgg_convolution_needs vgg_convolution_needs(const struct vgg_convolution *layer,
                                                   unsigned threads);

/* Fewer inputs than it was made for, from now on; or as many again. */
void vgg_convolution_set_batch(struct vgg_convolution *layer, uint32_t n);

/*
 * in (a map of layer->in) -> layer->result (of layer->out), normalised by the statistics of the
 * batch, which the running ones follow; not `learning`: by these, which stay.
 */
void vgg_convolution_forward(struct vgg_convolution *layer, struct vgg_team *team, const float *in,
                             bool learning, const struct vgg_convolution_work *work);

/*
 * After forward, with the same `in`: out_grad (a map of layer->out) -> the parameters' gradients,
 * and in_grad (a map of layer->in; may be out_grad; NULL for the first layer). `between` is a map
 * of layer->unpooled.
 */
void vgg_convolution_backward(struct vgg_convolution *layer, struct vgg_team *team, const float *in,
                              const float *out_grad, float *between, float *in_grad,
                              const struct vgg_convolution_work *work);

/*
 * Values [first, first + n) of the weights [out][in][k][k], and of the biases [out], as inference
 * takes them: with the running statistics folded in.
 */
void vgg_convolution_fold_weights(const struct vgg_convolution *layer, uint64_t first, size_t n,
                                  float *out);
void vgg_convolution_fold_biases(const struct vgg_convolution *layer, uint64_t first, size_t n,
                                 float *out);

#endif
