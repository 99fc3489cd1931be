/*
 * The safetensors reader: 8 bytes with the length of a JSON header, the header, then the data.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_file.h"

static char error_text[256];

const char *oracle_wrong(const char *what, const char *where)
{
    snprintf(error_text, sizeof(error_text), "%s: %s", where, what);
    return error_text;
}

static void *new_bytes(size_t size)
{
    void *bytes = malloc(size ? size : 1);
    if (!bytes) {
        fprintf(stderr, "oracle: out of memory\n");
        abort();
    }
    return bytes;
}

/* ---------------------------------------------------------------- numbers -------------------- */

static double from_f32(const unsigned char *bytes)
{
    float value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* BF16 is the upper half of an F32. */
static double from_bf16(const unsigned char *bytes)
{
    const unsigned char whole[4] = {0, 0, bytes[0], bytes[1]};
    return from_f32(whole);
}

/* IEEE binary16: sign, 5 bits of exponent with bias 15, 10 bits of mantissa. */
static double from_f16(const unsigned char *bytes)
{
    int bits = bytes[0] | bytes[1] << 8;
    int exponent = bits >> 10 & 31;
    int mantissa = bits & 1023;
    double value;
    if (exponent == 0) {
        value = ldexp(mantissa, -24);
    } else if (exponent == 31) {
        value = mantissa ? (double)NAN : (double)INFINITY;
    } else {
        value = ldexp(1024 + mantissa, exponent - 25);
    }
    return bits & 0x8000 ? -value : value;
}

static const struct dtype {
    const char *name;
    size_t size;
    double (*decode)(const unsigned char *bytes);
} dtypes[] = {{"F32", 4, from_f32}, {"F16", 2, from_f16}, {"BF16", 2, from_bf16}};

/* ---------------------------------------------------------------- the file ------------------- */

static const char *read_bytes(const char *path, struct oracle_file *file)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) {
        return oracle_wrong("cannot be opened", path);
    }
    long size = fseek(stream, 0, SEEK_END) == 0 ? ftell(stream) : -1;
    rewind(stream);
    if (size < 8) {
        fclose(stream);
        return oracle_wrong("shorter than a header", path);
    }
    file->size = (size_t)size;
    file->bytes = new_bytes(file->size);
    size_t got = fread(file->bytes, 1, file->size, stream);
    fclose(stream);
    return got == file->size ? NULL : oracle_wrong("cannot be read", path);
}

/* One element of a JSON array of sizes; false where it is not one below 2^40. */
static bool get_size(const json_t *array, size_t index, size_t *size)
{
    const json_t *value = json_array_get(array, index);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) >= (json_int_t)1 << 40) {
        return false;
    }
    *size = (size_t)json_integer_value(value);
    return true;
}

static const char *read_tensor(struct oracle_file *file, const char *name, const json_t *entry,
                               const unsigned char *data, size_t data_size)
{
    const char *dtype_name = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const struct dtype *dtype = NULL;
    for (size_t i = 0; dtype_name && i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        if (strcmp(dtypes[i].name, dtype_name) == 0) {
            dtype = &dtypes[i];
        }
    }
    if (!dtype || file->tensors_n == ORACLE_TENSORS_MAX || strlen(name) >= ORACLE_NAME_BYTES ||
        json_array_size(shape) > ORACLE_RANK_MAX) {
        return oracle_wrong("unexpected dtype, shape or number of tensors", name);
    }
    struct oracle_tensor *tensor = &file->tensors[file->tensors_n];
    *tensor = (struct oracle_tensor){.rank = json_array_size(shape), .count = 1};
    strcpy(tensor->name, name);
    for (size_t i = 0; i < tensor->rank; i++) {
        if (!get_size(shape, i, &tensor->shape[i]) || tensor->shape[i] == 0 ||
            tensor->shape[i] > data_size / tensor->count) {
            return oracle_wrong("bad shape", name);
        }
        tensor->count *= tensor->shape[i];
    }
    size_t begin;
    size_t end;
    if (!get_size(offsets, 0, &begin) || !get_size(offsets, 1, &end) || begin > end ||
        end > data_size || end - begin != tensor->count * dtype->size) {
        return oracle_wrong("bad offsets", name);
    }
    tensor->data = new_bytes(tensor->count * sizeof(double));
    file->tensors_n++;
    for (size_t i = 0; i < tensor->count; i++) {
        tensor->data[i] = dtype->decode(data + begin + i * dtype->size);
    }
    return NULL;
}

static const char *read_tensors(struct oracle_file *file)
{
    uint64_t header_size = 0;
    for (int i = 7; i >= 0; i--) {
        header_size = header_size << 8 | file->bytes[i];
    }
    if (header_size > file->size - 8) {
        return oracle_wrong("longer than the file", "header");
    }
    file->header = json_loadb((const char *)file->bytes + 8, header_size, 0, NULL);
    if (!json_is_object(file->header)) {
        return oracle_wrong("not a JSON object", "header");
    }
    const unsigned char *data = file->bytes + 8 + header_size;
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0 || strstr(name, "num_batches_tracked")) {
            continue;
        }
        const char *error = read_tensor(file, name, entry, data, file->size - 8 - header_size);
        if (error) {
            return error;
        }
    }
    return NULL;
}

const char *oracle_file_read(const char *path, struct oracle_file **file)
{
    *file = new_bytes(sizeof(**file));
    memset(*file, 0, sizeof(**file));
    const char *error = read_bytes(path, *file);
    return error ? error : read_tensors(*file);
}

void oracle_file_free(struct oracle_file *file)
{
    for (size_t i = 0; i < file->tensors_n; i++) {
        free(file->tensors[i].data);
    }
    json_decref(file->header);
    free(file->bytes);
    free(file);
}

struct oracle_tensor *oracle_file_find(struct oracle_file *file, const char *stem,
                                       const char *suffix)
{
    char name[ORACLE_NAME_BYTES];
    snprintf(name, sizeof(name), "%s.%s", stem, suffix);
    for (size_t i = 0; i < file->tensors_n; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) {
            return &file->tensors[i];
        }
    }
    return NULL;
}

bool oracle_file_take(struct oracle_file *file, const char *stem, const char *suffix, size_t n,
                      double **data)
{
    struct oracle_tensor *tensor = oracle_file_find(file, stem, suffix);
    if (!tensor || tensor->count != n || !tensor->data) {
        return false;
    }
    *data = tensor->data;
    tensor->data = NULL;
    return true;
}
