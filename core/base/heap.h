/*
 * A bounded heap for a library that knows only malloc: the Makefile renames malloc, calloc and free
 * in its copy of the library to vgg_heap_malloc and so on. A step that would take more than its
 * bound, or more than there is, is left by a jump, so that the library's own handling of failed
 * allocations, which is seldom tested, is not relied on.
 */
#ifndef VGG_CORE_BASE_HEAP_H
#define VGG_CORE_BASE_HEAP_H

#include <setjmp.h>

#include "vgg.h"

struct vgg_heap_block;

/* Zero-initialise. Used by one thread at a time. */
struct vgg_heap {
    struct vgg_heap_block *blocks; /* all that are not yet freed */
    size_t bytes, bytes_max;       /* in use, headers included */
    enum vgg_status status;        /* why the step was left */
    jmp_buf escape;
};

/*
 * Call step(user), whose allocations on this thread come from the heap and live until they are
 * freed or the heap ends. NO_MEMORY and TOO_LARGE (more than bytes_max in use) tell that it was
 * left, as what vgg_heap_leave was given does; nothing but vgg_heap_fini may follow then.
 */
enum vgg_status vgg_heap_run(struct vgg_heap *heap, size_t bytes_max, void (*step)(void *user),
                             void *user);

/* Within vgg_heap_run: the heap whose step this thread runs, and the step's end for its own reason.
 */
struct vgg_heap *vgg_heap_current(void);
_Noreturn void vgg_heap_leave(struct vgg_heap *heap, enum vgg_status status);

/* Free whatever is left. */
void vgg_heap_fini(struct vgg_heap *heap);

/* What the library calls instead of malloc, calloc and free, within vgg_heap_run. */
void *vgg_heap_malloc(size_t size);
void *vgg_heap_calloc(size_t count, size_t size);
void vgg_heap_free(void *block);

#endif
