/* safetensors files, byte by byte. */
#include "model_maker.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODULE_BYTES = 24 /* "features.52" */, KNOWN_DIMS = 3 };

/* Table 1: multiples of the width, * a 1x1 convolution, M a max-pool. */
static const struct {
    const char *arch, *layers;
} columns[] = {
    {"A", "1M 2M 4 4M 8 8M 8 8M"},           {"A-LRN", "1M 2M 4 4M 8 8M 8 8M"},
    {"B", "1 1M 2 2M 4 4M 8 8M 8 8M"},       {"C", "1 1M 2 2M 4 4 4*M 8 8 8*M 8 8 8*M"},
    {"D", "1 1M 2 2M 4 4 4M 8 8 8M 8 8 8M"}, {"E", "1 1M 2 2M 4 4 4 4M 8 8 8 8M 8 8 8 8M"},
};

static void *must(void *block)
{
    if (block == NULL)
        abort();
    return block;
}

double maker_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15U;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* ---------------------------------------------------------------- dtypes --------------------- */

static size_t dtype_bytes(const char *dtype)
{
    if (strcmp(dtype, "F16") == 0 || strcmp(dtype, "BF16") == 0)
        return 2;
    return strcmp(dtype, "I64") == 0 || strcmp(dtype, "F64") == 0 ? 8 : 4;
}

/* To `digits` binary digits, the last no smaller than 2^lowest. */
static double round_to(double value, int digits, int lowest)
{
    int last;

    if (value == 0 || !isfinite(value))
        return value;
    last = ilogb(value) - digits + 1;
    if (last < lowest)
        last = lowest;
    return ldexp(rint(ldexp(value, -last)), last);
}

double maker_round(const char *dtype, double value)
{
    if (strcmp(dtype, "F16") == 0)
        return round_to(value, 11, -24);
    if (strcmp(dtype, "BF16") == 0)
        return round_to(value, 8, -133);
    if (strcmp(dtype, "F32") == 0)
        return (double)(float)value;
    return value;
}

static uint64_t f16_bits(double value)
{
    double size = fabs(value);
    uint64_t sign = signbit(value) ? 0x8000 : 0;
    int exponent;

    if (isnan(value))
        return sign | 0x7E00;
    if (size > 65504)
        return sign | 0x7C00;
    if (size < 0x1p-14)
        return sign | (uint64_t)ldexp(size, 24);
    exponent = ilogb(size);
    /* The leading 1 of the fraction carries into the exponent. */
    return sign + ((uint64_t)(exponent + 14) << 10) + (uint64_t)ldexp(size, 10 - exponent);
}

static uint64_t encode(const char *dtype, double value)
{
    float single = (float)value;
    uint32_t bits;

    memcpy(&bits, &single, sizeof bits);
    if (strcmp(dtype, "F16") == 0)
        return f16_bits(value);
    if (strcmp(dtype, "BF16") == 0)
        return bits >> 16;
    if (strcmp(dtype, "I64") == 0)
        return (uint64_t)(int64_t)value;
    return bits;
}

/* ---------------------------------------------------------------- tensors -------------------- */

struct maker_tensor *maker_find(struct maker *maker, const char *name)
{
    for (size_t i = 0; i < maker->tensors_n; i++)
        if (strcmp(maker->tensors[i].name, name) == 0)
            return &maker->tensors[i];
    abort();
}

void maker_layout(struct maker *maker)
{
    uint64_t offset = 0;

    for (size_t i = 0; i < maker->tensors_n; i++) {
        struct maker_tensor *tensor = &maker->tensors[i];

        tensor->begin = offset;
        offset += tensor->values_n * dtype_bytes(tensor->dtype);
        tensor->end = offset;
    }
}

struct maker_tensor *maker_add(struct maker *maker, const char *name, const char *dtype,
                               size_t dims, const uint64_t *shape)
{
    struct maker_tensor *tensor = &maker->tensors[maker->tensors_n++];

    if (maker->tensors_n > MAKER_TENSORS_MAX || dims > MAKER_DIMS_MAX)
        abort();
    *tensor = (struct maker_tensor){.dtype = dtype, .dims = dims, .values_n = 1};
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    for (size_t i = 0; i < dims; i++) {
        tensor->shape[i] = shape[i];
        tensor->values_n *= shape[i];
    }
    tensor->values = must(calloc(tensor->values_n, sizeof *tensor->values));
    maker_layout(maker);
    return tensor;
}

void maker_drop(struct maker *maker, const char *name)
{
    struct maker_tensor *tensor = maker_find(maker, name);
    size_t behind = (size_t)(maker->tensors + --maker->tensors_n - tensor);

    free(tensor->values);
    memmove(tensor, tensor + 1, behind * sizeof *tensor);
    maker_layout(maker);
}

void maker_rename(struct maker *maker, const char *name, const char *new_name)
{
    struct maker_tensor *tensor = maker_find(maker, name);

    snprintf(tensor->name, sizeof tensor->name, "%s", new_name);
}

void maker_retype(struct maker *maker, const char *name, const char *dtype)
{
    struct maker_tensor *tensor = maker_find(maker, name);

    tensor->dtype = dtype;
    for (size_t i = 0; i < tensor->values_n; i++)
        tensor->values[i] = maker_round(dtype, tensor->values[i]);
    maker_layout(maker);
}

void maker_meta(struct maker *maker, const char *key, const char *value)
{
    if (maker->metadata_n == MAKER_METADATA_MAX)
        abort();
    maker->metadata[maker->metadata_n].key = key;
    maker->metadata[maker->metadata_n++].value = value;
}

void maker_shuffle(struct maker *maker, uint64_t seed)
{
    for (size_t i = maker->tensors_n; i > 1; i--) {
        size_t j = (size_t)(maker_random(&seed) * (double)i);
        struct maker_tensor swap = maker->tensors[j];

        maker->tensors[j] = maker->tensors[i - 1];
        maker->tensors[i - 1] = swap;
    }
    maker_layout(maker);
}

/* ---------------------------------------------------------------- networks ------------------- */

static void describe_convs(struct maker *maker)
{
    const struct maker_spec *spec = &maker->spec;
    const char *layers = NULL;
    unsigned feature = 0;

    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (strcmp(columns[i].arch, spec->arch) == 0)
            layers = columns[i].layers;
    for (const char *at = must((void *)layers); *at != '\0'; at++) {
        if (*at >= '1' && *at <= '8') {
            struct maker_conv conv = {(unsigned)(*at - '0') * spec->width, 3, false, feature};

            if (spec->widths != NULL)
                conv.out = spec->widths[maker->convs_n];
            maker->convs[maker->convs_n++] = conv;
            feature += spec->batch_norm ? 3 : 2;
        } else if (*at == '*')
            maker->convs[maker->convs_n - 1].kernel = 1;
        else if (*at == 'M') {
            maker->convs[maker->convs_n - 1].pool = true;
            feature++;
        }
    }
}

/* One tensor `module.field` of values around `centre`. */
static void add_random(struct maker *maker, const char *module, const char *field, size_t dims,
                       const uint64_t *shape, double centre, double spread)
{
    char name[MAKER_NAME_BYTES];
    struct maker_tensor *tensor;

    snprintf(name, sizeof name, "%s.%s", module, field);
    tensor = maker_add(maker, name, maker->spec.dtype, dims, shape);
    for (size_t i = 0; i < tensor->values_n; i++) {
        double value = centre + spread * (2 * maker_random(&maker->spec.seed) - 1);

        tensor->values[i] = maker_round(tensor->dtype, value);
    }
}

static void add_layer(struct maker *maker, const char *module, size_t dims, const uint64_t *shape)
{
    double fan_in = 1;

    for (size_t i = 1; i < dims; i++)
        fan_in *= (double)shape[i];
    /* Uniform, of variance 2 / fan-in: activations keep their scale. */
    add_random(maker, module, "weight", dims, shape, 0, sqrt(6 / fan_in));
    add_random(maker, module, "bias", 1, shape, 0, 0.2);
}

static void add_batch_norm(struct maker *maker, unsigned feature, uint64_t channels)
{
    char module[MODULE_BYTES], tracked[MAKER_NAME_BYTES];

    snprintf(module, sizeof module, "features.%u", feature);
    add_random(maker, module, "weight", 1, &channels, 1, 0.5);
    add_random(maker, module, "bias", 1, &channels, 0, 0.3);
    add_random(maker, module, "running_mean", 1, &channels, 0, 0.3);
    add_random(maker, module, "running_var", 1, &channels, 1, 0.7);
    snprintf(tracked, sizeof tracked, "%s.num_batches_tracked", module);
    maker_add(maker, tracked, "I64", 0, NULL)->values[0] = 12345;
}

static void add_fcs(struct maker *maker)
{
    static const char *const names[2][3] = {{"classifier.0", "classifier.3", "classifier.6"},
                                            {"pre_logits.fc1", "pre_logits.fc2", "head.fc"}};
    const struct maker_spec *spec = &maker->spec;
    uint64_t channels = maker->convs[maker->convs_n - 1].out, side = spec->side;
    const uint64_t shapes[2][3][4] = {
        {{spec->fc1, channels * side * side}, {spec->fc2, spec->fc1}, {spec->classes, spec->fc2}},
        {{spec->fc1, channels, side, side},
         {spec->fc2, spec->fc1, 1, 1},
         {spec->classes, spec->fc2}}};

    for (size_t i = 0; i < 3; i++)
        add_layer(maker, names[spec->timm][i], spec->timm && i < 2 ? 4 : 2, shapes[spec->timm][i]);
}

static void add_typicality(struct maker *maker)
{
    const struct maker_spec *spec = &maker->spec;
    const uint64_t transform[2] = {KNOWN_DIMS, spec->fc2}, means[2] = {spec->classes, KNOWN_DIMS};
    const uint64_t known = spec->known;
    struct maker_tensor *distances;

    add_random(maker, "typicality", "transform", 2, transform, 0, 1);
    add_random(maker, "typicality", "means", 2, means, 0, 1);
    distances = maker_add(maker, "typicality.distances", spec->dtype, 1, &known);
    for (size_t i = 0; i < spec->known; i++)
        distances->values[i] = (double)i / 16;
}

void maker_make(struct maker *maker, const struct maker_spec *spec)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    uint64_t in = 3;

    *maker = (struct maker){.spec = *spec};
    memcpy(maker->mean, mean, sizeof mean);
    memcpy(maker->std, std, sizeof std);
    maker->spec.arch = spec->arch != NULL ? spec->arch : "A";
    maker->spec.dtype = spec->dtype != NULL ? spec->dtype : "F32";
    maker->spec.width = spec->width != 0 ? spec->width : 2;
    maker->spec.fc1 = spec->fc1 != 0 ? spec->fc1 : 7;
    maker->spec.fc2 = spec->fc2 != 0 ? spec->fc2 : 6;
    maker->spec.classes = spec->classes != 0 ? spec->classes : 5;
    maker->spec.side = spec->side != 0 ? spec->side : 1;
    describe_convs(maker);
    for (size_t i = 0; i < maker->convs_n; i++) {
        const struct maker_conv *conv = &maker->convs[i];
        const uint64_t shape[4] = {conv->out, in, conv->kernel, conv->kernel};
        char module[MODULE_BYTES];

        snprintf(module, sizeof module, "features.%u", conv->feature);
        add_layer(maker, module, 4, shape);
        if (maker->spec.batch_norm)
            add_batch_norm(maker, conv->feature + 1, conv->out);
        in = conv->out;
    }
    add_fcs(maker);
    if (spec->known != 0)
        add_typicality(maker);
    if (strcmp(maker->spec.arch, "A-LRN") == 0)
        maker_meta(maker, "vgg.arch", "A-LRN");
}

void maker_free(struct maker *maker)
{
    for (size_t i = 0; i < maker->tensors_n; i++)
        free(maker->tensors[i].values);
    *maker = (struct maker){0};
}

/* ---------------------------------------------------------------- bytes ---------------------- */

struct text {
    char *bytes;
    size_t length, size;
};

static void append(struct text *text, const char *format, ...)
{
    va_list args;

    if (text->size - text->length < 4096) {
        text->size = 2 * text->size + 8192;
        text->bytes = must(realloc(text->bytes, text->size));
    }
    va_start(args, format);
    text->length +=
        (size_t)vsnprintf(text->bytes + text->length, text->size - text->length, format, args);
    va_end(args);
    if (text->length >= text->size)
        abort();
}

static void append_string(struct text *text, const char *string)
{
    append(text, "\"");
    for (; *string != '\0'; string++)
        if ((unsigned char)*string < ' ')
            append(text, "\\u%04x", *string);
        else
            append(text, *string == '"' || *string == '\\' ? "\\%c" : "%c", *string);
    append(text, "\"");
}

static void append_metadata(struct text *text, const struct maker *maker)
{
    append(text, "\"__metadata__\":");
    if (maker->metadata_json != NULL) {
        append(text, "%s", maker->metadata_json);
        return;
    }
    for (size_t i = 0; i < maker->metadata_n; i++) {
        append(text, i == 0 ? "{" : ",");
        append_string(text, maker->metadata[i].key);
        append(text, ":");
        append_string(text, maker->metadata[i].value);
    }
    append(text, maker->metadata_n == 0 ? "{}" : "}");
}

char *maker_json(const struct maker *maker)
{
    struct text text = {0};

    append(&text, "{");
    append_metadata(&text, maker);
    for (size_t i = 0; i < maker->tensors_n; i++) {
        const struct maker_tensor *tensor = &maker->tensors[i];

        append(&text, ",");
        append_string(&text, tensor->name);
        append(&text, ":{\"dtype\":\"%s\",\"shape\":[", tensor->dtype);
        for (size_t d = 0; d < tensor->dims; d++)
            append(&text, "%s%llu", d == 0 ? "" : ",", (unsigned long long)tensor->shape[d]);
        append(&text, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)tensor->begin,
               (unsigned long long)tensor->end);
    }
    append(&text, "}");
    return text.bytes;
}

uint64_t maker_data_bytes(const struct maker *maker)
{
    uint64_t bytes = maker->tail_bytes;

    for (size_t i = 0; i < maker->tensors_n; i++)
        bytes += maker->tensors[i].values_n * dtype_bytes(maker->tensors[i].dtype);
    return bytes;
}

unsigned char *maker_frame(const char *json, const void *data, size_t data_bytes, size_t *size)
{
    size_t length = strlen(json);
    unsigned char *file = must(malloc(8 + length + data_bytes));

    for (unsigned i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(file + 8, json, length);
    if (data_bytes != 0)
        memcpy(file + 8 + length, data, data_bytes);
    *size = 8 + length + data_bytes;
    return file;
}

unsigned char *maker_bytes(const struct maker *maker, size_t *size)
{
    char *json = maker_json(maker);
    size_t data_bytes = maker_data_bytes(maker);
    unsigned char *data = must(calloc(data_bytes + 1, 1)), *at = data, *file;

    for (size_t i = 0; i < maker->tensors_n; i++) {
        const struct maker_tensor *tensor = &maker->tensors[i];

        for (size_t v = 0; v < tensor->values_n; v++) {
            uint64_t bits = encode(tensor->dtype, tensor->values[v]);

            for (unsigned b = 0; b < dtype_bytes(tensor->dtype); b++)
                *at++ = (unsigned char)(bits >> 8 * b);
        }
    }
    file = maker_frame(json, data, data_bytes, size);
    free(data);
    free(json);
    return file;
}

void maker_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = must(fopen(path, "wb"));

    if (fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        abort();
}

/* ---------------------------------------------------------------- pictures ------------------- */

uint8_t *maker_picture(size_t width, size_t height, uint64_t seed)
{
    uint8_t *rgb = must(malloc(width * height * 3));

    for (size_t i = 0; i < width * height * 3; i++) {
        size_t x = i / 3 % width, y = i / 3 / width;

        rgb[i] = (uint8_t)(((x / 7 + y / 5) % 2 ? 160 : 20) + (int)(maker_random(&seed) * 95));
    }
    return rgb;
}
