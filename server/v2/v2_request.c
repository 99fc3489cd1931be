/* What a request of the v2 protocol holds. */
#include "v2/v2_request.h"

#include <stdlib.h>

const char *const v2_output_names[V2_OUTPUTS_N] = {
    [V2_OUTPUT_POSTERIORS] = V2_POSTERIORS,
    [V2_OUTPUT_FEATURES] = V2_FEATURES,
    [V2_OUTPUT_TYPICALITY] = V2_TYPICALITY,
    [V2_OUTPUT_KNOWN] = V2_KNOWN,
};

bool v2_request_wants(const struct v2_request *request, enum v2_output_kind kind)
{
    for (size_t i = 0; i < request->outputs_n; i++)
        if (request->outputs[i].kind == kind)
            return true;
    return false;
}

void v2_request_fini(struct v2_request *request)
{
    for (size_t i = 0; i < request->n && request->items != NULL; i++)
        free(request->items[i].decoded);
    free(request->items);
    free(request->values);
    *request = (struct v2_request){0};
}
