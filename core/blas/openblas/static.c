/*
 * OpenBLAS from its static archive, without the constructor that build.sh takes out: no thread, and
 * no buffer before the first product.
 *
 * OpenBLAS wants a buffer for each product under way and asks for it again and again where there is
 * no memory. So its allocator is replaced by this one: the first buffer is there once it has been
 * started, others are made as threads come, and a thread for which there is none waits for one.
 */
#include "blas/openblas/openblas.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>

#include "blas/gemm.h"

/*
 * BUFFER_SIZE of OpenBLAS, on x86-64 and 64-bit ARM; only what a product needs is ever touched. A
 * page that cannot be touched follows, should another version's be larger.
 */
enum { BUFFER_BYTES = 32 << 22, GUARD_BYTES = VGG_GEMM_BYTES - BUFFER_BYTES };

/* OpenBLAS's own names. */
extern int blas_cpu_number, blas_num_threads, blas_server_avail;
void gotoblas_init(void);
void *blas_memory_alloc(int purpose);
void blas_memory_free(void *buffer);

/* The first bytes of a buffer that is free. */
struct buffer {
    struct buffer *next;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    struct buffer *free;
} buffers = {.mutex = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER};

static struct buffer *map_buffer(void)
{
    char *bytes = mmap(NULL, BUFFER_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (bytes == MAP_FAILED)
        return NULL;
    (void)mprotect(bytes + BUFFER_BYTES, GUARD_BYTES, PROT_NONE);
    return (struct buffer *)(void *)bytes;
}

void *blas_memory_alloc(int purpose)
{
    struct buffer *buffer;

    (void)purpose;
    pthread_mutex_lock(&buffers.mutex);
    while (buffers.free == NULL && (buffers.free = map_buffer()) == NULL)
        pthread_cond_wait(&buffers.freed, &buffers.mutex);
    buffer = buffers.free;
    buffers.free = buffer->next;
    pthread_mutex_unlock(&buffers.mutex);
    return buffer;
}

void blas_memory_free(void *bytes)
{
    struct buffer *buffer = bytes;

    pthread_mutex_lock(&buffers.mutex);
    buffer->next = buffers.free;
    buffers.free = buffer;
    pthread_cond_signal(&buffers.freed);
    pthread_mutex_unlock(&buffers.mutex);
}

bool vgg_openblas_start(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static bool started;
    struct buffer *first;
    bool good;

    pthread_mutex_lock(&mutex);
    if (!started && (first = map_buffer()) != NULL) {
        blas_memory_free(first);
        blas_cpu_number = blas_num_threads = 1;
        blas_server_avail = 1; /* or its threads, none, would be started */
        gotoblas_init();
        started = true;
    }
    good = started;
    pthread_mutex_unlock(&mutex);
    return good;
}
