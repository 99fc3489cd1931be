/* malloc and its family, in front of glibc's: they count, and fail when told to. */
#include "fault.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

bool fault_available(void)
{
    return false;
}

void fault_arm(unsigned long n)
{
    (void)n;
}

void fault_arm_size(unsigned long n, size_t bytes)
{
    (void)n;
    (void)bytes;
}

bool fault_disarm(void)
{
    return false;
}

unsigned long fault_allocations(void)
{
    return 0;
}

long fault_outstanding(void)
{
    return 0;
}

void fault_measure(void)
{
}

size_t fault_measured(void)
{
    return 0;
}

#else

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *block);

static atomic_ulong countdown; /* allocations up to the one that fails; 0: not armed */
static atomic_size_t bytes_min;
static atomic_bool fired;
static atomic_ulong allocations;
static atomic_long outstanding;
static atomic_size_t held, held_most, held_before;

static bool fails(size_t size)
{
    unsigned long left = atomic_load(&countdown);

    if (left == 0 || size < atomic_load(&bytes_min))
        return false;
    while (left != 0 && !atomic_compare_exchange_weak(&countdown, &left, left - 1))
        ;
    if (left != 1)
        return false;
    atomic_store(&fired, true);
    errno = ENOMEM;
    return true;
}

static void add_bytes(void *block)
{
    size_t now = malloc_usable_size(block), most = atomic_load(&held_most);

    now += atomic_fetch_add(&held, now);
    while (now > most && !atomic_compare_exchange_weak(&held_most, &most, now))
        ;
}

static void *counted(void *block)
{
    if (block != NULL) {
        atomic_fetch_add(&allocations, 1);
        atomic_fetch_add(&outstanding, 1);
        add_bytes(block);
    }
    return block;
}

void *malloc(size_t size)
{
    return fails(size) ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return fails(count * size) ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
    size_t before;
    void *moved;

    if (block == NULL)
        return malloc(size);
    if (size != 0 && fails(size))
        return NULL;
    before = malloc_usable_size(block);
    moved = __libc_realloc(block, size);
    if (moved != NULL) {
        atomic_fetch_add(&allocations, 1);
        add_bytes(moved);
    } else if (size == 0)
        atomic_fetch_sub(&outstanding, 1);
    if (moved != NULL || size == 0)
        atomic_fetch_sub(&held, before);
    return moved;
}

void *memalign(size_t align, size_t size)
{
    return fails(size) ? NULL : counted(__libc_memalign(align, size));
}

void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

int posix_memalign(void **block, size_t align, size_t size)
{
    int before = errno;
    void *fresh;

    if (align % sizeof(void *) != 0 || (align & (align - 1)) != 0 || align == 0)
        return EINVAL;
    fresh = memalign(align, size);
    errno = before;
    if (fresh == NULL)
        return ENOMEM;
    *block = fresh;
    return 0;
}

void *valloc(size_t size)
{
    return memalign((size_t)sysconf(_SC_PAGESIZE), size);
}

void free(void *block)
{
    if (block != NULL) {
        atomic_fetch_sub(&outstanding, 1);
        atomic_fetch_sub(&held, malloc_usable_size(block));
    }
    __libc_free(block);
}

bool fault_available(void)
{
    return true;
}

void fault_arm_size(unsigned long n, size_t bytes)
{
    atomic_store(&fired, false);
    atomic_store(&bytes_min, bytes);
    atomic_store(&countdown, n);
}

void fault_arm(unsigned long n)
{
    fault_arm_size(n, 0);
}

bool fault_disarm(void)
{
    atomic_store(&countdown, 0);
    return atomic_load(&fired);
}

unsigned long fault_allocations(void)
{
    return atomic_load(&allocations);
}

long fault_outstanding(void)
{
    return atomic_load(&outstanding);
}

void fault_measure(void)
{
    atomic_store(&held_before, atomic_load(&held));
    atomic_store(&held_most, atomic_load(&held));
}

size_t fault_measured(void)
{
    return atomic_load(&held_most) - atomic_load(&held_before);
}

#endif
