/* Status texts and error records. */
#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

const char *vgg_status_text(enum vgg_status status)
{
    static const char *const texts[] = {
#define VGG_STATUS_TEXT(name, text) [VGG_##name] = text,
        VGG_STATUS_MAP(VGG_STATUS_TEXT)
#undef VGG_STATUS_TEXT
    };

    if ((size_t)status >= sizeof texts / sizeof *texts)
        return "unknown status";
    return texts[status];
}

/* Names out of files may hold anything; a message stays one line. */
static void make_one_line(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            *text = '?';
}

enum vgg_status vgg_fail(struct vgg_error *error, enum vgg_status status, const char *format, ...)
{
    va_list args;

    assert(status != VGG_OK);
    if (error == NULL || error->status != VGG_OK)
        return status;
    error->status = status;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    make_one_line(error->text);
    return status;
}

enum vgg_status vgg_fail_memory(struct vgg_error *error)
{
    return vgg_fail(error, VGG_NO_MEMORY, "%s", vgg_status_text(VGG_NO_MEMORY));
}
