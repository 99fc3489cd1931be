/* How much more memory this process may take before something refuses it or ends it. */
#ifndef MEMORY_ROOM_H
#define MEMORY_ROOM_H

#include "vgg.h"

/* The tightest of the limits. */
struct memory_room {
    uint64_t free_bytes;
    uint64_t limit_bytes; /* of which they are what is left */
    const char *limit;    /* its name: "the control group's memory.max", ...; static storage */
};

/*
 * Look at RLIMIT_AS and RLIMIT_DATA, at the control groups above this process (v1 and v2; what they
 * hold of files can be had back) and at MemAvailable. `root` is "" or, for tests, where the trees
 * /proc and /sys are found.
 */
struct memory_room memory_room_get(const char *root);

#endif
