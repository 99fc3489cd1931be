/* What the v2 protocol answers. Each text is malloc'ed, its length in *size; NULL: out of memory.
 */
#ifndef V2_TEXT_H
#define V2_TEXT_H

#include "answer/evaluation.h"
#include "v2/v2_request.h"

/* The version by which the model that serves can always be addressed. */
#define V2_VERSION "1"

/* GET /v2 */
char *v2_text_server(size_t *size);

/* GET /v2/health/live and ready: {"live": value}. */
char *v2_text_health(const char *name, bool value, size_t *size);

/* GET /v2/models/{model} and its /ready */
char *v2_text_model(const struct vgg_model *model, size_t *size);
char *v2_text_model_ready(const struct vgg_model *model, bool ready, size_t *size);

/* GET /v2/models/{model}/config, as Triton's ModelConfig; a request has at most `batch_max`. */
char *v2_text_config(const struct vgg_model *model, uint32_t batch_max, size_t *size);

/* POST /v2/repository/index */
char *v2_text_index(const struct vgg_model *model, bool ready, size_t *size);

/*
 * The answer to `request` about evaluations[request->n], none of them failed. *json_size is the
 * length of its JSON, which binary data follows, or 0 where there is nothing else.
 */
char *v2_text_answer(const struct v2_request *request, const struct vgg_model *model,
                     const struct evaluation *evaluations, size_t *size, size_t *json_size);

#endif
