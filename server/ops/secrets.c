/* Certificates and tokens, and reading them again. */
#include "ops/secrets.h"

#include <stdlib.h>
#include <time.h>

#include "net/tls.h"
#include "ops/log.h"
#include "ops/token.h"

static const char *const token_options[2] = {"--api-token-file", "--admin-token-file"};

/* A date for people, UTC. */
static void format_date(int64_t unix_s, char *text, size_t size)
{
    time_t time = (time_t)unix_s;
    struct tm utc;

    if (gmtime_r(&time, &utc) == NULL || strftime(text, size, "%Y-%m-%d %H:%M UTC", &utc) == 0)
        text[0] = '\0';
}

/* A certificate out of its time is served all the same: some clients do not look. */
static void log_validity(struct secrets *secrets)
{
    struct tls_validity validity = tls_get_validity(secrets->tls);
    int64_t now = (int64_t)time(NULL);
    char date[32];

    format_date(now < validity.from_s ? validity.from_s : validity.until_s, date, sizeof date);
    if (now < validity.from_s)
        log_event("warning", "the certificate %s is not valid before %s", secrets->files.tls_cert,
                  date);
    else if (now > validity.until_s)
        log_event("warning", "the certificate %s expired on %s", secrets->files.tls_cert, date);
    else
        log_event("info", "TLS by %s, valid until %s", secrets->files.tls_cert, date);
}

static enum vgg_status read_token(const struct secrets *secrets, size_t which, char **token,
                                  struct vgg_error *error)
{
    struct vgg_error reason = {0};
    enum vgg_status status = token_read(secrets->files.tokens[which], token, &reason);

    return status == VGG_OK ? status
                            : vgg_fail(error, status, "%s: %s", token_options[which], reason.text);
}

enum vgg_status secrets_init(struct secrets *secrets, const struct secrets_files *files,
                             struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;

    *secrets = (struct secrets){.files = *files};
    pthread_mutex_init(&secrets->mutex, NULL);
    if ((files->tls_cert != NULL) != (files->tls_key != NULL))
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%s needs %s: a certificate and its key go together",
                        files->tls_cert != NULL ? "--tls-cert" : "--tls-key",
                        files->tls_cert != NULL ? "--tls-key" : "--tls-cert");
    for (size_t i = 0; i < 2 && status == VGG_OK; i++)
        if (files->tokens[i] != NULL)
            status = read_token(secrets, i, &secrets->tokens[i], error);
    if (status == VGG_OK && files->tls_cert != NULL)
        status = tls_create(files->tls_cert, files->tls_key, &secrets->tls, error);
    if (secrets->tls != NULL)
        log_validity(secrets);
    return status;
}

void secrets_fini(struct secrets *secrets)
{
    tls_destroy(secrets->tls);
    for (size_t i = 0; i < 2; i++)
        free(secrets->tokens[i]);
    pthread_mutex_destroy(&secrets->mutex);
}

static bool reload_tls(struct secrets *secrets)
{
    struct vgg_error error = {0};

    if (secrets->tls == NULL)
        return true;
    if (tls_reload(secrets->tls, &error) == VGG_OK) {
        log_validity(secrets);
        return true;
    }
    log_event("error", "TLS goes on with the old certificate: %s", error.text);
    return false;
}

static bool reload_token(struct secrets *secrets, size_t which)
{
    struct vgg_error error = {0};
    char *token = NULL, *old;

    if (secrets->files.tokens[which] == NULL)
        return true;
    if (read_token(secrets, which, &token, &error) != VGG_OK) {
        log_event("error", "the old token stays: %s", error.text);
        return false;
    }
    pthread_mutex_lock(&secrets->mutex);
    old = secrets->tokens[which];
    secrets->tokens[which] = token;
    pthread_mutex_unlock(&secrets->mutex);
    free(old);
    return true;
}

bool secrets_reload(struct secrets *secrets)
{
    bool good = reload_tls(secrets);

    for (size_t i = 0; i < 2; i++)
        good = reload_token(secrets, i) && good;
    pthread_mutex_lock(&secrets->mutex);
    secrets->reloads[good]++;
    pthread_mutex_unlock(&secrets->mutex);
    return good;
}

bool secrets_admit(struct secrets *secrets, bool admin, const char *authorization)
{
    bool admitted;

    pthread_mutex_lock(&secrets->mutex);
    admitted =
        secrets->tokens[admin] == NULL || token_matches(secrets->tokens[admin], authorization);
    pthread_mutex_unlock(&secrets->mutex);
    return admitted;
}

struct secrets_state secrets_get_state(struct secrets *secrets)
{
    struct secrets_state state = {0};

    if (secrets->tls != NULL)
        state.tls_until_s = (double)tls_get_validity(secrets->tls).until_s;
    pthread_mutex_lock(&secrets->mutex);
    for (size_t i = 0; i < 2; i++)
        state.reloads[i] = secrets->reloads[i];
    pthread_mutex_unlock(&secrets->mutex);
    return state;
}
