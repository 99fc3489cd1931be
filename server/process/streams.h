/* Standard input, output and error: there from the start, and written whole at the end. */
#ifndef STREAMS_H
#define STREAMS_H

#include <stdbool.h>

/*
 * Put /dev/null in the place of those that the parent has closed: the next file or socket would
 * take their numbers, and get what is printed. False where that cannot be done.
 */
bool streams_open(void);

/*
 * The exit status of a command that ends with `status`: 1 instead of 0 where standard output could
 * not be written, which a line on standard error says, unless the reader has gone (`| head`).
 */
int streams_close(int status);

#endif
