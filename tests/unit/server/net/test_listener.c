/* The promise that whoever was let in is served. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "fault.h"
#include "net/listener.h"
#include "server/http_client.h"

enum { HANG_S = 120, CROWD = 150 /* more than are accepted in one go */ };

/* Say which socket it came by. */
static void greet(void *context, bool admin, int fd, const void *address, unsigned size)
{
    const char *name = ((const char **)context)[admin];
    const struct sockaddr_in *client = address;

    if (size == sizeof *client && client->sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
        (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0)
        (void)send(fd, name, strlen(name), MSG_NOSIGNAL);
    close(fd);
}

static const char *names[] = {"main", "admin"};

static const struct listener_handler handler = {names, greet};

static struct listener *start_listener(unsigned ports[2], struct endpoint endpoints[2])
{
    struct listener *listener;

    for (size_t i = 0; i < 2; i++)
        ports[i] = client_port(endpoints[i].address);
    assert_int_equal(listener_create(&handler, &endpoints[0], &endpoints[1], &listener, NULL),
                     VGG_OK);
    assert_int_equal(endpoints[0].fd, -1); /* handed over */
    assert_int_equal(endpoints[1].fd, -1);
    return listener;
}

static void open_endpoints(struct endpoint endpoints[2])
{
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(endpoint_open("127.0.0.1:0", &endpoints[i], NULL), VGG_OK);
}

static int ask(unsigned port)
{
    int fd = client_socket();

    assert_true(fd >= 0 && client_connect(fd, port));
    return fd;
}

static void expect(int fd, const char *name)
{
    char text[16] = "";

    assert_int_equal(recv(fd, text, sizeof text - 1, MSG_WAITALL), (ssize_t)strlen(name));
    assert_string_equal(text, name);
    close(fd);
}

static void both_sockets_are_served(void **state)
{
    struct endpoint endpoints[2];
    struct listener *listener;
    unsigned ports[2];

    (void)state;
    (void)alarm(HANG_S);
    open_endpoints(endpoints);
    listener = start_listener(ports, endpoints);
    for (int i = 0; i < 10; i++) {
        expect(ask(ports[0]), "main");
        expect(ask(ports[1]), "admin");
    }
    listener_destroy(listener);
    assert_false(client_reaches(ports[0]));
    assert_false(client_reaches(ports[1]));
    listener_destroy(NULL);
    (void)alarm(0);
}

/* Whoever had connected when the end came is answered, on both sockets. */
static void accept_queue_is_drained(void **state)
{
    (void)state;
    (void)alarm(HANG_S);
    for (int round = 0; round < 5; round++) {
        struct endpoint endpoints[2];
        int clients[CROWD];
        unsigned ports[2];

        open_endpoints(endpoints);
        for (size_t i = 0; i < CROWD; i++)
            clients[i] = ask(client_port(endpoints[i % 2].address));
        listener_destroy(start_listener(ports, endpoints));
        for (size_t i = 0; i < CROWD; i++)
            expect(clients[i], i % 2 == 0 ? "main" : "admin");
    }
    (void)alarm(0);
}

/* Without a free descriptor connections wait in the kernel until there is one. */
static void survives_the_descriptor_limit(void **state)
{
    struct endpoint endpoints[2];
    struct listener *listener;
    struct rlimit limit, tight;
    unsigned ports[2];
    int client = client_socket(), lowest_free = dup(client);

    (void)state;
    (void)alarm(HANG_S);
    close(lowest_free);
    open_endpoints(endpoints);
    listener = start_listener(ports, endpoints);
    expect(ask(ports[0]), "main");
    lowest_free = dup(client);
    close(lowest_free);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    tight.rlim_cur = (rlim_t)lowest_free;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    assert_int_equal(dup(client), -1);
    assert_int_equal(errno, EMFILE);
    assert_true(client_connect(client, ports[0])); /* by the kernel */
    usleep(20000); /* for the accept that must fail; nothing depends on it */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect(client, "main");
    expect(ask(ports[1]), "admin");
    listener_destroy(listener);
    (void)alarm(0);
}

static void out_of_memory(void **state)
{
    struct endpoint endpoints[2];
    struct listener *listener = NULL;

    (void)state;
    if (!fault_available())
        skip();
    open_endpoints(endpoints);
    fault_arm(1);
    assert_int_equal(listener_create(&handler, &endpoints[0], &endpoints[1], &listener, NULL),
                     VGG_NO_MEMORY);
    assert_true(fault_disarm());
    assert_null(listener);
    for (size_t i = 0; i < 2; i++) {
        assert_true(endpoints[i].fd >= 0); /* still the caller's */
        endpoint_close(&endpoints[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sockets_are_served),
        cmocka_unit_test(accept_queue_is_drained),
        cmocka_unit_test(survives_the_descriptor_limit),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
