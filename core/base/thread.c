/* Starting threads. */
#include "base/thread.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STACK_BYTES = 4 << 20 }; /* with what is kept around each variable */
#else
enum { STACK_BYTES = 1 << 20 }; /* twenty times what packing weights takes */
#endif

int vgg_thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);

    if (code != 0)
        return code;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    code = pthread_create(thread, &attributes, run, argument);
    pthread_attr_destroy(&attributes);
    return code;
}
