/* An image that nobody waits for any more is left alone: before its decoding, within it and after.
 */
#include "server/json_fixture.h"

#include "process/clock.h"

struct client {
    unsigned polls, gone_at; /* it has left by this poll, from 1 on; 0: never */
};

static bool is_gone(void *user)
{
    struct client *client = user;

    return ++client->polls == client->gone_at;
}

static struct evaluation evaluate(const struct vgg_job_options *options)
{
    const struct vgg_image_limits limits = {0};
    struct evaluation evaluation = {.bytes = fixture.jpeg, .size = fixture.jpeg_size};

    evaluation_check(&evaluation, fixture.model, &fixture.params, &limits, UINT64_MAX);
    assert_false(evaluation.failed);
    evaluation_begin(&evaluation, fixture.engine, fixture.model, &fixture.params, &limits, options);
    return evaluation;
}

/* At each poll in turn, until the image is the engine's. */
static void a_client_that_leaves(void **state)
{
    unsigned at = 1, decoded = 0;

    (void)state;
    for (;; at++) {
        struct client client = {.gone_at = at};
        struct evaluation evaluation =
            evaluate(&(struct vgg_job_options){.cancelled = is_gone, .user = &client});

        if (!evaluation.failed) {
            evaluation_end(&evaluation);
            evaluation_fini(&evaluation);
            break;
        }
        assert_int_equal(client.polls, at);
        assert_int_equal(evaluation.problem.kind, PROBLEM_DRAINING);
        assert_null(evaluation.job);
        decoded += evaluation.decode_ns != 0;
        assert_int_equal(evaluation.rescale_ns, 0);
    }
    assert_true(decoded >= 1);           /* it left while the picture was rescaled */
    assert_true(at - 1 - decoded >= 64); /* and at each row before */
}

static void a_deadline(void **state)
{
    struct evaluation late = evaluate(&(struct vgg_job_options){.deadline_ns = now_ns()});
    struct evaluation good =
        evaluate(&(struct vgg_job_options){.deadline_ns = now_ns() + 3600 * 1000000000ULL});

    (void)state;
    assert_true(late.failed);
    assert_int_equal(late.problem.kind, PROBLEM_DEADLINE);
    assert_null(late.job);
    evaluation_end(&late);
    evaluation_fini(&late);
    evaluation_end(&good);
    assert_false(good.failed);
    evaluation_fini(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_leaves),
        cmocka_unit_test(a_deadline),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
