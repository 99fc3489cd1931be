/* Classify a picture by the installed library: `classify MODEL PICTURE` prints the best class. */
#include <stdio.h>
#include <vgg.h>

int main(int argc, char **argv)
{
    static unsigned char bytes[1 << 20];
    const struct vgg_request request = {.scales = {64}, .scales_n = 1, .flip = true};
    struct vgg_error error = {0};
    struct vgg_model *model = NULL;
    struct vgg_engine *engine = NULL;
    struct vgg_image *image = NULL;
    struct vgg_views *views = NULL;
    struct vgg_job *job = NULL;
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    size_t size = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    uint32_t top = 0;

    if (vgg_model_load(argv[1], NULL, &model, &error) != VGG_OK ||
        vgg_engine_create(NULL, &engine, &error) != VGG_OK ||
        vgg_image_decode(bytes, size, NULL, &image, &error) != VGG_OK ||
        vgg_views_create(image, &request, &views, &error) != VGG_OK ||
        vgg_engine_submit(engine, model, views, NULL, &job, &error) != VGG_OK ||
        vgg_job_wait(job, &error) != VGG_OK)
        return fprintf(stderr, "%s\n", error.text), 1;
    vgg_top_k(vgg_job_posterior(job), vgg_model_get_info(model)->classes, 1, &top);
    printf("%u %.9g\n", top, (double)vgg_job_posterior(job)[top]);
    vgg_job_destroy(job);
    vgg_image_destroy(image);
    vgg_engine_destroy(engine);
    vgg_model_release(model);
    return fclose(file);
}
