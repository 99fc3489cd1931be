/* The standard process_* series. */
#ifndef METRICS_PROCESS_H
#define METRICS_PROCESS_H

struct text;

/* `start_s`: when the process started, in Unix time. */
void metrics_print_process(struct text *out, double start_s);

#endif
