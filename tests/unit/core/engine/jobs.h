/* One engine for all tests of a program, and jobs on it. */
#ifndef VGG_TESTS_CORE_ENGINE_JOBS_H
#define VGG_TESTS_CORE_ENGINE_JOBS_H

#include "core/engine/evaluate.h"
#include "fault.h"

static struct vgg_engine *engine;

/* cmocka's group fixtures. */
static inline int engine_start(void **state)
{
    (void)state;
    engine = make_engine(&(struct vgg_engine_options){.threads = 2});
    return 0;
}

static inline int engine_stop(void **state)
{
    (void)state;
    vgg_engine_destroy(engine);
    return 0;
}

static inline struct vgg_job *submit(struct vgg_model *model, struct vgg_views *views,
                                     const struct vgg_job_options *options)
{
    struct vgg_job *job = NULL;

    assert_int_equal(vgg_engine_submit(engine, model, views, options, &job, NULL), VGG_OK);
    return job;
}

static inline struct vgg_job *evaluate(struct vgg_model *model, struct vgg_views *views,
                                       const struct vgg_job_options *options)
{
    struct vgg_job *job = submit(model, views, options);

    assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
    return job;
}

/* Fail each allocation of a submission in turn, of which there must be so many; it leaves nothing.
 */
static inline void check_out_of_memory(const struct vgg_job_options *options,
                                       unsigned long allocations)
{
    const struct vgg_request request = {.scales = {64}, .scales_n = 1, .flip = true};
    struct vgg_model *model = make_model(&(struct maker_spec){.classes = 7});
    struct vgg_views *views = make_views(80, 60, 1, &request);
    struct vgg_job *job = NULL;
    unsigned long failures = 0;

    for (unsigned long n = 1; job == NULL; n++, failures++) {
        long before = fault_outstanding();
        enum vgg_status status;

        fault_arm(n);
        status = vgg_engine_submit(engine, model, views, options, &job, NULL);
        if (!fault_disarm()) {
            assert_int_equal(status, VGG_OK);
            break;
        }
        assert_int_equal(status, VGG_NO_MEMORY);
        assert_int_equal(fault_outstanding(), before);
    }
    assert_int_equal(failures, allocations);
    assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
    vgg_job_destroy(job);
    vgg_model_release(model);
}

#endif
