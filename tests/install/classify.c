/* Classify a picture by the installed library: `classify MODEL PICTURE` prints the best class. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vgg.h>

/* A whole file, to be freed; NULL where it cannot be read. */
static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = NULL, *grown;
    size_t n = 1;

    for (*size = 0; file != NULL && n != 0; *size += n) {
        if ((grown = realloc(bytes, *size + (1 << 16))) == NULL)
            break;
        bytes = grown;
        n = fread(bytes + *size, 1, 1 << 16, file);
    }
    if (file == NULL || n != 0 || ferror(file)) {
        free(bytes);
        bytes = NULL;
    }
    if (file != NULL)
        fclose(file);
    return bytes;
}

static void print_best(const struct vgg_model *model, const float *posterior)
{
    const char *id, *label;
    uint32_t top;

    vgg_top_k(posterior, vgg_model_get_info(model)->classes, 1, &top);
    vgg_model_get_label(model, top, &id, &label);
    if (label != NULL)
        printf("%s %.9g\n", label, (double)posterior[top]);
    else
        printf("%u %.9g\n", top, (double)posterior[top]);
}

int main(int argc, char **argv)
{
    struct vgg_request request = {.flip = true};
    struct vgg_error error = {0};
    struct vgg_model *model = NULL;
    struct vgg_engine *engine = NULL;
    struct vgg_image *image = NULL;
    struct vgg_views *views = NULL;
    struct vgg_job *job = NULL;
    unsigned char *bytes;
    size_t size;

    if (argc != 3)
        return fprintf(stderr, "usage: classify MODEL PICTURE\n"), 2;
    if ((bytes = read_file(argv[2], &size)) == NULL)
        return perror(argv[2]), 1;
    if (vgg_model_load(argv[1], NULL, &model, &error) == VGG_OK) {
        const struct vgg_model_info *info = vgg_model_get_info(model);

        memcpy(request.scales, info->scales, sizeof request.scales); /* its own test scales */
        request.scales_n = info->scales_n;
    }
    if (error.status != VGG_OK || vgg_engine_create(NULL, &engine, &error) != VGG_OK ||
        vgg_image_decode(bytes, size, NULL, &image, &error) != VGG_OK ||
        vgg_views_create(image, &request, &views, &error) != VGG_OK ||
        vgg_engine_submit(engine, model, views, NULL, &job, &error) != VGG_OK ||
        vgg_job_wait(job, &error) != VGG_OK)
        return fprintf(stderr, "%s\n", error.text), 1;
    print_best(model, vgg_job_posterior(job));
    vgg_job_destroy(job);
    vgg_image_destroy(image);
    vgg_engine_destroy(engine);
    vgg_model_release(model);
    free(bytes);
    return 0;
}
