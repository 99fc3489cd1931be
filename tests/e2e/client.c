/* Requests by libcurl, and what every answer is checked for. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "check.h"

enum { ANSWER_S = 300 }; /* a hanging server ends the test */

/* ---------------------------------------------------------------- libcurl -------------------- */

struct text {
    char *bytes;
    size_t size;
};

static size_t collect(char *bytes, size_t size, size_t n, void *user)
{
    struct text *text = user;
    char *grown = realloc(text->bytes, text->size + size * n + 1);

    if (grown == NULL)
        return 0;
    memcpy(grown + text->size, bytes, size * n);
    text->bytes = grown;
    text->size += size * n;
    text->bytes[text->size] = '\0';
    return size * n;
}

static struct curl_slist *list_headers(const struct call *call)
{
    struct curl_slist *list = NULL;

    for (const char *const *header = call->headers; header != NULL && *header != NULL; header++)
        list = curl_slist_append(list, *header);
    return list;
}

static void set_method(CURL *curl, const struct call *call)
{
    if (call->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
    }
    if (call->method != NULL && strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (call->method != NULL)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
}

static bool perform(CURL *curl, struct answer *answer)
{
    struct text headers = {0}, body = {0};
    bool sent;

    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    sent = curl_easy_perform(curl) == CURLE_OK;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    answer->headers = headers.bytes != NULL ? headers.bytes : calloc(1, 1);
    answer->body = body.bytes != NULL ? body.bytes : calloc(1, 1);
    answer->size = body.size;
    return sent;
}

bool call_try(const struct server *server, const struct call *call, struct answer *answer)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = list_headers(call);
    bool tls = server->ca != NULL && !call->admin;
    char url[4096];
    bool sent;

    *answer = (struct answer){0};
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", tls ? "https" : "http",
             server->ports[call->admin], call->target);
    if (tls)
        curl_easy_setopt(curl, CURLOPT_CAINFO, server->ca);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    set_method(curl, call);
    sent = perform(curl, answer);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    if (sent && answer->size != 0 && strchr("{[", answer->body[0]) != NULL)
        answer->json = json_loadb(answer->body, answer->size, JSON_REJECT_DUPLICATES, NULL);
    return sent;
}

void ask(const struct server *server, const struct call *call, struct answer *answer)
{
    if (!call_try(server, call, answer))
        fail_msg("no answer to %s", call->target);
}

void classify(const struct server *server, const char *query, const struct blob *body,
              struct answer *answer)
{
    char target[1024];

    snprintf(target, sizeof target, "/classify%s", query);
    ask(server,
        &(struct call){.target = target, .method = "POST", .body = body->bytes, .size = body->size},
        answer);
}

void answer_free(struct answer *answer)
{
    json_decref(answer->json);
    free(answer->headers);
    free(answer->body);
    *answer = (struct answer){0};
}

const char *answer_header(const struct answer *answer, const char *name)
{
    static char value[1024];
    size_t length = strlen(name);

    for (const char *line = answer->headers; line != NULL && *line != '\0';
         line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *start = line + length + 1 + strspn(line + length + 1, " ");

            snprintf(value, sizeof value, "%.*s", (int)strcspn(start, "\r\n"), start);
            return value;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- problems ------------------- */

static const char *text_of(const struct answer *answer, const char *key)
{
    const char *text = json_string_value(json_object_get(answer->json, key));

    if (text == NULL || text[0] == '\0')
        fail_msg("no \"%s\" in %s", key, answer->body);
    return text;
}

void check_problem(struct answer *answer, long status, const char *slug)
{
    const char *retry_after;
    char type[64];

    if (answer->status != status)
        fail_msg("status %ld, not %ld (%s): %s", answer->status, status, slug, answer->body);
    assert_non_null(answer->json);
    snprintf(type, sizeof type, "urn:vgg:problem:%s", slug);
    assert_string_equal(text_of(answer, "type"), type);
    (void)text_of(answer, "title");
    (void)text_of(answer, "detail");
    assert_int_equal(json_integer_value(json_object_get(answer->json, "status")), status);
    assert_int_equal(json_object_size(answer->json), 5);
    assert_non_null(answer_header(answer, "Content-Type"));
    assert_string_equal(answer_header(answer, "Content-Type"), "application/problem+json");
    assert_non_null(answer_header(answer, "X-Request-Id"));
    assert_string_equal(answer_header(answer, "X-Request-Id"), text_of(answer, "request_id"));
    retry_after = answer_header(answer, "Retry-After");
    if (status == 503) {
        assert_non_null(retry_after);
        assert_true(atoi(retry_after) >= 1);
    } else
        assert_null(retry_after);
    answer_free(answer);
}

void check_refused(const struct server *server, const char *query, const struct blob *body,
                   long status, const char *slug)
{
    struct answer answer;

    classify(server, query, body, &answer);
    check_problem(&answer, status, slug);
}

/* ---------------------------------------------------------------- multipart ------------------ */

struct blob multipart(const struct part *parts, size_t n)
{
    struct text text = {0};
    char head[512];
    int length;

    for (size_t i = 0; i < n; i++) {
        length = snprintf(head, sizeof head,
                          "--" MULTIPART_BOUNDARY
                          "\r\nContent-Disposition: form-data; name=\"image\"%s%s%s\r\n\r\n",
                          parts[i].filename != NULL ? "; filename=\"" : "",
                          parts[i].filename != NULL ? parts[i].filename : "",
                          parts[i].filename != NULL ? "\"" : "");
        collect(head, 1, (size_t)length, &text);
        collect((char *)(uintptr_t)parts[i].bytes, 1, parts[i].size, &text);
        collect((char *)(uintptr_t) "\r\n", 1, 2, &text);
    }
    length = snprintf(head, sizeof head, "--" MULTIPART_BOUNDARY "--\r\n");
    collect(head, 1, (size_t)length, &text);
    return (struct blob){(uint8_t *)text.bytes, text.size};
}

void classify_body(const struct server *server, const char *query, const char *header,
                   const void *body, size_t size, struct answer *answer)
{
    char target[1024];

    snprintf(target, sizeof target, "/classify%s", query);
    ask(server,
        &(struct call){.target = target,
                       .body = body,
                       .size = size,
                       .headers = (const char *[]){header, NULL}},
        answer);
}

void classify_parts(const struct server *server, const char *query, const struct part *parts,
                    size_t n, struct answer *answer)
{
    struct blob body = multipart(parts, n);

    classify_body(server, query, MULTIPART_TYPE, body.bytes, body.size, answer);
    blob_free(&body);
}
