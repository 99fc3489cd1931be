/*
 * What the process may have of stack, descriptors, memory and threads, held against what a command
 * needs before it begins: too little of anything is one line that says how much, and neither a wait
 * nor a signal nor half a start.
 */
#ifndef RESOURCES_H
#define RESOURCES_H

#include "vgg_footprint.h"

/* What a command takes. */
struct resources_need {
    uint64_t bytes;       /* of memory, at a time */
    uint64_t mapped;      /* of the address space beside them */
    unsigned threads;     /* beside the first */
    uint64_t descriptors; /* open at a time */
};

/*
 * For main, before anything else: raises the limits of stack and descriptors as far as the process
 * may, and gives threads stacks of their own size. False: one line on standard error says what is
 * short.
 */
bool resources_enter(void);

/*
 * Let malloc have at most so many arenas (0: as many as it likes), but only one where the address
 * space is limited, since each takes 64 MiB of it.
 */
void resources_arenas(int most);

/* Descriptors that may be open. */
uint64_t resources_descriptors(void);

/* Count a model in, and its engine; NULL: none, it is only loaded. */
void resources_add_model(struct resources_need *need, const struct vgg_footprint *footprint,
                         const struct vgg_engine_options *engine);

/*
 * Is there all of that? Memory is looked at as memory_room.h says, threads are tried. `root` is as
 * for memory_room_get. Errors: NO_MEMORY; the text names the limit and what it has to be.
 */
enum vgg_status resources_check(const struct resources_need *need, const char *root,
                                struct vgg_error *error);

/* Of a failure after that, for want of memory: name the limit of the address space, if any. */
void resources_explain(struct vgg_error *error);

#endif
