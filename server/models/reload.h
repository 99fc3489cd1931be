/*
 * Hot reload: one thread loads, checks and tries a model beside the one that serves, then replaces
 * one pointer. Whatever goes wrong before that leaves everything as it was.
 *
 *     open -> load (hash, check, pack) -> scales -> working memory -> canary -> replace
 *
 * While requests are in the engine it takes an eighth of a core. The file of the model that was
 * replaced stays open for a rollback, which loads it the same way.
 */
#ifndef RELOAD_H
#define RELOAD_H

#include "api/server.h"
#include "models/model_file.h"

/*
 * Start the thread. `file` is what serves now; it is taken over, if this succeeds. Errors:
 * NO_MEMORY.
 */
enum vgg_status reloader_create(struct server *server, struct model_file *file,
                                struct reloader **reloader, struct vgg_error *error);

/* Give up what is under way, answer it and end the thread. NULL is allowed. */
void reloader_stop(struct reloader *reloader);

/* It must have been stopped. NULL is allowed. */
void reloader_destroy(struct reloader *reloader);

/*
 * Begin a reload or a rollback for a deferred request, which will be answered. A reload of `path`
 * (malloc'ed, taken over), or of the path in use where it is NULL. False: one is under way, or the
 * thread has been stopped; request and path stay the caller's.
 */
enum reload_kind { RELOAD_FILE, RELOAD_ROLLBACK };
bool reloader_begin(struct reloader *reloader, enum reload_kind kind, char *path,
                    struct http_request *request);

/* The path in use is looked at again, now or after what is under way, and loaded if it changed. */
void reloader_refresh(struct reloader *reloader);

/* How often a model was loaded, and with which end. */
void reloader_get_counts(struct reloader *reloader, uint64_t counts[2]); /* failed, succeeded */

/* Say in the log what serves. */
void reload_log_model(const struct vgg_model_info *info);

/* admin.c: begin one for a request that is not deferred yet, or answer why not. */
void admin_begin(struct server *server, struct http_request *request, enum reload_kind kind,
                 char *path);

/* Did nothing come, or nothing once inflated? */
bool admin_has_no_body(const struct http_request *request);

#endif
