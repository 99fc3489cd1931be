/*
 * The directory that a test program works in, the models and pictures it needs, and model files
 * damaged on purpose. Whatever cannot be made fails the running test.
 */
#ifndef VGG_TESTS_WORK_H
#define VGG_TESTS_WORK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jpeg_maker.h"

/* Owned bytes. */
struct blob {
    uint8_t *bytes;
    size_t size;
};

void blob_free(struct blob *blob);
struct blob blob_copy(const void *bytes, size_t size);

/* cmocka's group fixtures: the directory, libcurl; the end removes one and closes the other. */
int work_setup(void **state);
int work_teardown(void **state);

/* The path of a file in the directory; valid until its end. */
const char *work_file(const char *name);

void work_write(const char *path, const void *bytes, size_t size);
struct blob work_read(const char *path);

/* ---------------------------------------------------------------- models -------------------- */

/* An untrained model file, made on the first call: width 4, 10 classes, crop 32. */
const char *model_narrow(void);

/* The same with 1000 classes, so with labels. */
const char *model_labelled(void);

/* One whose requests take a while: width 16. */
const char *model_slow(void);

/*
 * Scales that take it a while, in passes that no two pictures share under this --max-view-pixels.
 * Under a sanitizer an eighth of the size is slow enough.
 */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define BUSY_SCALES "80,88,96,104,112,120,128"
#define BUSY_SCALE "128"
#define BUSY_VIEW_PIXELS "16384"
#else
#define BUSY_SCALES "640,704,768,832,896,960,1024"
#define BUSY_SCALE "1024"
#define BUSY_VIEW_PIXELS "1048576"
#endif

/* A safetensors file in parts; `edit` changes the header or the data before it is written again. */
struct model_parts {
    json_t *header;
    uint8_t *data;
    size_t data_bytes;
};

/* A copy of the narrow model under `name`, edited; the path as work_file. */
const char *model_edited(const char *name, void (*edit)(struct model_parts *parts));

/* Append an F32 tensor of a shape, ended by 0. */
void parts_add(struct model_parts *parts, const char *tensor, const size_t *shape,
               const float *values);

/* Drop a tensor and close the gap that it leaves in the data. */
void parts_drop(struct model_parts *parts, const char *tensor);

/* ---------------------------------------------------------------- pictures ------------------ */

struct blob picture(uint32_t width, uint32_t height);
struct blob picture_of(const struct jpeg_spec *spec);

#endif
