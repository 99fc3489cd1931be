/* Plain weights of a network against those a maker put into its file. */
#ifndef VGG_TESTS_CORE_MODEL_PLAIN_H
#define VGG_TESTS_CORE_MODEL_PLAIN_H

#include "check.h"

#include <math.h>
#include <stdio.h>

#include "core/nn/reference.h"
#include "nn/net.h"

/* Packed weights of the portable kernels are [out][in][k][k], as every file has them. */
static inline void check_plain_layer(const struct vgg_layer *layer, struct maker *maker,
                                     const char *module, const char *norm)
{
    const double *weight = reference_values(maker, module, "weight");
    const double *bias = reference_values(maker, module, "bias");
    const float *packed = layer->packed;
    size_t columns = vgg_layer_weights(layer) / layer->conv.out;

    for (size_t row = 0; row < layer->conv.out; row++) {
        double gain = 1, offset = bias[row];

        if (norm != NULL) {
            gain = reference_values(maker, norm, "weight")[row] /
                   sqrt(reference_values(maker, norm, "running_var")[row] + 1e-5);
            offset = (offset - reference_values(maker, norm, "running_mean")[row]) * gain +
                     reference_values(maker, norm, "bias")[row];
        }
        /* Rounded once from double: exact without batch-norm, to half a unit with it. */
        assert_true(fabs((double)layer->bias[row] - offset) <= fabs(offset) * 0x1.01p-24);
        for (size_t i = 0; i < columns; i++) {
            double value = weight[row * columns + i] * gain;

            if (!(fabs((double)packed[row * columns + i] - value) <= fabs(value) * 0x1.01p-24))
                fail_msg("%s row %zu column %zu: %a instead of %a", module, row, i,
                         (double)packed[row * columns + i], value);
            if (norm == NULL)
                assert_true((double)packed[row * columns + i] == value);
        }
    }
}

static inline void check_plain(const struct vgg_net *net, struct maker *maker)
{
    static const char *const fcs[2][3] = {{"classifier.0", "classifier.3", "classifier.6"},
                                          {"pre_logits.fc1", "pre_logits.fc2", "head.fc"}};

    assert_string_equal(net->arch->name, maker->spec.arch);
    for (size_t i = 0; i < maker->convs_n; i++) {
        char module[32], norm[32];

        snprintf(module, sizeof module, "features.%u", maker->convs[i].feature);
        snprintf(norm, sizeof norm, "features.%u", maker->convs[i].feature + 1);
        check_plain_layer(&net->layers[i], maker, module, maker->spec.batch_norm ? norm : NULL);
    }
    for (size_t i = 0; i < 3; i++)
        check_plain_layer(&net->layers[maker->convs_n + i], maker, fcs[maker->spec.timm][i], NULL);
}

#endif
