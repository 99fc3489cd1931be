/* The progress bar: "[=====>    ] 45/120  38%  2 failed  0:42 left". */
#include "pictures/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "process/clock.h"
#include "process/terminal.h"

enum { BAR_MAX = 40, TEXT_BYTES = 256 };

void progress_init(struct progress *progress, size_t total)
{
    *progress = (struct progress){
        .shown = total > 1 && isatty(STDERR_FILENO), .total = total, .begun_ns = now_ns()};
}

void progress_pass(struct progress *progress, size_t done)
{
    progress->done = progress->passed = done;
}

void progress_hide(const struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
}

void progress_step(struct progress *progress, bool failed)
{
    progress->done++;
    progress->failed += failed;
}

/* "1:02:03" or "2:03" */
static void format_seconds(uint64_t seconds, char *text, size_t size)
{
    unsigned long long hours = seconds / 3600, minutes = seconds / 60 % 60, rest = seconds % 60;

    if (hours != 0)
        snprintf(text, size, "%llu:%02llu:%02llu", hours, minutes, rest);
    else
        snprintf(text, size, "%llu:%02llu", minutes, rest);
}

/* The time left, if the others take as long as those that are done. */
static double by_mean(const struct progress *progress)
{
    return (double)(now_ns() - progress->begun_ns) / NS_PER_S /
           (double)(progress->done - progress->passed) * (double)(progress->total - progress->done);
}

static void format_numbers(const struct progress *progress, char text[TEXT_BYTES])
{
    char failed[40] = "", left[60] = "", time[40];

    if (progress->failed != 0)
        snprintf(failed, sizeof failed, "  %zu failed", progress->failed);
    if (progress->left_seconds > 0 || progress->done > progress->passed) {
        double seconds = progress->left_seconds > 0 ? progress->left_seconds : by_mean(progress);

        /* Rounded up: while anything is left, so is time. */
        format_seconds((uint64_t)seconds + 1, time, sizeof time);
        snprintf(left, sizeof left, "  %s left", time);
    }
    snprintf(text, TEXT_BYTES, "%zu/%zu  %3.0f%%%s%s", progress->done, progress->total,
             100 * (double)progress->done / (double)progress->total, failed, left);
}

/* What stands right of the bar: the note, as many of its parts as there is room for, and numbers.
 */
static void format_text(const struct progress *progress, unsigned columns, char text[TEXT_BYTES])
{
    char numbers[TEXT_BYTES] = "", note[PROGRESS_NOTE_BYTES];

    format_numbers(progress, numbers);
    snprintf(note, sizeof note, "%s", progress->note);
    while (note[0] != '\0' && strlen(note) + strlen(numbers) + 3 > columns) {
        char *part = note, *next;

        while ((next = strstr(part + 1, "  ")) != NULL)
            part = next;
        *part = '\0';
    }
    snprintf(text, TEXT_BYTES, "%s%s%.150s", note, note[0] != '\0' ? "  " : "", numbers);
}

void progress_say(const char *text)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%.*s\033[K", (int)terminal_columns(STDERR_FILENO) - 1, text);
}

void progress_show(struct progress *progress)
{
    char text[TEXT_BYTES], bar[BAR_MAX + 1];
    unsigned columns = terminal_columns(STDERR_FILENO);
    size_t room, filled;

    if (!progress->shown || progress->done == progress->total)
        return;
    format_text(progress, columns, text);
    room = columns > strlen(text) + 5 ? columns - strlen(text) - 5 : 0;
    room = room < BAR_MAX ? room : BAR_MAX;
    filled = room * progress->done / progress->total;
    memset(bar, ' ', room);
    memset(bar, '=', filled);
    if (filled < room)
        bar[filled] = '>';
    bar[room] = '\0';
    if (room >= 4)
        fprintf(stderr, "\r[%s] %s\033[K", bar, text);
    else
        fprintf(stderr, "\r%.*s\033[K", (int)columns - 1, text);
    fflush(stderr);
}
