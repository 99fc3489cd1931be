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

#include "models/model_file.h"
#include "models/model_slot.h"
#include "process/options.h"

struct reloader;

struct reloader_options {
    struct vgg_engine *engine;
    struct model_slot *slot;
    struct option_scales scales; /* that the server evaluates at; n 0: the model's */
    enum vgg_precision precision;
    bool fc_half;
    /* Are requests in the engine, so that they come first? */
    bool (*busy)(void *user);
    /* Does the server go on, so that a reload is worth its work? */
    bool (*serving)(void *user);
    /* Another model is about to serve. */
    void (*replacing)(void *user, const struct vgg_model *model);
    void *user;
};

/*
 * Start the thread. `file` is what serves now; it is taken over, if this succeeds. Errors:
 * NO_MEMORY.
 */
enum vgg_status reloader_create(const struct reloader_options *options, struct model_file *file,
                                struct reloader **reloader, struct vgg_error *error);

/* Give up what is under way, tell its client and end the thread. NULL is allowed. */
void reloader_stop(struct reloader *reloader);

/* It must have been stopped. NULL is allowed. */
void reloader_destroy(struct reloader *reloader);

enum reload_kind { RELOAD_FILE, RELOAD_ROLLBACK };

enum reload_end {
    RELOAD_REPLACED,
    RELOAD_FAILED,     /* `error` says why: NO_MEMORY, CANCELLED, or something about the model */
    RELOAD_NO_PREVIOUS /* none has been replaced since the start */
};

/* Who waits for a reload; called on the reloader's thread. */
struct reload_client {
    /* The model will serve, unless this fails for want of memory: the last thing that can. */
    bool (*prepare)(void *user, const struct vgg_model *model);
    /* Called once, when another reload can begin. */
    void (*done)(void *user, enum reload_end end, const struct vgg_error *error);
    void *user;
};

/*
 * Begin a reload of `path` (malloc'ed, taken over; NULL: the path in use) or a rollback. False: one
 * is under way, or the thread has been stopped; the path stays the caller's.
 */
bool reloader_begin(struct reloader *reloader, enum reload_kind kind, char *path,
                    const struct reload_client *client);

/* The path in use is looked at again, now or after what is under way, and loaded if it changed. */
void reloader_refresh(struct reloader *reloader);

/* How often a model was loaded, and with which end. */
void reloader_get_counts(struct reloader *reloader, uint64_t counts[2]); /* failed, succeeded */

/* Say in the log what serves. */
void reload_log_model(const struct vgg_model_info *info);

#endif
