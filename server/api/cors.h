/* Which web pages of other origins may use the server (--cors-origin). */
#ifndef CORS_H
#define CORS_H

#include "vgg.h"

/* A list is "*", or origins as browsers send them, "https://host[:port]", separated by commas. */
enum vgg_status cors_check(const char *list, struct vgg_error *error);

/* Does a checked list name an origin? NULL is none. */
bool cors_allows(const char *list, const char *origin);

#endif
