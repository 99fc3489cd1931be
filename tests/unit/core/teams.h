/* Pools of 1 to THREADS_MAX threads, for what must not depend on them. */
#ifndef VGG_TESTS_CORE_TEAMS_H
#define VGG_TESTS_CORE_TEAMS_H

#include "base/team.h"
#include "blas/gemm.h"

enum { THREADS_MAX = 3 };

static struct vgg_team *teams[THREADS_MAX + 1]; /* by the number of threads */

/* cmocka's group fixtures. */
static inline int pools_start(void **state)
{
    (void)state;
    if (!vgg_gemm_start())
        return 1;
    for (unsigned threads = 1; threads <= THREADS_MAX; threads++)
        if (vgg_team_create(threads, &teams[threads], NULL) != VGG_OK)
            return 1;
    return 0;
}

static inline int pools_stop(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= THREADS_MAX; threads++)
        vgg_team_destroy(teams[threads]);
    return 0;
}

#endif
