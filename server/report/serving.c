/* How to serve the model: commands to be copied. */
#include <stdlib.h>
#include <string.h>

#include "report/page.h"

/* A string of what was printed, or NULL: the page has failed. */
static char *take_string(struct page *page, struct text *text)
{
    size_t size;
    char *string;

    text_append(text, "", 1);
    string = text_take(text, &size);
    page->text.failed = page->text.failed || string == NULL;
    return string;
}

/* A command and its last word, which becomes empty. */
static void print_command(struct page *page, const char *command, struct text *last)
{
    struct text line = {0};
    char *word = take_string(page, last), *whole;

    text_append(&line, command, strlen(command));
    if (word != NULL)
        text_shell(&line, word);
    free(word);
    whole = take_string(page, &line);
    text_print(&page->text, "<div class=\"command\"><pre>");
    if (whole != NULL)
        markup_text(&page->text, whole);
    free(whole);
    text_print(&page->text, "</pre></div>\n");
}

static void print_commands(struct page *page, const char *model)
{
    struct text word = {0};

    text_print(&word, "MODEL=%s", model);
    print_command(page, "make run ", &word);
    text_print(&word, "%s", model);
    print_command(page, "vgg serve --model ", &word);
    text_print(&page->text, "<p>Or, while requests go on, in the place of the model of a server "
                            "that runs already:</p>\n");
    text_print(&word, "{\"model\":");
    text_json(&word, model);
    text_print(&word, "}");
    print_command(page, "curl localhost:8081/admin/reload -H 'Content-Type: application/json' -d ",
                  &word);
}

void page_serving(struct page *page)
{
    const char *model = page->subject->model;
    char *path = model != NULL ? realpath(model, NULL) : NULL;

    text_print(&page->text, "<section id=\"serving\"><h2>Serve it</h2>\n");
    if (model != NULL)
        print_commands(page, path != NULL ? path : model);
    else
        text_print(&page->text, "<div class=\"command\"><pre>make run</pre></div>\n");
    text_print(&page->text, "</section>\n");
    free(path);
}
