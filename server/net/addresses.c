/* A hash table of fixed size with its nodes allocated at the start. */
#include "net/addresses.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct address_count {
    uint64_t key;
    size_t connections;
    struct address_count *next; /* of its bucket, or of the free nodes */
};

struct addresses {
    pthread_mutex_t mutex;
    size_t each_max, buckets_n; /* a power of two */
    uint64_t seed;              /* so that nobody can choose addresses that collide */
    struct address_count *free, **buckets;
    struct address_count nodes[];
};

/* IPv4 as its 32 bits, IPv6 as its first 64, which are never as small for a global address. */
static uint64_t key_of(const struct sockaddr *address)
{
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    uint64_t key = 0;

    if (address != NULL && address->sa_family == AF_INET) {
        memcpy(&ipv4, address, sizeof ipv4);
        return ntohl(ipv4.sin_addr.s_addr);
    }
    if (address == NULL || address->sa_family != AF_INET6)
        return 0;
    memcpy(&ipv6, address, sizeof ipv6);
    if (IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr))
        for (size_t i = 12; i < 16; i++)
            key = key << 8 | ipv6.sin6_addr.s6_addr[i];
    else
        for (size_t i = 0; i < 8; i++)
            key = key << 8 | ipv6.sin6_addr.s6_addr[i];
    return key;
}

static struct address_count **bucket_of(struct addresses *addresses, uint64_t key)
{
    uint64_t hash = (key ^ addresses->seed) * UINT64_C(0x9E3779B97F4A7C15);

    return &addresses->buckets[(hash >> 32) & (addresses->buckets_n - 1)];
}

struct addresses *addresses_create(size_t connections_max, size_t each_max)
{
    struct addresses *addresses =
        calloc(1, sizeof *addresses + connections_max * sizeof *addresses->nodes);

    if (addresses == NULL)
        return NULL;
    for (addresses->buckets_n = 1; addresses->buckets_n < connections_max;)
        addresses->buckets_n *= 2;
    addresses->buckets = calloc(addresses->buckets_n, sizeof *addresses->buckets);
    if (addresses->buckets == NULL) {
        free(addresses);
        return NULL;
    }
    pthread_mutex_init(&addresses->mutex, NULL);
    addresses->each_max = each_max;
    if (getrandom(&addresses->seed, sizeof addresses->seed, 0) != sizeof addresses->seed)
        addresses->seed = (uintptr_t)addresses; /* cannot happen once the kernel has booted */
    for (size_t i = 0; i < connections_max; i++) {
        addresses->nodes[i].next = addresses->free;
        addresses->free = &addresses->nodes[i];
    }
    return addresses;
}

void addresses_destroy(struct addresses *addresses)
{
    if (addresses == NULL)
        return;
    pthread_mutex_destroy(&addresses->mutex);
    free(addresses->buckets);
    free(addresses);
}

struct address_count *addresses_take(struct addresses *addresses, const struct sockaddr *address)
{
    uint64_t key = key_of(address);
    struct address_count **bucket = bucket_of(addresses, key), *count;

    pthread_mutex_lock(&addresses->mutex);
    for (count = *bucket; count != NULL && count->key != key;)
        count = count->next;
    if (count == NULL && addresses->free != NULL) {
        count = addresses->free;
        addresses->free = count->next;
        *count = (struct address_count){.key = key, .next = *bucket};
        *bucket = count;
    }
    if (count != NULL && count->connections < addresses->each_max)
        count->connections++;
    else
        count = NULL;
    pthread_mutex_unlock(&addresses->mutex);
    return count;
}

void addresses_give(struct addresses *addresses, struct address_count *count)
{
    struct address_count **link;

    if (count == NULL)
        return;
    pthread_mutex_lock(&addresses->mutex);
    if (--count->connections == 0) {
        for (link = bucket_of(addresses, count->key); *link != count;)
            link = &(*link)->next;
        *link = count->next;
        count->next = addresses->free;
        addresses->free = count;
    }
    pthread_mutex_unlock(&addresses->mutex);
}
