/*
 * Allocation failure on demand. Every unit test links this: malloc and its family go through it,
 * and one of them fails where a test has armed it. Under a sanitizer, which has an allocator of its
 * own, nothing is intercepted; tests skip what needs it.
 *
 *     for (n = 1, fired = true; fired; n++) {
 *         fault_arm(n);
 *         status = ...;
 *         fired = fault_disarm();
 *         status is VGG_NO_MEMORY (or VGG_OK) and fault_outstanding() is where it was
 *     }
 */
#ifndef VGG_TESTS_FAULT_H
#define VGG_TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* Are allocations intercepted in this build? If not, nothing ever fires and nothing is counted. */
bool fault_available(void);

/* The n-th allocation from now (n >= 1), on whichever thread, fails, once. */
void fault_arm(unsigned long n);

/* The same, counting only allocations of at least `bytes`. */
void fault_arm_size(unsigned long n, size_t bytes);

/* Back to normal. Returns whether an allocation has failed since it was armed. */
bool fault_disarm(void);

/* By the whole process so far: allocations that succeeded, and those of them not yet freed. */
unsigned long fault_allocations(void);
long fault_outstanding(void);

/* Bytes that were allocated at a time since fault_measure, at most, beyond those there were. */
void fault_measure(void);
size_t fault_measured(void);

#endif
