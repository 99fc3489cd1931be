/* Reloads, and what a server says of its model. */
#ifndef VGG_TESTS_RELOADS_H
#define VGG_TESTS_RELOADS_H

#include "client.h"

/* Another configuration, width, crop and number of classes than model_narrow's. */
enum { OTHER_CLASSES = 7, OTHER_CROP = 64 };
const char *model_other(void);

/* One that takes a while to load: some tens of megabytes of weights. */
const char *model_wide(void);

/* POST /admin/reload {"model": FILE}, or without a body where it is NULL; POST /admin/rollback. */
void reload(const struct server *server, const char *model, struct answer *answer);
void rollback(const struct server *server, struct answer *answer);

/* The same, which must succeed. */
void check_reload(const struct server *server, const char *model);
void check_rollback(const struct server *server);

/* A member of GET /model, valid until the next call. */
const char *serving(const struct server *server, const char *key);

/* Replace a file by rename, with a copy of another. */
void put_in_place(const char *path, const char *copied);

#define RELOADS_OK "vgg_model_reloads_total{result=\"ok\"}"
#define RELOADS_FAILED "vgg_model_reloads_total{result=\"failed\"}"

#endif
