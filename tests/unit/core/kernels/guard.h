/*
 * Memory that tells when something outside of it is touched: inaccessible pages on both sides, the
 * block's end as close to one as its alignment allows, and NaNs in what is left over. The block
 * itself starts as NaNs too: reading what is beyond it or was never written shows in the result.
 */
#ifndef VGG_TESTS_CORE_KERNELS_GUARD_H
#define VGG_TESTS_CORE_KERNELS_GUARD_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

enum { GUARD_BYTE = 0xFF }; /* four make a NaN */

struct guard {
    unsigned char *pages; /* inaccessible, NaNs, block, NaNs, inaccessible */
    size_t pages_bytes;
    unsigned char *block; /* aligned to VGG_ALIGN */
    size_t bytes;
};

static inline void guard_init(struct guard *guard, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inside = (bytes + 2 * VGG_ALIGN + page - 1) / page * page;

    guard->bytes = bytes;
    guard->pages_bytes = inside + 2 * page;
    guard->pages = mmap(NULL, guard->pages_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard->pages == MAP_FAILED ||
        mprotect(guard->pages + page, inside, PROT_READ | PROT_WRITE) != 0)
        abort();
    memset(guard->pages + page, GUARD_BYTE, inside);
    guard->block = guard->pages + page + inside - (bytes + VGG_ALIGN - 1) / VGG_ALIGN * VGG_ALIGN;
}

/* Is everything around the block as it was? Frees it. */
static inline bool guard_fini(struct guard *guard)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const unsigned char *end = guard->pages + guard->pages_bytes - page;
    bool untouched = true;

    for (const unsigned char *at = guard->pages + page; at < guard->block; at++)
        untouched = untouched && *at == GUARD_BYTE;
    for (const unsigned char *at = guard->block + guard->bytes; at < end; at++)
        untouched = untouched && *at == GUARD_BYTE;
    munmap(guard->pages, guard->pages_bytes);
    return untouched;
}

#endif
