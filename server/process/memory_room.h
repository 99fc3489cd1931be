/* How much more memory this process may take before something refuses it or ends it. */
#ifndef MEMORY_ROOM_H
#define MEMORY_ROOM_H

#include "vgg.h"

/* The tightest of the limits. */
struct memory_room {
    uint64_t free_bytes;
    uint64_t limit_bytes; /* of which they are what is left */
    uint64_t taken_bytes; /* what is used, and what is left alone */
    const char *limit;    /* its name: "the control group's memory.max", ...; static storage */
};

/*
 * Look at RLIMIT_AS and RLIMIT_DATA, at the control groups above this process (v1 and v2; what they
 * hold of files can be had back) and at MemAvailable. `root` is "" or, for tests, where the trees
 * /proc and /sys are found.
 */
struct memory_room memory_room_get(const char *root);

/* The same of limits of one kind: of what is mapped (RLIMIT_AS, RLIMIT_DATA), or of what is used.
 */
enum memory_room_kind { MEMORY_ROOM_MAPPED = 1, MEMORY_ROOM_RESIDENT = 2 };
struct memory_room memory_room_of(const char *root, enum memory_room_kind kind);

/* Fail with NO_MEMORY and one line: what the limit is, and what it has to be for `bytes` more. */
enum vgg_status memory_room_fail(const struct memory_room *room, uint64_t bytes,
                                 struct vgg_error *error);

#endif
