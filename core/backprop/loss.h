/* Multinomial logistic loss, of labels or of soft targets. */
#ifndef VGG_CORE_BACKPROP_LOSS_H
#define VGG_CORE_BACKPROP_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The cross-entropy of the soft-max of logits[classes] and of targets[classes], which sum to 1: of
 * a label alone -log of its posterior. The loss's gradient times `weight` into grad[classes]. In
 * double.
 */
double vgg_loss(const float *logits, size_t classes, const float *targets, double weight,
                float *grad);

/* Has no class a larger logit than `label`? Not where one is not a number. */
bool vgg_loss_right(const float *logits, size_t classes, uint32_t label);

#endif
