/* Whose recv is called, and which descriptors go through a gate. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <dlfcn.h>

#include "gate/interpose.h"

enum { HEAD_MAX = 4096 };

static const char bad[] = "GET / HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n";

static void nothing(void *context)
{
    (void)context;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void expect(int fd, int flags, const char *text)
{
    char bytes[256];
    ssize_t n = recv(fd, bytes, sizeof bytes, flags);

    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

/* A library's call goes to the first that the loader finds: to the program's, not its own. */
static void the_first_to_be_found(void **state)
{
    static const char *const names[] = {"recv", "gnutls_record_recv", "gnutls_record_check_pending",
                                        "gnutls_handshake"};
    Dl_info found, ours;

    (void)state;
    assert_int_not_equal(dladdr((void *)(uintptr_t)the_first_to_be_found, &ours), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_not_equal(dladdr(dlsym(RTLD_DEFAULT, names[i]), &found), 0);
        assert_ptr_equal(found.dli_fbase, ours.dli_fbase);
    }
}

static void only_what_was_added(void **state)
{
    struct interposed entries[2];
    struct gate gates[2];
    int pair[2], other;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    other = fcntl(pair[0], F_DUPFD_CLOEXEC, 1024 + pair[0]); /* of the same bucket */
    assert_true(other > 0);
    send_text(pair[1], bad);
    expect(pair[0], 0, bad);

    for (int i = 0; i < 2; i++)
        assert_true(gate_init(&gates[i], HEAD_MAX, nothing, NULL));
    interpose_add(&entries[0], &gates[0], pair[0], NULL);
    interpose_add(&entries[1], &gates[1], other, NULL);
    send_text(pair[1], bad);
    expect(pair[0], MSG_PEEK, bad); /* with flags it is not the library */
    expect(pair[0], 0, "GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n");
    assert_non_null(gate_fault(&gates[0], 1));
    assert_int_equal(gates[1].heads_n, 0);
    errno = 0;
    assert_int_equal(recv(other, (char[8]){0}, 8, 0), -1);
    assert_int_equal(errno, EAGAIN);
    send_text(pair[1], "GET");
    errno = 0;
    assert_int_equal(recv(other, (char[8]){0}, 8, 0), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(gate_holds(&gates[1]));

    interpose_remove(&entries[0]);
    send_text(pair[1], bad);
    expect(pair[0], 0, bad);
    interpose_remove(&entries[1]);
    send_text(pair[1], bad);
    expect(other, 0, bad);
    for (int i = 0; i < 2; i++)
        gate_fini(&gates[i]);
    close(other);
    close(pair[0]);
    errno = 0;
    assert_int_equal(recv(pair[0], (char[8]){0}, 8, 0), -1);
    assert_int_equal(errno, EBADF);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_to_be_found),
        cmocka_unit_test(only_what_was_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
