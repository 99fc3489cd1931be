/*
 * Whose turn it is: a small job does not wait for a large one, which does not starve. No pictures
 * are computed; time is the work done.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "engine/batch.h"
#include "image/image.h"

static struct vgg_model model; /* only its address is looked at */

struct line {
    struct vgg_job *queue;
    uint64_t overtaken_macs;
    uint64_t done_macs;
    uint32_t arrivals;
};

/* A job of passes that cost the same, each of a shape that no other job has. */
struct client {
    struct vgg_job job; /* first */
    struct vgg_views views;
    struct vgg_image images[VGG_SCALES_MAX];
    struct vgg_job_view progress[VGG_SCALES_MAX];
    uint64_t arrived_macs, ahead_macs; /* done, and waiting with it, when it came */
};

static uint64_t left_macs(const struct vgg_job *job)
{
    uint64_t macs = 0;

    for (size_t view = 0; view < job->views_n; view++)
        if (!job->progress[view].begun)
            macs += job->progress[view].macs;
    return macs;
}

static void arrive(struct line *line, struct client *client, size_t passes, uint64_t macs)
{
    struct vgg_job **tail = &line->queue;

    *client = (struct client){.job = {.model = &model,
                                      .views = &client->views,
                                      .views_n = passes,
                                      .progress = client->progress,
                                      .rank = passes * macs},
                              .views = {.scales_n = passes},
                              .arrived_macs = line->done_macs};
    line->arrivals++;
    for (uint32_t i = 0; i < passes; i++) {
        client->images[i] = (struct vgg_image){.info = {"test", i + 1, line->arrivals}};
        client->views.images[i] = &client->images[i];
        client->progress[i].macs = macs;
    }
    for (; *tail != NULL; tail = &(*tail)->next)
        client->ahead_macs += left_macs(*tail);
    client->ahead_macs += passes * macs;
    *tail = &client->job;
}

/* The pass of a job of at most this rank; the client that had it, or NULL. */
static struct client *run_limited(struct line *line, uint64_t rank)
{
    const struct vgg_batch_limits limits = {rank, UINT64_MAX, UINT64_MAX};
    struct vgg_job *lead = vgg_batch_lead(line->queue, &limits, line->overtaken_macs);
    struct vgg_batch batch;

    if (lead == NULL)
        return NULL;
    vgg_batch_gather(&batch, lead, line->queue, &limits, &line->overtaken_macs);
    assert_int_equal(batch.n, 1);
    assert_ptr_equal(batch.items[0].job, lead);
    line->done_macs += lead->progress[batch.items[0].view].macs;
    if (vgg_job_all_begun(lead)) {
        struct vgg_job **link = &line->queue;

        while (*link != lead)
            link = &(*link)->next;
        *link = lead->next;
    }
    return (struct client *)(void *)lead;
}

/* One pass; the client that had it. */
static struct client *run_pass(struct line *line)
{
    return run_limited(line, UINT64_MAX);
}

static void expect_order(struct line *line, size_t n, struct client *const *order)
{
    for (size_t i = 0; i < n; i++)
        assert_ptr_equal(run_pass(line), order[i]);
}

static void equals_go_in_order(void **state)
{
    struct client a, b, c;
    struct line line = {0};

    (void)state;
    arrive(&line, &a, 2, 10);
    arrive(&line, &b, 2, 10);
    arrive(&line, &c, 2, 10);
    expect_order(&line, 6, (struct client *[]){&a, &a, &b, &b, &c, &c});
    assert_null(line.queue);
}

/* Up to twice the work is as good as equal. */
static void comparable_ones_go_in_order(void **state)
{
    struct client a, b, c;
    struct line line = {0};

    (void)state;
    arrive(&line, &a, 2, 10);
    arrive(&line, &b, 1, 10);
    arrive(&line, &c, 1, 15);
    expect_order(&line, 4, (struct client *[]){&a, &a, &b, &c});
    assert_null(line.queue);
}

static void least_work_first(void **state)
{
    struct client a, b, c, d;
    struct line line = {0};

    (void)state;
    arrive(&line, &a, 1, 200);
    arrive(&line, &b, 3, 20);
    arrive(&line, &c, 3, 10);
    arrive(&line, &d, 2, 10);
    expect_order(&line, 9, (struct client *[]){&c, &c, &c, &d, &d, &b, &b, &b, &a});
    assert_null(line.queue);
}

/* Whoever comes during a pass of something large has the next one, however many are left. */
static void small_does_not_wait_for_large(void **state)
{
    struct client large, small;
    struct line line = {0};

    (void)state;
    arrive(&line, &large, 8, 1000);
    for (size_t i = 0; i < 7; i++) {
        assert_ptr_equal(run_pass(&line), &large);
        arrive(&line, &small, 2, 10);
        expect_order(&line, 2, (struct client *[]){&small, &small});
    }
    assert_ptr_equal(run_pass(&line), &large);
    assert_null(line.queue);
}

/* Small jobs without end: after four times the work that its pass takes, the oldest has it. */
static void large_does_not_starve(void **state)
{
    struct client large, small;
    struct line line = {0};

    (void)state;
    arrive(&line, &large, 4, 30);
    arrive(&line, &small, 1, 10);
    for (size_t pass = 0; pass < 4; pass++) {
        for (size_t i = 0; i < 3 * VGG_BATCH_PAST; i++) {
            assert_ptr_equal(run_pass(&line), &small);
            arrive(&line, &small, 1, 10);
        }
        assert_ptr_equal(run_pass(&line), &large);
    }
    assert_ptr_equal(run_pass(&line), &small);
    assert_null(line.queue);
}

/* ---------------------------------------------------------------- any crowd ------------------ */

enum { CLIENTS = 1000, WAITING = 40, PASS_MAX = 1000, TOO_MANY = 3 };

static uint64_t random_below(uint64_t *state, uint64_t n)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % n;
}

/* A place for the next client: one whose job has left. */
static struct client *free_place(struct client *places)
{
    size_t i = 0;

    while (i < WAITING && places[i].job.views_n != 0)
        i++;
    return i < WAITING ? &places[i] : NULL;
}

struct crowd {
    struct line line;
    struct client places[WAITING];
    uint64_t seed, small_share; /* of 100 */
    size_t arrived;
};

/* Somebody comes, if there is a place: faster than they are served, until all are taken. */
static bool come(struct crowd *crowd)
{
    struct client *place = crowd->arrived < CLIENTS ? free_place(crowd->places) : NULL;
    bool small;

    if (place == NULL || (crowd->line.queue != NULL && random_below(&crowd->seed, 3) == 0))
        return false;
    small = random_below(&crowd->seed, 100) < crowd->small_share;
    arrive(&crowd->line, place, 1 + random_below(&crowd->seed, VGG_SCALES_MAX),
           1 + random_below(&crowd->seed, small ? 20 : PASS_MAX));
    crowd->arrived++;
    return true;
}

/*
 * Every job ends within five times the work up to it and four times its last pass, and the passes
 * that were one too many: that under way when it came, one past it, one between its last layers.
 */
static void leave(const struct line *line, struct client *client)
{
    const struct vgg_job *job = &client->job;

    if (!vgg_job_all_begun(job))
        return;
    assert_true(line->done_macs - client->arrived_macs <=
                (1 + VGG_BATCH_PAST) * client->ahead_macs +
                    VGG_BATCH_PAST * job->progress[job->views_n - 1].macs + TOO_MANY * PASS_MAX);
    client->job.views_n = 0;
}

/* What comes during a pass, and has its own between two layers of it. */
static void run_between(struct crowd *crowd, const struct client *around, uint64_t macs)
{
    uint64_t rank = around->job.rank, begin = crowd->line.done_macs;
    struct client *had;

    do {
        while (come(crowd))
            ;
        had = (crowd->line.done_macs - begin) / VGG_BATCH_PAST < macs
                  ? run_limited(&crowd->line, rank / 2)
                  : NULL;
        assert_ptr_not_equal(had, around);
        if (had != NULL)
            leave(&crowd->line, had);
    } while (had != NULL);
}

static void run_crowd(uint64_t seed, uint64_t small_share)
{
    static struct crowd crowd;

    crowd = (struct crowd){.seed = seed, .small_share = small_share};
    while (crowd.arrived < CLIENTS || crowd.line.queue != NULL) {
        uint64_t begin = crowd.line.done_macs;
        struct client *had;

        if (come(&crowd))
            continue;
        had = run_pass(&crowd.line);
        run_between(&crowd, had, crowd.line.done_macs - begin);
        assert_true(crowd.line.overtaken_macs <= (1 + 2 * VGG_BATCH_PAST) * PASS_MAX);
        leave(&crowd.line, had);
    }
}

static void nobody_waits_beyond_the_work_ahead(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++)
        for (uint64_t share = 0; share <= 100; share += 25)
            run_crowd(seed, share);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_go_in_order),
        cmocka_unit_test(comparable_ones_go_in_order),
        cmocka_unit_test(least_work_first),
        cmocka_unit_test(small_does_not_wait_for_large),
        cmocka_unit_test(large_does_not_starve),
        cmocka_unit_test(nobody_waits_beyond_the_work_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
