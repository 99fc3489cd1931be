/* What is left out of directories: counted by reason, and named as far as a line goes. */
#ifndef LEFT_OUT_H
#define LEFT_OUT_H

#include <stddef.h>

enum { LEFT_OUT_REASONS = 12, LEFT_OUT_NAMES = 5, LEFT_OUT_LOST = 20 };

/* Zero-initialise; `tell`, called with each, may be NULL. */
struct left_out {
    void (*tell)(void *user, const char *path, const char *reason);
    void *user;
    struct left_out_group {
        char *reason;
        size_t n;
        char *names[LEFT_OUT_NAMES]; /* of the first ones */
    } groups[LEFT_OUT_REASONS];
    size_t lost;
};

/* Without memory a name is only counted. */
void left_out_add(struct left_out *left_out, const char *path, const char *reason);

/* A picture, or what might be one, has a line of its own at once (the first LEFT_OUT_LOST). */
void left_out_lose(struct left_out *left_out, const char *path, const char *reason);

/*
 * Say on standard error, a line for each reason, "vgg: 7 left out (hidden): a/.b, c/.d ...", then
 * how many could not be read, and forget all of them.
 */
void left_out_say(struct left_out *left_out);

#endif
