/* Child processes: the program under test, named by VGG_BIN (default build/vgg). */
#ifndef VGG_TESTS_PROCESS_H
#define VGG_TESTS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Start the program with arguments `args` (NULL-terminated, without argv[0]). Its environment is
 * ours without any VGG_ variable, and then `env` (NULL-terminated, or NULL). Standard input is the
 * file `input` or /dev/null; out_fd and err_fd become its output.
 */
pid_t process_start(const char *const *args, const char *const *env, const char *input, int out_fd,
                    int err_fd);

/* The same without any of the three streams, which begin closed. */
pid_t process_start_closed(const char *const *args);

/* Wait for a child: its exit status, or 128 + the signal. One that does not end is killed. */
int process_wait(pid_t pid);

/* Kill the children that a failed test left behind. */
void process_kill_all(void);

/* What a command left. Text is NUL-terminated. */
struct output {
    int status;
    char *out, *err;
    size_t out_size, err_size;
};

/* Run a command to its end. */
struct output command_run(const char *const *args, const char *const *env, const char *input);
void output_free(struct output *output);

size_t count_lines(const char *text);

/* A command that ends with status 2 and one line on standard error, with `text` in it. */
void expect_refused(const char *const *args, const char *text);

/* Sleep 10 ms, the step of all polling. */
void nap(void);

enum { NAPS_MAX = 6000 }; /* a minute: an answer to "is it hanging?", not a measure of speed */

#endif
