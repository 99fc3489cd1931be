/* A network that is proposed: what was said stays, and what is open follows time and memory. */
#include "check.h"

#include "training/scratch.h"

static struct scratch propose(const struct scratch_wish *wish)
{
    struct scratch scratch = {0};
    struct vgg_error error = {0};

    if (scratch_propose(wish, &scratch, &error) != VGG_OK)
        fail_msg("%s", error.text);
    return scratch;
}

/* Small networks, which are measured in no time. */
static struct scratch_wish small(size_t pictures)
{
    return (struct scratch_wish){.arch = "A",
                                 .width = 4,
                                 .fc = 16,
                                 .pictures = pictures,
                                 .classes = 3,
                                 .threads = 1,
                                 .room = UINT64_MAX};
}

static void what_was_said_stays(void **state)
{
    struct scratch_wish wish = small(1000);
    struct scratch scratch;

    (void)state;
    wish.crop = 64;
    wish.batch = 7;
    wish.epochs = 3;
    scratch = propose(&wish);
    assert_int_equal(scratch.width, 4);
    assert_int_equal(scratch.fc, 16);
    assert_int_equal(scratch.crop, 64);
    assert_int_equal(scratch.batch, 7);
    assert_int_equal(scratch.epochs, 3);
}

/* So few pictures leave time for any network: the largest crop, and epochs up to a bound. */
static void few_pictures(void **state)
{
    struct scratch_wish wish = small(10);
    struct scratch scratch = propose(&wish);

    (void)state;
    assert_true(scratch.epoch_seconds > 0);
    assert_int_equal(scratch.crop, 224);
    assert_int_equal(scratch.epochs, 140);
}

/* So many leave time for none: the smallest, for as long as there is. */
static void many_pictures(void **state)
{
    struct scratch_wish wish = small(SIZE_MAX / 1000000);
    struct scratch scratch = propose(&wish);

    (void)state;
    assert_int_equal(scratch.crop, 64);
    assert_int_equal(scratch.epochs, 1);
}

static void little_memory(void **state)
{
    struct scratch_wish wish = small(10);

    (void)state;
    wish.room = 1 << 20;
    wish.width = 0;
    assert_int_equal(propose(&wish).width, 8);
}

/* Crops are no larger than the pictures that were asked for, nor wrong. */
static void crops_of_a_scale(void **state)
{
    struct scratch_wish wish = small(10);
    struct scratch scratch;
    struct vgg_error error = {0};

    (void)state;
    wish.crop_most = 100;
    assert_int_equal(propose(&wish).crop, 96);
    wish.crop = 40;
    assert_int_equal(scratch_propose(&wish, &scratch, &error), VGG_BAD_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_said_stays), cmocka_unit_test(few_pictures),
        cmocka_unit_test(many_pictures),       cmocka_unit_test(little_memory),
        cmocka_unit_test(crops_of_a_scale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
