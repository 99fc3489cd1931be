/* POST /admin/reload and /admin/rollback, and what the v2 repository has of them. */
#ifndef ADMIN_H
#define ADMIN_H

#include "api/server.h"
#include "models/reload.h"

void admin_reload(struct server *server, struct http_request *request);
void admin_rollback(struct server *server, struct http_request *request);

/*
 * Begin a reload of `path` (malloc'ed, taken over; NULL: the path in use) or a rollback for a
 * request that is not deferred yet, or answer why not.
 */
void admin_begin(struct server *server, struct http_request *request, enum reload_kind kind,
                 char *path);

/* Did nothing come, or nothing once inflated? */
bool admin_has_no_body(const struct http_request *request);

#endif
