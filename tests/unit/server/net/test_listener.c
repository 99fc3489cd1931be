/* Addresses, sockets, and the promise that whoever was let in is served. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "fault.h"
#include "net/listener.h"
#include "process/clock.h"
#include "server/http_client.h"

enum { HANG_S = 120, CROWD = 150 /* more than are accepted in one go */ };

static unsigned port_of(const struct endpoint *endpoint)
{
    return (unsigned)strtoul(strrchr(endpoint->address, ':') + 1, NULL, 10);
}

static bool reachable(unsigned port)
{
    int fd = client_socket();
    bool connected = client_connect(fd, port);

    close(fd);
    return connected;
}

/* ---------------------------------------------------------------- addresses ------------------ */

static void good_addresses(void **state)
{
    static const struct {
        const char *address, *prefix;
    } cases[] = {
        {"127.0.0.1:0", "127.0.0.1:"},
        {"0.0.0.0:0", "0.0.0.0:"},
        {"localhost:0", ""},
        {":0", ""},
        {"127.0.0.1:00000", "127.0.0.1:"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_error error = {0};
        struct endpoint endpoint;

        if (endpoint_open(cases[i].address, &endpoint, &error) != VGG_OK)
            fail_msg("%s: %s", cases[i].address, error.text);
        assert_true(endpoint.fd >= 0);
        assert_int_equal(strncmp(endpoint.address, cases[i].prefix, strlen(cases[i].prefix)), 0);
        assert_in_range(port_of(&endpoint), 1, 65535);
        if (strncmp(cases[i].address, "localhost", 9) != 0 || endpoint.address[0] != '[')
            assert_true(reachable(port_of(&endpoint)));
        endpoint_close(&endpoint);
        assert_int_equal(endpoint.fd, -1);
        endpoint_close(&endpoint);
    }
}

static void ipv6_addresses(void **state)
{
    struct vgg_error error = {0};
    struct endpoint endpoint;

    (void)state;
    if (endpoint_open("[::1]:0", &endpoint, &error) != VGG_OK) {
        assert_int_equal(error.status, VGG_IO); /* understood; this machine has no IPv6 */
        skip();
    }
    assert_int_equal(strncmp(endpoint.address, "[::1]:", 6), 0);
    assert_in_range(port_of(&endpoint), 1, 65535);
    endpoint_close(&endpoint);
}

static void bad_addresses(void **state)
{
    static const char *const cases[] = {
        "",           "8080",          ":",           "127.0.0.1",
        "127.0.0.1:", "127.0.0.1:-1",  "127.0.0.1:x", "127.0.0.1:http",
        "1.2.3.4: 1", "127.0.0.1:+80", "[::1]",       "127.0.0.1:65536",
        "[::1]80",    "127.0.0.1:8o",  "[::1:80",     "127.0.0.1:99999999999999999999",
        "::1:80",     "[:80",          "[]:0",        "localhost:0x50",
    };
    char longest[400];
    struct endpoint endpoint;
    struct vgg_error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char quoted[64];

        error = (struct vgg_error){0};
        endpoint.fd = 77;
        if (endpoint_open(cases[i], &endpoint, &error) != VGG_BAD_ARGUMENT)
            fail_msg("\"%s\" was taken for %s", cases[i], endpoint.address);
        assert_int_equal(endpoint.fd, -1);
        snprintf(quoted, sizeof quoted, "\"%s\"", cases[i]);
        assert_non_null(strstr(error.text, quoted));
        assert_non_null(strstr(error.text, "HOST:PORT"));
    }
    memset(longest, '1', sizeof longest - 1);
    memcpy(longest + sizeof longest - 4, ":80", 4);
    assert_int_equal(endpoint_open(longest, &endpoint, NULL), VGG_BAD_ARGUMENT);
}

static void taken_and_foreign_addresses(void **state)
{
    struct endpoint first, second;
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(endpoint_open("127.0.0.1:0", &first, NULL), VGG_OK);
    assert_int_equal(endpoint_open(first.address, &second, &error), VGG_IO);
    assert_int_equal(second.fd, -1);
    assert_non_null(strstr(error.text, first.address));
    assert_non_null(strstr(error.text, "in use"));
    endpoint_close(&first);
    /* Once it is closed the port is free again, whatever connections it had. */
    assert_int_equal(endpoint_open(first.address, &second, NULL), VGG_OK);
    endpoint_close(&second);
    error = (struct vgg_error){0};
    assert_int_equal(endpoint_open("192.0.2.1:0", &first, &error), VGG_IO);
    assert_non_null(strstr(error.text, "192.0.2.1:0"));
}

/* ---------------------------------------------------------------- accepting ------------------ */

static void handle(void *app, struct http_request *request)
{
    (void)app;
    request->response.status = 200;
    request->response.type = "text/plain";
    request->response.body = strdup(request->admin ? "admin" : "main");
    request->response.size = strlen(request->response.body);
    http_respond(request);
}

static bool admit(void *app, struct http_request *request)
{
    (void)app, (void)request;
    return true;
}

static void refuse(void *app, struct http_request *request, enum http_refusal why)
{
    (void)why;
    handle(app, request);
}

static void done(void *app, const struct http_request *request, unsigned status, bool body_cut)
{
    (void)app, (void)request, (void)status, (void)body_cut;
}

static bool closing(void *app)
{
    (void)app;
    return true;
}

static struct http *start_http(void)
{
    const struct http_options options = {
        .handler = {NULL, admit, handle, done, refuse, closing},
        .body_max = 1024,
        .body_total_max = 1 << 20,
        .images_max = 1,
        .connections_max = 2 * CROWD,
        .deadline_ns = CLIENT_HANG_S * NS_PER_S,
        .header_max = 8 << 10,
        .header_ns = CLIENT_HANG_S * NS_PER_S,
        .idle_ns = CLIENT_HANG_S * NS_PER_S,
    };
    struct http *http;

    assert_int_equal(http_create(&options, &http, NULL), VGG_OK);
    return http;
}

static struct listener *start_listener(struct http *http, unsigned ports[2],
                                       struct endpoint endpoints[2])
{
    struct listener *listener;

    for (size_t i = 0; i < 2; i++)
        ports[i] = port_of(&endpoints[i]);
    assert_int_equal(listener_create(http, &endpoints[0], &endpoints[1], &listener, NULL), VGG_OK);
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
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = client_socket();

    assert_true(fd >= 0 && client_connect(fd, port));
    assert_true(client_send(fd, request, sizeof request - 1));
    return fd;
}

static void expect(int fd, const char *body)
{
    static struct answer answer;

    client_receive(fd, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, body);
}

static void both_sockets_are_served(void **state)
{
    struct http *http = start_http();
    struct endpoint endpoints[2];
    struct listener *listener;
    unsigned ports[2];

    (void)state;
    (void)alarm(HANG_S);
    open_endpoints(endpoints);
    listener = start_listener(http, ports, endpoints);
    for (int i = 0; i < 10; i++) {
        expect(ask(ports[0]), "main");
        expect(ask(ports[1]), "admin");
    }
    listener_destroy(listener);
    assert_false(reachable(ports[0]));
    assert_false(reachable(ports[1]));
    listener_destroy(NULL);
    http_destroy(http);
    (void)alarm(0);
}

/* Whoever had connected when the end came is answered, on both sockets. */
static void accept_queue_is_drained(void **state)
{
    (void)state;
    (void)alarm(HANG_S);
    for (int round = 0; round < 5; round++) {
        struct http *http = start_http();
        struct endpoint endpoints[2];
        int clients[CROWD];
        unsigned ports[2];

        open_endpoints(endpoints);
        for (size_t i = 0; i < CROWD; i++)
            clients[i] = ask(port_of(&endpoints[i % 2]));
        listener_destroy(start_listener(http, ports, endpoints));
        for (size_t i = 0; i < CROWD; i++)
            expect(clients[i], i % 2 == 0 ? "main" : "admin");
        http_destroy(http);
    }
    (void)alarm(0);
}

/* Without a free descriptor connections wait in the kernel until there is one. */
static void survives_the_descriptor_limit(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http *http = start_http();
    struct endpoint endpoints[2];
    struct listener *listener;
    struct rlimit limit, tight;
    unsigned ports[2];
    int client = client_socket(), lowest_free = dup(client);

    (void)state;
    (void)alarm(HANG_S);
    close(lowest_free);
    open_endpoints(endpoints);
    listener = start_listener(http, ports, endpoints);
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
    assert_true(client_send(client, request, sizeof request - 1));
    usleep(20000); /* for the accept that must fail; nothing depends on it */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect(client, "main");
    expect(ask(ports[1]), "admin");
    listener_destroy(listener);
    http_destroy(http);
    (void)alarm(0);
}

static void out_of_memory(void **state)
{
    struct http *http;
    struct endpoint endpoints[2];
    struct listener *listener = NULL;

    (void)state;
    if (!fault_available())
        skip();
    http = start_http();
    open_endpoints(endpoints);
    fault_arm(1);
    assert_int_equal(listener_create(http, &endpoints[0], &endpoints[1], &listener, NULL),
                     VGG_NO_MEMORY);
    assert_true(fault_disarm());
    assert_null(listener);
    for (size_t i = 0; i < 2; i++) {
        assert_true(endpoints[i].fd >= 0); /* still the caller's */
        endpoint_close(&endpoints[i]);
    }
    http_destroy(http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses),
        cmocka_unit_test(ipv6_addresses),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(taken_and_foreign_addresses),
        cmocka_unit_test(both_sockets_are_served),
        cmocka_unit_test(accept_queue_is_drained),
        cmocka_unit_test(survives_the_descriptor_limit),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
