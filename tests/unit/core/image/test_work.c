/*
 * What a decode may cost: its polls are counted against the work that peek predicts, for bombs, for
 * ordinary pictures and for the files below $VGG_SHARED/data/torture; and whichever poll says so
 * ends it.
 *
 *   test_work timed [SIDE]    the same pictures, SIDE x SIDE [4096]: a line each of what was
 *                             predicted and measured; none may take twice as long and 50 ms more
 */
#include <ftw.h>
#include <math.h>
#include <time.h>

#include "bombs.h"
#include "decode.h"
#include "jpeg_maker.h"

enum {
    SIDE = 256,
    POLLS_BESIDE = 1 << 16,     /* Huffman tables, chunks: bounded for any picture */
    PIXELS_OF_A_POLL = 1 << 20, /* at most */
    RETRIES = 2
};

/* ---- polls ---- */

struct patience {
    unsigned long polls, last; /* DEADLINE from this one on, from 1; 0: never */
};

static enum vgg_status count_poll(void *user)
{
    struct patience *patience = user;

    return ++patience->polls == patience->last ? VGG_DEADLINE : VGG_OK;
}

static enum vgg_status decode_patiently(const struct file *file, struct patience *patience,
                                        struct vgg_image **image, struct vgg_error *error)
{
    const struct vgg_image_limits limits = {.poll = count_poll, .user = patience};

    return vgg_image_decode(file->bytes, file->size, &limits, image, error);
}

/* It ends with what the poll says, and is asked no more. */
static void check_end(const char *name, const struct file *file, unsigned long last)
{
    struct patience patience = {.last = last};
    struct vgg_image *image = NULL;
    struct vgg_error error = {0};
    long live = fault_outstanding();

    if (decode_patiently(file, &patience, &image, &error) != VGG_DEADLINE)
        fail_msg("%s goes on after poll %lu: %s", name, last, error.text);
    assert_null(image);
    assert_int_equal(patience.polls, last);
    assert_string_equal(error.text, vgg_status_text(VGG_DEADLINE));
    assert_int_equal(fault_outstanding(), live);
}

static void check_polls(const char *name, const struct file *file)
{
    struct patience patience = {0};
    struct vgg_image_info info = {0};
    struct vgg_image *image = NULL;
    struct vgg_error error = {0};
    enum vgg_status peeked = vgg_image_peek(file->bytes, file->size, NULL, &info, NULL);
    enum vgg_status status = decode_patiently(file, &patience, &image, &error);

    if (patience.polls > info.work + POLLS_BESIDE)
        fail_msg("%s: %lu polls, predicted work %llu", name, patience.polls,
                 (unsigned long long)info.work);
    if (peeked == VGG_OK && info.work == 0)
        fail_msg("%s: no work is predicted", name);
    if (status == VGG_OK) {
        if (patience.polls < 1 + (uint64_t)info.width * info.height / PIXELS_OF_A_POLL)
            fail_msg("%s: %lu polls", name, patience.polls);
        for (unsigned i = 0; i <= 4; i++)
            check_end(name, file, 1 + (patience.polls - 1) * i / 4);
    }
    vgg_image_destroy(image);
}

static struct file make_bomb(const struct bomb *bomb, uint32_t side)
{
    struct file file;

    if (!bomb->make(side, &file.bytes, &file.size))
        fail_msg("%s: not made", bomb->name);
    return file;
}

static void bombs_are_bounded(void **state)
{
    (void)state;
    for (size_t i = 0; i < bombs_n; i++) {
        struct file file = make_bomb(&bombs[i], SIDE);

        check_polls(bombs[i].name, &file);
        free(file.bytes);
    }
}

/* A bound of rows alone would let each of many narrow ones cost nothing. */
static void narrow_pictures(void **state)
{
    static const uint32_t sizes[][2] = {{1, 5000}, {5000, 1}, {1, 1}, {9, 4000}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (int kind = 0; kind < 4; kind++) {
            struct jpeg_spec spec = {.width = sizes[i][0],
                                     .height = sizes[i][1],
                                     .progressive = kind % 2 != 0,
                                     .luma_h = kind / 2 + 1,
                                     .luma_v = kind / 2 + 1};
            struct file file;

            assert_true(jpeg_make(&spec, &file.bytes, &file.size));
            check_polls("narrow", &file);
            free(file.bytes);
        }
}

/* ---- files ---- */

static void (*visit_file)(const char *name, const struct file *file);

static int on_file(const char *path, const struct stat *info, int type, struct FTW *where)
{
    struct file file = {.size = (size_t)info->st_size};
    FILE *stream = type == FTW_F ? fopen(path, "rb") : NULL;

    (void)where;
    if (stream == NULL)
        return 0;
    file.bytes = malloc(file.size + 1);
    assert_non_null(file.bytes);
    assert_int_equal(fread(file.bytes, 1, file.size, stream), file.size);
    fclose(stream);
    visit_file(path, &file);
    free(file.bytes);
    return 0;
}

static bool walk_files(void (*visit)(const char *name, const struct file *file))
{
    const char *shared = getenv("VGG_SHARED");
    char path[1024];

    if (shared == NULL || shared[0] == '\0')
        return false;
    snprintf(path, sizeof path, "%s/data/torture", shared);
    visit_file = visit;
    assert_int_equal(nftw(path, on_file, 16, FTW_PHYS), 0);
    return true;
}

static void torture_files(void **state)
{
    (void)state;
    if (walk_files(check_polls))
        return;
    printf("SKIPPED: VGG_SHARED is not set, the torture files were not decoded\n");
    skip();
}

/* ---- times ---- */

static double unit_ns; /* of an ordinary photograph */
static unsigned timed, slow;

static double thread_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static double time_decode(const struct file *file, const char **why)
{
    struct vgg_image *image = NULL;
    double start_ns = thread_ns();
    enum vgg_status status = vgg_image_decode(file->bytes, file->size, NULL, &image, NULL);
    double ns = thread_ns() - start_ns;

    *why = vgg_status_text(status);
    vgg_image_destroy(image);
    return ns;
}

static void time_file(const char *name, const struct file *file)
{
    struct vgg_image_info info = {0};
    double start_ns = thread_ns(), peek_ns, predicted_ns, ns;
    const char *why;

    (void)vgg_image_peek(file->bytes, file->size, NULL, &info, NULL);
    peek_ns = thread_ns() - start_ns;
    predicted_ns = (double)info.work * unit_ns;
    ns = time_decode(file, &why);
    for (unsigned i = 0; i < RETRIES && ns > 2 * predicted_ns + 50e6; i++) /* a busy machine */
        ns = fmin(ns, time_decode(file, &why));
    timed++;
    if (ns > 2 * predicted_ns + 50e6) {
        slow++;
        printf("FAILED ");
    }
    if (ns > 5e6 || peek_ns > 5e6)
        printf("%-32s %8zu bytes, %5u x %-5u peek %4.1f ms, decode %7.1f predicted, %7.1f "
               "measured: %s\n",
               name, file->size, info.width, info.height, peek_ns / 1e6, predicted_ns / 1e6,
               ns / 1e6, why);
}

static int time_all(uint32_t side)
{
    struct jpeg_spec ordinary = {.width = side, .height = side, .luma_h = 2, .luma_v = 2};
    struct vgg_image_info info;
    struct file file;
    const char *why;

    assert_true(jpeg_make(&ordinary, &file.bytes, &file.size));
    assert_int_equal(vgg_image_peek(file.bytes, file.size, NULL, &info, NULL), VGG_OK);
    unit_ns = time_decode(&file, &why) / (double)info.work;
    for (unsigned i = 0; i < RETRIES; i++)
        unit_ns = fmin(unit_ns, time_decode(&file, &why) / (double)info.work);
    free(file.bytes);
    for (size_t i = 0; i < bombs_n; i++) {
        char name[80];

        snprintf(name, sizeof name, "%s, %s", bombs[i].format, bombs[i].name);
        file = make_bomb(&bombs[i], side);
        time_file(name, &file);
        free(file.bytes);
    }
    (void)walk_files(time_file);
    printf("measured: %u decodes, %u of them over twice their prediction and 50 ms; a unit is "
           "%.2f ns\n",
           timed, slow, unit_ns);
    return slow != 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bombs_are_bounded),
        cmocka_unit_test(narrow_pictures),
        cmocka_unit_test(torture_files),
    };

    if (argc > 1 && strcmp(argv[1], "timed") == 0)
        return time_all(argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 4096);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
