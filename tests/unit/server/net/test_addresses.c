/* Counting connections by address. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fault.h"
#include "net/addresses.h"

enum { EACH_MAX = 3, ALL_MAX = 64, THREADS = 4, ROUNDS = 20000 };

static struct address_count *take(struct addresses *addresses, const char *text)
{
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};

    if (strchr(text, ':') == NULL) {
        assert_int_equal(inet_pton(AF_INET, text, &ipv4.sin_addr), 1);
        return addresses_take(addresses, (struct sockaddr *)&ipv4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    return addresses_take(addresses, (struct sockaddr *)&ipv6);
}

/* Each row is one client, whichever of its addresses it uses. */
static void one_client(void **state)
{
    static const char *const rows[][EACH_MAX + 1] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"},
        {"192.0.2.2", "::ffff:192.0.2.2", "192.0.2.2", "::ffff:192.0.2.2"},
        {"2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::", "2001:db8::1"},
        {"2001:db8:0:1::1", "2001:db8:0:1::1", "2001:db8:0:1::1", "2001:db8:0:1::9"},
    };
    struct addresses *addresses = addresses_create(ALL_MAX, EACH_MAX);
    struct address_count *counts[4][EACH_MAX];

    (void)state;
    assert_non_null(addresses);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < EACH_MAX; i++)
            for (size_t row = 0; row < 4; row++) {
                counts[row][i] = take(addresses, rows[row][i]);
                assert_non_null(counts[row][i]);
            }
        for (size_t row = 0; row < 4; row++) {
            assert_null(take(addresses, rows[row][EACH_MAX]));
            addresses_give(addresses, counts[row][0]);
            counts[row][0] = take(addresses, rows[row][EACH_MAX]);
            assert_non_null(counts[row][0]);
        }
        for (size_t i = 0; i < EACH_MAX; i++)
            for (size_t row = 0; row < 4; row++)
                addresses_give(addresses, counts[row][i]);
    }
    addresses_give(addresses, NULL);
    addresses_destroy(addresses);
    addresses_destroy(NULL);
}

/* As many addresses as there are nodes, over and over. */
static void many_addresses(void **state)
{
    struct addresses *addresses = addresses_create(ALL_MAX, 1);
    struct address_count *counts[ALL_MAX];
    char text[32];

    (void)state;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < ALL_MAX; i++) {
            snprintf(text, sizeof text, "10.%d.%d.1", round, i);
            counts[i] = take(addresses, text);
            assert_non_null(counts[i]);
            assert_null(take(addresses, text));
        }
        assert_null(take(addresses, "10.255.255.255")); /* no node is left */
        for (int i = 0; i < ALL_MAX; i++)
            addresses_give(addresses, counts[(i * 7) % ALL_MAX]);
    }
    addresses_destroy(addresses);
}

static struct addresses *shared;

static void *taker_main(void *argument)
{
    const char *text = argument;

    for (int i = 0; i < ROUNDS; i++) {
        struct address_count *count = take(shared, text);

        if (count == NULL)
            return argument;
        addresses_give(shared, count);
    }
    return NULL;
}

/* Two threads an address, two connections allowed: nobody is ever refused, nothing is left. */
static void threads(void **state)
{
    static char texts[THREADS][16] = {"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"};
    pthread_t ids[THREADS];

    (void)state;
    shared = addresses_create(2, 2);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, taker_main, texts[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *refused;

        pthread_join(ids[i], &refused);
        assert_null(refused);
    }
    assert_non_null(take(shared, "192.0.2.3"));
    assert_non_null(take(shared, "192.0.2.4"));
    addresses_destroy(shared);
}

static void no_memory(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    for (unsigned long n = 1; n <= 2; n++) {
        long before = fault_outstanding();

        fault_arm(n);
        assert_null(addresses_create(ALL_MAX, EACH_MAX));
        assert_true(fault_disarm());
        assert_int_equal(fault_outstanding(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_client),
        cmocka_unit_test(many_addresses),
        cmocka_unit_test(threads),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
