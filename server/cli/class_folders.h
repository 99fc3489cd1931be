/* Labelled pictures: DIRECTORY/CLASS/... where the folder's name says the class. */
#ifndef CLASS_FOLDERS_H
#define CLASS_FOLDERS_H

#include "cli/pictures.h"

/* Zero-initialise. */
struct class_folders {
    struct pictures pictures;
    uint32_t *classes; /* of each picture */
};

/*
 * Find the pictures in and below the folders of `directory` (vgg_pictures.h). A folder's name is
 * the id of a class of the model, else its label, as written, else in any case; its index where the
 * model has no labels. What might have been a picture is one that has a reason, and any class.
 * False where folders are none, or several, of the classes, or there are no pictures: one line on
 * standard error has said so.
 */
bool class_folders_open(struct class_folders *folders, const char *directory,
                        const struct vgg_model *model, struct left_out *left_out);
void class_folders_fini(struct class_folders *folders);

/* The class that a name stands for; false with the reason. */
bool class_find(const struct vgg_model *model, const char *name, uint32_t *index,
                struct problem *problem);

#endif
