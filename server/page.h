/*
 * The page at "/": its files, linked into the program by page_files.S, which includes this too.
 * X(name, path, file, media type). Paths are what the page names, relative to "/".
 */
#ifndef PAGE_H
#define PAGE_H

#define PAGE_FILES(X)                                                                              \
    X(html, "/", "server/page/index.html", "text/html; charset=utf-8")                             \
    X(css, "/page/page.css", "server/page/page.css", "text/css; charset=utf-8")                    \
    X(js, "/page/page.js", "server/page/page.js", "text/javascript; charset=utf-8")                \
    X(dom_js, "/page/dom.js", "server/page/dom.js", "text/javascript; charset=utf-8")              \
    X(answer_js, "/page/answer.js", "server/page/answer.js", "text/javascript; charset=utf-8")     \
    X(map_js, "/page/map.js", "server/page/map.js", "text/javascript; charset=utf-8")              \
    X(problem_js, "/page/problem.js", "server/page/problem.js", "text/javascript; charset=utf-8")

#ifndef __ASSEMBLER__

struct server;
struct http_request;

/* GET of any of the files. */
void page_handle(struct server *server, struct http_request *request);

#endif
#endif
