/* The working directory and what lies in it. */
#include "work.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "check.h"
#include "process.h"

enum { PATHS_MAX = 128, LENGTH_BYTES = 8 };

static char directory[PATH_MAX / 2];
static char *paths[PATHS_MAX]; /* that work_file has given */

/* ---------------------------------------------------------------- files ---------------------- */

void blob_free(struct blob *blob)
{
    free(blob->bytes);
    *blob = (struct blob){0};
}

struct blob blob_copy(const void *bytes, size_t size)
{
    struct blob blob = {malloc(size + 1), size};

    assert_non_null(blob.bytes);
    if (size != 0)
        memcpy(blob.bytes, bytes, size);
    blob.bytes[size] = '\0';
    return blob;
}

int work_setup(void **state)
{
    const char *parent = getenv("TMPDIR");

    (void)state;
    snprintf(directory, sizeof directory, "%s/vgg-e2e-XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(directory) == NULL)
        return -1;
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

int work_teardown(void **state)
{
    (void)state;
    process_kill_all();
    curl_global_cleanup();
    for (size_t i = 0; i < PATHS_MAX; i++)
        free(paths[i]);
    return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *work_file(const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    for (size_t i = 0; i < PATHS_MAX; i++) {
        if (paths[i] == NULL)
            paths[i] = strdup(path);
        if (strcmp(paths[i], path) == 0)
            return paths[i];
    }
    fail_msg("too many files");
    return NULL;
}

void work_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

struct blob work_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct blob blob = {0};
    long size;

    if (file == NULL)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    blob.bytes = malloc((size_t)size + 1);
    assert_non_null(blob.bytes);
    blob.size = fread(blob.bytes, 1, (size_t)size, file);
    blob.bytes[blob.size] = '\0';
    fclose(file);
    return blob;
}

/* ---------------------------------------------------------------- models --------------------- */

static const char *make_once(const char *name, const char *width, const char *classes)
{
    const char *path = work_file(name);
    struct output output;

    if (access(path, R_OK) == 0)
        return path;
    output = command_run((const char *[]){"init", "--width", width, "--fc", "16", "--classes",
                                          classes, "--crop", "32", "-o", path, NULL},
                         NULL, NULL);
    assert_int_equal(output.status, 0);
    output_free(&output);
    return path;
}

const char *model_narrow(void)
{
    return make_once("narrow.safetensors", "4", "10");
}

const char *model_labelled(void)
{
    return make_once("labelled.safetensors", "4", "1000");
}

const char *model_slow(void)
{
    return make_once("slow.safetensors", "16", "10");
}

static struct model_parts take_apart(const struct blob *file)
{
    struct model_parts parts = {0};
    uint64_t length = 0;

    assert_true(file->size > LENGTH_BYTES);
    for (size_t i = LENGTH_BYTES; i-- > 0;)
        length = length << 8 | file->bytes[i];
    assert_true(length < file->size - LENGTH_BYTES);
    parts.header = json_loadb((const char *)file->bytes + LENGTH_BYTES, length, 0, NULL);
    assert_non_null(parts.header);
    parts.data_bytes = file->size - LENGTH_BYTES - length;
    parts.data = malloc(parts.data_bytes);
    assert_non_null(parts.data);
    memcpy(parts.data, file->bytes + LENGTH_BYTES + length, parts.data_bytes);
    return parts;
}

static void put_together(const struct model_parts *parts, const char *path)
{
    char *header = json_dumps(parts->header, JSON_COMPACT);
    uint64_t length;
    FILE *file = fopen(path, "wb");

    assert_non_null(header);
    assert_non_null(file);
    length = strlen(header);
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        fputc((int)(length >> 8 * i & 0xff), file);
    fputs(header, file);
    assert_int_equal(fwrite(parts->data, 1, parts->data_bytes, file), parts->data_bytes);
    assert_int_equal(fclose(file), 0);
    free(header);
}

const char *model_edited(const char *name, void (*edit)(struct model_parts *parts))
{
    const char *path = work_file(name);
    struct blob file = work_read(model_narrow());
    struct model_parts parts = take_apart(&file);

    edit(&parts);
    put_together(&parts, path);
    json_decref(parts.header);
    free(parts.data);
    blob_free(&file);
    return path;
}

void parts_add(struct model_parts *parts, const char *tensor, const size_t *shape,
               const float *values)
{
    json_t *entry = json_pack("{s:s, s:[]}", "dtype", "F32", "shape");
    size_t bytes = sizeof *values;

    for (; *shape != 0; shape++) {
        json_array_append_new(json_object_get(entry, "shape"), json_integer((json_int_t)*shape));
        bytes *= *shape;
    }
    json_object_set_new(entry, "data_offsets",
                        json_pack("[I, I]", (json_int_t)parts->data_bytes,
                                  (json_int_t)(parts->data_bytes + bytes)));
    json_object_set_new(parts->header, tensor, entry);
    parts->data = realloc(parts->data, parts->data_bytes + bytes);
    assert_non_null(parts->data);
    memcpy(parts->data + parts->data_bytes, values, bytes);
    parts->data_bytes += bytes;
}

void parts_drop(struct model_parts *parts, const char *tensor)
{
    json_t *offsets = json_object_get(json_object_get(parts->header, tensor), "data_offsets");
    json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));
    const char *name;
    json_t *entry;

    assert_non_null(offsets);
    memmove(parts->data + begin, parts->data + end, parts->data_bytes - (size_t)end);
    parts->data_bytes -= (size_t)(end - begin);
    json_object_del(parts->header, tensor);
    json_object_foreach(parts->header, name, entry)
    {
        json_t *pair = json_object_get(entry, "data_offsets"), *value;
        size_t i;

        json_array_foreach(pair, i, value) if (json_integer_value(value) >= end)
            json_integer_set(value, json_integer_value(value) - (end - begin));
    }
}

/* ---------------------------------------------------------------- pictures ------------------- */

struct blob picture_of(const struct jpeg_spec *spec)
{
    struct blob blob = {0};

    assert_true(jpeg_make(spec, &blob.bytes, &blob.size));
    return blob;
}

struct blob picture(uint32_t width, uint32_t height)
{
    const struct jpeg_spec spec = {.width = width, .height = height};

    return picture_of(&spec);
}
