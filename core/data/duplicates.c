/*
 * Pictures that coincide. The bounds are set by what two real sets show: of all pairs of TrashNet's
 * 2,019 photographs (series of things on one table) and Imagenette's 3,956, see README.md.
 */
#include "data/duplicates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "data/align.h"

enum {
    BLOCK = 64,   /* pictures between two unions */
    BITS_MAX = 16 /* of the hash, different: what is cropped by 5 % differs in 12, at times 15 */
};

static const double ALIGNED_MIN = 0.9;
static const double TINT_MAX = 0.05; /* difference of a channel's share in the mean colour */

struct search {
    const struct vgg_example **pictures; /* [n] */
    uint64_t *hashes;                    /* [n] */
    size_t n, first;                     /* picture of the block */
    size_t *group;    /* [n]: on the way, a member before each, its own index at the first one */
    size_t *original; /* [n], or NULL */
    bool *near; /* [BLOCK][n]: the picture of the block coincides with this group, by its first */
};

/* ---------------------------------------------------------------- a pair --------------------- */

/* The same bytes or, as far as sums over all of them tell, the same pixels. */
static bool is_copy(const struct vgg_example *a, const struct vgg_example *b)
{
    return strcmp(a->sha256, b->sha256) == 0 ||
           (a->width == b->width && a->height == b->height &&
            memcmp(&a->moments, &b->moments, sizeof a->moments) == 0 &&
            memcmp(&a->fingerprint, &b->fingerprint, sizeof a->fingerprint) == 0);
}

/* The same picture in other colours is another one: a green and a red apple on one plate. */
static bool is_tint_alike(const struct vgg_moments *a, const struct vgg_moments *b)
{
    double a_sum = a->mean[0] + a->mean[1] + a->mean[2];
    double b_sum = b->mean[0] + b->mean[1] + b->mean[2];

    for (unsigned c = 0; c < 3; c++)
        if (fabs(a->mean[c] * b_sum - b->mean[c] * a_sum) > TINT_MAX * a_sum * b_sum)
            return false;
    return true;
}

static bool differs_little(uint64_t a, uint64_t b)
{
    return __builtin_popcountll(a ^ b) <= BITS_MAX;
}

static bool coincide(const struct vgg_example *a, const struct vgg_example *b)
{
    const struct vgg_fingerprint *print = &b->fingerprint;
    struct vgg_fingerprint mirror;

    if (!is_tint_alike(&a->moments, &b->moments))
        return false;
    if (differs_little(a->fingerprint.hash, print->hash) &&
        vgg_align(&a->fingerprint, print, ALIGNED_MIN))
        return true;
    if (!differs_little(a->fingerprint.hash, vgg_fingerprint_mirror_hash(print->hash)))
        return false;
    mirror = vgg_fingerprint_mirror(print);
    return vgg_align(&a->fingerprint, &mirror, ALIGNED_MIN);
}

/* ---------------------------------------------------------------- all pairs ------------------ */

static size_t first_of(size_t *group, size_t i)
{
    while (group[i] != i)
        i = group[i] = group[group[i]];
    return i;
}

/*
 * One picture of the block beside all before it, but for those of a group it is known to belong to,
 * so that ten thousand frames of one camera are no ten million alignments. A copy has the company
 * of the original.
 */
static void search_one(void *context, size_t item, unsigned thread)
{
    const struct search *search = context;
    size_t i = search->first + item;
    uint64_t hash = search->hashes[i], mirror = vgg_fingerprint_mirror_hash(hash);
    bool *near = search->near + item * search->n;

    (void)thread;
    for (size_t j = 0; j < i; j++) {
        size_t first = search->group[j]; /* flat during a block */

        if (!differs_little(hash, search->hashes[j]) && !differs_little(mirror, search->hashes[j]))
            continue;
        if (is_copy(search->pictures[j], search->pictures[i])) {
            near[first] = true;
            if (search->original != NULL)
                search->original[i] = j;
            return;
        }
        if (!near[first] && coincide(search->pictures[j], search->pictures[i]))
            near[first] = true;
    }
}

/* The first picture of both is the first of the union. */
static void unite(size_t *group, size_t a, size_t b)
{
    a = first_of(group, a);
    b = first_of(group, b);
    group[a > b ? a : b] = a > b ? b : a;
}

static void search_block(struct search *search, struct vgg_team *team)
{
    size_t items = search->n - search->first < BLOCK ? search->n - search->first : BLOCK;
    size_t end = search->first + items;

    memset(search->near, 0, items * search->n * sizeof *search->near);
    vgg_team_run(team, search_one, search, items);
    for (size_t item = 0; item < items; item++)
        for (size_t j = 0; j < search->first + item; j++)
            if (search->near[item * search->n + j])
                unite(search->group, search->first + item, j);
    for (size_t i = 0; i < end; i++)
        search->group[i] = first_of(search->group, i);
}

static void collect(struct search *search, const struct vgg_dataset *const *sets, size_t sets_n)
{
    size_t n = 0;

    for (size_t set = 0; set < sets_n; set++)
        for (size_t i = 0; i < sets[set]->examples_n; i++, n++) {
            search->pictures[n] = &sets[set]->examples[i];
            search->hashes[n] = search->pictures[n]->fingerprint.hash;
            search->group[n] = n;
            if (search->original != NULL)
                search->original[n] = n;
        }
}

/* All blocks. */
static enum vgg_status run(struct search *search, const struct vgg_duplicates_options *options,
                           struct vgg_error *error)
{
    for (; search->first < search->n; search->first += BLOCK) {
        if (options->stop != NULL && options->stop(options->user))
            return vgg_fail(error, VGG_CANCELLED, "stopped while pictures were compared");
        search_block(search, options->team);
    }
    return VGG_OK;
}

enum vgg_status vgg_duplicates_find(const struct vgg_dataset *const *sets, size_t sets_n,
                                    const struct vgg_duplicates_options *options, size_t *group,
                                    size_t *original, struct vgg_error *error)
{
    struct search search = {.group = group, .original = original};
    enum vgg_status status;

    for (size_t i = 0; i < sets_n; i++)
        search.n += sets[i]->examples_n;
    search.pictures = vgg_alloc(search.n, sizeof *search.pictures);
    search.hashes = vgg_alloc(search.n, sizeof *search.hashes);
    search.near = vgg_alloc(search.n, BLOCK * sizeof *search.near);
    if (search.pictures != NULL && search.hashes != NULL && search.near != NULL) {
        collect(&search, sets, sets_n);
        status = run(&search, options, error);
    } else {
        status = vgg_fail_memory(error);
    }
    free(search.pictures);
    free(search.hashes);
    free(search.near);
    return status;
}

enum vgg_status vgg_duplicates_renumber(const size_t *place, size_t n, size_t *first,
                                        struct vgg_error *error)
{
    size_t *least = vgg_alloc(n, sizeof *least); /* new number of a first picture's company */
    size_t *old = vgg_alloc(n, sizeof *old);
    enum vgg_status status = least != NULL && old != NULL ? VGG_OK : vgg_fail_memory(error);

    for (size_t i = 0; i < n && status == VGG_OK; i++) {
        old[i] = first[i];
        least[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < n && status == VGG_OK; i++)
        if (place[i] < least[old[i]])
            least[old[i]] = place[i];
    for (size_t i = 0; i < n && status == VGG_OK; i++)
        first[place[i]] = least[old[i]];
    free(least);
    free(old);
    return status;
}
