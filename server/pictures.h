/* The pictures that a command is given: files, directories of them, standard input. */
#ifndef PICTURES_H
#define PICTURES_H

#include "problem.h"

struct picture {
    char *path; /* "-": standard input */
    bool empty; /* a directory without pictures */
};

/* Zero-initialise. */
struct pictures {
    struct picture *items;
    size_t n, capacity;
};

/* A link to a directory is one. */
bool pictures_is_directory(const char *path);

/* scandir of what is not hidden, bytewise sorted. */
struct dirent;
int pictures_scan(const char *directory, struct dirent ***entries);

/*
 * Add an operand: a directory stands for the .jpg, .jpeg, .png and .webp files in it and below,
 * sorted, without hidden ones; anything else for itself. False when out of memory.
 */
bool pictures_add(struct pictures *pictures, const char *operand);
void pictures_fini(struct pictures *pictures);

/* Read a picture of at most `max` bytes into a malloc'ed block; false with the problem. */
bool picture_read(const struct picture *picture, uint64_t max, uint8_t **bytes, size_t *size,
                  struct problem *problem);

#endif
