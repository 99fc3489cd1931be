/*
 * Metadata of a PNG: where its orientation stands.
 * Path of a request: png_file.c's walk -> [this].
 */
#ifndef VGG_CORE_IMAGE_PNG_TEXT_H
#define VGG_CORE_IMAGE_PNG_TEXT_H

#include "vgg.h"

/* Metadata that may say an orientation, as they are met. */
struct vgg_png_metadata {
    const uint8_t *exif; /* of an eXIf chunk, or NULL; in the file */
    size_t exif_size;
    struct vgg_png_text {
        const uint8_t *text; /* in the file, or owned; NULL: there is none */
        size_t size;
        uint8_t *owned;
    } profile, xmp;  /* "Raw profile type exif", "XML:com.adobe.xmp" */
    size_t text_max; /* bytes that may still be looked at */
};

/*
 * A chunk of a type of 4 letters; any but tEXt, zTXt and iTXt is passed over. NO_MEMORY is the only
 * error.
 */
enum vgg_status vgg_png_note_text(struct vgg_png_metadata *metadata, const uint8_t *type,
                                  const uint8_t *data, size_t size, struct vgg_error *error);

/* The orientation, 1..8, that they come to. NO_MEMORY is the only error. */
enum vgg_status vgg_png_orientation(const struct vgg_png_metadata *metadata, unsigned *orientation,
                                    struct vgg_error *error);

void vgg_png_metadata_fini(struct vgg_png_metadata *metadata);

#endif
