/* A bound on something that several threads use at a time, such as decoded pixels. */
#ifndef BUDGET_H
#define BUDGET_H

#include <pthread.h>
#include <stdint.h>

struct budget {
    pthread_mutex_t mutex;
    pthread_cond_t given;
    uint64_t used, max;
};

void budget_init(struct budget *budget, uint64_t max);
void budget_fini(struct budget *budget);

/* Wait until `amount` fits, or nothing else is in use. */
void budget_take(struct budget *budget, uint64_t amount);
void budget_give(struct budget *budget, uint64_t amount);

/* What is in use. */
uint64_t budget_used(struct budget *budget);

#endif
