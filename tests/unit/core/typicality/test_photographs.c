/*
 * Typicality of photographs below $VGG_SHARED/data, by the embedded model's features: fitted to
 * some of TrashNet's; others of these are known, those of Imagenette are not.
 */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "core/teams.h"
#include "typicality/fit.h"
#include "vgg_pictures.h"
#include "vgg_typicality.h"

enum { EACH = 50, CLASSES = 6, UNKNOWN = 20 /* of each class */ };

static struct vgg_model *model;
static struct vgg_engine *engine;
static size_t features;

/* Features of a photograph at one scale. */
static void take(const char *path, float *row)
{
    const struct vgg_request request = {.scales = {128}, .scales_n = 1};
    const struct vgg_job_options options = {.features = true};
    struct vgg_image *image = NULL;
    struct vgg_views *views = NULL;
    struct vgg_job *job = NULL;
    FILE *file = fopen(path, "rb");
    static unsigned char bytes[4 << 20];
    size_t size;

    assert_non_null(file);
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_int_equal(vgg_image_decode(bytes, size, NULL, &image, NULL), VGG_OK);
    assert_int_equal(vgg_views_create(image, &request, &views, NULL), VGG_OK);
    assert_int_equal(vgg_engine_submit(engine, model, views, &options, &job, NULL), VGG_OK);
    assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
    memcpy(row, vgg_job_features(job), features * sizeof *row);
    vgg_job_destroy(job);
    vgg_image_destroy(image);
}

/* The first `each` pictures of every class, to rows with their labels. */
struct collection {
    float *rows;
    uint32_t *labels;
    size_t n, each, of_class, classes;
};

static enum vgg_status on_class(void *user, const char *path, const char *name, bool *known)
{
    struct collection *collection = user;

    (void)path, (void)name, (void)known;
    collection->classes++;
    collection->of_class = 0;
    return VGG_OK;
}

static enum vgg_status on_picture(void *user, const char *path)
{
    struct collection *collection = user;

    if (collection->of_class++ >= collection->each)
        return VGG_OK;
    collection->rows = realloc(collection->rows, (collection->n + 1) * features * sizeof(float));
    collection->labels = realloc(collection->labels, (collection->n + 1) * sizeof(uint32_t));
    assert_true(collection->rows != NULL && collection->labels != NULL);
    take(path, collection->rows + collection->n * features);
    collection->labels[collection->n++] = (uint32_t)collection->classes - 1;
    return VGG_OK;
}

static struct collection collect(const char *directory, size_t each)
{
    struct collection collection = {.each = each};
    const struct vgg_walk walk = {
        .on_picture = on_picture, .on_class = on_class, .user = &collection};

    assert_int_equal(vgg_walk_classes(directory, &walk, NULL), VGG_OK);
    return collection;
}

static void swap(struct collection *collection, size_t i, size_t j)
{
    float *a = collection->rows + i * features, *b = collection->rows + j * features;

    assert_int_equal(collection->labels[i], collection->labels[j]);
    for (size_t k = 0; k < features; k++) {
        float value = a[k];

        a[k] = b[k];
        b[k] = value;
    }
}

/* Of each class a random half to the front: pictures of one thing follow each other. */
static void halve(struct collection *collection)
{
    size_t half = collection->n / 2;
    float *rows = malloc(collection->n * features * sizeof *rows);
    uint32_t *labels = malloc(collection->n * sizeof *labels);
    struct vgg_random random;

    assert_true(rows != NULL && labels != NULL);
    vgg_random_init(&random, 1);
    for (size_t i = 0; i < collection->n; i++)
        swap(collection, i,
             i / (2 * EACH) * 2 * EACH + vgg_random_below(&random, i % (2 * EACH) + 1));
    for (size_t i = 0; i < collection->n; i++) {
        size_t to = i / 2 + (i % 2 == 0 ? 0 : half);

        memcpy(rows + to * features, collection->rows + i * features, features * sizeof *rows);
        labels[to] = collection->labels[i];
    }
    free(collection->rows);
    free(collection->labels);
    collection->rows = rows;
    collection->labels = labels;
}

static void p_of(const struct vgg_typicality *typicality, const float *rows, size_t n, double *p)
{
    for (size_t i = 0; i < n; i++)
        p[i] =
            vgg_typicality_p(typicality, vgg_typicality_distance(typicality, rows + i * features));
}

/* The share of unseen known pictures with p <= 0.05, and the area against the unknown. */
static void photographs(void **state)
{
    const char *shared = getenv("VGG_SHARED");
    const struct vgg_typicality_options options = {.team = teams[2]};
    double unseen[EACH * CLASSES], others[10 * UNKNOWN], area, error;
    struct collection known, unknown;
    struct vgg_typicality_set set;
    struct vgg_typicality typicality;
    struct vgg_typicality_found found;
    size_t below = 0, n = EACH * CLASSES;
    char path[512];

    (void)state;
    if (shared == NULL) {
        printf("SKIPPED: VGG_SHARED is not set, typicality of photographs was not measured\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/data/trashnet", shared);
    known = collect(path, 2 * EACH);
    snprintf(path, sizeof path, "%s/data/imagenette", shared);
    unknown = collect(path, UNKNOWN);
    assert_int_equal(known.n, 2 * n);
    assert_int_equal(unknown.n, COUNT_OF(others));
    halve(&known);
    set = (struct vgg_typicality_set){.features = (uint32_t)features,
                                      .classes = CLASSES,
                                      .n = n,
                                      .rows = known.rows,
                                      .labels = known.labels};
    assert_int_equal(vgg_typicality_fit(&set, &options, &typicality, &found, NULL), VGG_OK);
    p_of(&typicality, known.rows + n * features, n, unseen);
    p_of(&typicality, unknown.rows, unknown.n, others);
    for (size_t i = 0; i < n; i++)
        below += unseen[i] <= 0.05;
    area = vgg_auroc(others, unknown.n, unseen, n);
    error = sqrt(0.05 * 0.95 * 2 / (double)n); /* of the unseen, and of what is known */
    print_message("%.3f of the unseen have p <= 0.05; AUROC %.3f\n", (double)below / (double)n,
                  area);
    assert_true(fabs((double)below / (double)n - 0.05) < 3 * error);
    assert_true(area > 0.8);
    vgg_typicality_fini(&typicality);
    vgg_typicality_found_fini(&found);
    free(known.rows);
    free(known.labels);
    free(unknown.rows);
    free(unknown.labels);
}

static int setup(void **state)
{
    if (pools_start(state) != 0 ||
        vgg_model_load("server/models/trashnet/trashnet.safetensors", NULL, &model, NULL) !=
            VGG_OK ||
        vgg_engine_create(NULL, &engine, NULL) != VGG_OK)
        return 1;
    features = vgg_model_get_info(model)->features;
    return 0;
}

static int teardown(void **state)
{
    vgg_engine_destroy(engine);
    vgg_model_release(model);
    return pools_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(photographs),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
