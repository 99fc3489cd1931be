/* Table 1 of the paper. Every convolution is 3x3, stride 1, pad 1, but for those of C marked 1. */
#include "nn/arch.h"

#include <string.h>

/* clang-format off */
#define CONV(stage)      {stage, 3, false, false}
#define CONV_POOL(stage) {stage, 3, false, true}
#define ONE_POOL(stage)  {stage, 1, false, true}
#define LRN_POOL(stage)  {stage, 3, true, true}

const struct vgg_arch vgg_archs[VGG_ARCHS] = {
    {"A", 8, {CONV_POOL(0),
              CONV_POOL(1),
              CONV(2), CONV_POOL(2),
              CONV(3), CONV_POOL(3),
              CONV(4), CONV_POOL(4)}},
    {"A-LRN", 8, {LRN_POOL(0),
                  CONV_POOL(1),
                  CONV(2), CONV_POOL(2),
                  CONV(3), CONV_POOL(3),
                  CONV(4), CONV_POOL(4)}},
    {"B", 10, {CONV(0), CONV_POOL(0),
               CONV(1), CONV_POOL(1),
               CONV(2), CONV_POOL(2),
               CONV(3), CONV_POOL(3),
               CONV(4), CONV_POOL(4)}},
    {"C", 13, {CONV(0), CONV_POOL(0),
               CONV(1), CONV_POOL(1),
               CONV(2), CONV(2), ONE_POOL(2),
               CONV(3), CONV(3), ONE_POOL(3),
               CONV(4), CONV(4), ONE_POOL(4)}},
    {"D", 13, {CONV(0), CONV_POOL(0),
               CONV(1), CONV_POOL(1),
               CONV(2), CONV(2), CONV_POOL(2),
               CONV(3), CONV(3), CONV_POOL(3),
               CONV(4), CONV(4), CONV_POOL(4)}},
    {"E", 16, {CONV(0), CONV_POOL(0),
               CONV(1), CONV_POOL(1),
               CONV(2), CONV(2), CONV(2), CONV_POOL(2),
               CONV(3), CONV(3), CONV(3), CONV_POOL(3),
               CONV(4), CONV(4), CONV(4), CONV_POOL(4)}},
};
/* clang-format on */

const struct vgg_arch *vgg_arch_find(const char *name)
{
    for (size_t i = 0; i < VGG_ARCHS; i++)
        if (strcmp(vgg_archs[i].name, name) == 0)
            return &vgg_archs[i];
    return NULL;
}

uint32_t vgg_arch_stage_width(unsigned stage, uint32_t width)
{
    return width << (stage < 3 ? stage : 3);
}
