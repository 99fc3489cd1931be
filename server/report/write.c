/* The whole page, and its file. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/replace.h"
#include "base/sha256.h"
#include "report/files.h"
#include "report/page.h"
#include "text/hex.h"

enum { SHA256_BYTES = 32 };

/* ---------------------------------------------------------------- what is shown -------------- */

static int compare_pairs(const void *left, const void *right, void *cells)
{
    size_t i = *(const size_t *)left, j = *(const size_t *)right;
    size_t a = ((const struct tally_cell *)cells)[i].n, b = ((const struct tally_cell *)cells)[j].n;

    if (a != b)
        return a < b ? 1 : -1;
    return (i > j) - (i < j);
}

/* The cells of mistakes, the fullest first; of a list of pairs as many as are listed. */
static bool find_pairs(struct page *page)
{
    const struct tally *tally = page->tally;

    page->pairs = calloc(tally->cells_n + 1, sizeof *page->pairs);
    if (page->pairs == NULL)
        return false;
    for (size_t i = 0; i < tally->cells_n; i++)
        if (tally->cells[i].label != tally->cells[i].answer)
            page->pairs[page->pairs_n++] = i;
    qsort_r(page->pairs, page->pairs_n, sizeof *page->pairs, compare_pairs, tally->cells);
    if (!page_has_matrix(tally) && page->pairs_n > PAIRS_MAX)
        page->pairs_n = PAIRS_MAX;
    return true;
}

static void want(struct thumbnails *thumbnails, const size_t *pictures, size_t n, size_t max)
{
    for (size_t i = 0; i < n && i < max; i++)
        thumbnails_want(thumbnails, pictures[i]);
}

/* What matters most comes first, since there is a bound. */
static void want_all(struct thumbnails *thumbnails, const struct page *page)
{
    const struct tally *tally = page->tally;
    const struct report_groups *groups = page->groups;

    want(thumbnails, tally->mistakes, tally->wrong, SUREST);
    for (size_t i = 0; i < groups->n && i < GROUPS_MAX; i++)
        want(thumbnails, groups->members + groups->items[i].first, groups->items[i].n,
             GROUP_FIGURES);
    want(thumbnails, tally->admitted, tally->admitted_n, CELL_FIGURES);
    want(thumbnails, tally->refused, tally->refused_n, CELL_FIGURES);
    for (size_t i = 0; i < page->pairs_n; i++) {
        const struct tally_cell *cell = &tally->cells[page->pairs[i]];

        want(thumbnails, tally->order + cell->first, cell->n, CELL_FIGURES);
    }
    for (size_t i = 0; i < tally->cells_n && page_has_matrix(tally); i++)
        if (tally->cells[i].label == tally->cells[i].answer)
            want(thumbnails, tally->order + tally->cells[i].first, tally->cells[i].n, CELL_FIGURES);
}

/* ---------------------------------------------------------------- the page ------------------- */

/* The digest by which the policy knows the script. */
static void print_script_hash(struct text *text)
{
    unsigned char bytes[SHA256_BYTES];
    char hex[VGG_SHA256_HEX_BYTES];
    struct vgg_sha256 sha;

    vgg_sha256_init(&sha);
    vgg_sha256_update(&sha, html_report_script,
                      (size_t)(html_report_script_end - html_report_script));
    vgg_sha256_final(&sha, hex);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        bytes[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    text_base64(text, bytes, sizeof bytes);
}

static void print_file(struct text *text, const char *begin, const char *end)
{
    text_append(text, begin, (size_t)(end - begin));
}

/* A policy says that nothing comes from outside, and no script but the one of the report runs. */
static void print_head(struct text *text, const char *title)
{
    text_print(text, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
                     "form-action 'none'; script-src 'sha256-");
    print_script_hash(text);
    markup_print(text,
                 "'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<meta name=\"color-scheme\" content=\"light dark\">\n"
                 "<title>%s: report</title>\n<style>\n",
                 title);
    print_file(text, html_report_look, html_report_look_end);
    print_file(text, html_report_style, html_report_style_end);
    text_print(text, "</style>\n</head>\n");
}

static void print_header(struct text *text, const char *title, bool trained)
{
    time_t now = time(NULL);
    char day[16] = "";
    struct tm parts;

    if (gmtime_r(&now, &parts) != NULL)
        strftime(day, sizeof day, "%Y-%m-%d", &parts);
    markup_print(text,
                 "<body>\n<header>\n"
                 "<svg viewBox=\"0 0 32 32\" width=\"30\" height=\"30\" aria-hidden=\"true\">"
                 "<path d=\"M2 2h28v28H2zM8.5 8.5h15v15h-15z\" fill=\"none\" "
                 "stroke=\"currentColor\" stroke-width=\"2\"/>"
                 "<path class=\"core\" d=\"M14 14h4v4h-4z\"/></svg>\n"
                 "<h1><bdi>%s</bdi></h1>\n<p id=\"model\">vgg %s, %s</p>\n</header>\n",
                 title, trained ? "train" : "eval", day);
}

static const struct {
    void (*print)(struct page *page);
    const char *id, *title;
} sections[] = {
    {page_summary, "summary", NULL},
    {page_mistakes, "mistakes", "Surest mistakes"},
    {page_confusion, "confusion", "Confusion"},
    {page_classes, "classes", "Classes"},
    {page_groups, "copies", "Copies"},
    {page_calibration, "calibration", "Scores"},
    {page_typicality, "typicality", "None of these"},
    {page_epochs, "epochs", "Learning curve"},
    {page_left_out, "left-out", "Left out"},
    {page_serving, "serving", "Serve it"},
};

enum { SECTIONS = sizeof sections / sizeof *sections };

/* The model's name, else its file's. */
static const char *title_of(const struct html_report_subject *subject)
{
    const char *slash = subject->model != NULL ? strrchr(subject->model, '/') : NULL;

    if (subject->name != NULL)
        return subject->name;
    return slash != NULL ? slash + 1 : subject->model != NULL ? subject->model : "vgg";
}

/* The front comes last, since it leads to those sections that there are. */
static void print_page(struct page *page, struct text *front)
{
    const char *title = title_of(page->subject);

    print_head(front, title);
    print_header(front, title, page->subject->training != NULL);
    text_print(front, "<nav aria-label=\"Sections\">\n");
    for (size_t i = 0; i < SECTIONS; i++) {
        size_t before = page->text.size;

        sections[i].print(page);
        if (page->text.size != before && sections[i].title != NULL)
            markup_print(front, "<a href=\"#%s\">%s</a>\n", sections[i].id, sections[i].title);
    }
    text_print(front, "</nav>\n<main>\n");
    text_print(&page->text, "</main>\n<script>");
    print_file(&page->text, html_report_script, html_report_script_end);
    text_print(&page->text, "</script>\n</body>\n</html>\n");
}

/* ---------------------------------------------------------------- the file ------------------- */

struct halves {
    struct text front;
    const struct text *rest;
};

static enum vgg_status put_page(void *user, int fd, struct vgg_error *error)
{
    const struct halves *page = user;
    enum vgg_status status = vgg_write_all(fd, page->front.bytes, page->front.size, error);

    if (status != VGG_OK)
        return status;
    return vgg_write_all(fd, page->rest->bytes, page->rest->size, error);
}

static enum vgg_status print_and_put(struct page *page, struct vgg_error *error)
{
    struct halves halves = {.rest = &page->text};
    enum vgg_status status;

    print_page(page, &halves.front);
    if (page->text.failed || halves.front.failed)
        status = vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    else
        status = vgg_replace(page->report->path, put_page, &halves, error);
    free(halves.front.bytes);
    return status;
}

/* With everything at hand; what is made here is ended by the caller. */
static enum vgg_status make(struct page *page, struct html_report *report, struct tally *tally,
                            struct report_groups *groups, struct thumbnails *thumbnails,
                            struct vgg_error *error)
{
    enum vgg_status status;

    if (report->failed || !tally_init(tally, report, page->subject->reject) ||
        !groups_init(groups, report) || !thumbnails_init(thumbnails, report) || !find_pairs(page))
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    want_all(thumbnails, page);
    status = thumbnails_make(thumbnails, report, error);
    return status == VGG_OK ? print_and_put(page, error) : status;
}

enum vgg_status html_report_write(struct html_report *report,
                                  const struct html_report_subject *subject,
                                  struct vgg_error *error)
{
    struct vgg_error reason = {0};
    struct thumbnails thumbnails = {0};
    struct report_groups groups = {0};
    struct tally tally = {0};
    struct page page = {.report = report,
                        .subject = subject,
                        .tally = &tally,
                        .groups = &groups,
                        .thumbnails = &thumbnails};

    if (report == NULL)
        return VGG_OK;
    if (make(&page, report, &tally, &groups, &thumbnails, &reason) != VGG_OK)
        (void)vgg_fail(error, reason.status, "%s: %s", report->path, reason.text);
    free(page.text.bytes);
    free(page.pairs);
    thumbnails_fini(&thumbnails, report);
    groups_fini(&groups);
    tally_fini(&tally);
    return reason.status;
}
