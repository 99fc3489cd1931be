/* Checked allocation. */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE_BYTES = 2 << 20 };

bool vgg_size_mul(size_t a, size_t b, size_t *product)
{
    size_t result;

    if (__builtin_mul_overflow(a, b, &result))
        return false;
    *product = result;
    return true;
}

void *vgg_alloc(size_t count, size_t size)
{
    size_t bytes;

    if (!vgg_size_mul(count, size, &bytes))
        return NULL;
    return malloc(bytes != 0 ? bytes : 1);
}

void *vgg_calloc(size_t count, size_t size)
{
    return calloc(count != 0 ? count : 1, size != 0 ? size : 1);
}

void *vgg_alloc_aligned(size_t count, size_t size)
{
    size_t bytes;
    size_t align = VGG_ALIGN;
    void *block;

    if (!vgg_size_mul(count, size, &bytes) || bytes > SIZE_MAX - HUGE_PAGE_BYTES)
        return NULL;
    if (bytes >= HUGE_PAGE_BYTES)
        align = HUGE_PAGE_BYTES;
    bytes = (bytes + align - 1) / align * align;
    block = aligned_alloc(align, bytes != 0 ? bytes : align);
    /* Advice only: without huge pages everything works, with more TLB misses. */
    if (block != NULL && align == HUGE_PAGE_BYTES)
        (void)madvise(block, bytes, MADV_HUGEPAGE);
    return block;
}

/* glibc keeps what lies before the first address that is aligned. */
size_t vgg_mapped_bytes(size_t bytes)
{
    size_t align = bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : VGG_ALIGN;

    return (bytes + align - 1) / align * align + align;
}

void *vgg_calloc_aligned(size_t count, size_t size)
{
    void *block = vgg_alloc_aligned(count, size);

    if (block != NULL)
        memset(block, 0, count * size);
    return block;
}
