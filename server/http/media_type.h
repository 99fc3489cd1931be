/* The media type that a Content-Type names (RFC 9110, 8.3.1). */
#ifndef MEDIA_TYPE_H
#define MEDIA_TYPE_H

#include <stdbool.h>

/* Is it `name`, in any case and with any parameters? `content_type` may be NULL: it is none. */
bool media_type_is(const char *content_type, const char *name);

#endif
