/*
 * A safetensors file in memory, every tensor turned into doubles. Internal to the oracle.
 */
#ifndef ORACLE_FILE_H
#define ORACLE_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { ORACLE_TENSORS_MAX = 256, ORACLE_RANK_MAX = 4, ORACLE_NAME_BYTES = 80 };

/* A tensor with its values; data is NULL once a layer has taken it. */
struct oracle_tensor {
    char name[ORACLE_NAME_BYTES];
    size_t rank;
    size_t shape[ORACLE_RANK_MAX];
    size_t count;
    double *data;
};

struct oracle_file {
    unsigned char *bytes;
    size_t size;
    json_t *header;
    struct oracle_tensor tensors[ORACLE_TENSORS_MAX];
    size_t tensors_n;
};

/* Read a file. Returns NULL or an error text; the caller frees the file either way. */
const char *oracle_file_read(const char *path, struct oracle_file **file);
void oracle_file_free(struct oracle_file *file);

/* "where: what" in static storage, valid until the next call. */
const char *oracle_wrong(const char *what, const char *where);

/* The tensor `stem.suffix`, or NULL. */
struct oracle_tensor *oracle_file_find(struct oracle_file *file, const char *stem,
                                       const char *suffix);

/* Move the values of `stem.suffix` to *data; false where there are not exactly n of them. */
bool oracle_file_take(struct oracle_file *file, const char *stem, const char *suffix, size_t n,
                      double **data);

#endif
