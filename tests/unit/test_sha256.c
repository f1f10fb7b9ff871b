/*
 * test_sha256: the hash is SHA-256, however the bytes come.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "sha256.h"

#include <sodium.h>
#include <string.h>

static void the_published_vectors_hold(void **state)
{
    /* FIPS 180-4 examples (NIST CSRC), and the empty string. */
    static const struct {
        const char *text, *hash;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t hash[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        sha256_of(hash, vectors[i].text, strlen(vectors[i].text));
        assert_string_equal(sodium_bin2hex(hex, sizeof hex, hash, sizeof hash), vectors[i].hash);
    }
}

static void every_length_and_every_cut_is_what_another_library_says(void **state)
{
    uint8_t data[300], ours[SHA256_LEN], theirs[SHA256_LEN];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len <= sizeof data; len++) {
        size_t cut = len * 3 / 7;
        struct sha256 s;

        crypto_hash_sha256(theirs, data, len);
        sha256_begin(&s);
        sha256_add(&s, data, cut);
        sha256_add(&s, data + cut, len - cut);
        sha256_end(&s, ours);
        assert_memory_equal(ours, theirs, sizeof ours);
        assert_true(sodium_is_zero((const uint8_t *)&s, sizeof s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_hold),
        cmocka_unit_test(every_length_and_every_cut_is_what_another_library_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
