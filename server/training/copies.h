/* Pictures that were given twice: in two classes, or to train on and to validate. */
#ifndef COPIES_H
#define COPIES_H

#include "text/text.h"
#include "vgg_train.h"

/* Zero-initialise. */
struct copies {
    struct copies_picture *pictures;
    size_t n, capacity;
    char **classes;
    size_t classes_n;
    bool failed; /* out of memory: nothing is printed */
};

/* What on_classes and on_picture are told. */
void copies_classes(struct copies *copies, const char *const *classes, size_t classes_n);
void copies_add(struct copies *copies, const struct vgg_train_picture *picture);

/*
 * A line each, without its end, where there are such pictures: copies in two classes, the first
 * pairs by name; validation pictures that coincide with some trained on, their number and one pair.
 */
void copies_print_classes(struct copies *copies, struct text *text);
void copies_print_validation(struct copies *copies, struct text *text);

void copies_fini(struct copies *copies);

#endif
