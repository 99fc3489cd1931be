/* Where a training stands, and its checkpoint. */
#ifndef VGG_CORE_TRAIN_STATE_H
#define VGG_CORE_TRAIN_STATE_H

#include "backprop/network.h"
#include "vgg_train.h"

/* Zero-initialise, but for best_error. The random numbers need no state: see base/random.h. */
struct vgg_train_state {
    uint32_t epoch, step;         /* epochs done; steps done of the one under way */
    uint32_t drops;               /* divisions of the rate by 10 */
    uint32_t since;               /* epochs since the best, or since the rate dropped */
    uint32_t best_epoch;          /* from 1; 0: the fitted start, before any */
    double best_error, best_loss; /* best_error below 0: there is none yet */
    double loss;                  /* sum over the examples of the epoch under way */
    uint64_t wrong;               /* of them */
    double seconds;               /* of the epoch under way */
    char *history;                /* a line of JSON for each epoch done, owned; may be NULL */
};

void vgg_train_state_fini(struct vgg_train_state *state);

/* Add a line, with its newline, to the history. Errors: NO_MEMORY. */
enum vgg_status vgg_train_state_log(struct vgg_train_state *state, const char *line,
                                    struct vgg_error *error);

/*
 * Save network and state at `path`, in place of an older checkpoint, which stays whole if that
 * fails. `settings` and `data` name what a training that goes on from it must have. Errors: IO,
 * NO_MEMORY.
 */
enum vgg_status vgg_train_state_save(const struct vgg_train_state *state,
                                     const struct vgg_network *network, const char *settings,
                                     const char *data, const char *path, struct vgg_error *error);

/*
 * Restore both. Errors: IO, BAD_MODEL (damaged, not a checkpoint), BAD_ARGUMENT (of other settings
 * or data; the text names the difference), NO_MEMORY.
 */
enum vgg_status vgg_train_state_restore(struct vgg_train_state *state, struct vgg_network *network,
                                        const char *settings, const char *data, const char *path,
                                        struct vgg_error *error);

#endif
