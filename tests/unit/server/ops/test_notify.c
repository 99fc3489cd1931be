/* Messages to systemd, by a socket of our own in its place. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/notify.h"

/* A datagram socket bound to `path`, where '@' begins an abstract name. */
static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
                     0);
    return fd;
}

static void check_received(const char *path)
{
    char received[32] = "";
    int fd = open_socket(path);

    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    notify_systemd("READY=1");
    assert_int_equal(recv(fd, received, sizeof received, 0), strlen("READY=1"));
    assert_string_equal(received, "READY=1");
    close(fd);
}

static void a_socket_of_either_kind(void **state)
{
    char directory[] = "/tmp/vgg-notify-XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/socket", directory);
    check_received(path);
    unlink(path);
    rmdir(directory);
    snprintf(path, sizeof path, "@vgg-notify-%d", (int)getpid());
    check_received(path);
}

/* Nothing happens, which the sanitizers watch. */
static void no_socket(void **state)
{
    static const char *const values[] = {"",         "/", "@", "relative", "/nonexistent/socket",
                                         "vsock:2:3"};
    char longest[200];

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify_systemd("READY=1");
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", values[i], 1), 0);
        notify_systemd("READY=1");
    }
    memset(longest, '/', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(setenv("NOTIFY_SOCKET", longest, 1), 0);
    notify_systemd("STOPPING=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_of_either_kind),
        cmocka_unit_test(no_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
