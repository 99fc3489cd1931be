/* Multinomial logistic loss. */
#ifndef VGG_CORE_BACKPROP_LOSS_H
#define VGG_CORE_BACKPROP_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * -log of the soft-max of logits[classes] at `label`; its gradient times `weight` into
 * grad[classes]. *right: no class has a larger logit. In double.
 */
double vgg_loss(const float *logits, size_t classes, uint32_t label, double weight, float *grad,
                bool *right);

#endif
