/* Pictures under way: all of them land, in order, with the evaluations that were asked for. */
#include "server/json_fixture.h"

#include <stdio.h>

#include "pictures/flights.h"
#include "server/capture.h"

enum { PICTURES = 40 };

static char photo[] = "/tmp/vgg-flights-XXXXXX", missing[] = "/there/is/no/such/picture";

/* What landed. */
struct landings {
    struct flights *flights;
    size_t n, failed, stop_at; /* the landing after which nothing is begun any more; 0: never */
    bool good;                 /* what is said of pictures that were evaluated */
};

static bool note(void *user, const struct flight *flight)
{
    struct landings *landings = user;
    bool failed = false;

    assert_int_equal(flight->number, landings->n);
    assert_true(flight->begun_ns != 0);
    landings->n++;
    landings->flights->stopped = landings->n == landings->stop_at;
    for (size_t i = 0; i < FLIGHT_WAYS; i++) {
        const struct evaluation *evaluation = &flight->evaluations[i];

        if (landings->flights->ways[i] == NULL) {
            assert_null(evaluation->job);
            continue;
        }
        assert_int_equal(evaluation->failed, flight->picture->path == missing);
        if (!evaluation->failed)
            assert_memory_equal(vgg_job_posterior(evaluation->job), fixture.posterior,
                                CLASSES * sizeof(float));
        assert_null(evaluation->bytes);
        failed = failed || evaluation->failed;
    }
    landings->failed += failed;
    return landings->good && !failed;
}

static const struct flight_options given = {
    .body_max = 1 << 20, .pixels_max = 1 << 20, .view_pixels_max = 1 << 20};

/* Each path a picture; what flights_run says. */
static bool run(struct landings *landings, size_t ahead, const struct evaluation_params *dense,
                const struct evaluation_params *other, char *const *paths, size_t n)
{
    struct picture items[PICTURES] = {0};
    const struct pictures pictures = {.items = items, .n = n};
    struct flights flights = {.options = &given,
                              .model = fixture.model,
                              .engine = fixture.engine,
                              .ways = {dense, other},
                              .ahead = ahead,
                              .land = note,
                              .user = landings};

    for (size_t i = 0; i < n; i++)
        items[i].path = paths[i];
    landings->flights = &flights;
    return flights_run(&flights, &pictures);
}

static void all_land_in_order(void **state)
{
    static const size_t ahead[] = {1, 2, 3, FLIGHTS_MAX};
    char *paths[PICTURES];

    (void)state;
    for (size_t i = 0; i < PICTURES; i++)
        paths[i] = photo;
    for (size_t i = 0; i < COUNT_OF(ahead); i++)
        for (size_t n = 0; n <= PICTURES; n += n < 4 ? 1 : 9) {
            struct landings landings = {.good = true};

            assert_true(run(&landings, ahead[i], &fixture.params, NULL, paths, n));
            assert_int_equal(landings.n, n);
            assert_int_equal(landings.failed, 0);
        }
}

/* A picture that cannot be read fails by itself, and so does what `land` cannot do. */
static void failures_are_told(void **state)
{
    char *paths[] = {photo, missing, photo, missing, missing, photo};
    struct landings landings = {.good = true}, unprinted = {.good = false};

    (void)state;
    assert_false(run(&landings, 4, &fixture.params, NULL, paths, 6));
    assert_int_equal(landings.n, 6);
    assert_int_equal(landings.failed, 3);
    assert_true(run(&landings, 4, &fixture.params, NULL, paths, 0));
    assert_false(run(&unprinted, 4, &fixture.params, NULL, paths, 1));
    assert_int_equal(unprinted.failed, 0);
}

static void each_way_is_evaluated(void **state)
{
    char *paths[] = {photo, missing, photo};
    struct landings both = {.good = true}, other = {.good = true};

    (void)state;
    assert_false(run(&both, 2, &fixture.params, &fixture.params, paths, 3));
    assert_int_equal(both.n, 3);
    assert_int_equal(both.failed, 1);
    assert_true(run(&other, 2, NULL, &fixture.params, paths, 1));
    assert_int_equal(other.n, 1);
}

/* As many as were ahead, and no more, still land after the last. */
static void a_stop_lets_those_land_that_fly(void **state)
{
    char *paths[PICTURES];

    (void)state;
    for (size_t i = 0; i < PICTURES; i++)
        paths[i] = missing;
    for (size_t ahead = 1; ahead <= FLIGHTS_MAX; ahead++) {
        struct landings landings = {.stop_at = 3};

        run(&landings, ahead, &fixture.params, NULL, paths, PICTURES);
        assert_int_equal(landings.n, 3 - 1 + ahead);
    }
}

static bool note_problem(void *user, const struct flight *flight)
{
    *(enum problem_kind *)user = flight->evaluations[0].problem.kind;
    return !flight->evaluations[0].failed;
}

/* Of each option that bounds a picture. */
static void limits_are_those_of_the_options(void **state)
{
    struct flight_options options[3] = {given, given, given};
    static const enum problem_kind problems[] = {PROBLEM_BODY_TOO_LARGE, PROBLEM_IMAGE_TOO_LARGE,
                                                 PROBLEM_IMAGE_TOO_LARGE};
    struct picture item = {.path = photo};
    const struct pictures pictures = {.items = &item, .n = 1};

    (void)state;
    options[0].body_max = options[1].pixels_max = options[2].view_pixels_max = 100;
    for (size_t i = 0; i < 3; i++) {
        enum problem_kind kind = PROBLEM_NO_MEMORY;
        struct flights flights = {.options = &options[i],
                                  .model = fixture.model,
                                  .engine = fixture.engine,
                                  .ways = {&fixture.params},
                                  .ahead = 1,
                                  .land = note_problem,
                                  .user = &kind};

        assert_false(flights_run(&flights, &pictures));
        assert_int_equal(kind, problems[i]);
    }
}

static void what_cannot_be_opened_is_one_line(void **state)
{
    struct flights flights = {0};
    struct flight_options options = given;
    struct evaluation_params params = {0};
    struct capture err;
    bool opened;

    (void)state;
    options.model = missing;
    options.threads = 1;
    capture_begin(&err, STDERR_FILENO);
    opened = flights_open(&flights, &options, &params);
    capture_end(&err);
    assert_false(opened);
    assert_true(is_one_line(err.text));
    assert_non_null(strstr(err.text, missing));
    flights_close(&flights);
}

/* The picture of the fixture, in a file. */
static int setup_photo(void **state)
{
    int fd = mkstemp(photo);
    bool written;

    if (fd < 0 || setup(state) != 0)
        return -1;
    written = write(fd, fixture.jpeg, fixture.jpeg_size) == (ssize_t)fixture.jpeg_size;
    close(fd);
    return written ? 0 : -1;
}

static int teardown_photo(void **state)
{
    unlink(photo);
    return teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_land_in_order),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(each_way_is_evaluated),
        cmocka_unit_test(a_stop_lets_those_land_that_fly),
        cmocka_unit_test(limits_are_those_of_the_options),
        cmocka_unit_test(what_cannot_be_opened_is_one_line),
    };

    return cmocka_run_group_tests(tests, setup_photo, teardown_photo);
}
