/* Names in a line of ours, as many as fit, the rest counted. */
#ifndef VGG_CORE_TEXT_LIST_H
#define VGG_CORE_TEXT_LIST_H

#include <stddef.h>

enum { TEXT_LIST_BYTES = 256 };

/* Zero-initialise. */
struct text_list {
    size_t n, named; /* of the names added, those that are in `text` */
    char text[TEXT_LIST_BYTES];
};

/* The first name is cut to fit. */
void text_list_add(struct text_list *list, const char *name);

/* "a, b and 3 more": after the last name. */
const char *text_list_end(struct text_list *list);

#endif
