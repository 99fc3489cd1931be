/* What every request for predictions goes through, with answers of the test's own. */
#include "api/prediction.h"

#include "fault.h"
#include "server/server_fixture.h"

/* Data of a task, and what became of them. */
struct data {
    const char *text; /* of the answer; NULL: there is no memory for one */
    const char *type;
    unsigned encoded, destroyed;
};

static char *encode(const struct task *task, struct http_request *request, size_t *size)
{
    struct data *data = prediction_data(task);

    data->encoded++;
    request->response.type = data->type;
    *size = data->text != NULL ? strlen(data->text) : 0;
    return data->text != NULL ? strdup(data->text) : NULL;
}

static void data_destroy(void *data)
{
    ((struct data *)data)->destroyed++;
}

static const struct prediction_kind kind = {encode, data_destroy};

static const struct option_scales scales = {{32, 64}, 2};

/* A task for the fixture's picture, checked, and its request deferred. */
static struct task *make_for(struct server *server, struct fake *fake, struct data *data)
{
    struct vgg_model *model = model_slot_get(&fixture.server.model);
    struct problem problem;
    struct task *task;

    fake_init(fake, "POST", "/classify");
    task = prediction_create(&kind, data, server, fake->request, model, 1);
    assert_non_null(task);
    assert_ptr_equal(prediction_data(task), data);
    task->evaluations[0].bytes = fixture.jpeg;
    task->evaluations[0].size = fixture.jpeg_size;
    assert_true(prediction_check(task, &scales, &problem));
    http_defer(fake->request);
    return task;
}

static struct task *make(struct fake *fake, struct data *data)
{
    return make_for(&fixture.server, fake, data);
}

/* Of requests that ended: "success" or "fail" of the statistics. */
static int counted(const char *end)
{
    size_t size;
    char *text = statistics_json(fixture.server.statistics, "m", "1", &size);
    json_t *root = json_loadb(text, size, 0, NULL);
    json_t *stats = json_array_get(json_object_get(root, "model_stats"), 0);
    json_t *count =
        json_object_get(json_object_get(json_object_get(stats, "inference_stats"), end), "count");
    int n = (int)json_integer_value(count);

    assert_true(json_is_integer(count));
    json_decref(root);
    free(text);
    return n;
}

/* ---------------------------------------------------------------- admission ------------------ */

static void who_is_welcome(void **state)
{
    struct problem problem;
    struct fake fake;

    (void)state;
    fake_init(&fake, "POST", "/classify");
    fake.request->first = false;
    assert_true(prediction_welcome(&fixture.server, fake.request, &problem));
    fixture.server.phase = SERVER_DRAINING;
    assert_true(prediction_welcome(&fixture.server, fake.request, &problem));
    fixture.server.phase = SERVER_CLOSING;
    assert_false(prediction_welcome(&fixture.server, fake.request, &problem));
    assert_int_equal(problem.kind, PROBLEM_DRAINING);
    fake.request->first = true;
    assert_true(prediction_welcome(&fixture.server, fake.request, &problem));
    fixture.server.phase = SERVER_SERVING;
    fake.request->timeout_invalid = true;
    assert_false(prediction_welcome(&fixture.server, fake.request, &problem));
    assert_int_equal(problem.kind, PROBLEM_BAD_PARAMETER);
    assert_non_null(strstr(problem.detail, "X-Request-Timeout-Ms"));
    fake_fini(&fake);
}

static void a_request_that_fails_its_check_is_counted(void **state)
{
    int failed = counted("fail");
    struct data data = {0};
    struct problem problem;
    struct task *task;
    struct fake fake;

    (void)state;
    task = make(&fake, &data);
    task->evaluations[0] = (struct evaluation){.bytes = (const uint8_t *)"?", .size = 1};
    assert_false(prediction_check(task, &scales, &problem));
    assert_int_equal(problem.kind, PROBLEM_UNSUPPORTED_FORMAT);
    assert_int_equal(counted("fail"), failed + 1);
    task_destroy(task);
    assert_int_equal(data.destroyed, 1);
    assert_false(fake_answered(&fake)); /* which is up to who asked */
    fake_fini(&fake);
}

static void a_full_queue_answers(void **state)
{
    const struct queue_options none = {.ahead_ns_max = 0, .bytes_max = 1, .workers = {1, 1}};
    struct queue *queue = queue_create(&none);
    struct server full = fixture.server;
    const char *shed = "vgg_requests_shed_total{reason=\"queue_full\"}";
    double before = fixture_metric(shed);
    int failed = counted("fail");
    struct data data = {.text = "never"};
    struct queue_item ahead = {.model = 1, .macs = 2500};
    unsigned retry_after_s;
    struct fake fake;

    (void)state;
    queue_measured(queue, 1, 1000, NS_PER_S);
    assert_true(queue_try_push(queue, &ahead, &retry_after_s));
    full.work.queue = queue;
    prediction_submit(make_for(&full, &fake, &data));
    assert_int_equal(fake_wait(&fake), 503);
    assert_int_equal(fake.left.response.retry_after_s, 3);
    assert_int_equal(data.destroyed, 1);
    assert_int_equal(data.encoded, 0);
    assert_int_equal(counted("fail"), failed + 1);
    assert_true(fixture_metric(shed) == before + 1);
    check_problem(&fake, PROBLEM_QUEUE_FULL, "try again in 3s");
    assert_ptr_equal(queue_pop(queue, QUEUE_SMALL), &ahead);
    queue_computed(queue, &ahead);
    assert_ptr_equal(queue_pop(queue, QUEUE_ANSWER), &ahead);
    queue_finish(queue, &ahead);
    queue_destroy(queue);
}

/* ---------------------------------------------------------------- answers -------------------- */

static void an_answer(void **state)
{
    int succeeded = counted("success");
    struct data data = {.text = "what it says"};
    struct fake fake;

    (void)state;
    prediction_submit(make(&fake, &data));
    assert_int_equal(fake_wait(&fake), 200);
    assert_string_equal(fake.left.response.type, "application/json");
    assert_int_equal(fake.left.response.size, strlen(data.text));
    assert_memory_equal(fake.left.response.body, data.text, strlen(data.text));
    assert_string_equal(fake.left.model_version,
                        vgg_model_get_info(fixture.server.model.model)->version);
    assert_true(fake.left.timing.decode_ns > 0 && fake.left.timing.infer_ns > 0);
    assert_true(fake.left.begun && !fake.left.dropped);
    assert_int_equal(data.encoded, 1);
    assert_int_equal(data.destroyed, 1);
    assert_int_equal(counted("success"), succeeded + 1);
    fake_fini(&fake);

    data = (struct data){.text = "\1\2", .type = "application/octet-stream"};
    prediction_submit(make(&fake, &data));
    assert_int_equal(fake_wait(&fake), 200);
    assert_string_equal(fake.left.response.type, data.type);
    fake_fini(&fake);
}

/* The client has it as the answer of its request, though HTTP has to say so without memory. */
static void no_memory_for_the_answer(void **state)
{
    const char *shed = "vgg_requests_shed_total{reason=\"out_of_memory\"}";
    double before = fixture_metric(shed);
    int failed = counted("fail");
    struct data data = {.text = NULL};
    struct fake fake;

    (void)state;
    prediction_submit(make(&fake, &data));
    (void)fake_wait(&fake);
    assert_null(fake.left.response.body);
    assert_int_equal(data.destroyed, 1);
    assert_int_equal(counted("fail"), failed + 1);
    assert_true(fixture_metric(shed) == before + 1);
    fake_fini(&fake);
}

static void a_picture_that_fails_fails_the_request(void **state)
{
    struct data data = {.text = "never"};
    struct task *task;
    struct fake fake;

    (void)state;
    task = make(&fake, &data);
    task->evaluations[0].size /= 2;
    prediction_submit(task);
    (void)fake_wait(&fake);
    assert_int_equal(data.encoded, 0);
    assert_int_equal(data.destroyed, 1);
    check_problem(&fake, PROBLEM_BAD_IMAGE, "Premature end");
}

static void a_deadline_that_has_passed(void **state)
{
    struct data data = {.text = "never"};
    struct task *task;
    struct fake fake;

    (void)state;
    task = make(&fake, &data);
    task->deadline_ns = 1;
    prediction_submit(task);
    check_problem(&fake, PROBLEM_DEADLINE, "");
    assert_int_equal(data.encoded, 0);
}

/* Nothing is said to a client that has gone, and its work is not done. */
static void a_client_that_has_gone(void **state)
{
    int failed = counted("fail");
    struct data data = {.text = "never"};
    struct task *task;
    struct fake fake;

    (void)state;
    task = make(&fake, &data);
    fake.gone = true;
    prediction_submit(task);
    assert_int_equal(fake_wait(&fake), 0);
    assert_null(fake.left.response.body);
    assert_true(fake.left.dropped && !fake.left.begun);
    assert_null(fake.left.problem);
    assert_int_equal(data.encoded, 0);
    assert_int_equal(data.destroyed, 1);
    assert_int_equal(counted("fail"), failed + 1);
    fake_fini(&fake);
}

/* One who is still there when the server gives up is told why. */
static void a_server_that_gives_up(void **state)
{
    struct data data = {.text = "never"};
    struct fake fake;

    (void)state;
    fixture.server.work.aborting = true;
    prediction_submit(make(&fake, &data));
    (void)fake_wait(&fake);
    fixture.server.work.aborting = false;
    assert_false(fake.left.dropped);
    check_problem(&fake, PROBLEM_DRAINING, "");
}

/* ---------------------------------------------------------------- memory --------------------- */

static void creation_without_memory(void **state)
{
    struct server *server = &fixture.server;
    struct data data = {0};
    struct task *task = NULL;
    unsigned long n = 1;
    struct fake fake;

    (void)state;
    if (!fault_available())
        skip();
    fake_init(&fake, "POST", "/classify");
    for (; task == NULL; n++) {
        long before = fault_outstanding();

        fault_arm(n);
        task = prediction_create(&kind, &data, server, fake.request, model_slot_get(&server->model),
                                 1);
        if (fault_disarm()) {
            assert_null(task);
            assert_int_equal(fault_outstanding(), before);
            assert_int_equal(data.destroyed, 0); /* they stay the caller's */
        }
    }
    assert_true(n > 2);
    task_destroy(task);
    assert_int_equal(data.destroyed, 1);
    fake_fini(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_welcome),
        cmocka_unit_test(a_request_that_fails_its_check_is_counted),
        cmocka_unit_test(a_full_queue_answers),
        cmocka_unit_test(an_answer),
        cmocka_unit_test(no_memory_for_the_answer),
        cmocka_unit_test(a_picture_that_fails_fails_the_request),
        cmocka_unit_test(a_deadline_that_has_passed),
        cmocka_unit_test(a_client_that_has_gone),
        cmocka_unit_test(a_server_that_gives_up),
        cmocka_unit_test(creation_without_memory),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
