/* Starting and ending children. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "work.h"

enum { CHILDREN_MAX = 32, ARGUMENTS_MAX = 64, VARIABLES_MAX = 512 };

static pid_t children[CHILDREN_MAX]; /* running; 0: free */

void nap(void)
{
    const struct timespec step = {.tv_nsec = 10000000};

    nanosleep(&step, NULL);
}

static void remember(pid_t old, pid_t new)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        if (children[i] == old) {
            children[i] = new;
            return;
        }
    fail_msg("too many children");
}

static void fill_environment(const char **variables, const char *const *env)
{
    size_t n = 0;

    for (char **variable = environ; *variable != NULL && n + 1 < VARIABLES_MAX; variable++)
        if (strncmp(*variable, "VGG_", 4) != 0)
            variables[n++] = *variable;
    for (; env != NULL && *env != NULL && n + 1 < VARIABLES_MAX; env++)
        variables[n++] = *env;
    variables[n] = NULL;
}

static pid_t start(const char *const *args, const char *const *env,
                   posix_spawn_file_actions_t *actions)
{
    const char *program = getenv("VGG_BIN");
    const char *argv[ARGUMENTS_MAX] = {program != NULL ? program : "build/vgg"};
    const char *variables[VARIABLES_MAX];
    size_t n = 1;
    pid_t pid;
    int code;

    for (; *args != NULL && n + 1 < ARGUMENTS_MAX; args++)
        argv[n++] = *args;
    argv[n] = NULL;
    fill_environment(variables, env);
    code = posix_spawn(&pid, argv[0], actions, NULL, (char *const *)(const void *)argv,
                       (char *const *)(const void *)variables);
    posix_spawn_file_actions_destroy(actions);
    if (code != 0)
        fail_msg("cannot start %s: %s", argv[0], strerror(code));
    remember(0, pid);
    return pid;
}

pid_t process_start(const char *const *args, const char *const *env, const char *input, int out_fd,
                    int err_fd)
{
    posix_spawn_file_actions_t actions;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, input != NULL ? input : "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
    posix_spawn_file_actions_adddup2(&actions, err_fd, 2);
    return start(args, env, &actions);
}

pid_t process_start_closed(const char *const *args)
{
    posix_spawn_file_actions_t actions;

    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd <= 2; fd++)
        posix_spawn_file_actions_addclose(&actions, fd);
    return start(args, NULL, &actions);
}

int process_wait(pid_t pid)
{
    int status = 0;
    bool hung = true;

    for (int i = 0; i < NAPS_MAX && hung; i++) {
        hung = waitpid(pid, &status, WNOHANG) == 0;
        if (hung)
            nap();
    }
    if (hung) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    remember(pid, 0);
    if (hung)
        fail_msg("process %ld does not end", (long)pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void process_kill_all(void)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        if (children[i] != 0) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
            children[i] = 0;
        }
}

/* ---------------------------------------------------------------- commands ------------------- */

static int open_output(const char *name)
{
    int fd = open(work_file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

struct output command_run(const char *const *args, const char *const *env, const char *input)
{
    int out_fd = open_output("stdout"), err_fd = open_output("stderr");
    pid_t pid = process_start(args, env, input, out_fd, err_fd);
    struct output output = {0};
    struct blob out, err;

    close(out_fd);
    close(err_fd);
    output.status = process_wait(pid);
    out = work_read(work_file("stdout"));
    err = work_read(work_file("stderr"));
    output.out = (char *)out.bytes;
    output.out_size = out.size;
    output.err = (char *)err.bytes;
    output.err_size = err.size;
    return output;
}

void output_free(struct output *output)
{
    free(output->out);
    free(output->err);
    *output = (struct output){0};
}

size_t count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

void expect_refused(const char *const *args, const char *text)
{
    struct output output = command_run(args, NULL, NULL);

    if (output.status != 2 || count_lines(output.err) != 1 || output.out_size != 0 ||
        strstr(output.err, text) == NULL)
        fail_msg("status %d, %s%s", output.status, output.out, output.err);
    output_free(&output);
}
