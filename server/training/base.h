/*
 * The base of a training: the file or the word that --base says, or the one that is chosen when
 * nothing is said. A published network is looked for in models/ of the working directory, in
 * models/ of the checkout that the program was built in, and in /var/lib/vgg.
 */
#ifndef BASE_H
#define BASE_H

#include "text/text.h"
#include "vgg_train.h"

enum { BASE_PATH_BYTES = 4096 };

enum base_kind { BASE_NONE, BASE_FILE, BASE_PUBLISHED, BASE_EMBEDDED };

struct base {
    enum base_kind kind;
    const char *published;      /* "vgg16" of a published one */
    char path[BASE_PATH_BYTES]; /* of a file */
};

/*
 * What `said` is: "embedded", the name of a published network, or a path. Errors: BAD_ARGUMENT
 * (the published one is not there: the text tells how to get it; this build embeds no model), IO
 * (no such file).
 */
enum vgg_status base_open(const char *said, struct base *base, struct vgg_error *error);

/* The published VGG-16 where it is found, else the embedded model, else none. */
void base_choose(struct base *base);

/* Let a training build on it; without one nothing is frozen. */
void base_apply(const struct base *base, struct vgg_train_options *options);

/* As --base takes it. */
const char *base_word(const struct base *base);

/* The command that brings a published network, to where it is looked for. */
void base_print_fetch(const char *published, struct text *text);

/* The folder that the sources of this program are in, with a slash, ""; false: none is known. */
bool base_find_checkout(char path[BASE_PATH_BYTES]);

#endif
