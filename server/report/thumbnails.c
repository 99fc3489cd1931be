/* Thumbnails. */
#include "report/thumbnails.h"

#include <stdlib.h>
#include <string.h>

#include "base/team.h"
#include "pictures/pictures.h"
#include "pictures/progress.h"
#include "report/jpeg.h"

enum {
    FILE_BYTES_MAX = 64 << 20,
    CHUNK = 16 /* thumbnails between two looks of the bar */
};

bool thumbnails_init(struct thumbnails *thumbnails, const struct html_report *report)
{
    size_t n = report->pictures_n + 1;

    *thumbnails = (struct thumbnails){.items = calloc(n, sizeof *thumbnails->items),
                                      .asked = calloc(n, sizeof *thumbnails->asked),
                                      .wanted = calloc(THUMBNAILS_MAX, sizeof(size_t))};
    return thumbnails->items != NULL && thumbnails->asked != NULL && thumbnails->wanted != NULL;
}

void thumbnails_fini(struct thumbnails *thumbnails, const struct html_report *report)
{
    for (size_t i = 0; thumbnails->items != NULL && i < report->pictures_n; i++)
        free(thumbnails->items[i].jpeg);
    free(thumbnails->items);
    free(thumbnails->asked);
    free(thumbnails->wanted);
    *thumbnails = (struct thumbnails){0};
}

void thumbnails_want(struct thumbnails *thumbnails, size_t picture)
{
    if (thumbnails->asked[picture] || thumbnails->wanted_n == THUMBNAILS_MAX)
        return;
    thumbnails->asked[picture] = true;
    thumbnails->wanted[thumbnails->wanted_n++] = picture;
}

/* ---------------------------------------------------------------- one ------------------------ */

/* The shorter side for which the longer one is THUMBNAIL_SIDE. */
static uint32_t scale_for(const struct vgg_image_info *info)
{
    uint32_t longer = info->width > info->height ? info->width : info->height;
    uint32_t shorter = info->width > info->height ? info->height : info->width;
    uint32_t scale = (uint32_t)((uint64_t)THUMBNAIL_SIDE * shorter / longer);

    return scale != 0 ? scale : 1;
}

/* A coarser one where it would be large, as noise is. */
static void encode(const struct vgg_image *image, struct thumbnail *thumbnail)
{
    struct vgg_image_info info = vgg_image_get_info(image);
    unsigned char bytes[THUMBNAIL_BYTES_MAX];
    size_t size = 0;

    for (int quality = 75; quality > 0 && size == 0; quality -= 30)
        size = jpeg_encode(vgg_image_pixels(image), info.width, info.height, quality, bytes,
                           sizeof bytes);
    thumbnail->jpeg = size != 0 ? malloc(size) : NULL;
    if (thumbnail->jpeg == NULL)
        return;
    memcpy(thumbnail->jpeg, bytes, size);
    thumbnail->size = size;
    thumbnail->width = info.width;
    thumbnail->height = info.height;
}

/* One so narrow that its longer side stays over the bound at the least scale has no thumbnail. */
static void shrink(const struct vgg_image *image, struct thumbnail *thumbnail)
{
    struct vgg_image_info info = vgg_image_get_info(image);
    struct vgg_image *small = NULL;

    if (info.width <= THUMBNAIL_SIDE && info.height <= THUMBNAIL_SIDE) {
        encode(image, thumbnail);
        return;
    }
    if (vgg_image_rescale(image, scale_for(&info), &small, NULL) == VGG_OK) {
        info = vgg_image_get_info(small);
        if (info.width <= 2 * THUMBNAIL_SIDE && info.height <= 2 * THUMBNAIL_SIDE)
            encode(small, thumbnail);
    }
    vgg_image_destroy(small);
}

static void make_one(const char *path, struct thumbnail *thumbnail)
{
    const struct picture picture = {.path = (char *)path};
    struct problem problem;
    struct vgg_image *image = NULL;
    uint8_t *bytes;
    size_t size;

    if (picture_read(&picture, FILE_BYTES_MAX, &bytes, &size, &problem) &&
        vgg_image_decode(bytes, size, NULL, &image, NULL) == VGG_OK)
        shrink(image, thumbnail);
    vgg_image_destroy(image);
    free(bytes);
}

/* ---------------------------------------------------------------- all of them ---------------- */

struct making {
    struct thumbnails *thumbnails;
    const struct html_report *report;
    size_t first;
};

static void make_item(void *context, size_t item, unsigned thread)
{
    struct making *making = context;
    size_t picture = making->thumbnails->wanted[making->first + item];

    (void)thread;
    make_one(making->report->pictures[picture].path, &making->thumbnails->items[picture]);
}

enum vgg_status thumbnails_make(struct thumbnails *thumbnails, const struct html_report *report,
                                struct vgg_error *error)
{
    struct making making = {.thumbnails = thumbnails, .report = report};
    struct progress progress;
    struct vgg_team *team;
    enum vgg_status status = vgg_team_create(vgg_threads_default(), &team, error);

    if (status != VGG_OK)
        return status;
    progress_init(&progress, thumbnails->wanted_n);
    strcpy(progress.note, "thumbnails");
    progress_show(&progress);
    for (size_t n; making.first < thumbnails->wanted_n; making.first += n) {
        n = thumbnails->wanted_n - making.first;
        n = n < CHUNK ? n : CHUNK;
        vgg_team_run(team, make_item, &making, n);
        for (size_t i = 0; i < n; i++)
            progress_step(&progress, false);
        progress_show(&progress);
    }
    progress_hide(&progress);
    vgg_team_destroy(team);
    return VGG_OK;
}
