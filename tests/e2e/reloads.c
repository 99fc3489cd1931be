/* Reloads. */
#include "reloads.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "check.h"
#include "process.h"
#include "work.h"

static const char *init_once(const char *name, const char *const *args)
{
    const char *path = work_file(name);
    const char *argv[16] = {"init", "-o", path};
    struct output output;

    if (access(path, R_OK) == 0)
        return path;
    for (size_t i = 0; args[i] != NULL; i++)
        argv[3 + i] = args[i];
    output = command_run(argv, NULL, NULL);
    assert_int_equal(output.status, 0);
    output_free(&output);
    return path;
}

const char *model_other(void)
{
    return init_once("other.safetensors",
                     (const char *[]){"--arch", "B", "--width", "6", "--fc", "24", "--classes", "7",
                                      "--crop", "64", NULL});
}

const char *model_wide(void)
{
    return init_once("wide.safetensors",
                     (const char *[]){"--arch", "A", "--width", "32", "--fc", "64", "--classes",
                                      "10", "--crop", "32", NULL});
}

void reload(const struct server *server, const char *model, struct answer *answer)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    char body[512];
    int size = snprintf(body, sizeof body, "{\"model\":\"%s\"}", model != NULL ? model : "");

    ask(server,
        &(struct call){.target = "/admin/reload",
                       .method = "POST",
                       .body = model != NULL ? body : NULL,
                       .size = model != NULL ? (size_t)size : 0,
                       .headers = model != NULL ? headers : NULL,
                       .admin = true},
        answer);
}

void rollback(const struct server *server, struct answer *answer)
{
    ask(server, &(struct call){.target = "/admin/rollback", .method = "POST", .admin = true},
        answer);
}

/* A 200 says of the new model what GET /model says now. */
static void check_done(const struct server *server, struct answer *answer)
{
    struct answer model;

    if (answer->status != 200)
        fail_msg("%ld: %s", answer->status, answer->body);
    ask(server, &(struct call){.target = "/model"}, &model);
    assert_int_equal(model.status, 200);
    assert_string_equal(model.body, answer->body);
    answer_free(&model);
    answer_free(answer);
}

void check_reload(const struct server *server, const char *model)
{
    struct answer answer;

    reload(server, model, &answer);
    check_done(server, &answer);
}

void check_rollback(const struct server *server)
{
    struct answer answer;

    rollback(server, &answer);
    check_done(server, &answer);
}

const char *serving(const struct server *server, const char *key)
{
    static char value[128];
    struct answer answer;

    ask(server, &(struct call){.target = "/admin/model", .admin = true}, &answer);
    assert_int_equal(answer.status, 200);
    snprintf(value, sizeof value, "%s", string_member(answer.json, key));
    answer_free(&answer);
    return value;
}

void put_in_place(const char *path, const char *copied)
{
    struct blob blob = work_read(copied);
    char fresh[512];

    snprintf(fresh, sizeof fresh, "%s.new", path);
    work_write(fresh, blob.bytes, blob.size);
    assert_int_equal(rename(fresh, path), 0);
    blob_free(&blob);
}
