/*
 * OpenBLAS where there is no static archive of it: the shared library has started its threads
 * before main, and has its buffer. They stay idle; OPENBLAS_NUM_THREADS=1 in the environment spares
 * them.
 */
#include "blas/openblas/openblas.h"

void openblas_set_num_threads(int threads); /* only gemm.c includes its header */

bool vgg_openblas_start(void)
{
    openblas_set_num_threads(1);
    return true;
}
