/* What standard output and standard error go to. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>

/* Width of the terminal on fd; 80 where it does not tell. */
unsigned terminal_columns(int fd);

/* May colours be written to fd? Only to a terminal, without NO_COLOR, that is not "dumb". */
bool terminal_has_colours(int fd);

#endif
