/* Certificates by GnuTLS (the only file that includes it). */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_BYTES_MAX = 1 << 20,
    CHAIN_MAX = 16, /* certificates */
    KEY_ID_BYTES = 64
};

const ssize_t tls_again = GNUTLS_E_AGAIN;
const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";

/*
 * By itself GnuTLS gets ready before main, and says on standard error where there is too little
 * memory for that. libmicrohttpd has it done there, too, but silently; tls_create looks at it.
 */
GNUTLS_SKIP_GLOBAL_INIT

struct tls_identity {
    atomic_uint references;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_n;
    gnutls_privkey_t key;
    struct tls_validity validity;
};

struct tls {
    const char *cert_path, *key_path;
    pthread_mutex_t mutex; /* guards the pointer */
    struct tls_identity *identity;
};

/* ---------------------------------------------------------------- files ---------------------- */

/* A whole regular file, malloc'ed; never waits for a pipe's writer. */
static enum vgg_status read_file(const char *option, const char *path, gnutls_datum_t *file,
                                 struct vgg_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), reason = errno;
    enum vgg_status status = VGG_OK;
    size_t size = 0;
    struct stat what;
    ssize_t n = 1;

    *file = (gnutls_datum_t){0};
    if (fd < 0)
        return vgg_fail(error, VGG_IO, "%s %s: %s", option, path, strerror(reason));
    if (fstat(fd, &what) != 0 || !S_ISREG(what.st_mode))
        status = vgg_fail(error, VGG_IO, "%s %s: not a regular file", option, path);
    else if ((file->data = malloc(FILE_BYTES_MAX)) == NULL)
        status = vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    while (status == VGG_OK && n > 0) {
        n = read(fd, file->data + size, FILE_BYTES_MAX - size);
        size += n > 0 ? (size_t)n : 0;
        if (n < 0)
            status = vgg_fail(error, VGG_IO, "%s %s: %s", option, path, strerror(errno));
        else if (size == FILE_BYTES_MAX)
            status = vgg_fail(error, VGG_BAD_ARGUMENT, "%s %s: over %d bytes", option, path,
                              FILE_BYTES_MAX - 1);
    }
    close(fd);
    file->size = (unsigned)size;
    return status;
}

/* Forget what was read: it may be a key. */
static void clear_file(gnutls_datum_t *file)
{
    if (file->data != NULL)
        explicit_bzero(file->data, file->size);
    free(file->data);
}

static enum vgg_status refuse(const char *option, const char *path, int code,
                              struct vgg_error *error)
{
    if (code == GNUTLS_E_MEMORY_ERROR)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    if (code == GNUTLS_E_DECRYPTION_FAILED)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "%s %s: the key is encrypted", option, path);
    return vgg_fail(error, VGG_BAD_ARGUMENT, "%s %s: %s", option, path, gnutls_strerror(code));
}

/* ---------------------------------------------------------------- identities ----------------- */

static void identity_release(struct tls_identity *identity)
{
    if (identity == NULL || atomic_fetch_sub(&identity->references, 1) != 1)
        return;
    for (unsigned i = 0; i < identity->chain_n; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key != NULL)
        gnutls_privkey_deinit(identity->key);
    free(identity);
}

static enum vgg_status import_chain(struct tls_identity *identity, const char *path,
                                    const gnutls_datum_t *file, struct vgg_error *error)
{
    gnutls_x509_crt_t certificate = NULL;
    int code;

    identity->chain_n = CHAIN_MAX;
    code = gnutls_pcert_list_import_x509_raw(identity->chain, &identity->chain_n, file,
                                             GNUTLS_X509_FMT_PEM, 0);
    if (code != GNUTLS_E_SUCCESS || identity->chain_n == 0) {
        identity->chain_n = 0;
        return refuse("--tls-cert", path, code != 0 ? code : GNUTLS_E_NO_CERTIFICATE_FOUND, error);
    }
    code = gnutls_pcert_export_x509(&identity->chain[0], &certificate);
    if (code != GNUTLS_E_SUCCESS)
        return refuse("--tls-cert", path, code, error);
    identity->validity.from_s = gnutls_x509_crt_get_activation_time(certificate);
    identity->validity.until_s = gnutls_x509_crt_get_expiration_time(certificate);
    gnutls_x509_crt_deinit(certificate);
    return VGG_OK;
}

static enum vgg_status import_key(struct tls_identity *identity, const char *path,
                                  const gnutls_datum_t *file, struct vgg_error *error)
{
    int code = gnutls_privkey_init(&identity->key);

    if (code == GNUTLS_E_SUCCESS)
        code = gnutls_privkey_import_x509_raw(identity->key, file, GNUTLS_X509_FMT_PEM, NULL, 0);
    return code == GNUTLS_E_SUCCESS ? VGG_OK : refuse("--tls-key", path, code, error);
}

/* Do certificate and key belong together? The id is a hash of the public key. */
static enum vgg_status check_pair(const struct tls_identity *identity, const struct tls *tls,
                                  struct vgg_error *error)
{
    unsigned char ids[2][KEY_ID_BYTES];
    size_t sizes[2] = {KEY_ID_BYTES, KEY_ID_BYTES};
    gnutls_pubkey_t public_key = NULL;
    int code = gnutls_pubkey_get_key_id(identity->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, ids[0],
                                        &sizes[0]);

    if (code == GNUTLS_E_SUCCESS)
        code = gnutls_pubkey_init(&public_key);
    if (code == GNUTLS_E_SUCCESS)
        code = gnutls_pubkey_import_privkey(public_key, identity->key, 0, 0);
    if (code == GNUTLS_E_SUCCESS)
        code = gnutls_pubkey_get_key_id(public_key, GNUTLS_KEYID_USE_SHA256, ids[1], &sizes[1]);
    if (public_key != NULL)
        gnutls_pubkey_deinit(public_key);
    if (code != GNUTLS_E_SUCCESS)
        return refuse("--tls-key", tls->key_path, code, error);
    if (sizes[0] != sizes[1] || memcmp(ids[0], ids[1], sizes[0]) != 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "--tls-key %s is not the key of --tls-cert %s",
                        tls->key_path, tls->cert_path);
    return VGG_OK;
}

static enum vgg_status load(const struct tls *tls, struct tls_identity **out,
                            struct vgg_error *error)
{
    struct tls_identity *identity = calloc(1, sizeof *identity);
    gnutls_datum_t cert = {0}, key = {0};
    enum vgg_status status;

    if (identity == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    identity->references = 1;
    status = read_file("--tls-cert", tls->cert_path, &cert, error);
    if (status == VGG_OK)
        status = read_file("--tls-key", tls->key_path, &key, error);
    if (status == VGG_OK)
        status = import_chain(identity, tls->cert_path, &cert, error);
    if (status == VGG_OK)
        status = import_key(identity, tls->key_path, &key, error);
    if (status == VGG_OK)
        status = check_pair(identity, tls, error);
    clear_file(&cert);
    clear_file(&key);
    if (status == VGG_OK)
        *out = identity;
    else
        identity_release(identity);
    return status;
}

/* ---------------------------------------------------------------- the pair that serves ------- */

enum vgg_status tls_create(const char *cert_path, const char *key_path, struct tls **out,
                           struct vgg_error *error)
{
    struct tls *tls = gnutls_global_init() == GNUTLS_E_SUCCESS ? calloc(1, sizeof *tls) : NULL;
    enum vgg_status status;

    if (tls == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    tls->cert_path = cert_path;
    tls->key_path = key_path;
    pthread_mutex_init(&tls->mutex, NULL);
    status = load(tls, &tls->identity, error);
    if (status == VGG_OK)
        *out = tls;
    else
        tls_destroy(tls);
    return status;
}

void tls_destroy(struct tls *tls)
{
    if (tls == NULL)
        return;
    identity_release(tls->identity);
    pthread_mutex_destroy(&tls->mutex);
    free(tls);
}

enum vgg_status tls_reload(struct tls *tls, struct vgg_error *error)
{
    struct tls_identity *fresh, *old;
    enum vgg_status status = load(tls, &fresh, error);

    if (status != VGG_OK)
        return status;
    pthread_mutex_lock(&tls->mutex);
    old = tls->identity;
    tls->identity = fresh;
    pthread_mutex_unlock(&tls->mutex);
    identity_release(old);
    return VGG_OK;
}

struct tls_validity tls_get_validity(struct tls *tls)
{
    struct tls_validity validity;

    pthread_mutex_lock(&tls->mutex);
    validity = tls->identity->validity;
    pthread_mutex_unlock(&tls->mutex);
    return validity;
}

/* ---------------------------------------------------------------- sessions ------------------- */

/*
 * libmicrohttpd leaves a pointer to its connection in the session, for pre-shared keys, which we do
 * not have: it is ours.
 */
void tls_session_init(struct tls_session *session, struct tls *tls, void *gnutls)
{
    if (session != NULL)
        session->tls = tls;
    gnutls_session_set_ptr(gnutls, session);
    /* To the protocols that libmicrohttpd has set: one of them must be among those offered. */
    (void)gnutls_alpn_set_protocols(gnutls, NULL, 0, GNUTLS_ALPN_MANDATORY);
}

void tls_refuse(void *gnutls, int code)
{
    int level;

    if (gnutls_error_is_fatal(code) && code != GNUTLS_E_FATAL_ALERT_RECEIVED &&
        gnutls_error_to_alert(code, &level) != GNUTLS_A_INTERNAL_ERROR)
        (void)gnutls_alert_send_appropriate(gnutls, code);
}

void tls_session_fini(struct tls_session *session)
{
    identity_release(session->identity);
    session->identity = NULL;
}

/* The pair must outlive the handshake, so the session keeps it. */
static int retrieve(gnutls_session_t gnutls, const struct gnutls_cert_retr_st *info,
                    gnutls_pcert_st **chain, unsigned *chain_n, gnutls_ocsp_data_st **ocsp,
                    unsigned *ocsp_n, gnutls_privkey_t *key, unsigned *flags)
{
    struct tls_session *session = gnutls_session_get_ptr(gnutls);

    (void)info;
    if (session == NULL)
        return -1;
    if (session->identity == NULL) {
        pthread_mutex_lock(&session->tls->mutex);
        session->identity = session->tls->identity;
        atomic_fetch_add(&session->identity->references, 1);
        pthread_mutex_unlock(&session->tls->mutex);
    }
    *chain = session->identity->chain;
    *chain_n = session->identity->chain_n;
    *key = session->identity->key;
    *ocsp = NULL;
    *ocsp_n = 0;
    *flags = 0;
    return 0;
}

void (*tls_callback(void))(void)
{
    static gnutls_certificate_retrieve_function3 *const function = retrieve;

    return (void (*)(void))function;
}
