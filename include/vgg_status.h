/* What can go wrong, and how it is told. Included by every other header of libvgg. */
#ifndef VGG_STATUS_H
#define VGG_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, text): everything that can go wrong, once. */
#define VGG_STATUS_MAP(X)                                                                          \
    X(OK, "ok")                                                                                    \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(BAD_ARGUMENT, "bad argument")                                                                \
    X(UNSUPPORTED_FORMAT, "unsupported image format")                                              \
    X(BAD_IMAGE, "image cannot be decoded")                                                        \
    X(TOO_LARGE, "over a limit")                                                                   \
    X(BAD_MODEL, "invalid model file")                                                             \
    X(IO, "input/output error")                                                                    \
    X(DEADLINE, "deadline passed")                                                                 \
    X(CANCELLED, "cancelled")

enum vgg_status {
#define VGG_STATUS_ENUM(name, text) VGG_##name,
    VGG_STATUS_MAP(VGG_STATUS_ENUM)
#undef VGG_STATUS_ENUM
};

/* A failure: its status and one line for people. Zero-initialise before the first use. */
struct vgg_error {
    enum vgg_status status;
    char text[384];
};

/* The general text of a status ("out of memory"). Never NULL; static storage. */
const char *vgg_status_text(enum vgg_status status);

#if defined(__GNUC__)
#define VGG_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define VGG_PRINTF(text, first)
#endif

/*
 * Record a failure and return its status, so that `return vgg_fail(error, ...)` reads as one step.
 * An error already recorded stays; `error` may be NULL.
 */
enum vgg_status vgg_fail(struct vgg_error *error, enum vgg_status status, const char *format, ...)
    VGG_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif

#endif
