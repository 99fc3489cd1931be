/* Media types. */
#include "http/media_type.h"

#include <string.h>
#include <strings.h>

bool media_type_is(const char *content_type, const char *name)
{
    size_t length = strlen(name);

    return content_type != NULL && strncasecmp(content_type, name, length) == 0 &&
           (content_type[length] == '\0' || strchr("; \t", content_type[length]) != NULL);
}
