/* Batch-norm put into a network that has none: it changes nothing, and learning can begin. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backprop/norms.h"
#include "core/kernels/layer.h"
#include "core/teams.h"
#include "fault.h"

enum { SIDE = 64, CLASSES = 4, BATCH = 6 };

static struct vgg_network *make(bool batch_norm, size_t frozen)
{
    const struct vgg_arch *arch = vgg_arch_find("B");
    const struct vgg_net_sizes sizes = vgg_net_sizes_regular(arch, 5, 9, CLASSES, 32);
    const struct vgg_network_options options = {
        .batch = BATCH, .batch_norm = batch_norm, .crop = SIDE, .frozen = frozen};
    struct vgg_network *network = layer_block(1, sizeof *network);
    uint64_t seed = 2;

    assert_int_equal(
        vgg_network_init(network, arch, &vgg_kernels_generic, &sizes, &options, THREADS_MAX, NULL),
        VGG_OK);
    vgg_network_randomise(network, VGG_TRAIN_HE, 1);
    for (size_t i = frozen; i < arch->convs_n; i++)
        for (size_t j = 0; j < network->convs[i].bias.n; j++)
            network->convs[i].bias.value[j] = (float)(maker_random(&seed) - 0.3);
    return network;
}

static void destroy(struct vgg_network *network)
{
    vgg_network_fini(network);
    free(network);
}

static void assert_close(const float *a, const float *b, size_t n)
{
    double sum = 0, errors = 0;

    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)a[i];
        errors += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    if (!(errors <= 1e-9 * sum) || !(sum > 0))
        fail_msg("relative error %g", sqrt(errors / sum));
}

/*
 * In inference it gives what the network gave without; and in learning, on what was observed, so
 * do its batches, because their statistics are the observed ones.
 */
static void nothing_changes(void **state)
{
    (void)state;
    for (size_t frozen = 0; frozen <= 4; frozen += 4) {
        struct vgg_network *plain = make(false, frozen), *normal = make(true, frozen);
        size_t floats = (size_t)plain->in.c * plain->in.h * plain->in.w;
        float *inputs = layer_random(2 * BATCH * floats, 1, 4);
        float scores[2][BATCH * CLASSES], targets[BATCH * CLASSES] = {0};
        const uint32_t labels[BATCH] = {0};
        struct vgg_network_examples examples = {inputs, labels, targets, NULL, BATCH};
        struct vgg_norms norms;
        double losses[2];

        assert_int_equal(vgg_norms_init(&norms, normal, NULL), VGG_OK);
        vgg_network_evaluate(plain, teams[2], inputs, BATCH, scores[0], NULL);
        vgg_network_evaluate(normal, teams[2], inputs, BATCH, scores[1], NULL);
        assert_close(scores[0], scores[1], BATCH * CLASSES);
        vgg_norms_observe(&norms, teams[2], inputs, BATCH - 1);
        vgg_norms_observe(&norms, teams[2], inputs + (BATCH - 1) * floats, 1);
        vgg_norms_fini(&norms);
        vgg_network_evaluate(normal, teams[3], inputs, BATCH, scores[1], NULL);
        assert_close(scores[0], scores[1], BATCH * CLASSES);
        for (size_t i = 0; i < BATCH; i++)
            targets[i * CLASSES] = 1;
        losses[0] = vgg_network_forward(plain, teams[1], &examples, 0, 0).loss;
        losses[1] = vgg_network_forward(normal, teams[1], &examples, 0, 0).loss;
        assert_true(fabs(losses[0] - losses[1]) < 3e-2 * losses[0]); /* variance by n - 1 */
        vgg_network_forget(normal);                                  /* a test that can fail */
        vgg_network_evaluate(normal, teams[2], inputs, BATCH, scores[1], NULL);
        assert_true(fabs((double)scores[0][0] - (double)scores[1][0]) >
                    1e-3 * fabs((double)scores[0][0]));
        free(inputs);
        destroy(plain);
        destroy(normal);
    }
}

static void without_memory(void **state)
{
    struct vgg_network *network;
    struct vgg_norms norms;

    (void)state;
    if (!fault_available())
        skip();
    network = make(true, 0);
    fault_arm(1);
    assert_int_equal(vgg_norms_init(&norms, network, NULL), VGG_NO_MEMORY);
    fault_disarm();
    destroy(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changes),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
