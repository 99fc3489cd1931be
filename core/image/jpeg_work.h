/*
 * What decoding a JPEG will cost, from the bytes behind its header: every scan walks over all
 * blocks of its components, and a dozen bytes are enough for one. Path of a request: bytes ->
 * jpeg.c: peek -> [this] -> admission.
 */
#ifndef VGG_CORE_IMAGE_JPEG_WORK_H
#define VGG_CORE_IMAGE_JPEG_WORK_H

#include "vgg.h"

enum { VGG_JPEG_COMPONENTS_MAX = 4 };

/* A frame header. */
struct vgg_jpeg_frame {
    uint64_t pixels;
    bool progressive, arithmetic;
    unsigned components_n; /* at most VGG_JPEG_COMPONENTS_MAX */
    struct {
        int id;
        uint64_t blocks; /* those that pad the last MCUs included */
    } components[VGG_JPEG_COMPONENTS_MAX];
};

struct vgg_jpeg_work {
    unsigned scans;
    uint64_t blocks; /* however few bytes they have, in the unit of vgg_image_info */
    uint64_t bytes;  /* beside that */
};

/*
 * Walk over the scans: `bytes` begin behind the marker of the first one. Ends behind scan number
 * scans_max + 1 and where work->blocks is over work_max. At most some 2 ns a byte.
 */
void vgg_jpeg_predict(const struct vgg_jpeg_frame *frame, const uint8_t *bytes, size_t size,
                      unsigned scans_max, uint64_t work_max, struct vgg_jpeg_work *work);

#endif
