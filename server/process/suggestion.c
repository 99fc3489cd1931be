/* Nearness of words: the Damerau-Levenshtein distance (optimal string alignment). */
#include "process/suggestion.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 40, PREFIX_MIN = 3 }; /* longer words are no typing errors */

/* Case does not count, nor whether a blank between words is - or _. */
static int plain(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Letters to insert, drop, replace or swap with the next one, to get from a to b. */
static unsigned distance(const char *a, size_t a_n, const char *b, size_t b_n)
{
    unsigned rows[3][WORD_MAX + 1];

    for (size_t j = 0; j <= b_n; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_n; i++) {
        unsigned *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_n; j++) {
            bool same = plain(a[i - 1]) == plain(b[j - 1]);

            row[j] = least(last[j - 1] + !same, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) &&
                plain(a[i - 2]) == plain(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return rows[a_n % 3][b_n];
}

static bool begins_with(const char *text, size_t length, const char *beginning, size_t n)
{
    return n >= PREFIX_MIN && n < length && distance(text, n, beginning, n) == 0;
}

/* One letter in three may be wrong, but not all. */
void suggestion_begin(struct suggestion *suggestion, const char *word, size_t length)
{
    unsigned wrong_max = length < 3 ? 1 : (unsigned)(length / 3);

    *suggestion = (struct suggestion){.word = word, .length = length, .distance = wrong_max + 1};
    if (length < 2 || length > WORD_MAX)
        suggestion->distance = 0;
}

void suggestion_offer(struct suggestion *suggestion, const char *known, size_t length)
{
    unsigned far;

    if (suggestion->distance == 0 || length > WORD_MAX)
        return;
    far = distance(suggestion->word, suggestion->length, known, length);
    /* The beginning of a word is as good as one wrong letter. */
    if (far > 1 && begins_with(known, length, suggestion->word, suggestion->length))
        far = 1;
    if (far >= suggestion->distance)
        return;
    suggestion->best = known;
    suggestion->best_length = length;
    suggestion->distance = far;
}

void suggestion_offer_words(struct suggestion *suggestion, const char *words)
{
    while (*words != '\0') {
        size_t length = strcspn(words, "|");

        suggestion_offer(suggestion, words, length);
        words += length + (words[length] == '|');
    }
}

const char *suggestion_text(const struct suggestion *suggestion, const char *prefix,
                            char text[SUGGESTION_BYTES])
{
    text[0] = '\0';
    if (suggestion->best != NULL)
        snprintf(text, SUGGESTION_BYTES, ": did you mean %s%.*s?", prefix,
                 (int)suggestion->best_length, suggestion->best);
    return text;
}
