/* Bodies as they arrive: however the network cuts them, the same parts come out. */
#include "check.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "http/http.h"
#include "process/clock.h"
#include "server/http_client.h"

enum {
    HANG_S = 240,
    BODY_MAX = 128 << 10,
    HEADER_MAX = 8 << 10,
    IMAGES_MAX = 3,
    SEEN_BYTES = 32 << 10
};

/* What the last request looked like to its handler. */
static struct {
    enum http_body body;
    size_t parts_n;
    size_t sizes[IMAGES_MAX];
    uint8_t bytes[IMAGES_MAX][SEEN_BYTES];
    char id[HTTP_ID_MAX + 1], traceparent[HTTP_TRACEPARENT_MAX + 1];
    unsigned handled, refused;
    enum coding coding;
} seen;

static struct answer answer;

static void respond(struct http_request *request, unsigned status)
{
    request->response.status = status;
    request->response.type = "text/plain";
    request->response.body = strdup("ok");
    request->response.size = 2;
    http_respond(request);
}

static void handle(void *app, struct http_request *request)
{
    (void)app;
    seen.body = request->body;
    seen.parts_n = request->parts_n;
    for (size_t i = 0; i < request->parts_n && i < IMAGES_MAX; i++) {
        seen.sizes[i] = request->parts[i].size;
        if (request->parts[i].size != 0 && request->parts[i].size <= SEEN_BYTES)
            memcpy(seen.bytes[i], request->parts[i].bytes, request->parts[i].size);
    }
    memcpy(seen.id, request->id, sizeof seen.id);
    memcpy(seen.traceparent, request->traceparent, sizeof seen.traceparent);
    seen.handled++;
    respond(request, 200);
}

/* What is sent to /refused is refused at its headers. */
static bool admit(void *app, struct http_request *request)
{
    (void)app;
    seen.coding = request->coding;
    if (strcmp(request->path, "/refused") != 0)
        return true;
    seen.refused++;
    respond(request, 404);
    return false;
}

static void refuse(void *app, struct http_request *request, enum http_refusal why)
{
    (void)app;
    seen.refused++;
    respond(request, why == HTTP_BODY_TOO_LARGE ? 413 : 431);
}

static void done(void *app, const struct http_request *request, unsigned status, bool body_cut)
{
    (void)app, (void)request, (void)status, (void)body_cut;
}

static size_t no_memory(void *app, struct http_request *request, char body[HTTP_NO_MEMORY_BYTES])
{
    (void)app, (void)body;
    request->response.status = 503;
    request->response.type = "text/plain";
    return 0;
}

static bool stays; /* connections after an answer */

static bool closing(void *app)
{
    (void)app;
    return !stays;
}

static struct http *http;

static int setup(void **state)
{
    const struct http_options options = {
        .handler = {NULL, admit, handle, done, refuse, no_memory, closing},
        .body_max = BODY_MAX,
        .body_total_max = 16 * BODY_MAX,
        .images_max = IMAGES_MAX,
        .limits = {.header_max = HEADER_MAX,
                   .connections_max = 64,
                   .times = {CLIENT_HANG_S * NS_PER_S, CLIENT_HANG_S * NS_PER_S,
                             CLIENT_HANG_S * NS_PER_S}},
    };

    (void)state;
    (void)alarm(HANG_S);
    return http_create(&options, &http, NULL) == VGG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    http_destroy(http);
    (void)alarm(0);
    return 0;
}

/* Give the server a piece and wait until it has read it, so that it is one piece to it. */
static void send_piece(int client, int server, const void *bytes, size_t size)
{
    int unread;

    assert_true(client_send(client, bytes, size));
    do
        sched_yield();
    while (ioctl(server, FIONREAD, &unread) == 0 && unread > 0);
}

/* A connection; the server's end of the socket is ours to see through *watch. */
static int open_connection(int *watch)
{
    static const struct sockaddr_in nobody = {.sin_family = AF_INET};
    const struct timeval hang = {.tv_sec = CLIENT_HANG_S};
    int pair[2];

    memset(&seen, 0, sizeof seen);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    (void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &hang, sizeof hang);
    *watch = dup(pair[1]);
    http_add_connection(http, false, pair[1], &nobody, sizeof nobody);
    return pair[0];
}

/* Send a request whose body comes in two pieces. */
static void request_in_pieces(const char *headers, const void *body, size_t size, size_t cut)
{
    static char head[2 * HEADER_MAX + 128];
    int watch, client = open_connection(&watch);
    int length =
        snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n",
                 size, headers);

    send_piece(client, watch, head, (size_t)length);
    if (cut != 0)
        send_piece(client, watch, body, cut);
    close(watch); /* a refusal leaves the rest unread */
    (void)client_send(client, (const char *)body + cut, size - cut);
    client_receive(client, &answer);
}

/* ---------------------------------------------------------------- multipart ------------------ */

static const char multipart[] = "Content-Type: multipart/form-data; boundary=XyZ\r\n";

/* A body of files, malloc'ed nowhere: `files` end with NULL. Returns its size. */
static size_t make_multipart(char *body, const char *const *files, const size_t *sizes)
{
    size_t size = 0;

    for (size_t i = 0; files[i] != NULL; i++) {
        size += (size_t)sprintf(body + size,
                                "--XyZ\r\nContent-Disposition: form-data; name=\"image\"; "
                                "filename=\"%zu.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n",
                                i);
        memcpy(body + size, files[i], sizes[i]);
        size += sizes[i];
        size += (size_t)sprintf(body + size, "\r\n");
    }
    return size + (size_t)sprintf(body + size, "--XyZ--\r\n");
}

static void check_parts(const char *const *files, const size_t *sizes, size_t n, size_t cut)
{
    if (answer.status != 200 || seen.body != HTTP_BODY_MULTIPART || seen.parts_n != n)
        fail_msg("cut at %zu: status %d, body %d, %zu parts of %zu", cut, answer.status,
                 (int)seen.body, seen.parts_n, n);
    for (size_t i = 0; i < n; i++)
        if (seen.sizes[i] != sizes[i] || memcmp(seen.bytes[i], files[i], sizes[i]) != 0)
            fail_msg("cut at %zu: part %zu is another", cut, i);
}

/* Cut at every byte: in headers, boundaries, contents that look like boundaries, an empty file. */
static void parts_do_not_depend_on_the_cut(void **state)
{
    static const char *const files[] = {"\r\n--XyA\r\n-", "", "\xff\xd8 a JPEG \r\n--\r", NULL};
    static const size_t sizes[] = {11, 0, 16};
    char body[1024];
    size_t size = make_multipart(body, files, sizes);

    (void)state;
    for (size_t cut = 0; cut <= size; cut++) {
        request_in_pieces(multipart, body, size, cut);
        check_parts(files, sizes, 3, cut);
    }
}

/* libmicrohttpd hands a body over in blocks of 16 KiB: their end can fall anywhere too. */
static void parts_do_not_depend_on_the_length(void **state)
{
    static char first[SEEN_BYTES], body[2 * SEEN_BYTES];
    const char *files[] = {first, "\xff\xd8 second", NULL};
    size_t sizes[] = {0, 9};

    (void)state;
    memset(first, 'f', sizeof first);
    for (sizes[0] = (16 << 10) - 400; sizes[0] < (16 << 10) + 100; sizes[0]++) {
        size_t size = make_multipart(body, files, sizes);

        request_in_pieces(multipart, body, size, size);
        check_parts(files, sizes, 2, size);
    }
}

static void unusable_multipart(void **state)
{
    static const struct {
        const char *headers, *body;
        enum http_body expected;
    } cases[] = {
        {multipart, "", HTTP_BODY_BAD},
        {multipart, "--XyZ--\r\n", HTTP_BODY_BAD},
        {multipart, "no boundary at all", HTTP_BODY_BAD},
        {multipart,
         "--XyZ\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\ncut off",
         HTTP_BODY_BAD},
        {multipart,
         "--XyZ\r\nContent-Disposition: form-data; name=\"top_k\"\r\n\r\n5\r\n--XyZ--\r\n",
         HTTP_BODY_BAD},
        {"Content-Type: multipart/form-data\r\n", "--XyZ--\r\n", HTTP_BODY_BAD},
        {"Content-Type: multipart/mixed; boundary=XyZ\r\n", "--XyZ--\r\n", HTTP_BODY_BAD},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t size = strlen(cases[i].body);

        request_in_pieces(cases[i].headers, cases[i].body, size, size);
        if (answer.status != 200 || seen.handled != 1 || seen.body != cases[i].expected)
            fail_msg("case %zu: status %d, body %d", i, answer.status, (int)seen.body);
        assert_int_equal(seen.parts_n, 0);
    }
}

static void as_many_files_as_allowed(void **state)
{
    static const char *const files[] = {"a", "b", "c", "d", NULL};
    static const size_t sizes[] = {1, 1, 1, 1};
    const char *const *three = files + 1;
    char body[1024];
    size_t size = make_multipart(body, three, sizes);

    (void)state;
    request_in_pieces(multipart, body, size, size);
    check_parts(three, sizes, IMAGES_MAX, size);
    size = make_multipart(body, files, sizes);
    request_in_pieces(multipart, body, size, size);
    assert_int_equal(answer.status, 200);
    assert_int_equal(seen.body, HTTP_BODY_MANY);
    assert_int_equal(seen.parts_n, 0);
}

/* ---------------------------------------------------------------- plain ---------------------- */

static void plain_bodies(void **state)
{
    static char body[BODY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7);
    for (size_t size = 0; size <= SEEN_BYTES; size = size * 3 + 1) {
        request_in_pieces("", body, size, size / 2);
        assert_int_equal(answer.status, 200);
        assert_int_equal(seen.body, HTTP_BODY_PLAIN);
        assert_int_equal(seen.parts_n, 1);
        assert_int_equal(seen.sizes[0], size);
        assert_memory_equal(seen.bytes[0], body, size);
    }
    request_in_pieces("", body, BODY_MAX, 1); /* exactly the limit */
    assert_int_equal(answer.status, 200);
    assert_int_equal(seen.sizes[0], BODY_MAX);
    request_in_pieces("", body, BODY_MAX + 1, 0);
    assert_int_equal(answer.status, 413);
    assert_int_equal(seen.refused, 1);
    assert_int_equal(seen.handled, 0);
}

/* ---------------------------------------------------------------- headers -------------------- */

static void request_ids(void **state)
{
    static const char *const bad[] = {"X-Request-Id: \r\n", "X-Request-Id: a b\r\n",
                                      "X-Request-Id: caf\xe9\r\n", "X-Request-Id: <x>\r\n", ""};
    char longest[HTTP_ID_MAX + 2], headers[256];

    (void)state;
    request_in_pieces("X-Request-Id: Ab_9.-z\r\n", "x", 1, 1);
    assert_string_equal(seen.id, "Ab_9.-z");
    assert_true(answer_has(&answer, "\r\nX-Request-Id: Ab_9.-z\r\n"));
    for (size_t extra = 0; extra < 2; extra++) {
        memset(longest, 'i', sizeof longest);
        longest[HTTP_ID_MAX + extra] = '\0';
        snprintf(headers, sizeof headers, "X-Request-Id: %s\r\n", longest);
        request_in_pieces(headers, "x", 1, 1);
        assert_int_equal(strcmp(seen.id, longest) == 0, extra == 0);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char first[HTTP_ID_MAX + 1];

        request_in_pieces(bad[i], "x", 1, 1);
        assert_int_equal(strspn(seen.id, "0123456789abcdef"), 16);
        assert_int_equal(strlen(seen.id), 16);
        memcpy(first, seen.id, sizeof first);
        request_in_pieces(bad[i], "x", 1, 1);
        assert_string_not_equal(first, seen.id);
    }
}

static void trace_contexts(void **state)
{
    static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    static const char *const bad[] = {
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
    };
    char headers[128];

    (void)state;
    snprintf(headers, sizeof headers, "traceparent: %s\r\n", good);
    request_in_pieces(headers, "x", 1, 1);
    assert_string_equal(seen.traceparent, good);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(headers, sizeof headers, "traceparent: %s\r\n", bad[i]);
        request_in_pieces(headers, "x", 1, 1);
        assert_int_equal(answer.status, 200);
        assert_string_equal(seen.traceparent, "");
    }
}

/* As many bytes and as many headers as allowed, and one more. */
static void header_limits(void **state)
{
    /* What request_in_pieces sends beside them. */
    static const char bare[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n";
    static char headers[2 * HEADER_MAX];

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        int filler = (int)(HEADER_MAX - (sizeof bare - 1) - strlen("X-Fill: \r\n") + extra);

        snprintf(headers, sizeof headers, "X-Fill: %0*d\r\n", filler, 0);
        request_in_pieces(headers, "x", 1, 1);
        assert_int_equal(answer.status, extra == 0 ? 200 : 431);
    }
    for (size_t extra = 0; extra < 2; extra++) {
        size_t length = 0;

        for (size_t i = 0; i < HEAD_FIELDS_MAX - 2 + extra; i++)
            length += (size_t)sprintf(headers + length, "a: b\r\n");
        request_in_pieces(headers, "x", 1, 1);
        assert_int_equal(answer.status, extra == 0 ? 200 : 431);
    }
}

/* ---------------------------------------------------------------- codings -------------------- */

static void codings_of_headers(void **state)
{
    static const struct {
        const char *headers;
        enum coding coding;
    } cases[] = {
        {"", CODING_IDENTITY},
        {"Content-Encoding: gzip\r\n", CODING_GZIP},
        {"content-encoding: X-GZip\r\n", CODING_GZIP},
        {"Content-Encoding: identity\r\nContent-Encoding: deflate\r\n", CODING_DEFLATE},
        {"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", CODING_UNKNOWN},
        {"Content-Encoding: br\r\n", CODING_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        request_in_pieces(cases[i].headers, "x", 1, 1);
        if (seen.coding != cases[i].coding)
            fail_msg("case %zu: coding %d", i, (int)seen.coding);
    }
}

/* ---------------------------------------------------------------- refusals ------------------- */

/* What a client gets to read that sends `sent` and then nothing more. */
static void exchange_text(const char *sent)
{
    static const struct sockaddr_in nobody = {.sin_family = AF_INET};
    const struct timeval hang = {.tv_sec = CLIENT_HANG_S};
    int pair[2];

    memset(&seen, 0, sizeof seen);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    (void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &hang, sizeof hang);
    http_add_connection(http, false, pair[1], &nobody, sizeof nobody);
    assert_true(client_send(pair[0], sent, strlen(sent)));
    client_receive(pair[0], &answer);
}

#define REFUSED(method, headers) method " /refused HTTP/1.1\r\nHost: x\r\n" headers "\r\n"

/* Nothing of the body has come, and nobody waits for it or asks for it. */
static void long_bodies_are_not_awaited(void **state)
{
    static const char *const requests[] = {
        REFUSED("POST", "Content-Length: 65537\r\n"),
        REFUSED("PUT", "Content-Length: 65537\r\n"),
        REFUSED("DELETE", "Content-Length: 65537\r\n"),
        REFUSED("GET", "Content-Length: 65537\r\n"),
        REFUSED("POST", "Content-Length: 65537\r\nExpect: 100-continue\r\n"),
        REFUSED("POST", "Content-Length: 1\r\nexpect: 100-Continue\r\n"),
        REFUSED("POST", "Transfer-Encoding: chunked\r\n"),
    };

    (void)state;
    stays = true;
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        exchange_text(requests[i]);
        if (answer.status != 404 || !answer_has(&answer, "\r\nConnection: close\r\n"))
            fail_msg("case %zu: %d: %s", i, answer.status, answer.text);
        assert_int_equal(seen.refused, 1);
        assert_int_equal(seen.handled, 0);
    }
    stays = false;
}

/* A short one is read, dropped, and its connection goes on. */
static void short_bodies_are_read(void **state)
{
    static const size_t sizes[] = {0, 1, 1000, 64 << 10};
    static char text[(64 << 10) + 1024];

    (void)state;
    stays = true;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t length = (size_t)snprintf(text, sizeof text,
                                         REFUSED("POST", "Content-Length: %zu\r\n"), sizes[i]);

        memset(text + length, 'G', sizes[i]);
        strcpy(text + length + sizes[i], "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        exchange_text(text);
        assert_non_null(strstr(answer.text, "HTTP/1.1 404 "));
        assert_non_null(strstr(answer.text, "HTTP/1.1 200 "));
        assert_int_equal(seen.refused, 1);
        assert_int_equal(seen.handled, 1);
    }
    stays = false;
}

/* ---------------------------------------------------------------- pieces of heads ------------ */

/* Cut at every byte, the first piece read before the second comes. */
static void heads_do_not_depend_on_the_cut(void **state)
{
    static const char get[] = "GET http://x/ HTTP/1.1\r\nHost: x \r\nX-Request-Id: a \r\n\r\n";
    char bytes[4 * sizeof get];
    size_t size = (size_t)sprintf(bytes, "\r\n%s%s%s", get, get, get);

    (void)state;
    stays = true;
    for (size_t cut = 1; cut < size; cut++) {
        int watch, client = open_connection(&watch);

        send_piece(client, watch, bytes, cut);
        assert_true(client_send(client, bytes + cut, size - cut));
        close(watch);
        (void)shutdown(client, SHUT_WR);
        client_receive(client, &answer);
        if (seen.handled != 3 || seen.refused != 0)
            fail_msg("cut at %zu: %u requests", cut, seen.handled);
        assert_string_equal(seen.id, "a");
    }
    stays = false;
}

static void a_bad_head_cut_anywhere(void **state)
{
    static const char bad[] = "GET / HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n";

    (void)state;
    for (size_t cut = 1; cut < sizeof bad - 1; cut++) {
        int watch, client = open_connection(&watch);

        send_piece(client, watch, bad, cut);
        close(watch); /* it may be refused by now */
        (void)client_send(client, bad + cut, sizeof bad - 1 - cut);
        client_receive(client, &answer);
        assert_int_equal(answer.status, 431); /* as refuse() above has it */
        assert_int_equal(seen.refused, 1);
        assert_int_equal(seen.handled, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_do_not_depend_on_the_cut),
        cmocka_unit_test(parts_do_not_depend_on_the_length),
        cmocka_unit_test(unusable_multipart),
        cmocka_unit_test(as_many_files_as_allowed),
        cmocka_unit_test(plain_bodies),
        cmocka_unit_test(request_ids),
        cmocka_unit_test(trace_contexts),
        cmocka_unit_test(header_limits),
        cmocka_unit_test(codings_of_headers),
        cmocka_unit_test(long_bodies_are_not_awaited),
        cmocka_unit_test(short_bodies_are_read),
        cmocka_unit_test(heads_do_not_depend_on_the_cut),
        cmocka_unit_test(a_bad_head_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
