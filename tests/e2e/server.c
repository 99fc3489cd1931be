/* Servers under test. */
#include "server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "client.h"
#include "process.h"
#include "work.h"

enum { ARGUMENTS_MAX = 48, READY_MS = 60000, SIGNAL_NAPS = 60 };

/* ---------------------------------------------------------------- start and end -------------- */

/* The one line on standard output; empty where the process ends without it. */
static void read_ready(int fd, char *line, size_t size)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    size_t length = 0;

    while (length + 1 < size && poll(&polled, 1, READY_MS) == 1 &&
           read(fd, line + length, 1) == 1 && line[length] != '\n')
        length++;
    line[length] = '\0';
}

static void start(struct server *server, const char *const *args, const char *const *env,
                  int err_fd)
{
    const char *argv[ARGUMENTS_MAX] = {"serve", "--listen", "127.0.0.1:0", "--admin-listen",
                                       "127.0.0.1:0"};
    size_t n = 5;
    unsigned ports[2];
    char line[160], page[160];
    unsigned opened;
    int ready[2];

    for (; *args != NULL && n + 1 < ARGUMENTS_MAX; args++)
        argv[n++] = *args;
    server->ca = NULL;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    server->pid = process_start(argv, env, NULL, ready[1], err_fd);
    close(ready[1]);
    read_ready(ready[0], line, sizeof line);
    read_ready(ready[0], page, sizeof page);
    close(ready[0]);
    if (sscanf(line, "vgg: ready on 127.0.0.1:%u, admin on 127.0.0.1:%u", &ports[0], &ports[1]) !=
        2)
        fail_msg("not ready: \"%s\"\n%s", line, server->log[0] != '\0' ? server_log(server) : "");
    assert_true(sscanf(page, "vgg: open http://localhost:%u", &opened) == 1 ||
                sscanf(page, "vgg: open https://localhost:%u", &opened) == 1);
    assert_int_equal(opened, ports[0]);
    server->ports[0] = (uint16_t)ports[0];
    server->ports[1] = (uint16_t)ports[1];
}

void server_start_with(struct server *server, const char *const *args, const char *const *env)
{
    static unsigned number;
    int err_fd;

    snprintf(server->log, sizeof server->log, "log-%u", number++);
    err_fd = open(work_file(server->log), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(err_fd >= 0);
    start(server, args, env, err_fd);
    close(err_fd);
}

void server_start_to(struct server *server, const char *const *args, int err_fd)
{
    server->log[0] = '\0';
    start(server, args, NULL, err_fd);
}

void server_start(struct server *server, const char *const *args)
{
    server_start_with(server, args, NULL);
}

void server_start_model(struct server *server, const char *model)
{
    server_start(server, (const char *[]){"--model", model, "--scales", "64,96", NULL});
}

void server_signal(const struct server *server, int number)
{
    assert_int_equal(kill(server->pid, number), 0);
}

void server_signal_later(const struct server *server, int number)
{
    for (int i = 0; i < SIGNAL_NAPS; i++)
        nap();
    server_signal(server, number);
}

int server_wait(struct server *server)
{
    int status = process_wait(server->pid);

    server->pid = 0;
    return status;
}

void server_stop(struct server *server)
{
    int status;

    server_signal(server, SIGTERM);
    status = server_wait(server);
    if (status != 0)
        fail_msg("exit status %d\n%s", status, server->log[0] != '\0' ? server_log(server) : "");
}

char *server_log(const struct server *server)
{
    return (char *)work_read(work_file(server->log)).bytes;
}

void server_wait_log(const struct server *server, const char *text)
{
    for (int i = 0; i < NAPS_MAX; i++) {
        char *log = server_log(server);
        bool found = strstr(log, text) != NULL;

        free(log);
        if (found)
            return;
        nap();
    }
    fail_msg("the log never shows: %s", text);
}

/* ---------------------------------------------------------------- metrics -------------------- */

char *metrics_read(const struct server *server)
{
    struct answer answer;
    char *text;

    ask(server, &(struct call){.target = "/metrics"}, &answer);
    assert_int_equal(answer.status, 200);
    text = answer.body;
    answer.body = NULL;
    answer_free(&answer);
    return text;
}

double metrics_value(const char *text, const char *series)
{
    size_t length = strlen(series);

    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, series, length) == 0 && line[length] == ' ')
            return strtod(line + length, NULL);
    }
    fail_msg("no series %s", series);
    return 0;
}

double server_metric(const struct server *server, const char *series)
{
    char *text = metrics_read(server);
    double value = metrics_value(text, series);

    free(text);
    return value;
}

/* Poll until the value is in [low, high]. */
static void wait_metric(const struct server *server, const char *series, double low, double high)
{
    double value = 0;

    for (int i = 0; i < NAPS_MAX; i++) {
        value = server_metric(server, series);
        if (value >= low && value <= high)
            return;
        nap();
    }
    fail_msg("%s stays %g, not in %g..%g", series, value, low, high);
}

void server_wait_metric(const struct server *server, const char *series, double value)
{
    wait_metric(server, series, value, value);
}

void server_wait_metric_reaches(const struct server *server, const char *series, double value)
{
    wait_metric(server, series, value, 1e18);
}

void server_wait_begun(const struct server *server, double n, double answered)
{
    for (int i = 0; i < NAPS_MAX; i++) {
        char *text = metrics_read(server);
        bool begun = metrics_value(text, "vgg_requests_in_flight") >= n ||
                     metrics_value(text, CLASSIFIED) > answered;

        free(text);
        if (begun)
            return;
        nap();
    }
    fail_msg("the requests never begin");
}

/* ---------------------------------------------------------------- health --------------------- */

void check_alive(const struct server *server)
{
    struct blob image = picture(80, 60);
    struct answer answer;

    ask(server,
        &(struct call){
            .target = "/classify?scales=64&flip=off", .body = image.bytes, .size = image.size},
        &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    blob_free(&image);
}

void check_at_rest(const struct server *server, double fds)
{
    wait_metric(server, "vgg_requests_in_flight", 1, 1);
    wait_metric(server, "vgg_queue_depth", 0, 0);
    wait_metric(server, "vgg_queue_cost_seconds", 0, 0);
    wait_metric(server, "process_open_fds", 0, fds);
}
