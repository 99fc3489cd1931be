/* The tables of kernels that can train here: those that have gradients, and the generic one. */
#ifndef VGG_TESTS_CORE_TRAIN_TABLES_H
#define VGG_TESTS_CORE_TRAIN_TABLES_H

#include "kernels/kernels.h"

static const struct vgg_kernels *tables[VGG_KERNELS_MAX + 1];
static size_t tables_n;

static inline void tables_list(void)
{
    size_t runnable = vgg_kernels_runnable(VGG_PRECISION_F32, tables);

    for (size_t i = 0; i < runnable; i++)
        if (tables[i]->gradients != NULL)
            tables[tables_n++] = tables[i];
    tables[tables_n++] = &vgg_kernels_generic;
}

#endif
