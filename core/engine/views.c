/* What a request asks of an image: its scales, their cost, and the rescaled pictures. */
#include "engine/views.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "image/image.h"

static enum vgg_status check_scales_n(const struct vgg_request *request, struct vgg_error *error)
{
    if (request->scales_n >= 1 && request->scales_n <= VGG_SCALES_MAX)
        return VGG_OK;
    return vgg_fail(error, VGG_BAD_ARGUMENT, "a request needs 1 to %d scales", VGG_SCALES_MAX);
}

enum vgg_status vgg_request_check(const struct vgg_model *model, const struct vgg_request *request,
                                  uint32_t width, uint32_t height, uint64_t view_pixels_max,
                                  uint64_t *macs, struct vgg_error *error)
{
    uint32_t crop = vgg_model_get_info(model)->crop;

    *macs = 0;
    if (check_scales_n(request, error) != VGG_OK)
        return VGG_BAD_ARGUMENT;
    if (width == 0 || height == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "a picture has at least 1x1 pixels");
    for (size_t i = 0; i < request->scales_n; i++) {
        uint32_t scale = request->scales[i];
        uint64_t view_width, view_height;

        if (scale < crop || scale > VGG_SCALE_MAX)
            return vgg_fail(error, VGG_BAD_ARGUMENT,
                            "scale %" PRIu32 " is not in %" PRIu32
                            "..%d: the shorter side of a view must cover this model's crop",
                            scale, crop, VGG_SCALE_MAX);
        vgg_image_scaled_size(width, height, scale, &view_width, &view_height);
        if (view_width * view_height > view_pixels_max)
            return vgg_fail(error, VGG_TOO_LARGE,
                            "at scale %" PRIu32 " the %" PRIu32 "x%" PRIu32
                            " image becomes a view of %" PRIu64 "x%" PRIu64
                            ", over the limit of %" PRIu64 " pixels",
                            scale, width, height, view_width, view_height, view_pixels_max);
        *macs += vgg_model_view_macs(model, (uint32_t)view_width, (uint32_t)view_height);
    }
    if (request->flip)
        *macs *= 2;
    return VGG_OK;
}

enum vgg_status vgg_views_create(const struct vgg_image *image, const struct vgg_request *request,
                                 struct vgg_views **out, struct vgg_error *error)
{
    const struct vgg_image_limits limits = {.poll = request->poll, .user = request->user};
    struct vgg_views *views;

    if (check_scales_n(request, error) != VGG_OK)
        return VGG_BAD_ARGUMENT;
    views = vgg_calloc(1, sizeof *views);
    if (views == NULL)
        return vgg_fail_memory(error);
    views->flip = request->flip;
    views->width = vgg_image_get_info(image).width;
    views->height = vgg_image_get_info(image).height;
    for (; views->scales_n < request->scales_n; views->scales_n++) {
        enum vgg_status status =
            vgg_image_rescale_within(image, request->scales[views->scales_n], &limits,
                                     &views->images[views->scales_n], error);

        if (status != VGG_OK) {
            vgg_views_destroy(views);
            return status;
        }
    }
    *out = views;
    return VGG_OK;
}

enum vgg_status vgg_views_create_input(const void *input, uint32_t width, uint32_t height,
                                       struct vgg_views **out, struct vgg_error *error)
{
    struct vgg_views *views;
    size_t floats;

    if (width == 0 || height == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "a view has at least 1x1 pixels");
    if (!vgg_size_mul((size_t)width * height, 3, &floats))
        return vgg_fail_memory(error);
    views = vgg_calloc(1, sizeof *views);
    if (views == NULL || (views->images[0] = vgg_calloc(1, sizeof **views->images)) == NULL)
        goto fail;
    views->scales_n = 1;
    views->images[0]->info =
        (struct vgg_image_info){.format = "tensor", .width = width, .height = height};
    views->input = vgg_alloc(floats, sizeof *views->input);
    if (views->input == NULL)
        goto fail;
    memcpy(views->input, input, floats * sizeof *views->input);
    for (size_t i = 0; i < floats; i++)
        if (!isfinite(views->input[i])) {
            vgg_views_destroy(views);
            return vgg_fail(error, VGG_BAD_ARGUMENT, "value %zu of the tensor is not finite", i);
        }
    *out = views;
    return VGG_OK;
fail:
    vgg_views_destroy(views);
    return vgg_fail_memory(error);
}

void vgg_views_destroy(struct vgg_views *views)
{
    if (views == NULL)
        return;
    free(views->input);
    if (views->crops != NULL)
        free(views->crops->order);
    free(views->crops);
    for (size_t i = 0; i < views->scales_n; i++)
        vgg_image_destroy(views->images[i]);
    free(views);
}

size_t vgg_views_count(const struct vgg_views *views)
{
    if (views->crops != NULL)
        return views->crops->n;
    return views->flip ? 2 * views->scales_n : views->scales_n;
}

bool vgg_views_are(const struct vgg_views *views, const uint32_t *scales, size_t scales_n)
{
    bool are = views->crops == NULL && views->flip && views->scales_n == scales_n;

    for (size_t i = 0; are && i < scales_n; i++) {
        const struct vgg_image_info *info = &views->images[i]->info;

        are = (info->width < info->height ? info->width : info->height) == scales[i];
    }
    return are;
}

struct vgg_view vgg_views_get(const struct vgg_views *views, size_t view)
{
    const struct vgg_image *image;

    assert(view < vgg_views_count(views));
    if (views->crops != NULL)
        return views->crops->items[view];
    image = views->images[views->flip ? view / 2 : view];
    return (struct vgg_view){.image = image,
                             .width = image->info.width,
                             .height = image->info.height,
                             .mirror = views->flip && view % 2 == 1};
}

size_t vgg_views_asked(const struct vgg_views *views)
{
    return views->crops != NULL ? views->crops->asked : vgg_views_count(views);
}

const uint32_t *vgg_views_order(const struct vgg_views *views)
{
    return views->crops != NULL ? views->crops->order : NULL;
}

size_t vgg_views_find(const struct vgg_views *views, size_t asked)
{
    assert(asked < vgg_views_asked(views));
    return views->crops != NULL ? views->crops->order[asked] : asked;
}
