/* Labelled pictures: DIRECTORY/CLASS/... where the folder's name says the class. */
#ifndef CLASS_FOLDERS_H
#define CLASS_FOLDERS_H

#include "pictures/pictures.h"

/* Zero-initialise. */
struct class_folders {
    struct pictures pictures;
    uint32_t *classes;       /* of each picture */
    struct pictures unknown; /* those of the folder VGG_UNKNOWN_FOLDER, of no class */
    char *unknown_folder;    /* NULL: there is none */
};

/*
 * Find the pictures in and below the folders of `directory` (vgg_pictures.h). The name of a folder
 * is the id of a class of the model, else a label as written, else a label in any case; of a model
 * without labels it is an index. Those of the folder _unknown are found too. What might have been a
 * picture becomes an entry too, with the reason why it is none and with any class. False where a
 * folder is no class, where a name could be several classes, or where there are no pictures: one
 * line on standard error has said so.
 */
bool class_folders_open(struct class_folders *folders, const char *directory,
                        const struct vgg_model *model, struct left_out *left_out);
void class_folders_fini(struct class_folders *folders);

/* The class that a name stands for; false with the reason. */
bool class_find(const struct vgg_model *model, const char *name, uint32_t *index,
                struct problem *problem);

#endif
