/* The six configurations of the paper's table 1, and nothing else. */
#ifndef VGG_CORE_NN_ARCH_H
#define VGG_CORE_NN_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VGG_STAGES = 5,     /* each ends in a max-pool: a position is 32 pixels apart */
    VGG_STRIDE = 32,    /* pixels of input from one position of the score map to the next */
    VGG_CONVS_MAX = 16, /* configuration E */
    VGG_FCS = 3,        /* fully-connected layers of every configuration */
    VGG_LAYERS_MAX = VGG_CONVS_MAX + VGG_FCS,
    VGG_ARCHS = 6
};

/* A convolution of a configuration. */
struct vgg_arch_conv {
    unsigned stage;  /* 0 .. VGG_STAGES - 1 */
    unsigned kernel; /* 3 or 1 */
    bool lrn;        /* local response normalisation after its ReLU */
    bool pool;       /* last of its stage */
};

struct vgg_arch {
    const char *name; /* "A", "A-LRN", "B", "C", "D", "E" */
    size_t convs_n;
    struct vgg_arch_conv convs[VGG_CONVS_MAX];
};

/* In the order A, A-LRN, B, C, D, E. */
extern const struct vgg_arch vgg_archs[VGG_ARCHS];

/* The configuration called `name`, or NULL. */
const struct vgg_arch *vgg_arch_find(const char *name);

/* Channels of a stage for a first convolution of `width`: 1, 2, 4, 8, 8 times as many. */
uint32_t vgg_arch_stage_width(unsigned stage, uint32_t width);

#endif
