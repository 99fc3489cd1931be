/* The bar on a terminal. */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pictures/progress.h"

/* What `show` writes to standard error where that is a terminal. */
static void on_terminal(void (*show)(void), char *text, size_t size)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), saved = dup(STDERR_FILENO), end;
    ssize_t length;

    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(end >= 0);
    fflush(stderr);
    dup2(end, STDERR_FILENO);
    show();
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    length = read(terminal, text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    close(saved);
    close(end);
    close(terminal);
}

/* Half is done in no time, and the other half still takes some. */
static void show_half(void)
{
    struct progress progress;

    progress_init(&progress, 2);
    progress_step(&progress, false);
    progress_show(&progress);
}

/* Nothing is known of time by what was done before. */
static void show_passed(void)
{
    struct progress progress;

    progress_init(&progress, 10);
    progress_pass(&progress, 9);
    progress_show(&progress);
}

/* Who knows what else there is to do says so. */
static void show_known(void)
{
    struct progress progress;

    progress_init(&progress, 10);
    progress_step(&progress, false);
    progress.left_seconds = 3725.5;
    progress_show(&progress);
}

/* More than 80 columns hold. */
static void show_long_note(void)
{
    struct progress progress;

    progress_init(&progress, 3500);
    snprintf(progress.note, sizeof progress.note,
             "epoch 123/140  loss 0.741  best error 47.7%%  1234 images/s");
    progress.done = 1234;
    progress_show(&progress);
}

static void show_line(void)
{
    progress_say("reading ...");
}

static void time_is_left(void **state)
{
    char text[512];

    (void)state;
    on_terminal(show_half, text, sizeof text);
    assert_non_null(strstr(text, "1/2   50%  0:01 left"));
    on_terminal(show_passed, text, sizeof text);
    assert_non_null(strstr(text, "9/10   90%"));
    assert_null(strstr(text, "left"));
    on_terminal(show_known, text, sizeof text);
    assert_non_null(strstr(text, "1/10   10%  1:02:06 left"));
    on_terminal(show_long_note, text, sizeof text);
    assert_non_null(strstr(text, "epoch 123/140  loss 0.741  best error 47.7%  1234/3500   35%  "));
    assert_non_null(strstr(text, " left"));
    on_terminal(show_line, text, sizeof text);
    assert_non_null(strstr(text, "reading ..."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
