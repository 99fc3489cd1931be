/*
 * Load and malice, and what a server must make of them. The long versions run in check-long, short
 * ones with the other tests. Statuses and counts are asserted, milliseconds reported.
 */
#ifndef VGG_TESTS_CHAOS_H
#define VGG_TESTS_CHAOS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ten times what the server can do, for so many seconds. */
void chaos_overload(unsigned seconds);

/*
 * Slow senders, clients that never read, panoramas, progressive bombs and disconnects beside an
 * ordinary client, until `requests` were sent in all.
 */
void chaos_mix(unsigned requests);

/*
 * Four at once of the worst picture of each format, or of every bomb, of about side x side pixels:
 * each is answered within 5 s, and so is an ordinary client beside them.
 */
void chaos_bombs(uint32_t side, bool all);

/* ---------------------------------------------------------------- times ---------------------- */

/* Milliseconds of some kind of request; any thread may add. Zero-initialise but the mutex. */
struct times {
    pthread_mutex_t mutex;
    double *ms;
    size_t n, capacity;
};

double chaos_now_ms(void);
void times_init(struct times *times);
void times_fini(struct times *times);
void times_add(struct times *times, double ms);

/* The p-th percentile; 0 where there is none. */
double times_percentile(struct times *times, double p);
void times_print(struct times *times, const char *name);

/* ---------------------------------------------------------------- threads -------------------- */

struct threads {
    pthread_t items[300];
    size_t n;
};

void threads_start(struct threads *threads, size_t n, void *(*run)(void *), void *context);
void threads_join(struct threads *threads);

#endif
