/* This program's command line. */
#include "training/command_line.h"

#include <errno.h>
#include <string.h>

void command_line_print(struct text *text, int argc, char *const *argv, const char *more)
{
    text_shell(text, program_invocation_name);
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            text_print(text, "%s", more);
            more = "";
        }
        text_append(text, " ", 1);
        text_shell(text, argv[i]);
    }
    text_print(text, "%s", more);
}
