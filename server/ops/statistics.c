/* Statistics of the model that serves: sums under a mutex. */
#include "ops/statistics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "process/clock.h"
#include "text/text.h"

/* X(name): stages of a request that succeeds; all but the first are those of its batch too. */
#define STAGES(X) X(queue) X(compute_input) X(compute_infer) X(compute_output)

#define STAGE_ENUM(name) STAGE_##name,
#define STAGE_NAME(name) #name,
enum { STAGES(STAGE_ENUM) STAGES_N };
static const char *const stage_names[] = {STAGES(STAGE_NAME)};

/* Of one kind. */
struct duration {
    uint64_t count, ns;
};

/* Requests of one number of pictures. */
struct batch {
    uint64_t count, ns[STAGES_N];
};

struct counts {
    uint64_t last_ms; /* Unix time of the last request; 0: none */
    uint64_t pictures;
    struct duration success, fail;
};

struct statistics {
    pthread_mutex_t mutex;
    uint64_t model;
    struct counts counts;
    size_t batch_max;
    struct batch batches[]; /* [i]: of i + 1 pictures */
};

struct statistics *statistics_create(size_t batch_max, uint64_t model)
{
    struct statistics *statistics =
        calloc(1, sizeof *statistics + batch_max * sizeof *statistics->batches);

    if (statistics == NULL)
        return NULL;
    pthread_mutex_init(&statistics->mutex, NULL);
    statistics->model = model;
    statistics->batch_max = batch_max;
    return statistics;
}

void statistics_destroy(struct statistics *statistics)
{
    if (statistics == NULL)
        return;
    pthread_mutex_destroy(&statistics->mutex);
    free(statistics);
}

void statistics_restart(struct statistics *statistics, uint64_t model)
{
    pthread_mutex_lock(&statistics->mutex);
    statistics->model = model;
    statistics->counts = (struct counts){0};
    memset(statistics->batches, 0, statistics->batch_max * sizeof *statistics->batches);
    pthread_mutex_unlock(&statistics->mutex);
}

/* ---------------------------------------------------------------- counting ------------------- */

static uint64_t unix_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

static void add_batch(struct batch *batch, const struct statistics_sample *sample)
{
    batch->count++;
    batch->ns[STAGE_queue] += sample->queue_ns;
    batch->ns[STAGE_compute_input] += sample->input_ns;
    batch->ns[STAGE_compute_infer] += sample->infer_ns;
    batch->ns[STAGE_compute_output] += sample->output_ns;
}

void statistics_count(struct statistics *statistics, const struct statistics_sample *sample)
{
    struct counts *counts = &statistics->counts;
    struct duration *end = sample->pictures != 0 ? &counts->success : &counts->fail;

    pthread_mutex_lock(&statistics->mutex);
    if (sample->model == statistics->model) {
        counts->last_ms = unix_ms();
        counts->pictures += sample->pictures;
        end->count++;
        end->ns += sample->total_ns;
        if (sample->pictures != 0 && sample->pictures <= statistics->batch_max)
            add_batch(&statistics->batches[sample->pictures - 1], sample);
    }
    pthread_mutex_unlock(&statistics->mutex);
}

/* ---------------------------------------------------------------- telling -------------------- */

/* A member after others. */
static void print_duration(struct text *text, const char *name, uint64_t count, uint64_t ns)
{
    text_print(text, ",\"%s\":{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 "}", name, count, ns);
}

static void print_inference(struct text *text, const struct statistics *statistics)
{
    const struct counts *counts = &statistics->counts;
    struct batch sum = {0};

    for (size_t i = 0; i < statistics->batch_max; i++) {
        sum.count += statistics->batches[i].count;
        for (size_t stage = 0; stage < STAGES_N; stage++)
            sum.ns[stage] += statistics->batches[i].ns[stage];
    }
    text_print(text, "\"inference_stats\":{\"success\":{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 "}",
               counts->success.count, counts->success.ns);
    print_duration(text, "fail", counts->fail.count, counts->fail.ns);
    for (size_t stage = 0; stage < STAGES_N; stage++)
        print_duration(text, stage_names[stage], sum.count, sum.ns[stage]);
    /* There is no cache. */
    print_duration(text, "cache_hit", 0, 0);
    print_duration(text, "cache_miss", 0, 0);
    text_print(text, "}");
}

static void print_batches(struct text *text, const struct statistics *statistics)
{
    const char *separator = "";

    text_print(text, "\"batch_stats\":[");
    for (size_t i = 0; i < statistics->batch_max; i++) {
        const struct batch *batch = &statistics->batches[i];

        if (batch->count == 0)
            continue;
        text_print(text, "%s{\"batch_size\":%zu", separator, i + 1);
        for (size_t stage = STAGE_compute_input; stage < STAGES_N; stage++)
            print_duration(text, stage_names[stage], batch->count, batch->ns[stage]);
        text_print(text, "}");
        separator = ",";
    }
    text_print(text, "]");
}

char *statistics_json(struct statistics *statistics, const char *name, const char *version,
                      size_t *size)
{
    struct text text = {0};

    text_print(&text, "{\"model_stats\":[{\"name\":");
    text_json(&text, name);
    pthread_mutex_lock(&statistics->mutex);
    text_print(&text,
               ",\"version\":\"%s\",\"last_inference\":%" PRIu64 ",\"inference_count\":%" PRIu64
               ",\"execution_count\":%" PRIu64 ",",
               version, statistics->counts.last_ms, statistics->counts.pictures,
               statistics->counts.success.count);
    print_inference(&text, statistics);
    text_print(&text, ",");
    print_batches(&text, statistics);
    pthread_mutex_unlock(&statistics->mutex);
    text_print(&text, "}]}\n");
    return text_take(&text, size);
}
