/* Threads whose stacks are as large as their work wants, whatever `ulimit -s` says. */
#ifndef VGG_CORE_BASE_THREAD_H
#define VGG_CORE_BASE_THREAD_H

#include <pthread.h>

/* As pthread_create; joined with pthread_join. */
int vgg_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
