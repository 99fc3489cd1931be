/* The precisions that a server can have, and what it takes to have them on this machine. */
#ifndef VGG_TESTS_PRECISION_H
#define VGG_TESTS_PRECISION_H

#include <stddef.h>
#include <string.h>

#include "process.h"

/* An environment with the 8-bit kernels that run everywhere. */
static const char *const precision_portable[] = {"VGG_KERNELS=portable-i8", NULL};

/* That of a precision: this machine's own kernels, if it has any. */
static inline const char *const *precision_environment(const char *precision)
{
    struct output output = command_run(
        (const char *[]){"classify", "--precision", precision, "tests/data/glass.jpg", NULL}, NULL,
        NULL);
    int status = output.status;

    output_free(&output);
    return status == 0 ? NULL : precision_portable;
}

#endif
