/*
 * dump_pixels FILE [Q]: decode a picture, rescale it to the scale Q where one is given, and write
 * the pixels to standard output as raw RGB. For check_pixels.py; exit status 1 and a line on
 * standard error where the picture is refused, 2 for bad arguments.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vgg.h"

static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = NULL;
    long length;

    if (file == NULL)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0) {
        rewind(file);
        bytes = malloc((size_t)length + 1);
        if (bytes != NULL)
            *size = fread(bytes, 1, (size_t)length, file);
    }
    fclose(file);
    return bytes;
}

static enum vgg_status dump(const unsigned char *bytes, size_t size, uint32_t scale,
                            struct vgg_error *error)
{
    struct vgg_image *image = NULL;
    struct vgg_image *scaled = NULL;
    enum vgg_status status = vgg_image_decode(bytes, size, NULL, &image, error);

    if (status == VGG_OK && scale != 0)
        status = vgg_image_rescale(image, scale, &scaled, error);
    if (status == VGG_OK) {
        const struct vgg_image *result = scale != 0 ? scaled : image;
        struct vgg_image_info info = vgg_image_get_info(result);

        fwrite(vgg_image_pixels(result), (size_t)info.width * 3, info.height, stdout);
    }
    vgg_image_destroy(scaled);
    vgg_image_destroy(image);
    return status;
}

int main(int argc, char **argv)
{
    struct vgg_error error = {0};
    unsigned char *bytes;
    size_t size = 0;
    enum vgg_status status;

    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: dump_pixels FILE [Q]\n");
        return 2;
    }
    bytes = read_file(argv[1], &size);
    if (bytes == NULL) {
        fprintf(stderr, "cannot read %s\n", argv[1]);
        return 2;
    }
    status = dump(bytes, size, argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0, &error);
    free(bytes);
    if (status != VGG_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], error.text);
        return 1;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 2;
}
