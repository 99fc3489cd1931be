/* What standard output and standard error go to. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdio.h>

#include "vgg.h"

/* Width of the terminal on fd; 80 where it does not tell. */
unsigned terminal_columns(int fd);

/* May colours be written to fd? Only to a terminal, without NO_COLOR, that is not "dumb". */
bool terminal_has_colours(int fd);

/*
 * Print at most `width` bytes of a text from outside, such as the name of a file or a class: no
 * control characters, whole UTF-8 sequences. Returns how many it were.
 */
size_t terminal_text(FILE *out, const char *text, size_t width);

/* "vgg: " and a text of any origin, on standard error: one line, whatever it holds. */
void terminal_say(const char *format, ...) VGG_PRINTF(1, 2);

/* "vgg: photo.jpg: it is empty" on standard error. */
void terminal_failure(const char *what, const char *reason);

#endif
