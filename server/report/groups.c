/* Groups of pictures. */
#include "report/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sha256.h"

enum { CHUNK_BYTES = 1 << 16 };

/* ---------------------------------------------------------------- exact copies --------------- */

struct candidate {
    size_t picture;
    off_t size;                        /* below 0: no file */
    char digest[VGG_SHA256_HEX_BYTES]; /* empty: its size is that of no other */
};

static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    int order = (a->size > b->size) - (a->size < b->size);

    if (order == 0)
        order = strcmp(a->digest, b->digest);
    return order != 0 ? order : (a->picture > b->picture) - (a->picture < b->picture);
}

/* False where the file cannot be read. */
static bool digest_file(const char *path, char digest[VGG_SHA256_HEX_BYTES])
{
    unsigned char chunk[CHUNK_BYTES];
    struct vgg_sha256 sha;
    FILE *file = fopen(path, "rbe");
    bool whole;
    size_t n;

    if (file == NULL)
        return false;
    vgg_sha256_init(&sha);
    while ((n = fread(chunk, 1, sizeof chunk, file)) != 0)
        vgg_sha256_update(&sha, chunk, n);
    whole = ferror(file) == 0;
    fclose(file);
    vgg_sha256_final(&sha, digest);
    return whole;
}

static void measure_files(struct candidate *candidates, const struct html_report *report)
{
    for (size_t i = 0; i < report->pictures_n; i++) {
        struct stat info;
        bool there =
            stat(report->pictures[i].path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;

        candidates[i] = (struct candidate){.picture = i, .size = there ? info.st_size : -1};
    }
}

/* Of those that share a size with others, the digest. */
static void digest_files(struct candidate *candidates, const struct html_report *report)
{
    for (size_t i = 0; i < report->pictures_n; i++) {
        struct candidate *c = &candidates[i];
        bool shared = (i > 0 && c[-1].size == c->size) ||
                      (i + 1 < report->pictures_n && c[1].size == c->size);

        if (c->size >= 0 && shared && !digest_file(report->pictures[c->picture].path, c->digest))
            c->digest[0] = '\0';
    }
}

/* Each picture gets the group of the first with the same bytes. */
static bool find_copies(struct html_report *report)
{
    struct candidate *candidates = calloc(report->pictures_n, sizeof *candidates);

    if (candidates == NULL)
        return false;
    measure_files(candidates, report);
    qsort(candidates, report->pictures_n, sizeof *candidates, compare_candidates);
    digest_files(candidates, report);
    qsort(candidates, report->pictures_n, sizeof *candidates, compare_candidates);
    for (size_t i = 0; i < report->pictures_n; i++) {
        const struct candidate *c = &candidates[i];
        struct report_picture *picture = &report->pictures[c->picture];

        picture->copy = i > 0 && c->digest[0] != '\0' && strcmp(c[-1].digest, c->digest) == 0;
        picture->group = picture->copy ? report->pictures[c[-1].picture].group : c->picture;
    }
    free(candidates);
    return true;
}

/* ---------------------------------------------------------------- groups --------------------- */

static int compare_members(const void *left, const void *right, void *pictures)
{
    size_t i = *(const size_t *)left, j = *(const size_t *)right;
    size_t a = ((const struct report_picture *)pictures)[i].group;
    size_t b = ((const struct report_picture *)pictures)[j].group;

    if (a != b)
        return a > b ? 1 : -1;
    return (i > j) - (i < j);
}

static int weight_of(const struct report_group *group)
{
    return 2 * group->leak + group->conflict;
}

static int compare_groups(const void *left, const void *right)
{
    const struct report_group *a = left, *b = right;
    int order = weight_of(b) - weight_of(a);

    return order != 0 ? order : (a->first > b->first) - (a->first < b->first);
}

/* The group of members[first] and those that follow it. */
static struct report_group group_at(const struct report_groups *groups,
                                    const struct html_report *report, size_t first)
{
    const struct report_picture *head = &report->pictures[groups->members[first]];
    struct report_group group = {.first = first, .n = 1, .exact = true};

    for (; first + group.n < report->pictures_n; group.n++) {
        const struct report_picture *member = &report->pictures[groups->members[first + group.n]];

        if (member->group != head->group || member->group == SIZE_MAX)
            break;
        group.leak = group.leak || member->validation != head->validation;
        group.conflict = group.conflict || member->label != head->label;
        group.exact = group.exact && member->copy;
    }
    return group;
}

bool groups_init(struct report_groups *groups, struct html_report *report)
{
    size_t n = report->pictures_n;

    *groups = (struct report_groups){0};
    for (size_t i = 0; i < n; i++)
        groups->near = groups->near || report->pictures[i].group != SIZE_MAX;
    groups->members = calloc(n + 1, sizeof *groups->members);
    groups->items = calloc(n + 1, sizeof *groups->items);
    if (groups->members == NULL || groups->items == NULL ||
        (n != 0 && !groups->near && !find_copies(report)))
        return false;
    for (size_t i = 0; i < n; i++)
        groups->members[i] = i;
    qsort_r(groups->members, n, sizeof *groups->members, compare_members, report->pictures);
    for (size_t first = 0; first < n;) {
        struct report_group group = group_at(groups, report, first);

        if (group.n > 1)
            groups->items[groups->n++] = group;
        first += group.n;
    }
    qsort(groups->items, groups->n, sizeof *groups->items, compare_groups);
    return true;
}

void groups_fini(struct report_groups *groups)
{
    free(groups->items);
    free(groups->members);
    *groups = (struct report_groups){0};
}
