/* Its daemons, and its callbacks as ours. */
#include "http/mhd.h"

#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "http/response.h"
#include "net/tls.h"

enum {
    /* Connections that it may hold while we have yet to refuse them. */
    SURPLUS_CONNECTIONS = 1024,
    /*
     * Of a connection's memory beside the bytes of its headers: 64 for each of them and each
     * parameter of the query, and the answer's headers.
     */
    POOL_BYTES = 16 << 10
};

struct mhd_daemon {
    struct mhd_options options;
    struct MHD_Daemon *mhd;
};

/* ---------------------------------------------------------------- events --------------------- */

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **exchange)
{
    const struct mhd_daemon *daemon = context;
    bool goes_on;

    (void)version;
    if (*exchange != NULL)
        goes_on = daemon->options.events->reached(*exchange, method, url, data, size);
    else
        goes_on =
            *size == 0 && daemon->options.events->starved(daemon->options.context, connection);
    return goes_on ? MHD_YES : MHD_NO;
}

/* The head has arrived, of which it has read the request line. */
static void *on_request(void *context, const char *uri, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const struct mhd_daemon *daemon = context;

    if (info == NULL || info->socket_context == NULL)
        return NULL;
    return daemon->options.events->begun(daemon->options.context, info->socket_context, connection,
                                         uri);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **exchange,
                         enum MHD_RequestTerminationCode code)
{
    const struct mhd_daemon *daemon = context;

    (void)connection;
    if (*exchange != NULL)
        daemon->options.events->over(*exchange, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *exchange = NULL;
}

static int socket_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static void *open_peer(const struct mhd_daemon *daemon, struct MHD_Connection *connection)
{
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    void *session = NULL;

    if (daemon->options.tls)
        session =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
    return daemon->options.events->opened(daemon->options.context, daemon->options.admin,
                                          socket_of(connection), address, session);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **peer,
                          enum MHD_ConnectionNotificationCode code)
{
    const struct mhd_daemon *daemon = context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *peer = open_peer(daemon, connection);
    else if (*peer != NULL) {
        daemon->options.events->closed(*peer, socket_of(connection));
        *peer = NULL;
    }
}

/*
 * What matters of a request shows in the access log. Of what libmicrohttpd refuses by itself, which
 * should be nothing but handshakes, only these messages tell.
 */
static void on_log(void *context, const char *format, va_list args)
{
    static const char processing[] = "Error processing request";
    static const char handshake[] = "Error: received handshake message out of context";
    const struct mhd_daemon *daemon = context;

    (void)args;
    if (strncmp(format, processing, sizeof processing - 1) == 0)
        daemon->options.events->cut(daemon->options.context, CUT_MALFORMED);
    else if (strncmp(format, handshake, sizeof handshake - 1) == 0)
        daemon->options.events->cut(daemon->options.context, CUT_HANDSHAKE);
}

/* ---------------------------------------------------------------- the daemon ----------------- */

/*
 * TLS by poll: where a handshake waits for the client, libmicrohttpd 0.9.75 with epoll calls GnuTLS
 * again and again until the next bytes come.
 */
static struct MHD_Daemon *start_daemon(struct mhd_daemon *daemon)
{
    const struct mhd_options *options = &daemon->options;
    const struct MHD_OptionItem tls_options[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_callback()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
        {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem pool_options[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)options->threads, NULL}, {MHD_OPTION_END, 0, NULL}};
    unsigned mode =
        options->tls ? MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_TLS : MHD_USE_EPOLL_INTERNAL_THREAD;

    return MHD_start_daemon(
        mode | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_access, daemon, MHD_OPTION_EXTERNAL_LOGGER, on_log, daemon,
        MHD_OPTION_URI_LOG_CALLBACK, on_request, daemon, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        daemon, MHD_OPTION_NOTIFY_CONNECTION, on_connection, daemon, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(options->connections_max + SURPLUS_CONNECTIONS),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->header_max + POOL_BYTES,
#if MHD_VERSION >= 0x01000000
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, /* what it refuses by itself, the gate has refused */
#endif
        MHD_OPTION_ARRAY, options->tls ? tls_options : tls_options + 2, MHD_OPTION_ARRAY,
        options->threads > 1 ? pool_options : pool_options + 1, MHD_OPTION_END);
}

struct mhd_daemon *mhd_start(const struct mhd_options *options)
{
    struct mhd_daemon *daemon = calloc(1, sizeof *daemon);

    if (daemon == NULL)
        return NULL;
    daemon->options = *options;
    daemon->mhd = start_daemon(daemon);
    if (daemon->mhd != NULL)
        return daemon;
    free(daemon);
    return NULL;
}

void mhd_stop(struct mhd_daemon *daemon)
{
    if (daemon == NULL)
        return;
    MHD_stop_daemon(daemon->mhd);
    free(daemon);
}

bool mhd_add(struct mhd_daemon *daemon, int fd, const struct sockaddr *address,
             unsigned address_size)
{
    return MHD_add_connection(daemon->mhd, fd, address, (socklen_t)address_size) == MHD_YES;
}

/* ---------------------------------------------------------------- requests ------------------- */

const char *mhd_header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

struct header_visit {
    const char *name;
    void (*visit)(void *context, const char *value);
    void *context;
};

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    const struct header_visit *given = context;

    (void)kind;
    if (strcasecmp(name, given->name) == 0 && value != NULL)
        given->visit(given->context, value);
    return MHD_YES;
}

void mhd_headers(struct MHD_Connection *connection, const char *name,
                 void (*visit)(void *context, const char *value), void *context)
{
    struct header_visit given = {name, visit, context};

    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, &given);
}

struct query_visit {
    bool (*visit)(void *context, const char *name, const char *value);
    void *context;
};

static enum MHD_Result on_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
    const struct query_visit *query = context;
    /* "%00" ends a C string early: such a parameter is none that anybody knows. */
    bool whole = strlen(name) == name_size && (value == NULL || strlen(value) == value_size);

    (void)kind;
    if (name_size == 0 && value == NULL) /* nothing between two "&", or before the first */
        return MHD_YES;
    return query->visit(query->context, whole ? name : "\\0", value) ? MHD_YES : MHD_NO;
}

void mhd_query(struct MHD_Connection *connection,
               bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    struct query_visit query = {visit, context};

    (void)MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, on_argument, &query);
}

void mhd_client(struct MHD_Connection *connection, char client[HTTP_CLIENT_MAX])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    client[0] = '\0';
    if (info != NULL && info->client_addr != NULL)
        (void)getnameinfo(info->client_addr,
                          info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                   : sizeof(struct sockaddr_in),
                          client, HTTP_CLIENT_MAX, NULL, 0, NI_NUMERICHOST);
}

unsigned mhd_own_status(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS);

    return info != NULL ? info->http_status : 0;
}

void mhd_suspend(struct MHD_Connection *connection)
{
    MHD_suspend_connection(connection);
}

void mhd_resume(struct MHD_Connection *connection)
{
    MHD_resume_connection(connection);
}

/* ---------------------------------------------------------------- answers -------------------- */

static bool add_header(void *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

struct MHD_Response *mhd_response(struct http_request *request, bool closing)
{
    struct http_response *answer = &request->response;
    struct MHD_Response *response;

    if (answer->body == NULL)
        return NULL;
    response = MHD_create_response_from_buffer(answer->size, answer->body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(answer->body);
    answer->body = NULL;
    if (response != NULL && !response_headers(request, closing, add_header, response)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

struct MHD_Response *mhd_response_bare(const struct http_request *request, const char *body,
                                       size_t size)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

    if (response == NULL || response_headers_bare(request, add_header, response))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

void mhd_response_release(struct MHD_Response *response)
{
    if (response != NULL)
        MHD_destroy_response(response);
}

bool mhd_answer(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
    return MHD_queue_response(connection, status, response) == MHD_YES;
}
