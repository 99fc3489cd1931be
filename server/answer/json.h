/* Every JSON text the program writes, by jansson (the only server file that includes it is json.c).
 */
#ifndef JSON_H
#define JSON_H

#include "answer/evaluation.h"
#include "http/http.h"
#include "vgg_bench.h"

/* Each returns a malloc'ed line that ends in "\n", its length in *size; NULL when out of memory. */

/* An answer about several images, or one. */
struct json_answer {
    const char *request_id;
    const struct vgg_model *model;
    const struct evaluation_params *params;
    const struct evaluation *evaluations;
    size_t evaluations_n;
    bool several;      /* {"results": [...]}, even for one */
    const char *file;  /* of `vgg classify`, else NULL */
    uint64_t queue_ns; /* until a worker took the request */
    uint64_t total_ns;
};

char *json_answer(const struct json_answer *answer, size_t *size);

/* A problem document; request_id and file may be NULL. */
char *json_problem(const struct problem *problem, const char *request_id, const char *file,
                   size_t *size);

/* GET /model: the model with the defaults of this server, and the names of its classes if wanted.
 */
char *json_model(const struct vgg_model *model, const uint32_t *scales, size_t scales_n, bool flip,
                 bool labels, size_t *size);

/* vgg inspect --json: all of a model. */
char *json_inspect(const struct vgg_model *model, size_t *size);

/* vgg bench --json: the machine and each run. */
struct json_run {
    const char *arch;
    uint32_t width, height, batch;
    struct vgg_bench bench;
    double conv_gflops, conv_vs_peak, fc_vs_peak, fc_vs_bandwidth;
};

char *json_bench(const struct vgg_machine *machine, const struct json_run *runs, size_t runs_n,
                 size_t *size);

/* {"status": text} */
char *json_status(const char *text, size_t *size);

/* One line of the access log. */
char *json_access(const struct http_request *request, const char *route, const char *time,
                  unsigned status, size_t *size);

/* One event of the log: {"time", "event": level, "message"}. */
char *json_event(const char *time, const char *level, const char *message, size_t *size);

#endif
