/* Terminals. */
#include "terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FAILED "\033[1;31m"
#define PLAIN "\033[0m"

enum { COLUMNS_DEFAULT = 80 };

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

void terminal_text(FILE *out, const char *text, size_t width)
{
    size_t length = strlen(text);

    if (length > width)
        for (length = width; length > 0 && (text[length] & 0xc0) == 0x80; length--)
            ;
    for (size_t i = 0; i < length; i++)
        fputc((unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i], out);
}

void terminal_failure(const char *what, const char *reason)
{
    bool colours = terminal_has_colours(STDERR_FILENO);

    fprintf(stderr, "vgg: %s", colours ? FAILED : "");
    terminal_text(stderr, what, SIZE_MAX);
    fprintf(stderr, "%s: %s\n", colours ? PLAIN : "", reason);
}
