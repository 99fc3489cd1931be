/* Soft-max and its loss. */
#include "backprop/loss.h"

#include <math.h>

double vgg_loss(const float *logits, size_t classes, uint32_t label, double weight, float *grad,
                bool *right)
{
    double largest = (double)logits[0], sum = 0;

    for (size_t i = 1; i < classes; i++)
        largest = fmax(largest, (double)logits[i]);
    for (size_t i = 0; i < classes; i++)
        sum += exp((double)logits[i] - largest);
    for (size_t i = 0; i < classes; i++) {
        double posterior = exp((double)logits[i] - largest) / sum;

        grad[i] = (float)(weight * (posterior - (i == label)));
    }
    *right = (double)logits[label] == largest;
    return log(sum) + (largest - (double)logits[label]);
}
