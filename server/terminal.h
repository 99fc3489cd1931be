/* What standard output and standard error go to. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Width of the terminal on fd; 80 where it does not tell. */
unsigned terminal_columns(int fd);

/* May colours be written to fd? Only to a terminal, without NO_COLOR, that is not "dumb". */
bool terminal_has_colours(int fd);

/* Print at most `width` bytes of a text: no control characters, whole UTF-8 sequences. */
void terminal_text(FILE *out, const char *text, size_t width);

/* "vgg: photo.jpg: it is empty" on standard error. */
void terminal_failure(const char *what, const char *reason);

#endif
