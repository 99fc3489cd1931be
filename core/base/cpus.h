/* CPU limits of this process; the public entry is vgg_threads_default(). */
#ifndef VGG_CORE_BASE_CPUS_H
#define VGG_CORE_BASE_CPUS_H

/* Threads for a CFS quota (microseconds each period), rounded up; 0 where there is no limit. */
unsigned vgg_quota_cpus(double quota, double period);

#endif
