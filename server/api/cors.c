/* Lists of origins. */
#include "api/cors.h"

#include <string.h>
#include <strings.h>

/* scheme://host[:port] and nothing after it; or "null", the origin of files and sandboxes. */
static bool is_origin(const char *text, size_t size)
{
    const char *scheme = memmem(text, size, "://", 3), *host = scheme != NULL ? scheme + 3 : NULL;

    if (size == 4 && memcmp(text, "null", 4) == 0)
        return true;
    if (scheme == NULL || scheme == text || host == text + size)
        return false;
    for (const char *at = text; at < text + size; at++)
        if (*at <= ' ' || *at == 0x7F || (at >= host && strchr("/?#@*", *at) != NULL))
            return false;
    return true;
}

enum vgg_status cors_check(const char *list, struct vgg_error *error)
{
    if (strcmp(list, "*") == 0)
        return VGG_OK;
    for (const char *at = list;; at++) {
        size_t size = strcspn(at, ",");

        if (!is_origin(at, size))
            return vgg_fail(error, VGG_BAD_ARGUMENT,
                            "--cors-origin %s: must be *, or origins such as https://example.org "
                            "separated by commas",
                            list);
        at += size;
        if (*at == '\0')
            return VGG_OK;
    }
}

bool cors_allows(const char *list, const char *origin)
{
    size_t length = origin != NULL ? strlen(origin) : 0;

    if (length == 0)
        return false;
    if (strcmp(list, "*") == 0)
        return true;
    for (const char *at = list;; at++) {
        size_t size = strcspn(at, ",");

        if (size == length && strncasecmp(at, origin, size) == 0)
            return true;
        at += size;
        if (*at == '\0')
            return false;
    }
}
