/* Addresses, good and bad, and their sockets. */
#include "check.h"

#include <stdbool.h>
#include <stdio.h>

#include "net/endpoint.h"
#include "server/http_client.h"

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
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_error error = {0};
        struct endpoint endpoint;

        if (endpoint_open(cases[i].address, &endpoint, &error) != VGG_OK)
            fail_msg("%s: %s", cases[i].address, error.text);
        assert_true(endpoint.fd >= 0);
        assert_int_equal(strncmp(endpoint.address, cases[i].prefix, strlen(cases[i].prefix)), 0);
        assert_in_range(client_port(endpoint.address), 1, 65535);
        if (strncmp(cases[i].address, "localhost", 9) != 0 || endpoint.address[0] != '[')
            assert_true(client_reaches(client_port(endpoint.address)));
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
    assert_in_range(client_port(endpoint.address), 1, 65535);
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
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses),
        cmocka_unit_test(ipv6_addresses),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(taken_and_foreign_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
