/* Typicality of known and of unknown pictures. */
#include "pictures/unknown.h"

#include <stdlib.h>

#include "process/terminal.h"

bool unknown_open(struct unknown *unknown, const char *directory, const struct vgg_model *model,
                  size_t known_n, struct left_out *left_out)
{
    const char *reason = NULL;

    if (directory != NULL && !pictures_is_directory(directory))
        reason = "not a directory";
    else if (directory != NULL && !pictures_add(&unknown->pictures, directory, left_out))
        reason = "out of memory";
    if (reason == NULL) {
        unknown->level = vgg_reject_level(vgg_model_get_info(model), 0);
        unknown->of_known.values = calloc(known_n, sizeof(double));
        unknown->of_unknown.values = calloc(unknown->pictures.n, sizeof(double));
        if (unknown->of_known.values != NULL && unknown->of_unknown.values != NULL)
            return true;
        reason = "out of memory";
    }
    if (directory != NULL)
        terminal_say("--unknown %s: %s", directory, reason);
    else
        terminal_say("%s", reason);
    return false;
}

void unknown_fini(struct unknown *unknown)
{
    pictures_fini(&unknown->pictures);
    free(unknown->of_known.values);
    free(unknown->of_unknown.values);
}

void unknown_count(const struct unknown *unknown, struct typicalities *kind, double p)
{
    kind->values[kind->n++] = p;
    kind->below += p < unknown->level;
}

/* p of n left-out pictures are 1/n, 2/n ...: of them (1 - p) (n + 1) are above that of another. */
static double mean_above(const struct typicalities *kind, double n)
{
    double sum = 0;

    for (size_t i = 0; i < kind->n; i++)
        sum += (1 - kind->values[i]) * (n + 1) / n;
    return sum / (double)kind->n;
}

void unknown_rank(struct unknown *unknown, const struct vgg_model *model)
{
    struct typicalities *low = &unknown->of_unknown, *high = &unknown->of_known;

    unknown->auroc = unknown->auroc_left_out = -1;
    if (low->n == 0)
        return;
    unknown->auroc_left_out = mean_above(low, vgg_model_get_info(model)->typicality);
    if (high->n != 0)
        unknown->auroc = vgg_auroc(low->values, low->n, high->values, high->n);
}
