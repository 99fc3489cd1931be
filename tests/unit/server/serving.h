/*
 * `vgg serve` inside the test process: the real command on a thread of its own, with its output and
 * its log kept apart. Between serving_start and serving_stop nothing may fail a test, for its
 * message would go to the log; note what is wrong and fail afterwards.
 */
#ifndef VGG_TESTS_SERVING_H
#define VGG_TESTS_SERVING_H

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "server/capture.h"

enum { SERVING_ARGS_MAX = 20 };

struct serving {
    const char *model;             /* set before serving_start */
    void (*before)(void *context); /* called on the server's thread as it starts; may be NULL */
    void *context;
    pthread_t thread;
    int argc;
    char *argv[SERVING_ARGS_MAX];
    int pipe[2], saved_out;
    struct capture log; /* its text is there after serving_stop */
    bool ready;         /* else it ended by itself */
    unsigned ports[2];  /* main, admin */
    int status;         /* after serving_stop: what the command returned */
};

static inline void *serving_main(void *argument)
{
    struct serving *serving = argument;

    if (serving->before != NULL)
        serving->before(serving->context);
    serving->status = command_find("serve")->run(serving->argc, serving->argv);
    dprintf(serving->pipe[1], "ended\n");
    return NULL;
}

/* Read one line from a descriptor, without a buffer behind our back. */
static inline void serving_read_line(int fd, char *line, size_t size)
{
    size_t length = 0;

    while (length + 1 < size && read(fd, line + length, 1) == 1 && line[length] != '\n')
        length++;
    line[length] = '\0';
}

/* Returns once the server is ready, or has ended by itself. */
static inline void serving_start(struct serving *serving)
{
    const char *const arguments[] = {
        "vgg serve",   "--model",  serving->model, "--listen",  "127.0.0.1:0", "--admin-listen",
        "127.0.0.1:0", "--scales", "32,64",        "--threads", "2",           "--max-view-pixels",
        "65536",       NULL};
    char line[256];

    serving->argc = 0;
    for (size_t i = 0; arguments[i] != NULL; i++)
        serving->argv[serving->argc++] = (char *)(uintptr_t)arguments[i];
    serving->argv[serving->argc] = NULL;
    fflush(NULL);
    serving->saved_out = dup(STDOUT_FILENO);
    if (serving->saved_out < 0 || pipe(serving->pipe) != 0)
        abort();
    dup2(serving->pipe[1], STDOUT_FILENO);
    capture_begin(&serving->log, STDERR_FILENO);
    if (pthread_create(&serving->thread, NULL, serving_main, serving) != 0)
        abort();
    serving_read_line(serving->pipe[0], line, sizeof line);
    serving->ready = sscanf(line, "vgg: ready on 127.0.0.1:%u, admin on 127.0.0.1:%u",
                            &serving->ports[0], &serving->ports[1]) == 2;
}

/* End it if it has not ended, and give the test its output back. */
static inline void serving_stop(struct serving *serving)
{
    if (serving->ready)
        kill(getpid(), SIGTERM);
    pthread_join(serving->thread, NULL);
    capture_end(&serving->log);
    dup2(serving->saved_out, STDOUT_FILENO);
    close(serving->saved_out);
    close(serving->pipe[0]);
    close(serving->pipe[1]);
}

/* Descriptors of this process: all of them, or its sockets. */
static inline size_t open_descriptors(bool sockets)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    struct stat what;
    size_t count = 0;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        count += !sockets || (fstat(atoi(entry->d_name), &what) == 0 && S_ISSOCK(what.st_mode));
    if (directory != NULL)
        closedir(directory);
    return count;
}

#endif
