/* Soft-max and its loss. */
#include "backprop/loss.h"

#include <math.h>

double vgg_loss(const float *logits, size_t classes, const float *targets, double weight,
                float *grad)
{
    double largest = (double)logits[0], sum = 0, loss;

    for (size_t i = 1; i < classes; i++)
        largest = fmax(largest, (double)logits[i]);
    for (size_t i = 0; i < classes; i++)
        sum += exp((double)logits[i] - largest);
    loss = log(sum);
    for (size_t i = 0; i < classes; i++) {
        double posterior = exp((double)logits[i] - largest) / sum, target = (double)targets[i];

        grad[i] = (float)(weight * (posterior - target));
        loss += target * (largest - (double)logits[i]);
    }
    return loss;
}

bool vgg_loss_right(const float *logits, size_t classes, uint32_t label)
{
    for (size_t i = 0; i < classes; i++)
        if (!(logits[i] <= logits[label]))
            return false;
    return true;
}
