/* Directories of pictures for tests, below a temporary one. */
#ifndef VGG_TESTS_CORE_TRAIN_ALBUM_H
#define VGG_TESTS_CORE_TRAIN_ALBUM_H

#include "check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/dataset.h"
#include "jpeg_maker.h"
#include "png_maker.h"

static char album[64]; /* its path */
static struct vgg_team *teams[2];

static inline int album_forget(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

/* An empty album for each test, and teams of 1 and 3 threads. */
static inline int album_start(void **state)
{
    (void)state;
    strcpy(album, "/tmp/vgg-album-XXXXXX");
    return mkdtemp(album) == NULL || vgg_team_create(1, &teams[0], NULL) != VGG_OK ||
           vgg_team_create(3, &teams[1], NULL) != VGG_OK;
}

static inline int album_stop(void **state)
{
    (void)state;
    vgg_team_destroy(teams[0]);
    vgg_team_destroy(teams[1]);
    return nftw(album, album_forget, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in the album, and the folders above it, made. Valid until the next call. */
static inline const char *album_path(const char *name)
{
    static char path[1024];

    snprintf(path, sizeof path, "%s/%s", album, name);
    for (char *slash = strchr(path + strlen(album) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0777);
        *slash = '/';
    }
    return path;
}

static inline void album_put(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(album_path(name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void album_text(const char *name, const char *text)
{
    album_put(name, text, strlen(text));
}

static inline void album_png(const char *name, uint32_t width, uint32_t height)
{
    struct png_spec spec = {.width = width, .height = height, .colour = PNG_COLOUR};
    uint8_t *bytes;
    size_t size;

    assert_true(png_make(&spec, &bytes, &size));
    album_put(name, bytes, size);
    free(bytes);
}

static inline void album_jpeg(const char *name, uint32_t width, uint32_t height,
                              unsigned orientation)
{
    struct jpeg_spec spec = {.width = width, .height = height, .orientation = orientation};
    uint8_t *bytes;
    size_t size;

    assert_true(jpeg_make(&spec, &bytes, &size));
    album_put(name, bytes, size);
    free(bytes);
}

/* Two classes, "a" of n pictures and "b" of 2n, of all sizes and both formats. */
static inline void album_fill(uint32_t n)
{
    char name[32];

    for (uint32_t i = 0; i < 3 * n; i++) {
        snprintf(name, sizeof name, "%c/%03u.%s", i < n ? 'a' : 'b', i, i % 2 ? "png" : "jpg");
        if (i % 2 == 1)
            album_png(name, 33 + i, 47 - i % 10);
        else
            album_jpeg(name, 70 - i, 40 + i % 7, i % 8 + 1);
    }
}

static inline void album_open(const struct vgg_dataset_options *options, struct vgg_team *team,
                              struct vgg_dataset *dataset)
{
    struct vgg_error error = {0};

    if (vgg_dataset_open(album, options, team, dataset, &error) != VGG_OK)
        fail_msg("%s", error.text);
}

/* It must fail, with this status and text. */
static inline void album_refused(const struct vgg_dataset_options *options, enum vgg_status status,
                                 const char *text)
{
    struct vgg_dataset dataset;
    struct vgg_error error = {0};

    assert_int_equal(vgg_dataset_open(album, options, teams[1], &dataset, &error), status);
    if (error.status != status || strstr(error.text, text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.text, text);
    assert_int_equal(dataset.examples_n, 0);
    assert_null(dataset.examples);
    assert_null(dataset.classes);
}

#endif
