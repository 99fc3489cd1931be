/* Self-signed certificates. */
#include "certificate_maker.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

enum { DAY_S = 24 * 3600, KEY_BITS = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1) };

/* Takes over what `bytes` holds. The file changes under its name at once. */
static bool write_datum(const char *path, gnutls_datum_t *bytes)
{
    char fresh[512];
    FILE *file;
    bool good;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    file = fopen(fresh, "we");
    good = file != NULL && fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    if (file != NULL && fclose(file) != 0)
        good = false;
    gnutls_free(bytes->data);
    return good && rename(fresh, path) == 0;
}

static bool make_key(gnutls_x509_privkey_t *key)
{
    /* server/net/tls.c has the library's constructor skip it. */
    if (gnutls_global_init() != 0 || gnutls_x509_privkey_init(key) != 0)
        return false;
    if (gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA, KEY_BITS, 0) == 0)
        return true;
    gnutls_x509_privkey_deinit(*key);
    return false;
}

static bool fill(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key, int from_days,
                 int until_days)
{
    static const unsigned char address[] = {127, 0, 0, 1};
    static unsigned char serial[4]; /* clients keep certificates apart by it */
    time_t now = time(NULL);

    serial[3]++;
    serial[0] = 1;
    return gnutls_x509_crt_set_version(certificate, 3) == 0 &&
           gnutls_x509_crt_set_serial(certificate, serial, sizeof serial) == 0 &&
           gnutls_x509_crt_set_dn(certificate, "CN=localhost", NULL) == 0 &&
           gnutls_x509_crt_set_activation_time(certificate, now + from_days * DAY_S) == 0 &&
           gnutls_x509_crt_set_expiration_time(certificate, now + until_days * DAY_S) == 0 &&
           gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, "localhost", 9,
                                                GNUTLS_FSAN_SET) == 0 &&
           gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, address,
                                                sizeof address, GNUTLS_FSAN_APPEND) == 0 &&
           gnutls_x509_crt_set_basic_constraints(certificate, 1, -1) == 0 &&
           gnutls_x509_crt_set_key(certificate, key) == 0 &&
           gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0) == 0;
}

bool certificate_make(const char *cert_path, const char *key_path, int from_days, int until_days)
{
    gnutls_x509_crt_t certificate = NULL;
    gnutls_datum_t cert_text, key_text;
    gnutls_x509_privkey_t key;
    bool good;

    if (!make_key(&key))
        return false;
    good = gnutls_x509_crt_init(&certificate) == 0 &&
           fill(certificate, key, from_days, until_days) &&
           gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &cert_text) == 0 &&
           write_datum(cert_path, &cert_text) &&
           gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_text) == 0 &&
           write_datum(key_path, &key_text);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    return good;
}

bool certificate_make_encrypted_key(const char *key_path)
{
    gnutls_x509_privkey_t key;
    gnutls_datum_t text;
    bool good;

    if (!make_key(&key))
        return false;
    good = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, "password",
                                             GNUTLS_PKCS_PBES2_AES_256, &text) == 0 &&
           write_datum(key_path, &text);
    gnutls_x509_privkey_deinit(key);
    return good;
}
