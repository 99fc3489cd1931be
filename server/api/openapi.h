/*
 * GET /openapi.json: the description of every route, openapi.json linked into the program, with
 * this server's own numbers in it.
 */
#ifndef OPENAPI_H
#define OPENAPI_H

#include <stddef.h>
#include <stdint.h>

struct http_request;
struct openapi;
struct server;

/*
 * The description of a server with this admin listener ("ADDR:PORT", as bound) and this limit of
 * images. NULL when out of memory.
 */
struct openapi *openapi_create(const char *admin_address, uint32_t images_max);
void openapi_destroy(struct openapi *openapi);

/* Its bytes, of which there are *size. */
const char *openapi_text(const struct openapi *openapi, size_t *size);

void openapi_handle(struct server *server, struct http_request *request);

#endif
