/*
 * Model files for tests, made without the library: any configuration of table 1 under torchvision's
 * or timm's names, in any dtype, with random weights that a test can look up, and ways to damage
 * the file. core/nn/reference.h evaluates a made model by the oracle's layers.
 *
 * A maker holds what the header will say and, apart from it, the values; an edit of one does not
 * touch the other. Running out of memory, or naming a tensor that is not there, ends the process.
 */
#ifndef VGG_TESTS_MODEL_MAKER_H
#define VGG_TESTS_MODEL_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAKER_CONVS_MAX = 16,
    MAKER_TENSORS_MAX = 128,
    MAKER_DIMS_MAX = 6,
    MAKER_METADATA_MAX = 16,
    MAKER_NAME_BYTES = 64
};

/* What to make. Zero fields take the value in brackets. */
struct maker_spec {
    const char *arch;       /* "A" .. "E" ["A"] */
    unsigned width;         /* of the first convolution; stages have 1, 2, 4, 8, 8 of it [2] */
    const unsigned *widths; /* instead: of every convolution */
    unsigned fc1, fc2;      /* [7], [6] */
    unsigned classes;       /* [5] */
    unsigned side;          /* k of the first FC layer; the crop is 32k pixels [1] */
    const char *dtype;      /* of all tensors ["F32"] */
    bool batch_norm;
    unsigned known; /* distances of typicality, 0 / 16, 1 / 16 ...; transformed to 3 dimensions */
    bool timm;      /* pre_logits.fc1 [F, C, k, k] ... instead of classifier.0 [F, C * k * k] ... */
    uint64_t seed;
};

/* A convolution of table 1. */
struct maker_conv {
    unsigned out, kernel;
    bool pool;
    unsigned feature; /* N of torchvision's features.N */
};

struct maker_tensor {
    char name[MAKER_NAME_BYTES];
    const char *dtype;
    size_t dims;
    uint64_t shape[MAKER_DIMS_MAX];
    uint64_t begin, end;
    double *values; /* [values_n], each exact in `dtype` */
    size_t values_n;
};

struct maker {
    struct maker_spec spec;
    struct maker_conv convs[MAKER_CONVS_MAX];
    size_t convs_n;
    struct maker_tensor tensors[MAKER_TENSORS_MAX]; /* in the order of the file */
    size_t tensors_n;
    struct {
        const char *key, *value;
    } metadata[MAKER_METADATA_MAX];
    size_t metadata_n;
    const char *metadata_json; /* instead of `metadata`: the JSON text of __metadata__ */
    size_t tail_bytes;         /* zeros after the last tensor */
    double mean[3], std[3];    /* of the reference; torchvision's */
    bool bgr;                  /* of the reference */
};

/* Make a model; A-LRN gets its `vgg.arch`. maker_free ends it. */
void maker_make(struct maker *maker, const struct maker_spec *spec);
void maker_free(struct maker *maker);

/* The nearest value that a dtype holds (ties to even). */
double maker_round(const char *dtype, double value);

struct maker_tensor *maker_find(struct maker *maker, const char *name);

/* Edits; offsets follow them. Strings must outlive the maker. */
void maker_drop(struct maker *maker, const char *name);
void maker_rename(struct maker *maker, const char *name, const char *new_name);
void maker_retype(struct maker *maker, const char *name, const char *dtype);
struct maker_tensor *maker_add(struct maker *maker, const char *name, const char *dtype,
                               size_t dims, const uint64_t *shape); /* zeros */
void maker_meta(struct maker *maker, const char *key, const char *value);
void maker_shuffle(struct maker *maker, uint64_t seed);

/* Offsets from the number and dtype of the values, without gaps. */
void maker_layout(struct maker *maker);

/* Bytes of data after the header. */
uint64_t maker_data_bytes(const struct maker *maker);

/* The header's text, malloc'ed, and the whole file. */
char *maker_json(const struct maker *maker);
unsigned char *maker_bytes(const struct maker *maker, size_t *size);

/* A file of any header text and data. */
unsigned char *maker_frame(const char *json, const void *data, size_t data_bytes, size_t *size);

/* Write bytes to a file, replacing it. */
void maker_write(const char *path, const void *bytes, size_t size);

/* A picture of noise and edges, [height][width][3], malloc'ed. */
uint8_t *maker_picture(size_t width, size_t height, uint64_t seed);

/* Uniform in [0, 1); splitmix64. */
double maker_random(uint64_t *state);

#endif
