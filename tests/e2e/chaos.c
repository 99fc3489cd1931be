/* Times and threads of the chaos programs. */
#include "chaos.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"

double chaos_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void times_init(struct times *times)
{
    *times = (struct times){.n = 0};
    pthread_mutex_init(&times->mutex, NULL);
}

void times_fini(struct times *times)
{
    pthread_mutex_destroy(&times->mutex);
    free(times->ms);
}

void times_add(struct times *times, double ms)
{
    pthread_mutex_lock(&times->mutex);
    if (times->n == times->capacity) {
        times->capacity = times->capacity != 0 ? 2 * times->capacity : 1024;
        times->ms = realloc(times->ms, times->capacity * sizeof *times->ms);
        if (times->ms == NULL)
            abort();
    }
    times->ms[times->n++] = ms;
    pthread_mutex_unlock(&times->mutex);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

double times_percentile(struct times *times, double p)
{
    double ms = 0;

    pthread_mutex_lock(&times->mutex);
    if (times->n != 0) {
        qsort(times->ms, times->n, sizeof *times->ms, compare);
        ms = times->ms[(size_t)(p / 100 * (double)(times->n - 1))];
    }
    pthread_mutex_unlock(&times->mutex);
    return ms;
}

void times_print(struct times *times, const char *name)
{
    printf("measured: %-28s %7zu  p50 %8.1f  p95 %8.1f  p99 %8.1f  max %8.1f ms\n", name, times->n,
           times_percentile(times, 50), times_percentile(times, 95), times_percentile(times, 99),
           times_percentile(times, 100));
}

void threads_start(struct threads *threads, size_t n, void *(*run)(void *), void *context)
{
    assert_true(threads->n + n <= COUNT_OF(threads->items));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads->items[threads->n++], NULL, run, context), 0);
}

void threads_join(struct threads *threads)
{
    for (size_t i = 0; i < threads->n; i++)
        pthread_join(threads->items[i], NULL);
    threads->n = 0;
}
