/*
 * What is read from files so that it can be replaced while the server runs: the TLS certificate
 * and key, the bearer tokens of clients and operators.
 */
#ifndef SECRETS_H
#define SECRETS_H

#include <pthread.h>

#include "vgg.h"

struct secrets_files {
    const char *tls_cert, *tls_key; /* both or neither */
    const char *tokens[2];          /* main, admin; NULL: open */
};

struct secrets {
    struct secrets_files files;
    struct tls *tls; /* NULL: plain HTTP */
    pthread_mutex_t mutex;
    char *tokens[2];
    uint64_t reloads[2]; /* failed, succeeded */
};

/* The paths stay the caller's. Errors: IO, BAD_ARGUMENT, NO_MEMORY; secrets_fini is due anyway. */
enum vgg_status secrets_init(struct secrets *secrets, const struct secrets_files *files,
                             struct vgg_error *error);

/* Zeroed secrets are allowed. */
void secrets_fini(struct secrets *secrets);

/*
 * Read all files again; what cannot be used leaves what was there, and the log says so. For SIGHUP,
 * on a thread that may wait for a disk. False where something was wrong.
 */
bool secrets_reload(struct secrets *secrets);

/* May a request with this Authorization header (or NULL) come in on that listener? Thread-safe. */
bool secrets_admit(struct secrets *secrets, bool admin, const char *authorization);

/* The end of the certificate's validity in Unix time, 0 without TLS; and the reloads so far. */
struct secrets_state {
    double tls_until_s;
    uint64_t reloads[2]; /* failed, succeeded */
};
struct secrets_state secrets_get_state(struct secrets *secrets);

#endif
