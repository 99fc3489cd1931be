/* A narrow network beside the base that it is fitted to. */
#include "core/data/album.h"

#include <math.h>

#include "data/statistics.h"
#include "fault.h"
#include "model_maker.h"
#include "narrow/cost.h"
#include "narrow/crops.h"
#include "narrow/narrow.h"
#include "narrow/stack.h"

enum { CROP = 32, HELD_OUT = 16, FLOATS_MAX = 1 << 16 };

static struct vgg_dataset pictures;
static struct vgg_sampling sampling;

static int start(void **state)
{
    if (album_start(state) != 0)
        return 1;
    album_fill(7);
    album_open(&(struct vgg_dataset_options){.cache_bytes = 1 << 30}, teams[1], &pictures);
    vgg_dataset_statistics(&pictures);
    sampling = (struct vgg_sampling){
        .seed = 3, .crop = CROP, .scale_min = 32, .scale_max = 40, .mirror = true, .colour = 0.1};
    return 0;
}

static int stop(void **state)
{
    vgg_dataset_fini(&pictures);
    return album_stop(state);
}

/* ---------------------------------------------------------------- base and network ----------- */

static char mean[96], std[96]; /* the pictures' */

static void describe_pictures(void)
{
    const double *m = pictures.mean, *d = pictures.std;

    snprintf(mean, sizeof mean, "[%.17g, %.17g, %.17g]", m[0], m[1], m[2]);
    snprintf(std, sizeof std, "[%.17g, %.17g, %.17g]", d[0], d[1], d[2]);
}

/* The preprocessing of a narrow network, so that both see the same beyond the edge. */
static void see_alike(struct maker *maker)
{
    describe_pictures();
    maker_meta(maker, "vgg.mean", mean);
    maker_meta(maker, "vgg.std", std);
}

static struct maker_tensor *tensor_of(struct maker *maker, size_t conv, const char *what)
{
    char name[MAKER_NAME_BYTES];

    snprintf(name, sizeof name, "features.%u.%s", maker->convs[conv].feature, what);
    return maker_find(maker, name);
}

/* The second half of a layer's channels is the first once more, half as large. */
static void duplicate(struct maker *maker)
{
    see_alike(maker);
    for (size_t i = 0; i < maker->convs_n; i++)
        for (int bias = 0; bias < 2; bias++) {
            struct maker_tensor *tensor = tensor_of(maker, i, bias != 0 ? "bias" : "weight");

            for (size_t j = 0; j < tensor->values_n / 2; j++)
                tensor->values[tensor->values_n / 2 + j] = tensor->values[j] / 2;
        }
}

/* Every other channel is large, and the next layer does not look at it. */
static void shout_in_vain(struct maker *maker)
{
    see_alike(maker);
    for (size_t i = 0; i < maker->convs_n; i++) {
        struct maker_tensor *weight = tensor_of(maker, i, "weight");
        struct maker_tensor *bias = tensor_of(maker, i, "bias");
        size_t in = weight->shape[1], taps = weight->values_n / weight->shape[0] / in;

        for (size_t j = 0; j < weight->values_n; j++) {
            bool loud = j / taps / in % 2 == 0, unheard = i != 0 && j / taps % in % 2 == 0;

            weight->values[j] *= unheard ? 0 : loud ? 8 : 1;
        }
        for (size_t j = 0; j < bias->values_n; j += 2)
            bias->values[j] *= 8;
    }
}

/* The same function of pictures, whose inputs come in another order. */
static void turn_to_bgr(struct maker *maker)
{
    struct maker_tensor *first = maker_find(maker, "features.0.weight");

    for (size_t i = 0; i < first->values_n; i += 27)
        for (size_t j = 0; j < 9; j++) {
            double red = first->values[i + j];

            first->values[i + j] = first->values[i + 18 + j];
            first->values[i + 18 + j] = red;
        }
    maker_meta(maker, "vgg.channels", "BGR");
    maker_meta(maker, "vgg.mean", "[0.7, 0.6, 0.3]");
    maker_meta(maker, "vgg.std", "[0.1, 0.2, 0.3]");
}

static void leave_rgb(struct maker *maker)
{
    maker_meta(maker, "vgg.mean", "[0.3, 0.6, 0.7]");
    maker_meta(maker, "vgg.std", "[0.3, 0.2, 0.1]");
}

static void put_base(const struct maker_spec *spec, void (*edit)(struct maker *maker),
                     struct vgg_weights *weights)
{
    struct maker maker;
    unsigned char *bytes;
    size_t size;
    struct vgg_error error = {0};

    maker_make(&maker, spec);
    maker_meta(&maker, "vgg.scales", "[32]");
    edit(&maker);
    bytes = maker_bytes(&maker, &size);
    maker_write(album_path("base.safetensors"), bytes, size);
    free(bytes);
    maker_free(&maker);
    if (vgg_weights_read(album_path("base.safetensors"), weights, &error) != VGG_OK)
        fail_msg("%s", error.text);
}

/* The last of what on_narrowing is told. */
struct told {
    double explained[VGG_CONVS_MAX];
    struct vgg_train_narrowing last;
    unsigned calls, stop_after; /* 0: never */
};

static void on_narrowing(void *user, const struct vgg_train_narrowing *now)
{
    struct told *told = user;

    assert_true(told->last.done < 1 && now->done >= told->last.done && now->done <= 1);
    assert_true(now->layers >= told->last.layers && now->seconds_left >= 0);
    memcpy(told->explained, now->explained, now->layers * sizeof *told->explained);
    told->last = *now;
    told->calls++;
}

static bool is_enough(void *user)
{
    const struct told *told = user;

    return told->stop_after != 0 && told->calls >= told->stop_after;
}

static const struct vgg_kernels *kernels(void)
{
    const struct vgg_kernels *best = vgg_kernels_select(VGG_PRECISION_F32, NULL);

    return best->lanes != 0 ? best : &vgg_kernels_generic;
}

struct network {
    struct vgg_net net;
    float *weights[VGG_CONVS_MAX], *biases[VGG_CONVS_MAX];
    struct told told;
    unsigned long fault; /* the allocation that fails; 0: none */
    bool failed;         /* it has */
};

static enum vgg_status fit(struct network *network, const struct vgg_weights *base, uint32_t width,
                           struct vgg_team *team)
{
    const struct vgg_train_options settings = {
        .seed = 3, .on_narrowing = on_narrowing, .stop = is_enough, .user = &network->told};
    const struct vgg_arch *arch = base->net->arch;
    const struct vgg_net_sizes sizes = vgg_net_sizes_regular(arch, width, 5, 2, CROP);
    const struct vgg_narrow_task task = {.base = base,
                                         .net = &network->net,
                                         .pictures = &pictures,
                                         .sampling = &sampling,
                                         .settings = &settings};
    enum vgg_status status;

    vgg_net_describe(&network->net, arch, kernels(), &sizes);
    for (size_t i = 0; i < arch->convs_n; i++) {
        const struct vgg_layer *layer = &network->net.layers[i];

        network->weights[i] = malloc(vgg_layer_weights(layer) * sizeof(float));
        network->biases[i] = malloc(layer->conv.out * sizeof(float));
        assert_true(network->weights[i] != NULL && network->biases[i] != NULL);
    }
    if (network->fault != 0)
        fault_arm(network->fault);
    status = vgg_narrow(&task, team, network->weights, network->biases, NULL);
    network->failed = fault_disarm();
    return status;
}

static void fitted(struct network *network, const struct vgg_weights *base, uint32_t width,
                   unsigned team)
{
    *network = (struct network){.told.stop_after = 0};
    assert_int_equal(fit(network, base, width, teams[team]), VGG_OK);
    assert_int_equal(network->told.last.layers, base->net->arch->convs_n);
    assert_int_equal(network->told.last.width, width);
    assert_int_equal(network->told.last.base_width, base->net->layers[0].conv.out);
    assert_true(network->told.last.done == 1);
}

static void release(struct network *network)
{
    for (size_t i = 0; i < network->net.arch->convs_n; i++) {
        free(network->weights[i]);
        free(network->biases[i]);
    }
}

/* ---------------------------------------------------------------- maps of other crops -------- */

struct maps {
    struct vgg_shape shape;
    float floats[FLOATS_MAX]; /* [n][c][h][w] of the last layer */
};

static void compute(struct maps *maps, const struct vgg_net *net, const float *const *weights,
                    const float *const *biases, const float *inputs)
{
    const struct vgg_shape in = {HELD_OUT, 3, CROP, CROP};
    struct vgg_stack stack;

    assert_int_equal(vgg_stack_init(&stack, net, kernels(), in, 3, NULL), VGG_OK);
    for (size_t i = 0; i < stack.layers_n; i++)
        vgg_stack_set(&stack, teams[1], i, weights[i], biases[i]);
    vgg_stack_begin(&stack, teams[1], inputs, HELD_OUT);
    while (stack.layer < stack.layers_n)
        vgg_stack_step(&stack, teams[1]);
    maps->shape = stack.shape;
    assert_true((size_t)HELD_OUT * stack.shape.c * stack.shape.h * stack.shape.w <= FLOATS_MAX);
    for (size_t n = 0; n < HELD_OUT; n++)
        kernels()->scores(stack.map, stack.shape, n,
                          maps->floats + n * stack.shape.c * stack.shape.h * stack.shape.w);
    vgg_stack_fini(&stack);
}

static double value_of(const struct maps *maps, size_t n, size_t channel, size_t place)
{
    size_t places = (size_t)maps->shape.h * maps->shape.w;

    return (double)maps->floats[(n * maps->shape.c + channel) * places + place];
}

/* The cosine of two channels over all crops and places. */
static double likeness(const struct maps *a, size_t i, const struct maps *b, size_t j)
{
    double ab = 0, aa = 0, bb = 0;

    for (size_t n = 0; n < HELD_OUT; n++)
        for (size_t p = 0; p < (size_t)a->shape.h * a->shape.w; p++) {
            double x = value_of(a, n, i, p), y = value_of(b, n, j, p);

            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : aa == bb;
}

/* Each channel of the narrow network's last map is one of the base's, on crops of another epoch. */
static double least_likeness(const struct network *network, const struct vgg_weights *base)
{
    static struct maps wide, narrow;
    struct vgg_crops crops = {.pictures = &pictures,
                              .sampling = &sampling,
                              .base = &base->model->info,
                              .batch = HELD_OUT};
    double least = 1;

    assert_int_equal(vgg_crops_init(&crops, NULL), VGG_OK);
    assert_int_equal(vgg_crops_draw(&crops, teams[1], 1 << 20, HELD_OUT, NULL), VGG_OK);
    compute(&wide, base->net, base->weights, base->biases, crops.base_inputs);
    compute(&narrow, &network->net, (const float *const *)network->weights,
            (const float *const *)network->biases, crops.inputs);
    vgg_crops_fini(&crops);
    for (size_t i = 0; i < narrow.shape.c; i++) {
        double best = 0;

        for (size_t j = 0; j < wide.shape.c; j++)
            best = fmax(best, likeness(&narrow, i, &wide, j));
        least = fmin(least, best);
    }
    return least;
}

/* ---------------------------------------------------------------- what comes of it ----------- */

static double mean_explained(const struct network *network)
{
    double sum = 0;

    for (size_t i = 0; i < network->told.last.layers; i++)
        sum += network->told.explained[i];
    return sum / (double)network->told.last.layers;
}

/* Of a base half of whose channels are copies nothing is lost. */
static void copies_are_not_missed(void **state)
{
    static const char *const archs[] = {"A-LRN", "C"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(archs); i++) {
        const struct maker_spec spec = {.arch = archs[i], .width = 2, .seed = 2};
        struct vgg_weights base;
        struct network network;
        put_base(&spec, duplicate, &base);
        fitted(&network, &base, 1, 1);
        for (size_t j = 0; j < network.told.last.layers; j++)
            if (!(network.told.explained[j] > 0.999))
                fail_msg("%s: %g of layer %zu", archs[i], network.told.explained[j], j);
        if (!(least_likeness(&network, &base) > 0.995))
            fail_msg("%s: %g", archs[i], least_likeness(&network, &base));
        release(&network);
        vgg_weights_fini(&base);
    }
}

/* Nor of one half of whose channels, the larger ones, nothing depends. */
static void what_nobody_looks_at_is_not_missed(void **state)
{
    const struct maker_spec spec = {.width = 2, .seed = 2};
    struct vgg_weights base;
    struct network network;

    (void)state;
    put_base(&spec, shout_in_vain, &base);
    fitted(&network, &base, 1, 1);
    for (size_t i = 0; i < network.told.last.layers; i++)
        if (!(network.told.explained[i] > 0.999))
            fail_msg("%g of layer %zu", network.told.explained[i], i);
    release(&network);
    vgg_weights_fini(&base);
}

static void more_channels_explain_more(void **state)
{
    const struct maker_spec spec = {.width = 4, .seed = 2};
    struct vgg_weights base;
    double before = 0;

    (void)state;
    put_base(&spec, leave_rgb, &base);
    for (uint32_t width = 1; width <= 3; width++) {
        struct network network;
        double explained;

        fitted(&network, &base, width, 1);
        explained = mean_explained(&network);
        assert_true(explained > before && explained < 0.999);
        before = explained;
        release(&network);
    }
    vgg_weights_fini(&base);
}

static void threads_change_no_bit(void **state)
{
    const struct maker_spec spec = {.width = 2, .seed = 2};
    struct vgg_weights base;
    struct network one, other;

    (void)state;
    put_base(&spec, leave_rgb, &base);
    fitted(&one, &base, 1, 0);
    fitted(&other, &base, 1, 1);
    for (size_t i = 0; i < base.net->arch->convs_n; i++) {
        const struct vgg_layer *layer = &one.net.layers[i];

        assert_memory_equal(one.weights[i], other.weights[i],
                            vgg_layer_weights(layer) * sizeof(float));
        assert_memory_equal(one.biases[i], other.biases[i], layer->conv.out * sizeof(float));
        assert_true(one.told.explained[i] == other.told.explained[i]);
    }
    release(&one);
    release(&other);
    vgg_weights_fini(&base);
}

/* What a base is shown is what it is normalised by itself: of RGB and of BGR. */
static void crops_are_the_bases_too(void **state)
{
    static float own[3][CROP * CROP];
    struct vgg_model_info info = {
        .channels = "BGR", .mean = {0.7, 0.6, 0.3}, .std = {0.1, 0.2, 1 / 255.0}};
    struct vgg_dataset seen = pictures;
    struct vgg_crops crops = {
        .pictures = &pictures, .sampling = &sampling, .base = &info, .batch = 2};

    (void)state;
    vgg_dataset_normalise_as(&seen, &info);
    assert_int_equal(vgg_crops_init(&crops, NULL), VGG_OK);
    assert_int_equal(vgg_crops_draw(&crops, teams[1], pictures.examples_n, 2, NULL), VGG_OK);
    assert_int_equal(vgg_sample(&pictures, &sampling, crops.order[1], 1, own[0], NULL), VGG_OK);
    assert_memory_equal(own, crops.inputs + sizeof own / sizeof(float), sizeof own);
    assert_int_equal(vgg_sample(&seen, &sampling, crops.order[1], 1, own[0], NULL), VGG_OK);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < CROP * CROP; i++)
            if (!(fabsf(crops.base_inputs[(3 + c) * CROP * CROP + i] - own[2 - c][i]) < 1e-3F))
                fail_msg("%g is not %g", (double)crops.base_inputs[(3 + c) * CROP * CROP + i],
                         (double)own[2 - c][i]);
    vgg_crops_fini(&crops);
}

/* A base is looked at in its own preprocessing: of the same function the same comes. */
static void the_bases_preprocessing_counts(void **state)
{
    const struct maker_spec spec = {.width = 2, .seed = 2};
    struct vgg_weights base;
    struct network rgb, bgr;

    (void)state;
    put_base(&spec, leave_rgb, &base);
    fitted(&rgb, &base, 1, 1);
    vgg_weights_fini(&base);
    put_base(&spec, turn_to_bgr, &base);
    fitted(&bgr, &base, 1, 1);
    for (size_t i = 0; i < rgb.told.last.layers; i++)
        for (size_t j = 0; j < rgb.net.layers[i].conv.out; j++)
            if (!(fabs((double)rgb.biases[i][j] - (double)bgr.biases[i][j]) < 1e-3))
                fail_msg("layer %zu: %g and %g", i, (double)rgb.biases[i][j],
                         (double)bgr.biases[i][j]);
    release(&rgb);
    release(&bgr);
    vgg_weights_fini(&base);
}

static void it_can_be_stopped(void **state)
{
    const struct maker_spec spec = {.width = 2, .seed = 2};
    struct vgg_weights base;
    struct network network;
    unsigned all;

    (void)state;
    put_base(&spec, leave_rgb, &base);
    fitted(&network, &base, 1, 1);
    all = network.told.calls;
    release(&network);
    for (unsigned after = 1; after < all; after += all / 3) {
        network = (struct network){.told.stop_after = after};
        assert_int_equal(fit(&network, &base, 1, teams[1]), VGG_CANCELLED);
        assert_int_equal(network.told.calls, after);
        release(&network);
    }
    vgg_weights_fini(&base);
}

/* Up to the end of the first batch. */
static void memory_runs_out(void **state)
{
    const struct maker_spec spec = {.width = 2, .seed = 2};
    struct vgg_weights base;
    struct network network = {.failed = true};

    (void)state;
    if (!fault_available())
        skip();
    put_base(&spec, leave_rgb, &base);
    for (unsigned long n = 1; network.failed; n++) {
        long outstanding = fault_outstanding();
        enum vgg_status status;

        network = (struct network){.told.stop_after = 1, .fault = n};
        status = fit(&network, &base, 1, teams[1]);
        assert_int_equal(status, network.failed ? VGG_NO_MEMORY : VGG_CANCELLED);
        release(&network);
        assert_int_equal(fault_outstanding(), outstanding);
    }
    vgg_weights_fini(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies_are_not_missed, start, stop),
        cmocka_unit_test_setup_teardown(what_nobody_looks_at_is_not_missed, start, stop),
        cmocka_unit_test_setup_teardown(more_channels_explain_more, start, stop),
        cmocka_unit_test_setup_teardown(threads_change_no_bit, start, stop),
        cmocka_unit_test_setup_teardown(crops_are_the_bases_too, start, stop),
        cmocka_unit_test_setup_teardown(the_bases_preprocessing_counts, start, stop),
        cmocka_unit_test_setup_teardown(it_can_be_stopped, start, stop),
        cmocka_unit_test_setup_teardown(memory_runs_out, start, stop),
    };

    return cmocka_run_group_tests_name("narrow networks", tests, NULL, NULL);
}
