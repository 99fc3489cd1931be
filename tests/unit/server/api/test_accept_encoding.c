/* Who gets gzip. */
#include "check.h"

#include "api/accept_encoding.h"

static void headers(void **state)
{
    static const struct {
        const char *first, *second; /* headers; NULL: none */
        bool gzip;
    } cases[] = {
        {NULL, NULL, false},
        {"", NULL, false},
        {"gzip", NULL, true},
        {"GZip", NULL, true},
        {"x-gzip", NULL, true},
        {"deflate", NULL, false},
        {"gzipped", NULL, false},
        {"identity", NULL, false},
        {"gzip, deflate, br, zstd", NULL, true},
        {"br;q=1.0, gzip;q=0.8, *;q=0.1", NULL, true},
        {",,gzip,", NULL, true},
        {"gzip;q=0", NULL, false},
        {"gzip; q=0.000", NULL, false},
        {"gzip ; Q=0.001", NULL, true},
        {"gzip;q=1", NULL, true},
        {"gzip;q=1.000", NULL, true},
        {"gzip;level=9;q=0", NULL, false},
        {"*", NULL, true},
        {"*;q=0", NULL, false},
        {"*;q=0.5, gzip;q=0", NULL, false},
        {"gzip, *;q=0", NULL, true},
        {"gzip;q=0.5, identity;q=0.9", NULL, false},
        {"gzip;q=0.5, identity;q=0.5", NULL, true},
        {"identity;q=0", NULL, false}, /* nothing else is named: as it is, all the same */
        {"deflate", "gzip", true},
        {"gzip", "identity", true},
        {"gzip;q=0.5", "identity", false},
        /* no weights */
        {"gzip;q=", NULL, false},
        {"gzip;q=2", NULL, false},
        {"gzip;q=1.1", NULL, false},
        {"gzip;q=0.5555", NULL, false},
        {"gzip;q=x", NULL, false},
        {"gzip;q=-1", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct accept_encoding wish = ACCEPT_ENCODING_NONE;

        if (cases[i].first != NULL)
            accept_encoding_add(&wish, cases[i].first);
        if (cases[i].second != NULL)
            accept_encoding_add(&wish, cases[i].second);
        if (accept_encoding_gzip(&wish) != cases[i].gzip)
            fail_msg("%s: %s", cases[i].first, cases[i].gzip ? "not gzip" : "gzip");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
