/* Quoting for a shell. */
#include "training/command_line.h"

#include <errno.h>
#include <string.h>

void command_line_quote(struct text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=:,./@%";

    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        text_print(text, "%s", word);
        return;
    }
    text_append(text, "'", 1);
    for (; *word != '\0'; word++)
        if (*word == '\'')
            text_print(text, "'\\''");
        else
            text_append(text, word, 1);
    text_append(text, "'", 1);
}

void command_line_print(struct text *text, int argc, char *const *argv, const char *more)
{
    command_line_quote(text, program_invocation_name);
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            text_print(text, "%s", more);
            more = "";
        }
        text_append(text, " ", 1);
        command_line_quote(text, argv[i]);
    }
    text_print(text, "%s", more);
}
