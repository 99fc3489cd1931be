/* A program with an OpenBLAS of its own beside the library's: prints 0 where both work. */
#include <cblas.h>
#include <stdio.h>
#include <vgg.h>

int main(void)
{
    const struct vgg_init_options init = {.width = 4, .fc = 16, .classes = 3, .crop = 32};
    const float a[4] = {1, 2, 3, 4}, b[4] = {5, 6, 7, 8};
    struct vgg_engine *engine = NULL;
    struct vgg_model *model = NULL;
    float c[4] = {0};
    int failed;

    openblas_set_num_threads(2);
    failed = vgg_model_init(&init, NULL, &model, NULL) != VGG_OK ||
             vgg_engine_create(NULL, &engine, NULL) != VGG_OK ||
             vgg_engine_canary(engine, model, NULL) != VGG_OK;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 2, 2, 2, 1, a, 2, b, 2, 0, c, 2);
    failed = failed || c[0] != 19 || c[1] != 22 || c[2] != 43 || c[3] != 50 ||
             openblas_get_num_threads() != 2; /* the library has left it alone */
    vgg_engine_destroy(engine);
    vgg_model_release(model);
    printf("%d\n", failed);
    return failed;
}
