/* Trainings on a made base in tests: pictures, a base, what the callbacks are told, the file. */
#ifndef VGG_TESTS_CORE_TRAIN_ON_BASE_H
#define VGG_TESTS_CORE_TRAIN_ON_BASE_H

#include "core/data/album.h"
#include "model/header.h"
#include "model/source.h"
#include "model_maker.h"
#include "vgg_train.h"

enum { CLASSES = 3, PICTURES_MAX = 320, FEATURES = 24 };

static const char *const folders[CLASSES] = {"colour", "grey", "smooth"};
static const char *const endings[CLASSES] = {"png", "png", "jpg"};

static char photos[1024], others[1024], base[1024], output[1024], cache[1024];

/* ---------------------------------------------------------------- the album ------------------ */

/* A picture that its class can be told of; each size is another picture. */
static inline void put_picture(const char *dir, unsigned class, uint32_t i)
{
    const struct png_spec png = {.width = 40 + i % 31,
                                 .height = 36 + i * 7 % 29,
                                 .colour = class == 0 ? PNG_COLOUR : PNG_GREY};
    const struct jpeg_spec jpeg = {.width = 40 + i % 31, .height = 36 + i * 7 % 29};
    uint8_t *bytes = NULL;
    size_t size = 0;
    char name[64];

    assert_true(class == 2 ? jpeg_make(&jpeg, &bytes, &size) : png_make(&png, &bytes, &size));
    snprintf(name, sizeof name, "%s/%s/%03u.%s", dir, folders[class], i, endings[class]);
    album_put(name, bytes, size);
    free(bytes);
}

static inline void put_pictures(const char *dir, uint32_t first, uint32_t n)
{
    for (unsigned class = 0; class < CLASSES; class ++)
        for (uint32_t i = first; i < first + n; i++)
            put_picture(dir, class, i);
}

static inline void put_base(const struct maker_spec *spec, const char *key, const char *value)
{
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    maker_make(&maker, spec);
    maker_meta(&maker, "vgg.scales", "[32, 48]");
    if (key != NULL)
        maker_meta(&maker, key, value);
    bytes = maker_bytes(&maker, &size);
    maker_write(base, bytes, size);
    free(bytes);
    maker_free(&maker);
}

static const struct maker_spec small = {.width = 4, .fc1 = 16, .fc2 = FEATURES, .seed = 3};

static inline int start(void **state)
{
    if (album_start(state) != 0)
        return 1;
    snprintf(photos, sizeof photos, "%s", album_path("photos"));
    snprintf(others, sizeof others, "%s", album_path("others"));
    snprintf(base, sizeof base, "%s", album_path("base.safetensors"));
    snprintf(output, sizeof output, "%s", album_path("out.safetensors"));
    snprintf(cache, sizeof cache, "%s", album_path("cache"));
    put_pictures("photos", 0, 6);
    put_base(&small, NULL, NULL);
    return 0;
}

/* ---------------------------------------------------------------- training ------------------- */

/* What the callbacks were told. */
struct told {
    struct vgg_train_plan plan;
    size_t plans, views, classes, pictures, validation, unknown, wrong, posteriors, refusals;
    size_t stop_after; /* calls of stop once there is a plan; 0: never */
    uint64_t room;     /* of memory; 0: any */
    uint64_t asked;    /* the most that on_memory was asked for */
    double typicality[PICTURES_MAX];
    struct {
        char path[1100];
        float posterior[CLASSES];
    } left_out[PICTURES_MAX]; /* [posteriors] */
};

static inline enum vgg_status on_plan(void *user, const struct vgg_train_plan *plan,
                                      struct vgg_error *error)
{
    struct told *told = user;

    (void)error;
    told->plan = *plan;
    told->plans++;
    return VGG_OK;
}

static inline void on_features(void *user, const struct vgg_train_features *features)
{
    struct told *told = user;

    assert_true(told->plans >= 1);
    assert_true(features->done <= features->views);
    told->views = features->done;
}

static inline void on_classes(void *user, const char *const *classes, size_t n)
{
    struct told *told = user;

    for (size_t i = 0; i < n; i++)
        assert_string_equal(classes[i], folders[i]);
    told->classes = n;
}

static inline void on_picture(void *user, const struct vgg_train_picture *picture)
{
    struct told *told = user;
    uint32_t best;

    assert_non_null(strstr(picture->path, album));
    assert_true(told->pictures < PICTURES_MAX);
    told->typicality[told->pictures++] = picture->typicality;
    told->validation += picture->validation;
    told->unknown += picture->label == UINT32_MAX;
    if (picture->posterior == NULL)
        return;
    vgg_top_k(picture->posterior, CLASSES, 1, &best);
    snprintf(told->left_out[told->posteriors].path, sizeof told->left_out->path, "%s",
             picture->path);
    memcpy(told->left_out[told->posteriors++].posterior, picture->posterior,
           sizeof told->left_out->posterior);
    told->wrong += best != picture->label;
}

static inline bool is_stopped(void *user)
{
    struct told *told = user;

    return told->stop_after != 0 && told->plans != 0 && --told->stop_after == 0;
}

static inline enum vgg_status on_memory(void *user, uint64_t bytes, struct vgg_error *error)
{
    struct told *told = user;

    told->asked = bytes > told->asked ? bytes : told->asked;
    if (told->room == 0 || bytes <= told->room)
        return VGG_OK;
    told->refusals++;
    return vgg_fail(error, VGG_NO_MEMORY, "too little");
}

/* What every training on the base is asked with; `told` is emptied. */
static inline struct vgg_train_options on_base(struct told *told)
{
    *told = (struct told){.plans = 0};
    return (struct vgg_train_options){.base = base,
                                      .output = output,
                                      .cache_bytes = 1 << 30,
                                      .threads = 2,
                                      .on_plan = on_plan,
                                      .on_features = on_features,
                                      .on_classes = on_classes,
                                      .on_picture = on_picture,
                                      .stop = is_stopped,
                                      .on_memory = on_memory,
                                      .user = told};
}

static inline struct vgg_train_result train(const struct vgg_train_options *options)
{
    struct vgg_train_result result;
    struct vgg_error error = {0};

    if (vgg_train(photos, options, &result, &error) != VGG_OK)
        fail_msg("%s", error.text);
    return result;
}

static inline void refused(const struct vgg_train_options *options, enum vgg_status status,
                           const char *text)
{
    struct vgg_train_result result;
    struct vgg_error error = {0};

    assert_int_equal(vgg_train(photos, options, &result, &error), status);
    if (strstr(error.text, text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.text, text);
}

/* ---------------------------------------------------------------- the file ------------------- */

/* A model file, as it is. */
struct file {
    unsigned char *bytes;
    size_t size, data;
    struct vgg_header header;
};

static inline void file_read(struct file *file, const char *path)
{
    struct vgg_reader reader;
    struct vgg_source source = {.fd = -1};
    FILE *stream = fopen(path, "rb");
    struct vgg_error error = {0};

    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    file->size = (size_t)ftell(stream);
    rewind(stream);
    file->bytes = malloc(file->size);
    assert_int_equal(fread(file->bytes, 1, file->size, stream), file->size);
    fclose(stream);
    source.bytes = file->bytes;
    source.size = file->size;
    vgg_reader_init(&reader, &source);
    if (vgg_reader_header(&reader, &file->header, &error) != VGG_OK)
        fail_msg("%s", error.text);
    file->data = reader.offset;
}

static inline void file_free(struct file *file)
{
    vgg_header_fini(&file->header);
    free(file->bytes);
}

static inline const struct vgg_tensor *find_tensor(const struct file *file, const char *name)
{
    for (size_t i = 0; i < file->header.tensors_n; i++)
        if (strcmp(file->header.tensors[i].name, name) == 0)
            return &file->header.tensors[i];
    return NULL;
}

#endif
