/* "Did you mean --model?": the known word that is nearest to one that was typed. */
#ifndef SUGGESTION_H
#define SUGGESTION_H

#include <stddef.h>

enum { SUGGESTION_BYTES = 96 };

struct suggestion {
    const char *word; /* as typed */
    size_t length;
    const char *best; /* NULL: none is near */
    size_t best_length;
    unsigned distance; /* of the best; before it the least that is too far */
};

void suggestion_begin(struct suggestion *suggestion, const char *word, size_t length);

/* A known word, which must stay. Of equally near ones the first counts. */
void suggestion_offer(struct suggestion *suggestion, const char *known, size_t length);

/* Each word of "json|text". */
void suggestion_offer_words(struct suggestion *suggestion, const char *words);

/* ": did you mean --model?", where `prefix` is "--"; "" where no word is near. */
const char *suggestion_text(const struct suggestion *suggestion, const char *prefix,
                            char text[SUGGESTION_BYTES]);

#endif
