/* What a request of the v2 protocol holds. */
#include "v2/v2_request.h"

#include <stdlib.h>

void v2_request_fini(struct v2_request *request)
{
    for (size_t i = 0; i < request->n && request->items != NULL; i++)
        free(request->items[i].decoded);
    free(request->items);
    free(request->values);
    *request = (struct v2_request){0};
}
