/* What a directory of class folders holds, by names alone: no picture is opened. */
#ifndef CENSUS_H
#define CENSUS_H

#include "text/text.h"

/* Zero-initialise. */
struct census {
    struct census_class {
        char *name;
        size_t pictures;
    } * classes; /* of at least one picture, bytewise by name */
    size_t classes_n;
    size_t pictures;    /* of all classes */
    size_t least, most; /* of a class */
    size_t unknown;     /* in the folder of no class */
};

/*
 * Count. Errors: IO (the directory cannot be read), BAD_ARGUMENT (it holds no two classes: the text
 * shows the layout and what was probably meant, and a line on standard error what else is there),
 * NO_MEMORY. census_fini is due in any case.
 */
enum vgg_status census_take(const char *directory, struct census *census, struct vgg_error *error);
void census_fini(struct census *census);

/* "58 pictures of 3 classes: cup 20, mug 19, plate 19"; of many classes only how large they are. */
void census_print(const struct census *census, struct text *text);

#endif
