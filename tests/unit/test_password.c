/*
 * test_password: hashes fit their passwords, and the one of nobody fits none but is a hash like the
 * others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "password.h"

#include <sodium.h>
#include <string.h>

static void a_hash_fits_its_password_only(void **state)
{
    char hash[PASSWORD_HASH_MAX];
    struct buf err;

    (void)state;
    buf_init(&err, BUF_UNLIMITED);
    assert_int_equal(password_hash(hash, "correct horse battery", &err), 0);
    assert_true(password_verify(hash, "correct horse battery"));
    assert_false(password_verify(hash, "correct horse batterie"));
    assert_int_equal(password_hash(hash, "short", &err), -1);
    assert_string_equal(err.data, "the password must have 12 to 128 characters");
    buf_release(&err);
}

static void nobodys_hash_is_like_any_other(void **state)
{
    char hash[PASSWORD_HASH_MAX], nobody[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX];
    size_t parameters;
    struct buf err;

    (void)state;
    buf_init(&err, BUF_UNLIMITED);
    assert_int_equal(password_hash(hash, "correct horse battery", &err), 0);
    buf_release(&err);
    password_of_nobody(nobody);
    password_of_nobody(again);
    assert_int_equal(strlen(nobody), strlen(hash));
    parameters = (size_t)(strstr(hash, "p=1$") - hash) + 4;
    assert_memory_equal(nobody, hash, parameters);
    assert_string_not_equal(nobody, again);
    /* libsodium can read it, and would give a password the same parameters. */
    assert_int_equal(crypto_pwhash_str_needs_rehash(nobody, 3, 64 * 1024 * 1024), 0);
    assert_false(password_verify(nobody, "correct horse battery"));
    assert_false(password_verify(nobody, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_fits_its_password_only),
        cmocka_unit_test(nobodys_hash_is_like_any_other),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
