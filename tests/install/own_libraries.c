/*
 * A program with an OpenBLAS and a libwebp of its own beside the library's: prints 0 where all
 * work.
 */
#include <cblas.h>
#include <stdio.h>
#include <vgg.h>
#include <webp/decode.h>
#include <webp/encode.h>

/* The library has left its threads alone. */
static int openblas_works(void)
{
    const float a[4] = {1, 2, 3, 4}, b[4] = {5, 6, 7, 8};
    float c[4] = {0};

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 2, 2, 2, 1, a, 2, b, 2, 0, c, 2);
    return c[0] == 19 && c[1] == 22 && c[2] == 43 && c[3] == 50 && openblas_get_num_threads() == 2;
}

/* A pixel by the program's decoder, whose malloc is the ordinary one, and by the library's. */
static int libwebp_works(void)
{
    const uint8_t red[3] = {255, 0, 0};
    struct vgg_image *image = NULL;
    uint8_t *bytes = NULL, *own;
    int width = 0, height = 0, works;
    size_t size = WebPEncodeLosslessRGB(red, 1, 1, 3, &bytes);

    works = vgg_image_decode(bytes, size, NULL, &image, NULL) == VGG_OK &&
            vgg_image_pixels(image)[0] == 255 && vgg_image_pixels(image)[1] == 0;
    own = WebPDecodeRGB(bytes, size, &width, &height);
    works = works && own != NULL && width == 1 && height == 1 && own[0] == 255 && own[1] == 0;
    WebPFree(own);
    WebPFree(bytes);
    vgg_image_destroy(image);
    return works;
}

static int library_works(void)
{
    const struct vgg_init_options init = {.width = 4, .fc = 16, .classes = 3, .crop = 32};
    struct vgg_engine *engine = NULL;
    struct vgg_model *model = NULL;
    int works;

    works = vgg_model_init(&init, NULL, &model, NULL) == VGG_OK &&
            vgg_engine_create(NULL, &engine, NULL) == VGG_OK &&
            vgg_engine_canary(engine, model, NULL) == VGG_OK;
    vgg_engine_destroy(engine);
    vgg_model_release(model);
    return works;
}

int main(void)
{
    int failed;

    openblas_set_num_threads(2);
    failed = !library_works() || !openblas_works() || !libwebp_works();
    printf("%d\n", failed);
    return failed;
}
