/* The pictures that a command is given: files, directories of them, standard input. */
#ifndef PICTURES_H
#define PICTURES_H

#include "answer/problem.h"
#include "pictures/left_out.h"

struct picture {
    char *path;   /* "-": standard input */
    char *reason; /* why it cannot be read, where that is known from the start; else NULL */
};

/* Zero-initialise. */
struct pictures {
    struct picture *items;
    size_t n, capacity;
};

/* Append one. Errors: NO_MEMORY. */
enum vgg_status pictures_append(struct pictures *pictures, const char *path, const char *reason);

/*
 * Add an operand: a directory stands for the pictures in it and below (vgg_pictures.h), and for
 * what might have been some, with the reason; anything else for itself. The rest of a directory
 * goes to `left_out`. False when out of memory.
 */
bool pictures_is_directory(const char *path);
bool pictures_add(struct pictures *pictures, const char *operand, struct left_out *left_out);
void pictures_fini(struct pictures *pictures);

/* Read a picture of at most `max` bytes into a malloc'ed block; false with the problem. */
bool picture_read(const struct picture *picture, uint64_t max, uint8_t **bytes, size_t *size,
                  struct problem *problem);

#endif
