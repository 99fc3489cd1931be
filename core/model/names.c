/*
 * Recognising a network by its tensors. In torchvision's files a module's index under "features"
 * counts convolutions, batch-norms, ReLUs and pools alike, so the indices of the convolutions alone
 * tell the configuration: each adds 2 (3 with batch-norm), and a pool 1 more.
 */
#include "model/names.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
    FEATURES_MAX = 64, /* configuration E with batch-norm ends at 53 */
    FIELD_BYTES = 32,
    SIDE_MAX = VGG_SCALE_MAX / VGG_STRIDE, /* of the first FC layer: a larger crop fits no scale */
    CHANNELS_MAX = 1 << 20
};

/* The tensors of one module: features.N, or an FC layer. */
struct module {
    const struct vgg_tensor *roles[VGG_ROLES];
};

struct modules {
    struct module features[FEATURES_MAX];
    struct module fc[VGG_FCS];
};

static const char *const fc_prefixes[VGG_FCS][2] = {
    {"classifier.0.", "pre_logits.fc1."},
    {"classifier.3.", "pre_logits.fc2."},
    {"classifier.6.", "head.fc."},
};

/* ---------------------------------------------------------------- sorting the names ---------- */

static struct module *find_module(struct modules *modules, const char *name, const char **field)
{
    char canonical[FIELD_BYTES];
    unsigned index;
    int length = 0;

    for (size_t i = 0; i < VGG_FCS; i++)
        for (size_t j = 0; j < 2; j++) {
            size_t prefix = strlen(fc_prefixes[i][j]);

            if (strncmp(name, fc_prefixes[i][j], prefix) == 0) {
                *field = name + prefix;
                return &modules->fc[i];
            }
        }
    if (sscanf(name, "features.%2u.%n", &index, &length) != 1 || length == 0 ||
        index >= FEATURES_MAX)
        return NULL;
    /* sscanf also takes " 5", "+5" and "05". */
    snprintf(canonical, sizeof canonical, "features.%u.", index);
    if (strncmp(name, canonical, strlen(canonical)) != 0)
        return NULL;
    *field = name + length;
    return &modules->features[index];
}

static bool find_role(const char *field, const struct vgg_tensor *tensor, enum vgg_role *role)
{
    static const struct {
        const char *field;
        enum vgg_role role;
    } fields[] = {
        {"weight", VGG_ROLE_WEIGHT},
        {"bias", VGG_ROLE_BIAS},
        {"running_mean", VGG_ROLE_BN_MEAN},
        {"running_var", VGG_ROLE_BN_VAR},
        {"num_batches_tracked", VGG_ROLE_IGNORED},
    };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(field, fields[i].field) == 0) {
            *role = fields[i].role;
            return (*role == VGG_ROLE_IGNORED) == (tensor->dtype == VGG_DTYPE_I64);
        }
    return false;
}

static enum vgg_status sort_names(const struct vgg_header *header, struct modules *modules,
                                  struct vgg_error *error)
{
    for (size_t i = 0; i < header->tensors_n; i++) {
        const struct vgg_tensor *tensor = &header->tensors[i];
        const char *field = "";
        enum vgg_known known;
        struct module *module = find_module(modules, tensor->name, &field);
        enum vgg_role role;

        if (vgg_known_is(tensor, &known))
            continue;
        if (module == NULL || !find_role(field, tensor, &role))
            return vgg_fail(error, VGG_BAD_MODEL, "tensor %.100s (%s) is not part of a VGG network",
                            tensor->name, vgg_dtype_name(tensor->dtype));
        if (role == VGG_ROLE_IGNORED)
            continue;
        if (module->roles[role] != NULL)
            return vgg_fail(error, VGG_BAD_MODEL, "tensors %.100s and %.100s are the same one",
                            module->roles[role]->name, tensor->name);
        module->roles[role] = tensor;
    }
    return VGG_OK;
}

/* ---------------------------------------------------------------- the configuration ---------- */

static bool is_conv(const struct module *module)
{
    return module->roles[VGG_ROLE_WEIGHT] != NULL && module->roles[VGG_ROLE_WEIGHT]->dims == 4;
}

static bool is_used(const struct module *module)
{
    for (size_t role = 0; role < VGG_ROLES; role++)
        if (module->roles[role] != NULL)
            return true;
    return false;
}

static unsigned feature_index(const struct vgg_arch *arch, size_t conv, bool batch_norm)
{
    unsigned index = 0;

    for (size_t i = 0; i < conv; i++)
        index += (batch_norm ? 3U : 2U) + (arch->convs[i].pool ? 1U : 0U);
    return index;
}

/* Do exactly the convolutions of `arch` (and their batch-norms) stand where they should? */
static bool matches(const struct modules *modules, const struct vgg_arch *arch, bool batch_norm)
{
    bool expected[FEATURES_MAX] = {false};

    for (size_t i = 0; i < arch->convs_n; i++) {
        unsigned index = feature_index(arch, i, batch_norm);
        const struct module *module = &modules->features[index];

        if (!is_conv(module) || module->roles[VGG_ROLE_WEIGHT]->shape[2] != arch->convs[i].kernel)
            return false;
        expected[index] = true;
        if (batch_norm)
            expected[index + 1] = true;
    }
    for (size_t i = 0; i < FEATURES_MAX; i++)
        if (is_used(&modules->features[i]) != expected[i])
            return false;
    return true;
}

static enum vgg_status fail_unknown_arch(const struct modules *modules, struct vgg_error *error)
{
    char list[200] = "";
    size_t length = 0;

    for (size_t i = 0; i < FEATURES_MAX && length < sizeof list - 8; i++)
        if (is_conv(&modules->features[i]))
            length += (size_t)snprintf(list + length, sizeof list - length, " %zu", i);
    return vgg_fail(
        error, VGG_BAD_MODEL,
        "the tensors under \"features\" make no configuration A, A-LRN, B, C, D or E of "
        "the paper; convolutions found at:%s",
        length != 0 ? list : " none");
}

static enum vgg_status find_arch(const struct modules *modules, const char *declared,
                                 const struct vgg_arch **arch, bool *batch_norm,
                                 struct vgg_error *error)
{
    const struct vgg_arch *named = declared != NULL ? vgg_arch_find(declared) : NULL;

    if (declared != NULL && named == NULL)
        return vgg_fail(error, VGG_BAD_MODEL, "vgg.arch \"%.40s\" is not A, A-LRN, B, C, D or E",
                        declared);
    if (named != NULL) {
        /* A name is needed for A-LRN only; for the others it must agree with the tensors. */
        for (int bn = 0; bn < 2; bn++)
            if (matches(modules, named, bn != 0)) {
                *arch = named;
                *batch_norm = bn != 0;
                return VGG_OK;
            }
        return vgg_fail(error, VGG_BAD_MODEL,
                        "vgg.arch says %s, but the tensors under \"features\" are not its",
                        declared);
    }
    for (size_t i = 0; i < VGG_ARCHS; i++)
        for (int bn = 0; bn < 2; bn++)
            if (matches(modules, &vgg_archs[i], bn != 0)) {
                *arch = &vgg_archs[i];
                *batch_norm = bn != 0;
                return VGG_OK;
            }
    return fail_unknown_arch(modules, error);
}

/* ---------------------------------------------------------------- shapes --------------------- */

static enum vgg_status check_float(const struct vgg_tensor *tensor, const char *owner,
                                   const char *field, struct vgg_error *error)
{
    if (tensor == NULL)
        return vgg_fail(error, VGG_BAD_MODEL, "%s: tensor %s is missing", owner, field);
    if (tensor->dtype == VGG_DTYPE_I64)
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: dtype I64 is not F32, F16 or BF16",
                        tensor->name);
    return VGG_OK;
}

static enum vgg_status check_vector(const struct vgg_tensor *tensor, const char *owner,
                                    const char *field, uint64_t length, struct vgg_error *error)
{
    enum vgg_status status = check_float(tensor, owner, field, error);

    if (status != VGG_OK)
        return status;
    if (tensor->dims != 1 || tensor->shape[0] != length)
        return vgg_fail(error, VGG_BAD_MODEL, "tensor %s: shape must be [%" PRIu64 "]",
                        tensor->name, length);
    return VGG_OK;
}

static enum vgg_status bind_conv(const struct modules *modules, const struct vgg_arch *arch,
                                 size_t i, struct vgg_net_sizes *sizes, struct vgg_binding *binding,
                                 struct vgg_error *error)
{
    unsigned index = feature_index(arch, i, binding->batch_norm);
    const struct module *conv = &modules->features[index], *bn = conv + 1;
    const struct vgg_tensor *weight = conv->roles[VGG_ROLE_WEIGHT];
    uint64_t in = i == 0 ? 3 : sizes->convs[i - 1], kernel = arch->convs[i].kernel;
    char owner[FIELD_BYTES];
    enum vgg_status status;

    snprintf(owner, sizeof owner, "features.%u", index);
    if (weight->shape[1] != in || weight->shape[2] != kernel || weight->shape[3] != kernel ||
        weight->shape[0] > CHANNELS_MAX)
        return vgg_fail(error, VGG_BAD_MODEL,
                        "tensor %s: shape must be [channels, %" PRIu64 ", %" PRIu64 ", %" PRIu64
                        "]",
                        weight->name, in, kernel, kernel);
    sizes->convs[i] = (uint32_t)weight->shape[0];
    binding->tensors[i][VGG_ROLE_WEIGHT] = weight;
    binding->tensors[i][VGG_ROLE_BIAS] = conv->roles[VGG_ROLE_BIAS];
    status = check_float(weight, owner, "weight", error);
    if (status == VGG_OK)
        status = check_vector(conv->roles[VGG_ROLE_BIAS], owner, "bias", weight->shape[0], error);
    if (status == VGG_OK &&
        (conv->roles[VGG_ROLE_BN_MEAN] != NULL || conv->roles[VGG_ROLE_BN_VAR] != NULL))
        return vgg_fail(error, VGG_BAD_MODEL, "%s is a convolution with running statistics", owner);
    if (!binding->batch_norm || status != VGG_OK)
        return status;
    for (size_t role = VGG_ROLE_BN_WEIGHT; role <= VGG_ROLE_BN_VAR && status == VGG_OK; role++) {
        static const char *const fields[] = {"weight", "bias", "running_mean", "running_var"};
        size_t bn_role = role - VGG_ROLE_BN_WEIGHT;
        const struct vgg_tensor *tensor =
            bn->roles[bn_role < 2 ? bn_role : role]; /* weight and bias have the plain roles */

        snprintf(owner, sizeof owner, "features.%u", index + 1);
        status = check_vector(tensor, owner, fields[bn_role], weight->shape[0], error);
        binding->tensors[i][role] = tensor;
    }
    return status;
}

/* The side k of the first FC layer's window: [F, C, k, k], or [F, C * k * k]; 0 if neither. */
static uint64_t window_side(const struct vgg_tensor *weight, uint64_t channels)
{
    if (weight->dims == 4)
        return weight->shape[1] == channels && weight->shape[2] == weight->shape[3]
                   ? weight->shape[2]
                   : 0;
    for (uint64_t side = 1; weight->dims == 2 && side <= SIDE_MAX; side++)
        if (weight->shape[1] == channels * side * side)
            return side;
    return 0;
}

static enum vgg_status bind_fc(const struct modules *modules, const struct vgg_arch *arch, size_t i,
                               struct vgg_net_sizes *sizes, struct vgg_binding *binding,
                               struct vgg_error *error)
{
    const struct module *fc = &modules->fc[i];
    const struct vgg_tensor *weight = fc->roles[VGG_ROLE_WEIGHT];
    uint64_t in = i == 0 ? sizes->convs[arch->convs_n - 1] : sizes->fc[i - 1];
    char owner[FIELD_BYTES];
    enum vgg_status status;
    uint64_t side;

    /* "classifier.0." without its dot */
    snprintf(owner, sizeof owner, "%.*s", (int)strlen(fc_prefixes[i][0]) - 1, fc_prefixes[i][0]);
    status = check_float(weight, owner, "weight", error);
    if (status != VGG_OK)
        return status;
    side = window_side(weight, in);
    if (side == 0 || side > SIDE_MAX || (i != 0 && side != 1) || weight->shape[0] > CHANNELS_MAX)
        return vgg_fail(error, VGG_BAD_MODEL,
                        "tensor %s: its shape does not follow from the %" PRIu64
                        " channels before it%s",
                        weight->name, in, i == 0 ? " and a square window" : "");
    if (i == 0)
        sizes->positions_kernel = (uint32_t)side;
    sizes->fc[i] = (uint32_t)weight->shape[0];
    binding->tensors[arch->convs_n + i][VGG_ROLE_WEIGHT] = weight;
    binding->tensors[arch->convs_n + i][VGG_ROLE_BIAS] = fc->roles[VGG_ROLE_BIAS];
    if (fc->roles[VGG_ROLE_BN_MEAN] != NULL || fc->roles[VGG_ROLE_BN_VAR] != NULL)
        return vgg_fail(error, VGG_BAD_MODEL, "%s has running statistics", owner);
    return check_vector(fc->roles[VGG_ROLE_BIAS], owner, "bias", weight->shape[0], error);
}

/* SGEMM counts in int. */
static enum vgg_status check_depths(const struct vgg_net *net, struct vgg_error *error)
{
    for (size_t i = 0; i < net->layers_n; i++)
        if (vgg_layer_weights(&net->layers[i]) / net->layers[i].conv.out > INT_MAX)
            return vgg_fail(error, VGG_BAD_MODEL, "layer %s is too large", net->layers[i].name);
    return VGG_OK;
}

enum vgg_status vgg_names_bind(const struct vgg_header *header, const struct vgg_kernels *kernels,
                               struct vgg_net *net, struct vgg_binding *binding,
                               struct vgg_error *error)
{
    struct modules modules = {0};
    struct vgg_net_sizes sizes = {0};
    const struct vgg_arch *arch = NULL;
    enum vgg_status status;

    *binding = (struct vgg_binding){0};
    status = sort_names(header, &modules, error);
    if (status == VGG_OK)
        status = find_arch(&modules, vgg_header_get(header, "vgg.arch"), &arch,
                           &binding->batch_norm, error);
    for (size_t i = 0; status == VGG_OK && i < arch->convs_n; i++)
        status = bind_conv(&modules, arch, i, &sizes, binding, error);
    for (size_t i = 0; status == VGG_OK && i < VGG_FCS; i++)
        status = bind_fc(&modules, arch, i, &sizes, binding, error);
    if (status != VGG_OK)
        return status;
    vgg_net_describe(net, arch, kernels, &sizes);
    status = check_depths(net, error);
    return status == VGG_OK ? vgg_known_bind(header, vgg_net_features(net), net->classes,
                                             &binding->typicality, error)
                            : status;
}

enum vgg_role vgg_binding_role(const struct vgg_binding *binding, const struct vgg_tensor *tensor,
                               size_t *layer)
{
    for (*layer = 0; *layer < VGG_LAYERS_MAX; ++*layer)
        for (size_t role = 0; role < VGG_ROLES; role++)
            if (binding->tensors[*layer][role] == tensor)
                return (enum vgg_role)role;
    return VGG_ROLE_IGNORED;
}

/* ---------------------------------------------------------------- and back ------------------- */

static void plan_tensor(struct vgg_plan *plan, enum vgg_dtype dtype, const char *module,
                        const char *field, const struct vgg_tensor *shape)
{
    size_t index = plan->header.tensors_n++;
    struct vgg_tensor *tensor = &plan->tensors[index];
    uint64_t bytes = vgg_dtype_bytes(dtype);

    *tensor = *shape;
    for (unsigned i = 0; i < shape->dims; i++)
        bytes *= shape->shape[i];
    snprintf(plan->names[index], VGG_PLAN_NAME_BYTES, "%s.%s", module, field);
    tensor->name = plan->names[index];
    tensor->dtype = dtype;
    tensor->begin = index == 0 ? 0 : tensor[-1].end;
    tensor->end = tensor->begin + bytes;
}

void vgg_names_plan(const struct vgg_net *net, enum vgg_dtype dtype, struct vgg_plan *plan)
{
    size_t convs = net->arch->convs_n;

    *plan = (struct vgg_plan){.header.tensors = plan->tensors};
    for (size_t i = 0; i < net->layers_n; i++) {
        const struct vgg_conv *conv = &net->layers[i].conv;
        uint64_t depth = (uint64_t)conv->in * conv->kernel * conv->kernel;
        struct vgg_tensor weight = {.dims = 2, .shape = {conv->out, depth}};
        struct vgg_tensor bias = {.dims = 1, .shape = {conv->out}};
        char module[FIELD_BYTES];

        if (i < convs) {
            weight = (struct vgg_tensor){
                .dims = 4, .shape = {conv->out, conv->in, conv->kernel, conv->kernel}};
            snprintf(module, sizeof module, "features.%u", feature_index(net->arch, i, false));
        } else
            snprintf(module, sizeof module, "classifier.%zu", 3 * (i - convs));
        plan_tensor(plan, dtype, module, "weight", &weight);
        plan_tensor(plan, dtype, module, "bias", &bias);
    }
}

void vgg_names_plan_known(struct vgg_plan *plan, const struct vgg_typicality *typicality)
{
    const struct vgg_tensor shapes[VGG_KNOWN_TENSORS] = {
        [VGG_KNOWN_TRANSFORM] = {.dims = 2, .shape = {typicality->dims, typicality->features}},
        [VGG_KNOWN_MEANS] = {.dims = 2, .shape = {typicality->classes, typicality->dims}},
        [VGG_KNOWN_DISTANCES] = {.dims = 1, .shape = {typicality->known_n}},
    };

    for (size_t i = 0; i < VGG_KNOWN_TENSORS; i++)
        plan_tensor(plan, i == VGG_KNOWN_DISTANCES ? VGG_DTYPE_F32 : VGG_DTYPE_F16,
                    VGG_KNOWN_MODULE, vgg_known_fields[i], &shapes[i]);
}
