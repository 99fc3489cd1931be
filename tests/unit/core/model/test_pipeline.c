/* Every chunk read once, in order, stored once; the first failure in that order wins. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "model/pipeline.h"

enum { CHUNKS = 300, BYTES = 100, NEVER = CHUNKS };

struct work {
    size_t chunks, read_fails, store_fails[2]; /* chunks whose reading or storing fails */
    size_t read;
    pthread_t reader;
    atomic_uint stored[CHUNKS], wrong, threads;
};

static enum vgg_status read_chunk(void *user, struct vgg_chunk *chunk, bool *more,
                                  struct vgg_error *error)
{
    struct work *work = user;
    size_t i = work->read;

    work->wrong += !pthread_equal(pthread_self(), work->reader);
    *more = i < work->chunks;
    if (i == work->read_fails)
        return vgg_fail(error, VGG_IO, "read %zu", i);
    if (!*more)
        return VGG_OK;
    work->read++;
    chunk->tensor = i;
    chunk->row = 2 * i;
    chunk->rows = 3 * i;
    memset(chunk->bytes, (int)i, BYTES);
    return VGG_OK;
}

static enum vgg_status store_chunk(void *user, const struct vgg_chunk *chunk, unsigned thread,
                                   struct vgg_error *error)
{
    struct work *work = user;
    size_t i = chunk->tensor;

    work->threads |= 1U << thread;
    for (size_t b = 0; b < BYTES; b++)
        work->wrong += chunk->bytes[b] != (unsigned char)i;
    work->wrong += chunk->row != 2 * i || chunk->rows != 3 * i;
    work->wrong += work->stored[i]++ != 0;
    if (i == work->store_fails[0] || i == work->store_fails[1])
        return vgg_fail(error, VGG_BAD_MODEL, "store %zu", i);
    return VGG_OK;
}

static enum vgg_status run(struct work *work, unsigned threads, struct vgg_error *error)
{
    const struct vgg_pipeline pipeline = {BYTES, read_chunk, store_chunk, work};
    struct vgg_team *team = NULL;
    enum vgg_status status;

    *error = (struct vgg_error){0};
    work->reader = pthread_self();
    assert_int_equal(vgg_team_create(threads, &team, NULL), VGG_OK);
    status = vgg_pipeline_run(&pipeline, team, error);
    vgg_team_destroy(team);
    assert_int_equal(error->status, status);
    assert_int_equal(work->wrong, 0);
    return status;
}

static void every_chunk_once(void **state)
{
    static const size_t chunks[] = {0, 1, 2, 5, CHUNKS};

    (void)state;
    for (unsigned i = 0; i < 5 * 5; i++) {
        struct work work = {
            .chunks = chunks[i % 5], .read_fails = NEVER + 1, .store_fails = {NEVER, NEVER}};
        struct vgg_error error;

        assert_int_equal(run(&work, 1 + i / 5, &error), VGG_OK);
        assert_int_equal(work.read, work.chunks);
        for (size_t c = 0; c < CHUNKS; c++)
            assert_int_equal(work.stored[c], c < work.chunks);
        assert_int_equal(work.threads & ~((2U << i / 5) - 1), 0);
    }
}

static void the_first_failure_wins(void **state)
{
    static const struct {
        size_t read, store[2];
        const char *text;
    } cases[] = {{NEVER + 1, {7, 8}, "store 7"},      {NEVER + 1, {8, 7}, "store 7"},
                 {NEVER + 1, {0, NEVER}, "store 0"},  {20, {NEVER, NEVER}, "read 20"},
                 {20, {19, 21}, "store 19"},          {20, {20, 21}, "read 20"},
                 {0, {NEVER, NEVER}, "read 0"},       {CHUNKS, {CHUNKS - 1, NEVER}, "store 299"},
                 {CHUNKS, {NEVER, NEVER}, "read 300"}};

    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++)
        for (size_t i = 0; i < COUNT_OF(cases); i++)
            for (unsigned round = 0; round < 20; round++) {
                struct work work = {.chunks = CHUNKS,
                                    .read_fails = cases[i].read,
                                    .store_fails = {cases[i].store[0], cases[i].store[1]}};
                struct vgg_error error;

                assert_int_not_equal(run(&work, threads, &error), VGG_OK);
                assert_string_equal(error.text, cases[i].text);
            }
}

/*
 * A failure ends the reading: a lone thread reads nothing after it. Others may read on for as long
 * as the failing store takes.
 */
static void a_failure_ends_it(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct work work = {.chunks = CHUNKS, .read_fails = NEVER + 1, .store_fails = {10, NEVER}};
        struct vgg_error error;

        assert_int_equal(run(&work, threads, &error), VGG_BAD_MODEL);
        assert_true(work.read >= 11 && (threads > 1 || work.read == 11));
    }
}

static void without_memory(void **state)
{
    struct vgg_team *team = NULL;

    (void)state;
    if (!fault_available())
        skip();
    assert_int_equal(vgg_team_create(2, &team, NULL), VGG_OK);
    for (unsigned n = 1; n <= 2; n++) {
        struct work work = {
            .chunks = CHUNKS, .read_fails = NEVER + 1, .store_fails = {NEVER, NEVER}};
        const struct vgg_pipeline pipeline = {BYTES, read_chunk, store_chunk, &work};
        long before = fault_outstanding();

        fault_arm(n);
        assert_int_equal(vgg_pipeline_run(&pipeline, team, NULL), VGG_NO_MEMORY);
        assert_true(fault_disarm());
        assert_int_equal(work.read, 0);
        assert_int_equal(fault_outstanding(), before);
    }
    vgg_team_destroy(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunk_once),
        cmocka_unit_test(the_first_failure_wins),
        cmocka_unit_test(a_failure_ends_it),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
