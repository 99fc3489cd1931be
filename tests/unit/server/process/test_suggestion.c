/* Which known word is near enough to be proposed. */
#include "check.h"

#include <string.h>

#include "process/suggestion.h"

static const char words[] = "model|listen|admin-listen|max-body|max-view-pixels|fc|top-k|scales";

static void expect(const char *word, const char *best)
{
    struct suggestion suggestion;
    char text[SUGGESTION_BYTES], expected[SUGGESTION_BYTES] = "";

    suggestion_begin(&suggestion, word, strlen(word));
    suggestion_offer_words(&suggestion, words);
    if (best != NULL) {
        strcpy(expected, ": did you mean --");
        strcat(strcat(expected, best), "?");
    }
    if (strcmp(suggestion_text(&suggestion, "--", text), expected) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", word, text, expected);
}

/* Swapped, missing, doubled and wrong letters; cases, blanks. */
static void errors_of_typing(void **state)
{
    (void)state;
    expect("modle", "model");
    expect("modl", "model");
    expect("moddel", "model");
    expect("mobel", "model");
    expect("MODEL", "model");
    expect("top_k", "top-k");
    expect("topk", "top-k");
    expect("max_bdoy", "max-body");
    expect("adminlisten", "admin-listen");
    expect("admin-listne", "admin-listen");
    expect("scale", "scales");
    expect("fcc", "fc");
}

/* The beginning of one, if it is long enough. */
static void beginnings(void **state)
{
    (void)state;
    expect("max-view", "max-view-pixels");
    expect("admin", "admin-listen");
    expect("ma", NULL);
}

static void far_words(void **state)
{
    (void)state;
    expect("", NULL);
    expect("x", NULL);
    expect("xy", NULL);
    expect("port", NULL);
    expect("mouldy", NULL);
    expect("completely-else", NULL);
    expect("model-model-model-model-model-model-model-model", NULL);
}

/* The nearest, of equally near ones the first, and not beyond the length that is given. */
static void nearest(void **state)
{
    struct suggestion suggestion;

    (void)state;
    suggestion_begin(&suggestion, "cat=x", 3);
    suggestion_offer_words(&suggestion, "cart|bat|rat");
    assert_int_equal(suggestion.best_length, 4);
    assert_memory_equal(suggestion.best, "cart", 4);
    suggestion_offer_words(&suggestion, "dog|CAT|cut");
    assert_memory_equal(suggestion.best, "CAT", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_typing),
        cmocka_unit_test(beginnings),
        cmocka_unit_test(far_words),
        cmocka_unit_test(nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
