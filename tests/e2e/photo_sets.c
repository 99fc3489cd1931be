#include "photo_sets.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "work.h"

enum { PICTURES = 14 }; /* of a class */

static const char *const folders[] = {"colour", "flat", "grey"};

void photo_put(const char *directory, const char *folder, const char *name, const void *bytes,
               size_t size)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", directory, folder);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%s/%s", directory, folder, name);
    work_write(path, bytes, size);
}

/* Picture i of a class: all of them differ in size. */
static struct jpeg_spec spec_of(uint32_t i, unsigned class)
{
    return (struct jpeg_spec){.width = 44 + i % 9,
                              .height = 60 - i % 7,
                              .color = class == 2 ? JPEG_GREY : JPEG_YCBCR,
                              .flat = class == 1};
}

static const char *make(const char *name, bool alike)
{
    const char *directory = work_file(name);

    if (mkdir(directory, 0700) != 0)
        return directory;
    for (uint32_t i = 0; i < 3 * PICTURES; i++) {
        const struct jpeg_spec spec = alike ? spec_of(i / 3, 0) : spec_of(i, i % 3);
        struct blob image = picture_of(&spec);
        char file[16];

        snprintf(file, sizeof file, "%02u.jpg", i);
        photo_put(directory, folders[i % 3], file, image.bytes, image.size);
        blob_free(&image);
    }
    return directory;
}

const char *photo_set(const char *name)
{
    return make(name, false);
}

const char *photo_set_alike(const char *name)
{
    return make(name, true);
}
