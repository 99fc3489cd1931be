/* Checked allocation: sizes are multiplied with an overflow check, failure is NULL. */
#ifndef VGG_CORE_BASE_MEM_H
#define VGG_CORE_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VGG_ALIGN = 64 }; /* bytes: one cache line, one AVX-512 vector */

/* The next multiple of VGG_ALIGN. */
static inline size_t vgg_size_align(size_t bytes)
{
    return (bytes + VGG_ALIGN - 1) / VGG_ALIGN * VGG_ALIGN;
}

/* a * b into *product; false (and *product untouched) where it does not fit. */
bool vgg_size_mul(size_t a, size_t b, size_t *product);

/* count * size bytes, uninitialised, aligned for any type; NULL on overflow or exhaustion. */
void *vgg_alloc(size_t count, size_t size);

/* The same, zeroed. */
void *vgg_calloc(size_t count, size_t size);

/* The same as vgg_alloc, aligned to VGG_ALIGN; large blocks ask for huge pages. Free with free().
 */
void *vgg_alloc_aligned(size_t count, size_t size);

/* What it takes of the address space. */
size_t vgg_mapped_bytes(size_t bytes);

/* The same, zeroed. */
void *vgg_calloc_aligned(size_t count, size_t size);

#endif
