/* The start of OpenBLAS, which gemm.c calls; static.c or shared.c is linked into gemm.o. */
#ifndef VGG_CORE_BLAS_OPENBLAS_OPENBLAS_H
#define VGG_CORE_BLAS_OPENBLAS_OPENBLAS_H

#include <stdbool.h>

/*
 * Ready for products by any number of threads, of which each computes its own. The first call
 * starts it; false: there is no memory for its first buffer, and another call tries again.
 */
bool vgg_openblas_start(void);

#endif
