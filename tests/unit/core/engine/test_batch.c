/* Which views share the next pass: one shape, one model, in order, within the limits. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "engine/batch.h"
#include "image/image.h"

enum { JOBS_MAX = 24 };

static struct vgg_model models[2]; /* only their addresses are looked at */

struct queue {
    struct vgg_job jobs[JOBS_MAX];
    struct vgg_views views[JOBS_MAX];
    struct vgg_image images[JOBS_MAX][VGG_SCALES_MAX];
    struct vgg_job_view progress[JOBS_MAX][2 * VGG_SCALES_MAX];
    size_t n;
};

/* Append a job whose views have these widths; all are 10 pixels high. */
static struct vgg_job *add(struct queue *queue, struct vgg_model *model, bool flip,
                           const uint32_t *widths)
{
    struct vgg_job *job = &queue->jobs[queue->n];
    struct vgg_views *views = &queue->views[queue->n];

    assert_true(queue->n < JOBS_MAX);
    *views = (struct vgg_views){.flip = flip};
    for (; widths[views->scales_n] != 0; views->scales_n++) {
        struct vgg_image *image = &queue->images[queue->n][views->scales_n];

        *image = (struct vgg_image){.info = {"test", widths[views->scales_n], 10}};
        views->images[views->scales_n] = image;
    }
    *job = (struct vgg_job){.model = model,
                            .views = views,
                            .views_n = vgg_views_count(views),
                            .progress = queue->progress[queue->n]};
    if (queue->n > 0)
        queue->jobs[queue->n - 1].next = job;
    queue->n++;
    return job;
}

/* Led by the oldest. */
static void gather(struct vgg_batch *batch, struct vgg_job *first, uint64_t pixels_max)
{
    const struct vgg_batch_limits limits = {UINT64_MAX, pixels_max, pixels_max};
    uint64_t overtaken_macs = 0;

    vgg_batch_gather(batch, first, first, &limits, &overtaken_macs);
}

static const uint32_t one[] = {20, 0}, two[] = {20, 30, 0}, turned[] = {30, 20, 0};

/* The batch holds just these (job, view) pairs, in order. */
static void check(const struct queue *queue, const struct vgg_batch *batch, size_t n,
                  const size_t pairs[][2])
{
    assert_int_equal(batch->n, n);
    assert_int_equal(batch->shape.n, n);
    assert_int_equal(batch->shape.c, 3);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(batch->items[i].job, &queue->jobs[pairs[i][0]]);
        assert_int_equal(batch->items[i].view, pairs[i][1]);
    }
}

static void a_lone_view(void **state)
{
    struct queue queue = {.n = 0};
    struct vgg_batch batch;
    struct vgg_job *job = add(&queue, &models[0], false, one);

    (void)state;
    assert_false(vgg_job_all_begun(job));
    gather(&batch, job, 1000);
    check(&queue, &batch, 1, (const size_t[][2]){{0, 0}});
    assert_int_equal(batch.shape.h, 10);
    assert_int_equal(batch.shape.w, 20);
    assert_ptr_equal(batch.model, &models[0]);
    assert_int_equal(job->begun, 1);
    assert_true(vgg_job_all_begun(job));
}

static void an_image_and_its_mirror(void **state)
{
    struct queue queue = {.n = 0};
    struct vgg_batch batch;
    struct vgg_job *job = add(&queue, &models[0], true, two);

    (void)state;
    gather(&batch, job, 1000);
    check(&queue, &batch, 2, (const size_t[][2]){{0, 0}, {0, 1}});
    assert_int_equal(batch.shape.w, 20);
    assert_false(vgg_job_all_begun(job));
    gather(&batch, job, 1000);
    check(&queue, &batch, 2, (const size_t[][2]){{0, 2}, {0, 3}});
    assert_int_equal(batch.shape.w, 30);
    assert_true(vgg_job_all_begun(job));
}

/* Views of the first one's shape from all jobs, whatever their place in them. */
static void the_same_shape_of_other_jobs(void **state)
{
    struct queue queue = {.n = 0};
    struct vgg_batch batch;

    (void)state;
    add(&queue, &models[0], false, two);
    add(&queue, &models[0], true, turned);
    add(&queue, &models[0], false, one);
    gather(&batch, queue.jobs, 100000);
    check(&queue, &batch, 4, (const size_t[][2]){{0, 0}, {1, 2}, {1, 3}, {2, 0}});
    assert_true(vgg_job_all_begun(&queue.jobs[2]));
    assert_false(vgg_job_all_begun(&queue.jobs[0]));
    assert_false(vgg_job_all_begun(&queue.jobs[1]));
    gather(&batch, queue.jobs, 100000);
    check(&queue, &batch, 3, (const size_t[][2]){{0, 1}, {1, 0}, {1, 1}});
    assert_int_equal(batch.shape.w, 30);
    for (size_t i = 0; i < 3; i++)
        assert_true(vgg_job_all_begun(&queue.jobs[i]));
}

static void models_do_not_mix(void **state)
{
    struct queue queue = {.n = 0};
    struct vgg_batch batch;

    (void)state;
    add(&queue, &models[1], false, one);
    add(&queue, &models[0], false, one);
    add(&queue, &models[1], false, one);
    gather(&batch, queue.jobs, 100000);
    check(&queue, &batch, 2, (const size_t[][2]){{0, 0}, {2, 0}});
    assert_ptr_equal(batch.model, &models[1]);
    assert_int_equal(queue.jobs[1].begun, 0);
}

/* 200 pixels a view: as many as fit. */
static void pixels_are_limited(void **state)
{
    static const struct {
        uint64_t pixels_max;
        size_t n;
    } cases[] = {{200, 1}, {399, 1}, {400, 2}, {1000, 5}, {1199, 5}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct queue queue = {.n = 0};
        struct vgg_batch batch;

        for (size_t job = 0; job < 6; job++)
            add(&queue, &models[0], false, one);
        gather(&batch, queue.jobs, cases[i].pixels_max);
        check(&queue, &batch, cases[i].n,
              (const size_t[][2]){{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}});
        for (size_t job = 0; job < 6; job++)
            assert_int_equal(queue.jobs[job].begun, job < cases[i].n);
    }
}

static void views_are_limited(void **state)
{
    struct queue queue = {.n = 0};
    struct vgg_batch batch;
    size_t taken = 0, passes = 0;

    (void)state;
    for (size_t job = 0; job < JOBS_MAX; job++)
        add(&queue, &models[0], true, one);
    for (struct vgg_job *first = queue.jobs; first != NULL; passes++) {
        gather(&batch, first, UINT64_MAX);
        assert_in_range(batch.n, 1, VGG_BATCH_VIEWS_MAX);
        for (size_t i = 0; i < batch.n; i++, taken++) {
            assert_ptr_equal(batch.items[i].job, &queue.jobs[taken / 2]);
            assert_int_equal(batch.items[i].view, taken % 2);
        }
        while (first != NULL && vgg_job_all_begun(first))
            first = first->next;
    }
    assert_int_equal(taken, 2 * JOBS_MAX);
    assert_int_equal(passes, 2 * JOBS_MAX / VGG_BATCH_VIEWS_MAX);
}

/* The most scales, with mirrors. */
static void the_largest_job(void **state)
{
    static const uint32_t widths[] = {11, 12, 13, 14, 15, 16, 17, 18, 0};
    struct queue queue = {.n = 0};
    struct vgg_job *job = add(&queue, &models[0], true, widths);
    struct vgg_batch batch;

    (void)state;
    for (size_t pass = 0; pass < 8; pass++) {
        assert_false(vgg_job_all_begun(job));
        gather(&batch, job, 100000);
        check(&queue, &batch, 2, (const size_t[][2]){{0, 2 * pass}, {0, 2 * pass + 1}});
    }
    assert_true(vgg_job_all_begun(job));
}

/* The job whose turn it is leads its batch; the others of its shape follow in their order. */
static void a_later_job_leads(void **state)
{
    struct queue queue = {.n = 0};
    const struct vgg_batch_limits limits = {UINT64_MAX, 1500, 1500};
    uint64_t overtaken_macs = 0;
    struct vgg_batch batch;

    (void)state;
    add(&queue, &models[0], true, two);
    add(&queue, &models[0], true, turned);
    add(&queue, &models[0], true, turned);
    vgg_batch_gather(&batch, &queue.jobs[1], queue.jobs, &limits, &overtaken_macs);
    check(&queue, &batch, 5, (const size_t[][2]){{1, 0}, {1, 1}, {0, 2}, {0, 3}, {2, 0}});
    assert_int_equal(batch.shape.w, 30);
}

/* Jobs over the limit neither lead nor join. */
static void ranks_are_limited(void **state)
{
    static const uint64_t ranks[] = {19, 5, 6, 4, 5};
    const struct vgg_batch_limits limits = {5, 1000, 1000}, none = {3, 1000, 1000};
    struct queue queue = {.n = 0};
    uint64_t overtaken_macs = 0;
    struct vgg_batch batch;

    (void)state;
    for (size_t job = 0; job < 5; job++)
        add(&queue, &models[0], false, one)->rank = ranks[job];
    queue.progress[0][0].macs = queue.progress[2][0].macs = 1; /* the oldest is not due */
    assert_null(vgg_batch_lead(queue.jobs, &none, 0));
    assert_ptr_equal(vgg_batch_lead(queue.jobs, &limits, 0), &queue.jobs[1]);
    /* Not the one of 6, which would be as good as the one of 4. */
    assert_ptr_equal(vgg_batch_lead(&queue.jobs[2], &limits, 0), &queue.jobs[3]);
    vgg_batch_gather(&batch, &queue.jobs[1], queue.jobs, &limits, &overtaken_macs);
    check(&queue, &batch, 3, (const size_t[][2]){{1, 0}, {3, 0}, {4, 0}});
    assert_int_equal(queue.jobs[0].begun + queue.jobs[2].begun, 0);
}

/* The next view counts, not the largest one. */
static void a_leads_pixels_are_limited(void **state)
{
    const struct vgg_batch_limits all = {UINT64_MAX, 300, 1000}, small = {UINT64_MAX, 299, 1000};
    struct queue queue = {.n = 0};
    uint64_t overtaken_macs = 0;
    struct vgg_batch batch;

    (void)state;
    add(&queue, &models[0], false, two);
    assert_ptr_equal(vgg_batch_lead(queue.jobs, &small, 0), queue.jobs);
    vgg_batch_gather(&batch, queue.jobs, queue.jobs, &small, &overtaken_macs);
    assert_null(vgg_batch_lead(queue.jobs, &small, 0));
    assert_ptr_equal(vgg_batch_lead(queue.jobs, &all, 0), queue.jobs);
    assert_null(vgg_batch_lead(NULL, &all, 0));
}

/* Of an image and its mirror only one fits a pass: the oldest is due once for each, not for both.
 */
static void the_next_pass_is_what_fits(void **state)
{
    const struct vgg_batch_limits limits = {UINT64_MAX, 300, 300};
    struct queue queue = {.n = 0};
    struct vgg_job *large = add(&queue, &models[0], true, one), *small;
    struct vgg_batch batch;
    uint64_t overtaken_macs = VGG_BATCH_PAST * 10;

    (void)state;
    small = add(&queue, &models[0], false, turned);
    large->rank = 20;
    small->rank = 1;
    large->progress[0].macs = large->progress[1].macs = 10;
    assert_ptr_equal(vgg_batch_lead(queue.jobs, &limits, overtaken_macs - 1), small);
    assert_ptr_equal(vgg_batch_lead(queue.jobs, &limits, overtaken_macs), large);
    vgg_batch_gather(&batch, large, queue.jobs, &limits, &overtaken_macs);
    check(&queue, &batch, 1, (const size_t[][2]){{0, 0}});
    assert_int_equal(overtaken_macs, 0);
    assert_ptr_equal(vgg_batch_lead(queue.jobs, &limits, overtaken_macs), small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_view),
        cmocka_unit_test(an_image_and_its_mirror),
        cmocka_unit_test(the_same_shape_of_other_jobs),
        cmocka_unit_test(models_do_not_mix),
        cmocka_unit_test(pixels_are_limited),
        cmocka_unit_test(views_are_limited),
        cmocka_unit_test(the_largest_job),
        cmocka_unit_test(a_later_job_leads),
        cmocka_unit_test(ranks_are_limited),
        cmocka_unit_test(a_leads_pixels_are_limited),
        cmocka_unit_test(the_next_pass_is_what_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
