/*
 * The certificate and key of the main listener, replaced while connections go on: each connection
 * keeps the pair that its handshake began with. The only file that knows GnuTLS is tls.c; the TLS
 * sessions themselves are libmicrohttpd's.
 */
#ifndef TLS_H
#define TLS_H

#include <sys/types.h>

#include "vgg.h"

struct tls;
struct tls_identity; /* a certificate chain and its key */

/* What a connection keeps. Zero-initialise. */
struct tls_session {
    struct tls *tls;
    struct tls_identity *identity; /* a reference, once the handshake has asked for it */
};

/*
 * Read both PEM files: a chain, the server's certificate first, and its unencrypted key. `*tls` is
 * usable by any thread. Errors: IO, BAD_ARGUMENT (not PEM, not a pair), NO_MEMORY.
 */
enum vgg_status tls_create(const char *cert_path, const char *key_path, struct tls **tls,
                           struct vgg_error *error);

/* No session may be left. NULL is allowed. */
void tls_destroy(struct tls *tls);

/* Read the files again. Whatever is wrong, the old pair stays. Errors as tls_create. */
enum vgg_status tls_reload(struct tls *tls, struct vgg_error *error);

/* The certificate's limits in Unix time. */
struct tls_validity {
    int64_t from_s, until_s;
};
struct tls_validity tls_get_validity(struct tls *tls);

/* A connection begins: `gnutls` is its gnutls_session_t. Without a session there is no handshake.
 */
void tls_session_init(struct tls_session *session, struct tls *tls, void *gnutls);

/* A handshake has ended with this code, not 0: tell the client why, where there is a word for it.
 */
void tls_refuse(void *gnutls, int code);

/* After the end of the gnutls_session_t. */
void tls_session_fini(struct tls_session *session);

/* For libmicrohttpd: its certificate callback (a gnutls_certificate_retrieve_function3). */
void (*tls_callback(void))(void);

/* What GnuTLS returns where no bytes have come. */
extern const ssize_t tls_again;

/* GnuTLS's priority string: TLS 1.2 and 1.3. */
extern const char tls_priorities[];

#endif
