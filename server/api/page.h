/* The page at "/" and its files. */
#ifndef PAGE_H
#define PAGE_H

struct server;
struct http_request;

/* GET of any of the files. */
void page_handle(struct server *server, struct http_request *request);

#endif
