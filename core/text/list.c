/* Names in a line. */
#include "text/list.h"

#include <stdio.h>
#include <string.h>

enum { MORE_BYTES = 32 }; /* kept free for " and 18446744073709551615 more" */

void text_list_add(struct text_list *list, const char *name)
{
    size_t used = strlen(list->text);
    int room = TEXT_LIST_BYTES - MORE_BYTES - (int)used;

    list->n++;
    if (list->named + 1 < list->n ||
        (used != 0 && strlen(name) + 2 > (size_t)(room > 0 ? room : 0)))
        return;
    snprintf(list->text + used, TEXT_LIST_BYTES - used, "%s%.*s", used != 0 ? ", " : "", room,
             name);
    list->named++;
}

const char *text_list_end(struct text_list *list)
{
    size_t used = strlen(list->text);

    if (list->named < list->n)
        snprintf(list->text + used, TEXT_LIST_BYTES - used, " and %zu more", list->n - list->named);
    return list->text;
}
