/* Terminals. */
#include "process/terminal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text/utf8.h"

#define FAILED "\033[1;31m"
#define PLAIN "\033[0m"

enum { COLUMNS_DEFAULT = 80, LINE_BYTES = 2 * 4096 }; /* a path is at most half of a line */

unsigned terminal_columns(int fd)
{
    struct winsize size = {0};

    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_DEFAULT;
    return size.ws_col;
}

/* https://no-color.org: set and not empty. */
bool terminal_has_colours(int fd)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fd) && (no_colour == NULL || no_colour[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

size_t terminal_text(FILE *out, const char *text, size_t width)
{
    size_t used = 0;

    for (size_t left = strlen(text), taken; left > 0; text += taken, left -= taken) {
        const char *shown;
        size_t bytes;

        taken = utf8_show(text, left, &shown, &bytes);
        if (bytes > width - used)
            break;
        fwrite(shown, 1, bytes, out);
        used += bytes;
    }
    return used;
}

void terminal_say(const char *format, ...)
{
    char text[LINE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    utf8_clean(text);
    fprintf(stderr, "vgg: %s\n", text);
}

void terminal_failure(const char *what, const char *reason)
{
    bool colours = terminal_has_colours(STDERR_FILENO);

    fprintf(stderr, "vgg: %s", colours ? FAILED : "");
    terminal_text(stderr, what, SIZE_MAX);
    fprintf(stderr, "%s: ", colours ? PLAIN : "");
    terminal_text(stderr, reason, SIZE_MAX);
    fputc('\n', stderr);
}
