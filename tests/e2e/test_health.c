/* What supervisors learn of the server: vgg health, and systemd by its socket. */
#include "check.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "process.h"
#include "server.h"
#include "work.h"

/* `vgg health` with VGG_LISTEN and one more variable or NULL. */
static void check_health(unsigned port, const char *variable, int status, const char *needle)
{
    char listen_variable[64];
    const char *env[] = {listen_variable, variable, NULL};
    struct output output;

    snprintf(listen_variable, sizeof listen_variable, "VGG_LISTEN=0.0.0.0:%u", port);
    output = command_run((const char *[]){"health", NULL}, env, NULL);
    if (output.status != status || strstr(output.err, needle) == NULL)
        fail_msg("status %d instead of %d: \"%s\"", output.status, status, output.err);
    assert_int_equal(count_lines(output.err), status == 0 ? 0 : 1);
    assert_int_equal(output.out_size, 0);
    output_free(&output);
}

static void test_ready_draining_gone(void **state)
{
    struct server server;

    (void)state;
    server_start(&server,
                 (const char *[]){"--model", model_narrow(), "--drain-delay", "60s", NULL});
    check_health(server.ports[0], NULL, 0, "");
    server_signal(&server, SIGTERM);
    server_wait_log(&server, "draining");
    check_health(server.ports[0], NULL, 1, "503");
    server_signal_later(&server, SIGTERM);
    assert_int_equal(server_wait(&server), 1);
    check_health(server.ports[0], NULL, 1, "refused");
}

/* A socket that accepts connections into its backlog and answers none. */
static int open_mute(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void test_mute(void **state)
{
    unsigned port;
    int fd = open_mute(&port);

    (void)state;
    check_health(port, "VGG_TIMEOUT=50ms", 1, "no answer");
    close(fd);
}

/* TLS is not spoken here: such a server has to take connections. */
static void test_tls(void **state)
{
    unsigned port;
    int fd = open_mute(&port);

    (void)state;
    check_health(port, "VGG_TLS_CERT=/cert.pem", 0, "");
    close(fd);
    check_health(port, "VGG_TLS_CERT=/cert.pem", 1, "refused");
}

static void check_usage(const char *const *args, const char *needle)
{
    struct output output = command_run(args, NULL, NULL);

    if (output.status != 2 || count_lines(output.err) != 1 || strstr(output.err, needle) == NULL)
        fail_msg("status %d: %s", output.status, output.err);
    output_free(&output);
}

static void test_usage(void **state)
{
    (void)state;
    check_usage((const char *[]){"health", "now", NULL}, "\"now\"");
    check_usage((const char *[]){"health", "--listen", "8080", NULL}, "HOST:PORT");
    check_usage((const char *[]){"health", "--timeout", "0s", NULL}, "--timeout");
}

static void check_told(int fd, const char *state)
{
    char received[32] = "";

    assert_int_equal(recv(fd, received, sizeof received - 1, 0), strlen(state));
    assert_string_equal(received, state);
}

static void test_systemd(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "@vgg-e2e-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct server server;
    char variable[sizeof address.sun_path + sizeof "NOTIFY_SOCKET="];

    (void)state;
    snprintf(variable, sizeof variable, "NOTIFY_SOCKET=%s", address.sun_path);
    address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
                     0);
    server_start_with(&server, (const char *[]){"--model", model_narrow(), NULL},
                      (const char *[]){variable, NULL});
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait(&server), 0);
    check_told(fd, "READY=1");
    check_told(fd, "STOPPING=1");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_draining_gone),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_systemd),
    };

    return cmocka_run_group_tests(tests, work_setup, work_teardown);
}
