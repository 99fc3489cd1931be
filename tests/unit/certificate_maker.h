/* Certificates for tests: self-signed, for "localhost" and 127.0.0.1, by GnuTLS. */
#ifndef VGG_TESTS_CERTIFICATE_MAKER_H
#define VGG_TESTS_CERTIFICATE_MAKER_H

#include <stdbool.h>

/* Write a new P-256 key and its certificate, valid from and until so many days from now. */
bool certificate_make(const char *cert_path, const char *key_path, int from_days, int until_days);

/* Write a key of its own, encrypted with a password. */
bool certificate_make_encrypted_key(const char *key_path);

#endif
