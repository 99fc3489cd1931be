/* Budgets. */
#include "work/budget.h"

void budget_init(struct budget *budget, uint64_t max)
{
    pthread_mutex_init(&budget->mutex, NULL);
    pthread_cond_init(&budget->given, NULL);
    budget->used = 0;
    budget->max = max;
}

void budget_fini(struct budget *budget)
{
    pthread_cond_destroy(&budget->given);
    pthread_mutex_destroy(&budget->mutex);
}

void budget_take(struct budget *budget, uint64_t amount)
{
    pthread_mutex_lock(&budget->mutex);
    while (budget->used != 0 && budget->used + amount > budget->max)
        pthread_cond_wait(&budget->given, &budget->mutex);
    budget->used += amount;
    pthread_mutex_unlock(&budget->mutex);
}

void budget_give(struct budget *budget, uint64_t amount)
{
    pthread_mutex_lock(&budget->mutex);
    budget->used -= amount;
    pthread_cond_broadcast(&budget->given);
    pthread_mutex_unlock(&budget->mutex);
}

uint64_t budget_used(struct budget *budget)
{
    uint64_t used;

    pthread_mutex_lock(&budget->mutex);
    used = budget->used;
    pthread_mutex_unlock(&budget->mutex);
    return used;
}
