/* Random numbers: published sequences, the distributions, streams by keys. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/random.h"

/* The first numbers of the authors' own programs. */
static void published_sequences(void **state)
{
    static const uint64_t splitmix[] = {6457827717110365317U, 3203168211198807973U,
                                        9817491932198370423U, 4593380528125082431U,
                                        16408922859458223821U};
    static const uint64_t xoshiro[] = {
        11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600};
    struct vgg_random random = {.state = {1, 2, 3, 4}};
    uint64_t seed = 1234567;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(splitmix); i++)
        assert_true(vgg_splitmix64(&seed) == splitmix[i]);
    for (size_t i = 0; i < COUNT_OF(xoshiro); i++)
        assert_true(vgg_random_next(&random) == xoshiro[i]);
    seed = 9;
    vgg_random_init(&random, 9);
    for (size_t i = 0; i < 4; i++)
        assert_true(random.state[i] == vgg_splitmix64(&seed));
}

/* Mean and variance within five standard errors. */
static void uniforms(void **state)
{
    double sum = 0, squares = 0, least = 1, most = 0;
    enum { N = 100000 };
    struct vgg_random random;

    (void)state;
    vgg_random_init(&random, 1);
    for (int i = 0; i < N; i++) {
        double value = vgg_random_uniform(&random);

        assert_true(value >= 0 && value < 1);
        sum += value;
        squares += (value - 0.5) * (value - 0.5);
        least = fmin(least, value);
        most = fmax(most, value);
    }
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 12) < 5 * sqrt(1.0 / 180 / N));
    assert_true(least < 20.0 / N && most > 1 - 20.0 / N);
}

static void normals(void **state)
{
    double moments[5] = {0};
    enum { N = 100000 };
    struct vgg_random random;

    (void)state;
    vgg_random_init(&random, 2);
    for (int i = 0; i < N; i++) {
        double value = vgg_random_normal(&random), power = 1;

        for (int k = 1; k <= 4; k++)
            moments[k] += (power *= value) / N;
    }
    assert_true(fabs(moments[1]) < 5 * sqrt(1.0 / N));
    assert_true(fabs(moments[2] - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(moments[3]) < 5 * sqrt(15.0 / N));
    assert_true(fabs(moments[4] - 3) < 5 * sqrt(96.0 / N));
}

/* Each value as often as the others, within five deviations. */
static void below_is_fair(void **state)
{
    enum { N = 60000 };
    struct vgg_random random;

    (void)state;
    vgg_random_init(&random, 3);
    for (unsigned n = 1; n <= 6; n++) {
        unsigned counts[6] = {0};

        for (int i = 0; i < N; i++) {
            uint64_t value = vgg_random_below(&random, n);

            assert_true(value < n);
            counts[value]++;
        }
        for (unsigned v = 0; v < n; v++)
            assert_true(fabs(counts[v] - N / (double)n) <= 5 * sqrt(N / (double)n));
    }
}

/*
 * For n = 3 * 2^62 the remainder of 64 bits would be below 2^62 half of the time instead of a
 * third.
 */
static void below_has_no_bias(void **state)
{
    const uint64_t quarter = UINT64_C(1) << 62;
    unsigned low = 0;
    enum { N = 30000 };
    struct vgg_random random;

    (void)state;
    vgg_random_init(&random, 4);
    for (int i = 0; i < N; i++)
        low += vgg_random_below(&random, 3 * quarter) < quarter;
    assert_true(fabs(low - N / 3.0) < 5 * sqrt(N * 2.0 / 9));
}

static uint64_t first(const uint64_t *keys, size_t n)
{
    struct vgg_random random;

    memset(&random, 0xFF, sizeof random); /* nothing of an earlier stream stays */
    vgg_random_init_keyed(&random, keys, n);
    assert_false(random.has_spare);
    return vgg_random_next(&random);
}

/* The same tuple is the same stream; another value, order or length is another. */
static void keys_tell_streams_apart(void **state)
{
    uint64_t seen[6 * 6 * 6 + 4];
    size_t n = 0;

    (void)state;
    for (uint64_t i = 0; i < 6 * 6 * 6; i++) {
        uint64_t keys[3] = {i % 6, i / 6 % 6, i / 36};

        seen[n++] = first(keys, 3);
        assert_true(first(keys, 3) == seen[n - 1]);
    }
    for (size_t length = 0; length <= 4; length++)
        if (length != 3)
            seen[n++] = first((uint64_t[4]){0}, length);
    assert_int_equal(n, COUNT_OF(seen));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(seen[i] != seen[j]);
}

/* Streams of neighbouring keys look independent: half of the bits differ. */
static void neighbours_are_unrelated(void **state)
{
    unsigned differing = 0;
    enum { N = 4000 };

    (void)state;
    for (uint64_t i = 0; i < N; i++)
        differing += (unsigned)__builtin_popcountll(first((uint64_t[]){7, i}, 2) ^
                                                    first((uint64_t[]){7, i + 1}, 2));
    assert_true(fabs(differing - 32.0 * N) < 5 * sqrt(16.0 * N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_sequences),
        cmocka_unit_test(uniforms),
        cmocka_unit_test(normals),
        cmocka_unit_test(below_is_fair),
        cmocka_unit_test(below_has_no_bias),
        cmocka_unit_test(keys_tell_streams_apart),
        cmocka_unit_test(neighbours_are_unrelated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
