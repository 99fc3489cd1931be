/* Tensors that make none of the six configurations, each refused by name or cause. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/bound.h"

/* BAD_MODEL with `text` in its message? */
static bool is_refused(const struct maker *maker, const char *text)
{
    struct bound bound;
    bool refused;

    bind_made(maker, &bound);
    refused = bound.status == VGG_BAD_MODEL && bound.error.status == VGG_BAD_MODEL &&
              strstr(bound.error.text, text) != NULL;
    if (!refused)
        print_error("status %d, \"%s\" instead of \"%s\"\n", (int)bound.status, bound.error.text,
                    text);
    bound_fini(&bound);
    return refused;
}

enum edit { DROP, RENAME, RETYPE, ADD, RESHAPE, META };

static const struct refusal {
    struct maker_spec spec;
    enum edit edit;
    const char *name, *value;
    size_t dims;
    uint64_t shape[4];
    const char *text;
} refusals[] = {
    /* Missing and superfluous tensors. */
    {{.arch = "D"},
     DROP,
     "features.0.weight",
     .text = "found at: 2 5 7 10 12 14 17 19 21 24 26 28"},
    {{.arch = "D"}, DROP, "features.28.bias", .text = "features.28: tensor bias is missing"},
    {{.arch = "A"}, DROP, "classifier.0.weight", .text = "classifier.0: tensor weight is missing"},
    {{.arch = "A"}, DROP, "classifier.3.bias", .text = "classifier.3: tensor bias is missing"},
    {{.arch = "A"}, DROP, "classifier.6.weight", .text = "classifier.6: tensor weight is missing"},
    {{.arch = "A", .timm = true}, DROP, "head.fc.bias", .text = "tensor bias is missing"},
    {{.arch = "B", .batch_norm = true}, DROP, "features.1.weight", .text = "features.1: tensor w"},
    {{.arch = "B", .batch_norm = true}, DROP, "features.1.bias", .text = "features.1: tensor bias"},
    {{.arch = "B", .batch_norm = true},
     DROP,
     "features.4.running_mean",
     .text = "features.4: tensor running_mean is missing"},
    {{.arch = "B", .batch_norm = true},
     DROP,
     "features.4.running_var",
     .text = "features.4: tensor running_var is missing"},
    {{.arch = "A"}, ADD, "optimizer.step", "F32", 1, {1}, "tensor optimizer.step"},
    {{.arch = "A"}, ADD, "features.1.weight", "F32", 1, {2}, "under \"features\""},
    {{.arch = "A"}, ADD, "features.0.running_mean", "F32", 1, {2}, "features.0"},
    {{.arch = "A"}, ADD, "classifier.0.running_var", "F32", 1, {7}, "classifier.0"},
    {{.arch = "A"}, ADD, "features.63.weight", "F32", 4, {1, 1, 3, 3}, "found at:"},
    {{.arch = "A"}, ADD, "features.64.weight", "F32", 4, {1, 1, 3, 3}, "tensor features.64.w"},
    {{.arch = "A"}, ADD, "features.4294967296.weight", "F32", 1, {1}, "tensor features.4294967296"},
    /* Names that only resemble. */
    {{.arch = "A"},
     RENAME,
     "features.0.weight",
     "features.00.weight",
     .text = "tensor features.00.weight"},
    {{.arch = "A"},
     RENAME,
     "features.0.weight",
     "features.+0.weight",
     .text = "features.+0.weight"},
    {{.arch = "A"},
     RENAME,
     "features.0.weight",
     "features. 0.weight",
     .text = "features. 0.weight"},
    {{.arch = "A"},
     RENAME,
     "features.0.weight",
     "features.-0.weight",
     .text = "features.-0.weight"},
    {{.arch = "A"}, RENAME, "features.0.weight", "features..weight", .text = "features..weight"},
    {{.arch = "A"}, RENAME, "features.0.weight", "features.0weight", .text = "features.0weight"},
    {{.arch = "A"},
     RENAME,
     "features.0.weight",
     "features.0.weights",
     .text = "features.0.weights"},
    {{.arch = "A"}, RENAME, "features.0.weight", "Features.0.weight", .text = "Features.0.weight"},
    {{.arch = "A"}, RENAME, "features.0.bias", "features.0.", .text = "tensor features.0."},
    {{.arch = "A"}, RENAME, "classifier.3.bias", "classifier.4.bias", .text = "classifier.4.bias"},
    {{.arch = "A"},
     RENAME,
     "classifier.3.bias",
     "classifier.3.bias.",
     .text = "classifier.3.bias."},
    {{.arch = "A"}, RENAME, "classifier.3.bias", "pre_logits.fc1.bias", .text = "are the same one"},
    {{.arch = "A"}, RENAME, "features.8.weight", "features.7.weight", .text = "found at:"},
    /* dtypes in the wrong place. */
    {{.arch = "A"}, RETYPE, "features.0.weight", "I64", .text = "tensor features.0.weight (I64)"},
    {{.arch = "A"}, RETYPE, "classifier.6.bias", "I64", .text = "tensor classifier.6.bias (I64)"},
    {{.arch = "A", .batch_norm = true},
     RETYPE,
     "features.1.num_batches_tracked",
     "F32",
     .text = "tensor features.1.num_batches_tracked (F32)"},
    /* Shapes that do not chain. */
    {{.arch = "A"},
     RESHAPE,
     "features.0.weight",
     .dims = 4,
     .shape = {2, 1, 3, 3},
     .text = "tensor features.0.weight: shape must be [channels, 3, 3, 3]"},
    {{.arch = "A"},
     RESHAPE,
     "features.3.weight",
     .dims = 4,
     .shape = {4, 3, 3, 3},
     .text = "tensor features.3.weight: shape must be [channels, 2, 3, 3]"},
    {{.arch = "A"},
     RESHAPE,
     "features.3.weight",
     .dims = 4,
     .shape = {5, 2, 3, 3},
     .text = "features.3.bias"},
    {{.arch = "A"},
     RESHAPE,
     "features.3.weight",
     .dims = 4,
     .shape = {4, 2, 3, 1},
     .text = "features.3.weight"},
    {{.arch = "A"},
     RESHAPE,
     "features.3.weight",
     .dims = 4,
     .shape = {4, 2, 5, 5},
     .text = "under \"features\""},
    {{.arch = "A"},
     RESHAPE,
     "features.3.weight",
     .dims = 2,
     .shape = {4, 18},
     .text = "under \"features\""},
    {{.arch = "A"},
     RESHAPE,
     "features.3.weight",
     .dims = 4,
     .shape = {2097152, 2, 3, 3},
     .text = "features.3.weight"},
    {{.arch = "A"},
     RESHAPE,
     "features.3.bias",
     .dims = 1,
     .shape = {3},
     .text = "tensor features.3.bias: shape must be [4]"},
    {{.arch = "A"},
     RESHAPE,
     "features.3.bias",
     .dims = 2,
     .shape = {1, 4},
     .text = "tensor features.3.bias: shape must be [4]"},
    {{.arch = "A"}, RESHAPE, "features.3.bias", .dims = 0, .text = "shape must be [4]"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.0.weight",
     .dims = 2,
     .shape = {7, 32},
     .text = "tensor classifier.0.weight: its shape does not follow from the 16 channels"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.0.weight",
     .dims = 2,
     .shape = {7, 16 * 33 * 33},
     .text = "classifier.0.weight"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.0.weight",
     .dims = 3,
     .shape = {7, 16, 1},
     .text = "classifier.0.weight"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.0.weight",
     .dims = 1,
     .shape = {7},
     .text = "classifier.0.weight"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.0.weight",
     .dims = 4,
     .shape = {7, 16, 2, 1},
     .text = "classifier.0.weight"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.0.weight",
     .dims = 4,
     .shape = {7, 8, 1, 1},
     .text = "classifier.0.weight"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.0.weight",
     .dims = 4,
     .shape = {7, 16, 33, 33},
     .text = "classifier.0.weight"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.3.weight",
     .dims = 2,
     .shape = {6, 28},
     .text = "classifier.3.weight"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.3.weight",
     .dims = 4,
     .shape = {6, 7, 2, 2},
     .text = "classifier.3.weight"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.6.weight",
     .dims = 2,
     .shape = {5, 7},
     .text = "classifier.6.weight"},
    {{.arch = "A"},
     RESHAPE,
     "classifier.6.bias",
     .dims = 1,
     .shape = {6},
     .text = "classifier.6.bias"},
    {{.arch = "B", .batch_norm = true},
     RESHAPE,
     "features.4.running_var",
     .dims = 1,
     .shape = {3},
     .text = "tensor features.4.running_var: shape must be [2]"},
    {{.arch = "B", .batch_norm = true},
     RESHAPE,
     "features.4.weight",
     .dims = 4,
     .shape = {2, 2, 3, 3},
     .text = "features.4.weight"},
    /* vgg.arch that is not what the tensors are. */
    {{.arch = "A"}, META, "vgg.arch", "B", .text = "vgg.arch says B"},
    {{.arch = "B"}, META, "vgg.arch", "A-LRN", .text = "vgg.arch says A-LRN"},
    {{.arch = "D"}, META, "vgg.arch", "C", .text = "vgg.arch says C"},
    {{.arch = "C"}, META, "vgg.arch", "D", .text = "vgg.arch says D"},
    {{.arch = "E"}, META, "vgg.arch", "F", .text = "vgg.arch \"F\" is not A"},
    {{.arch = "A"}, META, "vgg.arch", "", .text = "vgg.arch \"\" is not A"},
    {{.arch = "A"}, META, "vgg.arch", "a", .text = "vgg.arch \"a\" is not A"},
};

static void reshape(struct maker *maker, const struct refusal *refusal)
{
    struct maker_tensor *tensor = maker_find(maker, refusal->name);

    tensor->dims = refusal->dims;
    tensor->values_n = 1;
    for (size_t i = 0; i < refusal->dims; i++)
        tensor->values_n *= tensor->shape[i] = refusal->shape[i];
    maker_layout(maker); /* of the header alone: the values are not asked for */
}

static void what_is_no_vgg_is_refused(void **state)
{
    unsigned accepted = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        const struct refusal *refusal = &refusals[i];
        struct maker maker;

        maker_make(&maker, &refusal->spec);
        switch (refusal->edit) {
        case DROP:
            maker_drop(&maker, refusal->name);
            break;
        case RENAME:
            maker_rename(&maker, refusal->name, refusal->value);
            break;
        case RETYPE:
            maker_retype(&maker, refusal->name, refusal->value);
            break;
        case ADD:
            maker_add(&maker, refusal->name, refusal->value, refusal->dims, refusal->shape);
            break;
        case RESHAPE:
            reshape(&maker, refusal);
            break;
        case META:
            maker_meta(&maker, refusal->name, refusal->value);
            break;
        }
        accepted += !is_refused(&maker, refusal->text);
        maker_free(&maker);
    }
    assert_int_equal(accepted, 0);
}

/* Of C's three 1x1 convolutions one alone makes neither C nor D. */
static void a_mixture_of_c_and_d(void **state)
{
    struct maker maker;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "D"});
    reshape(&maker,
            &(struct refusal){.name = "features.14.weight", .dims = 4, .shape = {8, 8, 1, 1}});
    assert_true(is_refused(&maker, "under \"features\""));
    maker_free(&maker);
}

/* Nothing but metadata, or nothing at all. */
static void empty_headers_are_refused(void **state)
{
    struct maker maker = {0};

    (void)state;
    assert_true(is_refused(&maker, "convolutions found at: none"));
    maker_meta(&maker, "vgg.arch", "D");
    assert_true(is_refused(&maker, "vgg.arch says D"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_vgg_is_refused),
        cmocka_unit_test(a_mixture_of_c_and_d),
        cmocka_unit_test(empty_headers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
