/* Pictures of the page, and the room that they take. */
#include "report/page.h"

enum {
    /* A thumbnail in base64, and names of which each byte may become an entity. */
    FIGURE_BYTES = THUMBNAIL_BYTES_MAX / 3 * 4 + 5 * MARKUP_NAME_BYTES * 6 + 1000,
    ROW_BYTES = 3 * MARKUP_NAME_BYTES * 6 + 1000,
    /* Kept for rows of tables, and for what every page has. */
    ROWS_KEPT = 2 * 1000 * 1000,
    REST_KEPT = 1000 * 1000
};

const char *page_class(const struct page *page, uint32_t class)
{
    return class < page->report->classes_n ? page->report->classes[class] : "none of these";
}

bool page_has_row(const struct page *page)
{
    return page->text.size + ROW_BYTES + REST_KEPT <= HTML_REPORT_BYTES_MAX;
}

static bool has_room(const struct page *page)
{
    return page->text.size + FIGURE_BYTES + ROWS_KEPT + REST_KEPT <= HTML_REPORT_BYTES_MAX;
}

static void print_image(struct page *page, size_t picture)
{
    const struct thumbnail *thumbnail = &page->thumbnails->items[picture];

    if (thumbnail->jpeg == NULL) {
        markup_print(&page->text, "<div class=\"missing\">%s</div>",
                     page->thumbnails->asked[picture] ? "cannot be read any more"
                                                      : "not shown: there are too many");
        return;
    }
    markup_print(&page->text,
                 "<img width=\"%u\" height=\"%u\" alt=\"\" src=\"data:image/jpeg;base64,",
                 thumbnail->width, thumbnail->height);
    text_base64(&page->text, thumbnail->jpeg, thumbnail->size);
    text_print(&page->text, "\">");
}

/* A picture with what is known of it. */
static void print_figure(struct page *page, size_t number)
{
    const struct report_picture *picture = &page->report->pictures[number];
    struct text *text = &page->text;

    if (!has_room(page)) {
        page->not_shown++;
        return;
    }
    text_print(text, "<figure>");
    print_image(page, number);
    text_print(text, "<figcaption>");
    if (picture->answer != NO_CLASS)
        markup_print(text, "<strong><bdi>%s</bdi></strong> %.1f %% ",
                     page_class(page, picture->answer), 100 * (double)picture->score);
    if (picture->answer != picture->label)
        markup_print(text, "<span>folder <bdi>%s</bdi></span> ", page_class(page, picture->label));
    if (picture->typicality >= 0)
        markup_print(text, "<span>typicality %.3f</span> ", picture->typicality);
    markup_print(text, "<small><bdi>%s</bdi></small></figcaption></figure>\n", picture->path);
}

void page_figures(struct page *page, const size_t *pictures, size_t n, size_t max)
{
    n = n < max ? n : max;
    text_print(&page->text, "<div class=\"figures\">\n");
    for (size_t i = 0; i < n; i++)
        print_figure(page, pictures[i]);
    text_print(&page->text, "</div>\n");
}
