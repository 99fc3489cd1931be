/* The description of this very server. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "api/openapi.h"
#include "fault.h"
#include "server.h"

static void admin_listeners(void **state)
{
    static const char *const pairs[][2] = {
        {"127.0.0.1:9", "http://127.0.0.1:9"},     {"[::1]:18081", "http://[::1]:18081"},
        {"10.1.2.3:8081", "http://10.1.2.3:8081"}, {"0.0.0.0:8082", "http://localhost:8082"},
        {"[::]:65535", "http://localhost:65535"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct openapi *openapi = openapi_create(pairs[i][0], 5);
        const char *url = NULL, *first, *text;
        json_int_t most;
        json_t *root;
        size_t size;

        assert_non_null(openapi);
        text = openapi_text(openapi, &size);
        root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(root);
        assert_int_equal(json_unpack(root, "{s:[{s:s}], s:{s:{s:[{s:s}]}}}", "servers", "url",
                                     &first, "paths", "/admin/model", "servers", "url", &url),
                         0);
        assert_string_equal(first, "/");
        assert_string_equal(url, pairs[i][1]);
        assert_int_equal(json_unpack(root, "{s:{s:{s:{s:{s:{s:I}}}}}}", "components", "schemas",
                                     "Form", "properties", "image", "maxItems", &most),
                         0);
        assert_int_equal(most, 5);
        json_decref(root);
        openapi_destroy(openapi);
    }
}

static void without_memory(void **state)
{
    long before = fault_outstanding();
    bool fired = fault_available();
    unsigned long n = 1;

    (void)state;
    openapi_destroy(NULL);
    for (; fired; n++) {
        struct openapi *openapi;

        fault_arm(n);
        openapi = openapi_create("127.0.0.1:1", 16);
        fired = fault_disarm();
        assert_true((openapi == NULL) == fired);
        openapi_destroy(openapi);
        assert_int_equal(fault_outstanding(), before);
    }
    assert_true(!fault_available() || n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admin_listeners),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
