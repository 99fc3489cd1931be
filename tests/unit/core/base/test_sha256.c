/* SHA-256 against the examples of FIPS 180, in one piece and in many. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

static void digest(const void *bytes, size_t size, char hex[VGG_SHA256_HEX_BYTES])
{
    struct vgg_sha256 sha;

    vgg_sha256_init(&sha);
    vgg_sha256_update(&sha, bytes, size);
    vgg_sha256_final(&sha, hex);
}

static void published_examples(void **state)
{
    static const struct {
        const char *message, *hex;
    } examples[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
         "klmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        char hex[VGG_SHA256_HEX_BYTES];

        digest(examples[i].message, strlen(examples[i].message), hex);
        assert_string_equal(hex, examples[i].hex);
    }
}

static void a_million_times_a(void **state)
{
    char chunk[1000], hex[VGG_SHA256_HEX_BYTES];
    struct vgg_sha256 sha;

    (void)state;
    memset(chunk, 'a', sizeof chunk);
    vgg_sha256_init(&sha);
    for (unsigned i = 0; i < 1000; i++)
        vgg_sha256_update(&sha, chunk, sizeof chunk);
    vgg_sha256_final(&sha, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* However a message is cut, around the blocks of 64 bytes and with empty pieces. */
static void pieces_do_not_matter(void **state)
{
    enum { BYTES = 300 };
    unsigned char message[BYTES];
    char whole[VGG_SHA256_HEX_BYTES], hex[VGG_SHA256_HEX_BYTES], other[VGG_SHA256_HEX_BYTES];

    (void)state;
    for (size_t i = 0; i < BYTES; i++)
        message[i] = (unsigned char)(i * i + 7 * i);
    digest(message, BYTES, whole);
    digest(message, BYTES - 1, other);
    assert_string_not_equal(whole, other);
    for (size_t cut = 0; cut <= BYTES; cut++) {
        struct vgg_sha256 sha;

        vgg_sha256_init(&sha);
        vgg_sha256_update(&sha, message, cut);
        vgg_sha256_update(&sha, message + cut, BYTES - cut);
        vgg_sha256_final(&sha, hex);
        assert_string_equal(hex, whole);
    }
    for (size_t step = 1; step < 130; step++) {
        struct vgg_sha256 sha;

        vgg_sha256_init(&sha);
        for (size_t i = 0; i < BYTES; i += step) {
            vgg_sha256_update(&sha, message + i, BYTES - i < step ? BYTES - i : step);
            vgg_sha256_update(&sha, message, 0);
        }
        vgg_sha256_final(&sha, hex);
        assert_string_equal(hex, whole);
    }
}

/* Two streams at once, as when a model is loaded while another one is. */
static void streams_are_independent(void **state)
{
    char hex[VGG_SHA256_HEX_BYTES];
    struct vgg_sha256 a, b;

    (void)state;
    vgg_sha256_init(&a);
    vgg_sha256_init(&b);
    vgg_sha256_update(&a, "a", 1);
    vgg_sha256_update(&b, "something else", 14);
    vgg_sha256_update(&a, "bc", 2);
    vgg_sha256_final(&b, hex);
    vgg_sha256_final(&a, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),
        cmocka_unit_test(a_million_times_a),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(streams_are_independent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
