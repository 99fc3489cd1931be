/*
 * Rows of options that several commands have, {ROW_MODEL(offset)}: name, bounds, default and help
 * of each stand here alone. `field` is the offset in the command's own options; `meaning` is the
 * help, or the beginning of it, where commands mean different things.
 */
#ifndef OPTION_ROWS_H
#define OPTION_ROWS_H

#include "process/option_value.h"

/* The model and the engine. */
#define ROW_MODEL(field)                                                                           \
    "model", "FILE", OPTION_STRING, field, 0, 0, NULL, "model (safetensors) [the embedded one]"

/* In the order of enum vgg_precision. */
#define ROW_PRECISION(field)                                                                       \
    "precision", "f32|i8|auto", OPTION_CHOICE, field, 0, 0, "f32",                                 \
        "how weights and products are held: i8 is 8 bits, faster and in a third of the memory, "   \
        "where the CPU has the instructions; auto is i8 there and f32 elsewhere"

#define ROW_FC_WEIGHTS(field)                                                                      \
    "fc-weights", "f32|f16", OPTION_WEIGHTS, field, 0, 0, "f32",                                   \
        "how FC weights are held with --precision f32, which replaces it; f16 takes half the "     \
        "memory and refuses weights over 65504"

#define ROW_THREADS(field, meaning)                                                                \
    "threads", "N", OPTION_COUNT, field, 1, 1024, NULL,                                            \
        meaning " [the CPUs that control group and affinity mask allow]"

/* What is asked of a picture. */
#define ROW_SCALES(field, meaning)                                                                 \
    "scales", "LIST", OPTION_SCALES, field, 0, 0, NULL, meaning " [the model's, else 256,384,512]"

#define ROW_FLIP(field)                                                                            \
    "flip", "on|off", OPTION_SWITCH, field, 0, 0, "on", "evaluate mirror images too"

#define ROW_TOP_K(field, meaning) "top-k", "N", OPTION_COUNT, field, 1, UINT32_MAX, "5", meaning

/* How large it may be. */
#define ROW_MAX_BODY(field, meaning)                                                               \
    "max-body", "SIZE", OPTION_SIZE, field, 1, UINT32_MAX, "16MiB", meaning

#define ROW_MAX_PIXELS(field)                                                                      \
    "max-pixels", "N", OPTION_SIZE, field, 1, UINT32_MAX, "64M",                                   \
        "pixels of a picture, checked before anything is allocated"

#define ROW_MAX_VIEW_PIXELS(field)                                                                 \
    "max-view-pixels", "N", OPTION_SIZE, field, 1, 1 << 28, "1M",                                  \
        "pixels of a rescaled picture; working memory is sized by it"

/* The server. */
#define ROW_LISTEN(field, meaning)                                                                 \
    "listen", "ADDR:PORT", OPTION_STRING, field, 0, 0, "0.0.0.0:8080", meaning

/* A new network. */
#define ROW_ARCH(field) "arch", "ARCH", OPTION_STRING, field, 0, 0, "D", "A, A-LRN, B, C, D or E"

#define ROW_WIDTH(field)                                                                           \
    "width", "N", OPTION_COUNT, field, 1, 1 << 16, "64", "channels of the first layer"

#define ROW_FC(field)                                                                              \
    "fc", "N", OPTION_COUNT, field, 1, 1 << 16, "4096", "units of the hidden FC layers"

#define ROW_CROP(field)                                                                            \
    "crop", "PIXELS", OPTION_COUNT, field, 32, VGG_SCALE_MAX, "224",                               \
        "side of a training crop, a multiple of 32"

#endif
