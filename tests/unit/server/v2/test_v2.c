/* Names in the paths of the v2 protocol. */
#include "check.h"

#include <string.h>

#include "v2/v2.h"

static void routes(void **state)
{
    static const char *const pairs[][2] = {
        {"/v2/models/m", "/v2/models/{model}"},
        {"/v2/models/m/ready", "/v2/models/{model}/ready"},
        {"/v2/models/m/infer", "/v2/models/{model}/infer"},
        {"/v2/models/m/versions/1", "/v2/models/{model}/versions/{version}"},
        {"/v2/models/m/versions/sha256:0/ready", "/v2/models/{model}/versions/{version}/ready"},
        {"/v2/models/m/versions/1/infer", "/v2/models/{model}/versions/{version}/infer"},
        /* Names with slashes, and names that look like something else. */
        {"/v2/models/timm/vgg16.tv_in1k/infer", "/v2/models/{model}/infer"},
        {"/v2/models/a/versions/b/versions/1", "/v2/models/{model}/versions/{version}"},
        {"/v2/models/ready", "/v2/models/{model}"},
        {"/v2/models/infer/infer", "/v2/models/{model}/infer"},
        {"/v2/models/versions/1", "/v2/models/{model}"},
        {"/v2/models/m/config", "/v2/models/{model}/config"},
        {"/v2/models/m/versions/1/config", "/v2/models/{model}/versions/{version}/config"},
        {"/v2/models/m/stats", "/v2/models/{model}/stats"},
        {"/v2/models/m/versions/1/stats", "/v2/models/{model}/versions/{version}/stats"},
        {"/v2/models/stats/stats", "/v2/models/{model}/stats"},
        {"/v2/models/m/versions", "/v2/models/{model}"},
        {"/v2/models/m/versions//ready", "/v2/models/{model}/ready"},
        /* A slash at the end. */
        {"/v2/models/m/", "/v2/models/{model}"},
        {"/v2/models/m/infer/", "/v2/models/{model}/infer"},
        {"/v2/models/m/versions/1/", "/v2/models/{model}/versions/{version}"},
        {"/v2/models/m/versions/", "/v2/models/{model}"},
        {"/v2/repository/models/m/load/", "/v2/repository/models/{model}/load"},
        {"/v2/models/m/versions/1/2", "/v2/models/{model}"},
        {"/v2/models//versions/1", "/v2/models/{model}"},
        {"/v2/repository/models/m/load", "/v2/repository/models/{model}/load"},
        {"/v2/repository/models/a/b/unload", "/v2/repository/models/{model}/unload"},
        /* None at all. */
        {"/v2/models/", "/v2/models/"},
        {"/v2/models", "/v2/models"},
        {"/v2/models/stats", "/v2/models/stats"},
        {"/v2/models/stats/", "/v2/models/stats/"},
        {"/v2/repository/models/m", "/v2/repository/models/m"},
        {"/v2/repository/models//load", "/v2/repository/models//load"},
        {"/v2", "/v2"},
        {"/classify", "/classify"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        assert_string_equal(v2_route(pairs[i][0]), pairs[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(routes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
