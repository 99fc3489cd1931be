/* Every JSON text the program writes, by jansson (the only server file that includes it is json.c).
 */
#ifndef JSON_H
#define JSON_H

#include "answer/evaluation.h"

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

/* {"status": text} */
char *json_status(const char *text, size_t *size);

/* One line of the access log. Texts that are NULL or empty are left out. */
struct json_access {
    const char *time, *id, *traceparent, *client, *method, *path, *route;
    const char *type, *detail; /* of a problem */
    const char *model;         /* its version */
    unsigned status;
    uint64_t bytes_in, bytes_out;
    uint64_t queue_ns, decode_ns, rescale_ns, infer_ns, encode_ns, total_ns;
};

char *json_access(const struct json_access *access, size_t *size);

/* One event of the log: {"time", "event": level, "message"}. */
char *json_event(const char *time, const char *level, const char *message, size_t *size);

#endif
