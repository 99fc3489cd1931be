/*
 * A request's way over the queue and the engine, without HTTP: its clients are two callbacks, and
 * the test is the worker of every lane.
 */
#include "work/task.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine/evaluate.h"
#include "fault.h"
#include "jpeg_maker.h"
#include "models/model_slot.h"
#include "process/clock.h"

enum { CUT = 20, CLASSES = 6, PIXELS_MAX = 1 << 20, PICTURES_MAX = 8 };

static struct work_options options;
static struct work work;
static struct vgg_model *model;
static uint8_t *small, *large; /* pictures of 40 x 40 and of 400 x 300 pixels */
static size_t small_size, large_size;

/* ---------------------------------------------------------------- a client ------------------- */

struct client {
    bool gone;
    unsigned answers, destroyed;
    /* As they were at the answer. */
    bool failed[PICTURES_MAX], whole;
    enum problem_kind problems[PICTURES_MAX], problem;
    double sums[PICTURES_MAX]; /* of the posteriors */
    struct task_timing timing;
};

static bool gone(const struct task *task)
{
    return ((const struct client *)task->data)->gone;
}

static void answer(struct task *task)
{
    struct client *client = task->data;
    const struct problem *problem = task_problem(task);

    client->answers++;
    client->whole = problem == NULL;
    client->problem = problem != NULL ? problem->kind : PROBLEM_KINDS;
    client->timing = task->timing;
    for (size_t i = 0; i < task->n; i++) {
        const struct evaluation *evaluation = &task->evaluations[i];

        client->failed[i] = evaluation->failed;
        client->problems[i] = evaluation->problem.kind;
        for (size_t k = 0; k < CLASSES && !evaluation->failed; k++)
            client->sums[i] += (double)vgg_job_posterior(evaluation->job)[k];
    }
    task_finish(task);
}

static void data_destroy(void *data)
{
    ((struct client *)data)->destroyed++;
}

static const struct task_client callbacks = {gone, answer, data_destroy};

/* A task for so many small pictures, with the given client. */
static struct task *make(struct client *client, size_t n)
{
    struct task *task = task_create(&callbacks, client, &work, vgg_model_retain(model), n,
                                    now_ns() + 3600 * NS_PER_S);

    assert_non_null(task);
    for (size_t i = 0; i < n; i++) {
        task->evaluations[i].bytes = small;
        task->evaluations[i].size = small_size;
    }
    return task;
}

static const struct option_scales none;

static void check_good(struct task *task)
{
    struct problem problem = {0};

    if (!task_check(task, &none, &problem))
        fail_msg("%s", problem.detail);
}

static void check_bad(struct task *task, enum problem_kind kind, const char *text)
{
    struct problem problem = {0};

    assert_false(task_check(task, &none, &problem));
    assert_int_equal(problem.kind, kind);
    if (strstr(problem.detail, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", problem.detail, text);
}

/* ---------------------------------------------------------------- the way -------------------- */

static void submit(struct task *task)
{
    unsigned retry_after_s;

    assert_true(task_try_submit(task, &retry_after_s));
}

/* What a worker of its lane and one for answers do. */
static void run(struct task *task)
{
    struct queue_item *item = &task->item;

    assert_ptr_equal(queue_pop(work.queue, item->lane), item);
    task_decode(item);
    assert_ptr_equal(queue_pop(work.queue, QUEUE_ANSWER), item);
    task_answer(item);
    assert_int_equal(queue_get_state(work.queue).depth, 0);
}

static void check_answered(const struct client *client)
{
    assert_int_equal(client->answers, 1);
    assert_int_equal(client->destroyed, 1);
}

static void defaults(void **state)
{
    struct client client = {0};
    struct task *task = make(&client, 2);

    (void)state;
    assert_int_equal(task->n, 2);
    assert_int_equal(task->params.top_k, 3);
    assert_true(task->params.request.flip);
    assert_true(task->item.model == model_key(model));
    assert_false(task->several);
    task_destroy(task);
    assert_int_equal(client.destroyed, 1);
    assert_int_equal(client.answers, 0);
    task_destroy(NULL);
}

static void from_the_check_to_the_answer(void **state)
{
    struct client client = {0};
    struct task *task = make(&client, 3);

    (void)state;
    check_good(task);
    submit(task);
    assert_int_equal(queue_get_state(work.queue).depth, 1);
    run(task);
    check_answered(&client);
    assert_true(client.whole);
    for (size_t i = 0; i < 3; i++)
        assert_float_equal(client.sums[i], 1, 1e-5);
    assert_true(client.timing.decode_ns > 0 && client.timing.infer_ns > 0);
}

/* ---------------------------------------------------------------- costs ---------------------- */

static void costs_add_up(void **state)
{
    struct client client = {0};
    struct task *one = make(&client, 1), *three = make(&client, 3);

    (void)state;
    check_good(one);
    check_good(three);
    assert_true(one->item.macs > 0 && one->item.decode > 0 && one->item.bytes > 0);
    assert_true(three->item.macs == 3 * one->item.macs);
    assert_true(three->item.decode == 3 * one->item.decode);
    assert_true(three->item.bytes == 3 * one->item.bytes);
    task_destroy(one);
    task_destroy(three);
}

/* Four square pictures at the default scales, with their mirrors; or as the operator says. */
static void the_limit_of_costs(void **state)
{
    struct client client = {0};
    struct task *task = make(&client, 4);
    uint64_t macs;

    (void)state;
    check_good(task);
    macs = task->item.macs;
    task_destroy(task);
    task = make(&client, 5);
    check_bad(task, PROBLEM_TOO_COSTLY, "GMAC, over the limit of");
    task_destroy(task);

    options.cost_max = macs / 4 * 5;
    task = make(&client, 5);
    check_good(task);
    task_destroy(task);
    options.cost_max--;
    task = make(&client, 5);
    check_bad(task, PROBLEM_TOO_COSTLY, "(--max-cost)");
    task_destroy(task);
    options.cost_max = 0;
}

/* The scales of the server, not those of the model, are what the default limit is made of. */
static void the_limit_follows_the_scales_of_the_server(void **state)
{
    struct client client = {0};
    struct task *task = make(&client, 4);
    const struct option_scales wide = {{128}, 1};
    struct problem problem;

    (void)state;
    assert_false(task_check(task, &wide, &problem));
    assert_int_equal(problem.kind, PROBLEM_TOO_COSTLY);
    task_destroy(task);
    options.scales = wide;
    task = make(&client, 4);
    assert_true(task_check(task, &wide, &problem));
    task_destroy(task);
    options.scales.n = 0;
}

static void lanes(void **state)
{
    struct client client = {0};
    struct task *task = make(&client, 2);

    (void)state;
    check_good(task);
    assert_int_equal(task->item.lane, QUEUE_SMALL);
    task_destroy(task);
    task = make(&client, 2);
    task->evaluations[1].bytes = large;
    task->evaluations[1].size = large_size;
    check_good(task);
    assert_int_equal(task->item.lane, QUEUE_LARGE);
    submit(task);
    run(task);
    assert_true(client.whole);
    assert_int_equal(budget_used(&work.decodes), 0);
}

/* ---------------------------------------------------------------- failures ------------------- */

static void bad_pictures_at_the_check(void **state)
{
    struct client client = {0};
    struct task *task = make(&client, 3);
    uint64_t macs;

    (void)state;
    check_good(task);
    macs = task->item.macs;
    task_destroy(task);
    task = make(&client, 3);
    task->evaluations[1].size = 1;
    check_bad(task, PROBLEM_UNSUPPORTED_FORMAT, "not an image format");
    task_destroy(task);

    client = (struct client){0};
    task = make(&client, 3);
    task->several = true;
    task->evaluations[1].size = 1;
    check_good(task);
    assert_true(task->item.macs == macs / 3 * 2); /* what fails costs nothing */
    submit(task);
    run(task);
    check_answered(&client);
    assert_true(client.whole && client.failed[1]);
    assert_false(client.failed[0] || client.failed[2]);
    assert_int_equal(client.problems[1], PROBLEM_UNSUPPORTED_FORMAT);
}

static void bad_pictures_at_the_decoding(void **state)
{
    (void)state;
    for (unsigned several = 0; several < 2; several++) {
        struct client client = {0};
        struct task *task = make(&client, 2);

        task->several = several;
        task->evaluations[0].size -= CUT;
        check_good(task);
        submit(task);
        run(task);
        check_answered(&client);
        assert_true(client.whole == several);
        assert_int_equal(client.problem, several ? PROBLEM_KINDS : PROBLEM_BAD_IMAGE);
        assert_true(client.failed[0] && !client.failed[1]);
        assert_float_equal(client.sums[1], 1, 1e-5);
    }
}

static void all_of_them_bad(void **state)
{
    struct client client = {0};
    struct task *task = make(&client, 2);

    (void)state;
    task->several = true;
    task->evaluations[0].size -= CUT;
    task->evaluations[1].size = 1;
    check_good(task);
    submit(task);
    run(task);
    check_answered(&client);
    assert_true(client.failed[0] && client.failed[1]);
}

static void scales_that_do_not_suit_the_model(void **state)
{
    const struct option_scales bad = {{31}, 1};
    struct client client = {0};
    struct task *task = make(&client, 1);
    struct problem problem;

    (void)state;
    assert_false(task_check(task, &bad, &problem));
    assert_int_equal(problem.kind, PROBLEM_BAD_PARAMETER);
    task_destroy(task);
}

/* ---------------------------------------------------------------- given up ------------------- */

/* Dead once it is made so; then it is answered without a pass. */
static void check_dead(void (*kill)(struct task *task), enum problem_kind kind)
{
    struct client client = {0};
    struct task *task = make(&client, 2);

    check_good(task);
    assert_false(task_dead(&task->item));
    kill(task);
    assert_true(task_dead(&task->item));
    submit(task);
    run(task);
    work.aborting = false;
    check_answered(&client);
    assert_int_equal(client.problem, kind);
    assert_true(client.failed[0] && client.failed[1]);
    assert_int_equal(client.timing.infer_ns, 0);
}

static void let_pass(struct task *task)
{
    task->deadline_ns = now_ns();
}

static void leave(struct task *task)
{
    ((struct client *)task->data)->gone = true;
}

static void abort_all(struct task *task)
{
    task->work->aborting = true;
}

static void dead_tasks(void **state)
{
    (void)state;
    check_dead(let_pass, PROBLEM_DEADLINE);
    check_dead(leave, PROBLEM_DRAINING);
    check_dead(abort_all, PROBLEM_DRAINING);
}

static void a_dead_large_one_takes_no_room(void **state)
{
    struct client client = {.gone = true};
    struct task *task = make(&client, 1);

    (void)state;
    task->evaluations[0].bytes = large;
    task->evaluations[0].size = large_size;
    check_good(task);
    assert_int_equal(task->item.lane, QUEUE_LARGE);
    budget_take(&work.decodes, PIXELS_MAX); /* all there is: it would wait for ever */
    submit(task);
    run(task);
    budget_give(&work.decodes, PIXELS_MAX);
    check_answered(&client);
}

/* ---------------------------------------------------------------- a full queue --------------- */

static void turned_away(void **state)
{
    const struct queue_options full = {.ahead_ns_max = NS_PER_S, .bytes_max = 1, .workers = {1, 1}};
    struct queue *queue = queue_create(&full), *real = work.queue;
    struct client first = {0}, second = {0};
    struct task *task = make(&first, 1), *other = make(&second, 1);
    unsigned retry_after_s = 0;

    (void)state;
    check_good(task);
    check_good(other);
    work.queue = queue;
    /* At this speed the first takes four seconds, and one may be ahead. */
    queue_measured(queue, task->item.model, task->item.macs, 4 * NS_PER_S);
    submit(task);
    assert_false(task_try_submit(other, &retry_after_s));
    assert_int_equal(retry_after_s, 3);
    task_destroy(other);
    assert_int_equal(second.destroyed, 1);
    assert_int_equal(second.answers, 0);
    run(task);
    check_answered(&first);
    work.queue = real;
    queue_destroy(queue);
}

/* ---------------------------------------------------------------- memory --------------------- */

static void creation_without_memory(void **state)
{
    struct client client = {0};
    long before = fault_outstanding();

    (void)state;
    if (!fault_available())
        skip();
    fault_arm(1);
    assert_null(task_create(&callbacks, &client, &work, vgg_model_retain(model), 2, 1));
    assert_true(fault_disarm());
    assert_int_equal(client.destroyed, 0); /* the data stay the caller's */
    assert_int_equal(fault_outstanding(), before);
}

/* Whichever allocation fails, the client has one answer, and nothing is left behind. */
static void the_way_without_memory(void **state)
{
    bool fired = fault_available();
    unsigned long failures = 0;

    (void)state;
    for (unsigned long n = 1; fired; n++) {
        long before = fault_outstanding();
        struct client client = {0};
        struct task *task = make(&client, 2);

        task->several = true;
        check_good(task);
        submit(task);
        fault_arm(n);
        run(task);
        fired = fault_disarm();
        check_answered(&client);
        for (size_t i = 0; i < 2; i++) {
            assert_true(!client.failed[i] || (fired && client.problems[i] == PROBLEM_NO_MEMORY));
            failures += client.failed[i];
        }
        assert_int_equal(fault_outstanding(), before);
    }
    assert_true(!fault_available() || failures > 10);
}

/* ---------------------------------------------------------------- fixtures ------------------- */

static int start(void **state)
{
    static const struct queue_options queue = {.ahead_ns_max = 3600 * NS_PER_S,
                                               .bytes_max = UINT64_MAX,
                                               .workers = {1, 1},
                                               .dead = task_dead};
    struct maker maker;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.classes = CLASSES});
    maker_meta(&maker, "vgg.scales", "[32, 64]");
    model = load_made(&maker);
    maker_free(&maker);
    options = (struct work_options){
        .flip = true, .top_k = 3, .pixels_max = PIXELS_MAX, .view_pixels_max = 1 << 16};
    work = (struct work){.options = &options,
                         .engine = make_engine(&(struct vgg_engine_options){.threads = 1}),
                         .queue = queue_create(&queue),
                         .metrics = metrics_create()};
    budget_init(&work.decodes, PIXELS_MAX);
    return work.queue != NULL && work.metrics != NULL &&
                   jpeg_make(&(struct jpeg_spec){.width = 40, .height = 40}, &small, &small_size) &&
                   jpeg_make(&(struct jpeg_spec){.width = 400, .height = 300}, &large, &large_size)
               ? 0
               : -1;
}

static int stop(void **state)
{
    (void)state;
    queue_close(work.queue);
    vgg_engine_destroy(work.engine);
    queue_destroy(work.queue);
    metrics_destroy(work.metrics);
    budget_fini(&work.decodes);
    vgg_model_release(model);
    free(small);
    free(large);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(from_the_check_to_the_answer),
        cmocka_unit_test(costs_add_up),
        cmocka_unit_test(the_limit_of_costs),
        cmocka_unit_test(the_limit_follows_the_scales_of_the_server),
        cmocka_unit_test(lanes),
        cmocka_unit_test(bad_pictures_at_the_check),
        cmocka_unit_test(bad_pictures_at_the_decoding),
        cmocka_unit_test(all_of_them_bad),
        cmocka_unit_test(scales_that_do_not_suit_the_model),
        cmocka_unit_test(dead_tasks),
        cmocka_unit_test(a_dead_large_one_takes_no_room),
        cmocka_unit_test(turned_away),
        cmocka_unit_test(creation_without_memory),
        cmocka_unit_test(the_way_without_memory),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
