/*
 * The files of the page at "/", linked into the program by page_files.S, which includes this too.
 * X(name, path, file, media type). Paths are what the page names, relative to "/".
 */
#ifndef PAGE_FILES_H
#define PAGE_FILES_H

#define PAGE_FILES(X)                                                                              \
    X(html, "/", "server/api/page/index.html", "text/html; charset=utf-8")                         \
    X(look_css, "/page/look.css", "server/api/page/look.css", "text/css; charset=utf-8")           \
    X(css, "/page/page.css", "server/api/page/page.css", "text/css; charset=utf-8")                \
    X(js, "/page/page.js", "server/api/page/page.js", "text/javascript; charset=utf-8")            \
    X(request_js, "/page/request.js", "server/api/page/request.js",                                \
      "text/javascript; charset=utf-8")                                                            \
    X(intake_js, "/page/intake.js", "server/api/page/intake.js", "text/javascript; charset=utf-8") \
    X(camera_js, "/page/camera.js", "server/api/page/camera.js", "text/javascript; charset=utf-8") \
    X(knowledge_js, "/page/knowledge.js", "server/api/page/knowledge.js",                          \
      "text/javascript; charset=utf-8")                                                            \
    X(many_js, "/page/many.js", "server/api/page/many.js", "text/javascript; charset=utf-8")       \
    X(csv_js, "/page/csv.js", "server/api/page/csv.js", "text/javascript; charset=utf-8")          \
    X(dom_js, "/page/dom.js", "server/api/page/dom.js", "text/javascript; charset=utf-8")          \
    X(answer_js, "/page/answer.js", "server/api/page/answer.js", "text/javascript; charset=utf-8") \
    X(map_js, "/page/map.js", "server/api/page/map.js", "text/javascript; charset=utf-8")          \
    X(problem_js, "/page/problem.js", "server/api/page/problem.js",                                \
      "text/javascript; charset=utf-8")                                                            \
    X(glass, "/page/glass.jpg", "server/api/page/glass.jpg", "image/jpeg")                         \
    X(metal, "/page/metal.jpg", "server/api/page/metal.jpg", "image/jpeg")                         \
    X(cardboard, "/page/cardboard.jpg", "server/api/page/cardboard.jpg", "image/jpeg")             \
    X(license, "/page/LICENSE.txt", "server/api/page/LICENSE.txt", "text/plain; charset=utf-8")

#endif
