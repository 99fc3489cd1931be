/* What a function writes to a file descriptor, for tests. */
#ifndef VGG_TESTS_CAPTURE_H
#define VGG_TESTS_CAPTURE_H

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct capture {
    int target, saved, file;
    char text[16384]; /* after capture_end; cut to what fits */
};

/* From here on what is written to descriptor `target` (1 or 2) is kept. */
static inline void capture_begin(struct capture *capture, int target)
{
    fflush(NULL);
    capture->target = target;
    capture->saved = dup(target);
    capture->file = memfd_create("capture", MFD_CLOEXEC);
    assert(capture->saved >= 0 && capture->file >= 0);
    dup2(capture->file, target);
}

static inline void capture_end(struct capture *capture)
{
    ssize_t length;

    fflush(NULL);
    dup2(capture->saved, capture->target);
    close(capture->saved);
    length = pread(capture->file, capture->text, sizeof capture->text - 1, 0);
    capture->text[length > 0 ? length : 0] = '\0';
    close(capture->file);
}

/* Is it exactly one line, whole and not empty? */
static inline bool is_one_line(const char *text)
{
    const char *end = strchr(text, '\n');

    return end != NULL && end != text && end[1] == '\0';
}

#endif
