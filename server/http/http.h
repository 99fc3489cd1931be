/*
 * HTTP, as the rest of the server sees it: requests with a whole, bounded body, and responses.
 *
 * Path of a request: listener -> peers, connections, gate -> [http] -> routes -> ...
 */
#ifndef HTTP_H
#define HTTP_H

#include "http/http_options.h"

struct http;

/* Start the network threads. Errors: NO_MEMORY. */
enum vgg_status http_create(const struct http_options *options, struct http **http,
                            struct vgg_error *error);

/* Hand over an accepted socket; it is closed in any case. */
void http_add_connection(struct http *http, bool admin, int fd, const void *address,
                         unsigned address_size);

/* Requests begun and not finished, and connections with unread bytes. */
size_t http_in_flight(struct http *http);

/* TLS connections whose first request has not come: their handshake may be under way. */
size_t http_unheard(struct http *http);

/* Of both listeners, since the start. */
void http_get_counts(struct http *http, struct http_counts *counts);

/* Stop the network threads and close all connections. Nothing may be deferred any more. */
void http_destroy(struct http *http);

#endif
