/* The bounded heap: a doubly linked list of malloc'ed blocks. */
#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct vgg_heap_block {
    struct vgg_heap *heap;
    struct vgg_heap_block *before, *after;
    size_t bytes;
    _Alignas(max_align_t) unsigned char data[];
};

/* malloc has no argument to tell the heap by. */
static _Thread_local struct vgg_heap *current;

enum vgg_status vgg_heap_run(struct vgg_heap *heap, size_t bytes_max, void (*step)(void *user),
                             void *user)
{
    assert(current == NULL && heap->status == VGG_OK);
    heap->bytes_max = bytes_max;
    current = heap;
    if (setjmp(heap->escape) == 0)
        step(user);
    current = NULL;
    return heap->status;
}

void vgg_heap_fini(struct vgg_heap *heap)
{
    while (heap->blocks != NULL)
        vgg_heap_free(heap->blocks->data);
}

struct vgg_heap *vgg_heap_current(void)
{
    assert(current != NULL);
    return current;
}

_Noreturn void vgg_heap_leave(struct vgg_heap *heap, enum vgg_status status)
{
    assert(heap == current && status != VGG_OK);
    heap->status = status;
    longjmp(heap->escape, 1);
}

static void *allocate(size_t count, size_t size, void *(*from)(size_t count, size_t size))
{
    struct vgg_heap *heap = vgg_heap_current();
    struct vgg_heap_block *block;
    size_t bytes;

    if (!vgg_size_mul(count, size, &bytes) || bytes > SIZE_MAX - sizeof *block)
        vgg_heap_leave(heap, VGG_TOO_LARGE);
    bytes += sizeof *block;
    if (bytes > heap->bytes_max || heap->bytes > heap->bytes_max - bytes)
        vgg_heap_leave(heap, VGG_TOO_LARGE);
    block = from(1, bytes);
    if (block == NULL)
        vgg_heap_leave(heap, VGG_NO_MEMORY);
    *block = (struct vgg_heap_block){.heap = heap, .after = heap->blocks, .bytes = bytes};
    if (heap->blocks != NULL)
        heap->blocks->before = block;
    heap->blocks = block;
    heap->bytes += bytes;
    return block->data;
}

void *vgg_heap_malloc(size_t size)
{
    return allocate(1, size, vgg_alloc);
}

void *vgg_heap_calloc(size_t count, size_t size)
{
    return allocate(count, size, vgg_calloc);
}

void vgg_heap_free(void *data)
{
    struct vgg_heap_block *block;

    if (data == NULL)
        return;
    block = (struct vgg_heap_block *)(void *)((char *)data - offsetof(struct vgg_heap_block, data));
    block->heap->bytes -= block->bytes;
    if (block->before != NULL)
        block->before->after = block->after;
    else
        block->heap->blocks = block->after;
    if (block->after != NULL)
        block->after->before = block->before;
    free(block);
}
