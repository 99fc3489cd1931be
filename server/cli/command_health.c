/*
 * vgg health: ask a running server's /readyz, for containers that hold no other program.
 *
 * The options are those of `vgg serve`, so that in a container the environment names the address.
 */
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/cli.h"
#include "net/endpoint.h"
#include "process/clock.h"
#include "process/option_rows.h"
#include "process/terminal.h"

struct health_options {
    const char *listen, *tls_cert;
    uint64_t timeout_ns;
};

#define FIELD(name) offsetof(struct health_options, name)

static const struct option options[] = {
    {ROW_LISTEN(FIELD(listen), "where it listens")},
    {"tls-cert", "FILE", OPTION_STRING, FIELD(tls_cert), 0, 0, NULL,
     "set where it speaks TLS: then it only has to accept a connection"},
    {"timeout", "TIME", OPTION_DURATION, FIELD(timeout_ns), NS_PER_MS, 600 * NS_PER_S, "3s",
     "for each step of the exchange"},
};

const struct command_usage health_usage = {
    .command = "vgg health",
    .operands = "[OPTIONS]",
    .summary = "Exit with 0 where a running server is ready, else say why not and exit with 1.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
};

/* The status of GET /readyz; 0: no answer. */
static int ask_readyz(int fd)
{
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char line[sizeof "HTTP/1.1 200"] = "";
    int status = 0;

    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1 ||
        recv(fd, line, sizeof line - 1, MSG_WAITALL) != (ssize_t)sizeof line - 1 ||
        sscanf(line, "HTTP/1.1 %3d", &status) != 1)
        return 0;
    return status;
}

static int check_health(const struct health_options *given)
{
    struct vgg_error error = {0};
    int fd, status = 200;

    if (endpoint_connect(given->listen, given->timeout_ns, &fd, &error) != VGG_OK) {
        terminal_say("%s", error.text);
        return error.status == VGG_BAD_ARGUMENT ? EXIT_USAGE : 1;
    }
    if (given->tls_cert == NULL)
        status = ask_readyz(fd);
    close(fd);
    if (status == 200)
        return 0;
    if (status == 0)
        terminal_say("no answer from %s", given->listen);
    else
        terminal_say("%s is not ready: status %d", given->listen, status);
    return 1;
}

int command_health(int argc, char **argv)
{
    struct health_options given = {0};
    struct operands operands;
    enum options_result result = options_parse(&health_usage, argc, argv, &given, &operands);

    if (result != OPTIONS_RUN)
        return (int)result;
    if (operands.n != 0) {
        terminal_say("health takes no operand \"%s\" (see vgg health --help)", operands.items[0]);
        return EXIT_USAGE;
    }
    return check_health(&given);
}
