/* What Prometheus's client libraries say of every process. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ops/metrics_process.h"
#include "text/text.h"

static void print_value(struct text *out, const char *name, const char *type, const char *help,
                        const char *format, double value)
{
    text_print(out, "# HELP %s %s\n# TYPE %s %s\n%s ", name, help, name, type, name);
    text_print(out, format, value);
    text_print(out, "\n");
}

/*
 * Samples that cannot be had now are left out (a scrape must work when descriptors have run out),
 * but for want of memory, when the whole answer is a 503.
 */
static bool unavailable(struct text *out)
{
    out->failed = out->failed || errno == ENOMEM;
    return false;
}

static bool open_descriptors(struct text *out, double *count)
{
    DIR *directory = opendir("/proc/self/fd");

    if (directory == NULL)
        return unavailable(out);
    *count = -3; /* ".", ".." and the directory itself */
    while (readdir(directory) != NULL)
        ++*count;
    closedir(directory);
    return true;
}

static bool memory_pages(struct text *out, double *virtual_pages, double *resident_pages)
{
    FILE *file = fopen("/proc/self/statm", "re");
    bool found;

    if (file == NULL)
        return unavailable(out);
    found = fscanf(file, "%lf %lf", virtual_pages, resident_pages) == 2;
    fclose(file);
    return found;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void metrics_print_process(struct text *out, double start_s)
{
    double page_bytes = (double)sysconf(_SC_PAGESIZE);
    double descriptors_open, virtual_pages, resident_pages;
    struct rusage usage = {0};
    struct rlimit descriptors = {0};

    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &descriptors);

    print_value(out, "process_cpu_seconds_total", "counter", "User and system CPU time.", "%.6f",
                seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    if (open_descriptors(out, &descriptors_open))
        print_value(out, "process_open_fds", "gauge", "Open file descriptors.", "%.0f",
                    descriptors_open);
    print_value(out, "process_max_fds", "gauge", "Limit of open file descriptors.", "%.0f",
                (double)descriptors.rlim_cur);
    if (memory_pages(out, &virtual_pages, &resident_pages)) {
        print_value(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.", "%.0f",
                    virtual_pages * page_bytes);
        print_value(out, "process_resident_memory_bytes", "gauge", "Resident memory.", "%.0f",
                    resident_pages * page_bytes);
    }
    print_value(out, "process_start_time_seconds", "gauge", "Start, in Unix time.", "%.3f",
                start_s);
}
