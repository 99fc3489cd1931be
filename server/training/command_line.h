/* Command lines that are shown, as a shell reads them. */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include "text/text.h"

/*
 * This program with argv[argc], of which argv[0] is the command, and after its options `more`,
 * which is quoted already and begins with a blank.
 */
void command_line_print(struct text *text, int argc, char *const *argv, const char *more);

#endif
