/* Dividing a set by units: groups of pictures that stay together, and single pictures. */
#include "data/split.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/streams.h"

enum { FOLDS = 10 };

/* ---------------------------------------------------------------- units ---------------------- */

struct units {
    const struct vgg_dataset *dataset;
    size_t *first; /* [examples]: the first picture of each picture's unit */
    size_t *sizes; /* [examples]: of the unit that begins here, in pictures; else 0 */
};

static void units_fini(struct units *units)
{
    free(units->first);
    free(units->sizes);
    *units = (struct units){0};
}

/* A class that is a single group comes apart. */
static void break_up(struct units *units)
{
    const struct vgg_example *examples = units->dataset->examples;
    size_t n = units->dataset->examples_n, next;

    for (size_t i = 0; i < n; i = next) {
        bool single = true;

        for (next = i; next < n && examples[next].label == examples[i].label; next++)
            single = single && units->first[next] == units->first[i];
        for (size_t j = i; j < next && single; j++)
            units->first[j] = j;
    }
}

static enum vgg_status make_units(const struct vgg_dataset *dataset, const size_t *group,
                                  struct units *units, struct vgg_error *error)
{
    size_t n = dataset->examples_n;

    *units = (struct units){.dataset = dataset,
                            .first = vgg_alloc(n, sizeof *units->first),
                            .sizes = vgg_calloc(n, sizeof *units->sizes)};
    if (units->first == NULL || units->sizes == NULL) {
        units_fini(units);
        return vgg_fail_memory(error);
    }
    for (size_t i = 0; i < n; i++)
        units->first[i] = group != NULL ? group[i] : i;
    break_up(units);
    for (size_t i = 0; i < n; i++)
        units->sizes[units->first[i]]++;
    return VGG_OK;
}

/* The picture after `i` in its unit, or the number of pictures. */
static size_t next_member(const struct units *units, size_t i)
{
    size_t n = units->dataset->examples_n, first = units->first[i];

    if (units->sizes[first] == 1)
        return n;
    do
        i++;
    while (i < n && units->first[i] != first);
    return i;
}

/* ---------------------------------------------------------------- a part set aside ----------- */

/* One class on the way through the units: `needed` of the `left` pictures to come are moved. */
struct share {
    size_t n, wanted;
    size_t left; /* but for those of units that are larger than `wanted` */
    size_t needed;
    size_t moved;
    struct vgg_random random;
};

struct division {
    struct units units;
    struct share *shares; /* [classes] */
    bool *moves;          /* [examples] */
};

static void division_fini(struct division *division)
{
    units_fini(&division->units);
    free(division->shares);
    free(division->moves);
}

static struct share *share_of(const struct division *division, size_t i)
{
    return &division->shares[division->units.dataset->examples[i].label];
}

static void set_share(struct share *share, double fraction, uint64_t seed, uint64_t label)
{
    size_t n = share->n;
    double wanted = round(fraction * (double)n);

    if (n >= 2)
        share->wanted = wanted < 1 ? 1 : wanted > (double)(n - 1) ? n - 1 : (size_t)wanted;
    share->needed = share->wanted;
    vgg_random_init_keyed(&share->random, (uint64_t[]){seed, VGG_STREAM_SPLIT, label}, 3);
}

/* How many pictures of a class may be moved: at all, now, before none is left. */
static size_t room_wanted(const struct share *share)
{
    return share->wanted;
}

static size_t room_needed(const struct share *share)
{
    return share->needed;
}

static size_t room_left(const struct share *share)
{
    return share->n - 1 - share->moved;
}

/* Has each class room for its pictures of the unit? Those of one class follow each other. */
static bool fits(const struct division *division, size_t first,
                 size_t (*room)(const struct share *))
{
    size_t n = division->units.dataset->examples_n;

    for (size_t i = first; i < n;) {
        const struct share *share = share_of(division, i);
        size_t count = 0;

        for (; i < n && share_of(division, i) == share; i = next_member(&division->units, i))
            count++;
        if (count > room(share))
            return false;
    }
    return true;
}

static void move(struct division *division, size_t first)
{
    size_t n = division->units.dataset->examples_n;

    for (size_t i = first; i < n; i = next_member(&division->units, i)) {
        struct share *share = share_of(division, i);

        division->moves[i] = true;
        share->moved++;
        if (share->needed != 0)
            share->needed--;
    }
}

/* Change what is left of the classes of a unit by its pictures. */
static void count_unit(struct division *division, size_t first, bool comes)
{
    size_t n = division->units.dataset->examples_n;

    for (size_t i = first; i < n; i = next_member(&division->units, i))
        share_of(division, i)->left += comes ? 1 : -(size_t)1;
}

/* Each choice of `wanted` pictures is equally likely (selection sampling) where all are single. */
static void choose(struct division *division)
{
    const struct units *units = &division->units;
    size_t n = units->dataset->examples_n;

    for (size_t i = 0; i < n; i++)
        if (units->first[i] == i && fits(division, i, room_wanted))
            count_unit(division, i, true);
    for (size_t i = 0; i < n; i++) {
        struct share *share = share_of(division, i);

        if (units->first[i] != i || !fits(division, i, room_wanted))
            continue;
        if (vgg_random_below(&share->random, share->left) < share->needed &&
            fits(division, i, room_needed))
            move(division, i);
        count_unit(division, i, false);
    }
}

/* A class whose groups were all too large for its share gives the smallest one. */
static void mend(struct division *division, uint32_t label)
{
    const struct vgg_dataset *dataset = division->units.dataset;
    const size_t *sizes = division->units.sizes;
    size_t n = dataset->examples_n, best = n;

    for (size_t i = 0; i < n; i++) {
        size_t first = division->units.first[i];

        if (dataset->examples[i].label == label && (best == n || sizes[first] < sizes[best]) &&
            fits(division, first, room_left))
            best = first;
    }
    if (best != n)
        move(division, best);
}

static enum vgg_status divide(struct division *division, const struct vgg_dataset *from,
                              double fraction, uint64_t seed, const size_t *group,
                              struct vgg_error *error)
{
    enum vgg_status status = make_units(from, group, &division->units, error);

    if (status != VGG_OK)
        return status;
    division->shares = vgg_calloc(from->classes_n, sizeof *division->shares);
    division->moves = vgg_calloc(from->examples_n, sizeof *division->moves);
    if (division->shares == NULL || division->moves == NULL)
        return vgg_fail_memory(error);
    for (size_t i = 0; i < from->examples_n; i++)
        division->shares[from->examples[i].label].n++;
    for (size_t i = 0; i < from->classes_n; i++)
        set_share(&division->shares[i], fraction, seed, i);
    choose(division);
    for (uint32_t i = 0; i < from->classes_n; i++)
        if (division->shares[i].moved == 0 && division->shares[i].wanted != 0)
            mend(division, i);
    return VGG_OK;
}

/* An empty set of the same classes, with room for what is moved. */
static enum vgg_status prepare(const struct vgg_dataset *from, const struct division *division,
                               struct vgg_dataset *to, struct vgg_error *error)
{
    size_t moved = 0;
    enum vgg_status status;

    for (size_t i = 0; i < from->examples_n; i++)
        moved += division->moves[i];
    status =
        vgg_dataset_set_classes(to, (const char *const *)from->classes, from->classes_n, error);
    if (status != VGG_OK)
        return status;
    to->examples = vgg_calloc(moved, sizeof *to->examples);
    return to->examples != NULL ? VGG_OK : vgg_fail_memory(error);
}

enum vgg_status vgg_dataset_split(struct vgg_dataset *from, double fraction, uint64_t seed,
                                  const size_t *group, struct vgg_dataset *to,
                                  struct vgg_error *error)
{
    struct division division = {0};
    size_t kept = 0;
    enum vgg_status status = divide(&division, from, fraction, seed, group, error);

    *to = (struct vgg_dataset){0};
    if (status == VGG_OK)
        status = prepare(from, &division, to, error);
    if (status != VGG_OK) {
        vgg_dataset_fini(to);
        division_fini(&division);
        return status;
    }
    for (size_t i = 0; i < from->examples_n; i++)
        if (division.moves[i])
            to->examples[to->examples_n++] = from->examples[i];
        else
            from->examples[kept++] = from->examples[i];
    from->examples_n = kept;
    division_fini(&division);
    return VGG_OK;
}

/* ---------------------------------------------------------------- folds ---------------------- */

/*
 * A unit in the order in which folds are given: the large first, those of one size by class, so
 * that a class goes on where the last one ended, and in a class at random.
 */
struct turn {
    size_t first, size;
    uint32_t label;
    uint64_t key;
};

static int by_size(const void *a, const void *b)
{
    const struct turn *left = a, *right = b;

    if (left->size != right->size)
        return left->size > right->size ? -1 : 1;
    if (left->label != right->label)
        return left->label < right->label ? -1 : 1;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    return left->first < right->first ? -1 : 1;
}

static size_t make_turns(const struct units *units, uint64_t seed, struct turn *turns)
{
    struct vgg_random random;
    size_t n = 0;

    vgg_random_init_keyed(&random, (uint64_t[]){seed, VGG_STREAM_FOLDS}, 2);
    for (size_t i = 0; i < units->dataset->examples_n; i++)
        if (units->sizes[i] != 0)
            turns[n++] = (struct turn){i, units->sizes[i], units->dataset->examples[i].label,
                                       vgg_random_next(&random)};
    if (n != 0)
        qsort(turns, n, sizeof *turns, by_size);
    return n;
}

/* The fold that holds least of the unit's classes, of equal ones that with fewest pictures. */
static uint32_t least_fold(const struct units *units, size_t first, const size_t *counts,
                           uint32_t folds_n)
{
    const struct vgg_dataset *dataset = units->dataset;
    size_t stride = dataset->classes_n + 1, least = SIZE_MAX;
    uint32_t best = 0;

    for (uint32_t fold = 0; fold < folds_n; fold++) {
        const size_t *held = counts + fold * stride; /* of each class, and of all */
        size_t sum = 0;

        for (size_t i = first; i < dataset->examples_n; i = next_member(units, i))
            sum += held[dataset->examples[i].label];
        if (sum < least ||
            (sum == least && held[stride - 1] < counts[best * stride + stride - 1])) {
            least = sum;
            best = fold;
        }
    }
    return best;
}

static void deal(const struct units *units, const struct turn *turns, size_t turns_n,
                 size_t *counts, uint32_t folds_n, uint32_t *fold)
{
    const struct vgg_dataset *dataset = units->dataset;
    size_t stride = dataset->classes_n + 1;

    for (size_t t = 0; t < turns_n; t++) {
        uint32_t chosen = least_fold(units, turns[t].first, counts, folds_n);
        size_t *held = counts + chosen * stride;

        for (size_t i = turns[t].first; i < dataset->examples_n; i = next_member(units, i)) {
            fold[i] = chosen;
            held[dataset->examples[i].label]++;
            held[stride - 1]++;
        }
    }
}

enum vgg_status vgg_dataset_folds(const struct vgg_dataset *dataset, const size_t *group,
                                  uint32_t folds_n, uint64_t seed, uint32_t *fold,
                                  struct vgg_error *error)
{
    struct units units;
    enum vgg_status status = make_units(dataset, group, &units, error);
    struct turn *turns;
    size_t *counts;

    if (status != VGG_OK)
        return status;
    turns = vgg_alloc(dataset->examples_n, sizeof *turns);
    counts = vgg_calloc(folds_n, (dataset->classes_n + 1) * sizeof *counts);
    if (turns != NULL && counts != NULL)
        deal(&units, turns, make_turns(&units, seed, turns), counts, folds_n, fold);
    else
        status = vgg_fail_memory(error);
    free(turns);
    free(counts);
    units_fini(&units);
    return status;
}

uint32_t vgg_dataset_folds_count(const struct vgg_dataset *dataset, const size_t *group)
{
    uint32_t n = 0;

    for (size_t i = 0; i < dataset->examples_n && n < FOLDS; i++)
        n += group == NULL || group[i] == i;
    return n < 2 ? 2 : n;
}
