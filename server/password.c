/*
 * password: Argon2id, one at a time (see password.h). Any thread that may wait.
 */
#include "password.h"

#include "input.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ARGON2_MEMORY_BYTES (64u * 1024 * 1024)
#define ARGON2_PASSES       3u
#define ARGON2_SALT_BYTES   16
#define ARGON2_RESULT_BYTES 32
#define ARGON2_SALT_TEXT                                                                           \
    sodium_base64_ENCODED_LEN(ARGON2_SALT_BYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)
#define ARGON2_RESULT_TEXT                                                                         \
    sodium_base64_ENCODED_LEN(ARGON2_RESULT_BYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)

static_assert(PASSWORD_HASH_MAX == crypto_pwhash_STRBYTES, "an Argon2id string of libsodium");

/* 64 MiB at a time is enough. */
static pthread_mutex_t one_hash = PTHREAD_MUTEX_INITIALIZER;

bool password_is_good(const char *password)
{
    size_t len = strlen(password), points;

    if (!input_is_utf8(password, len))
        return false;
    points = input_code_points(password);
    return points >= PASSWORD_MIN && points <= PASSWORD_MAX;
}

int password_hash(char hash[PASSWORD_HASH_MAX], const char *password, struct buf *err)
{
    int result;

    if (!password_is_good(password)) {
        buf_printf(err, "the password must have %d to %d characters", PASSWORD_MIN, PASSWORD_MAX);
        return -1;
    }
    pthread_mutex_lock(&one_hash);
    result = crypto_pwhash_str_alg(hash, password, strlen(password), ARGON2_PASSES,
                                   ARGON2_MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13);
    pthread_mutex_unlock(&one_hash);
    if (result != 0)
        buf_adds(err, "not enough memory to hash the password (64 MiB)");
    return result;
}

bool password_verify(const char *hash, const char *password)
{
    bool right;

    pthread_mutex_lock(&one_hash);
    right = crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
    pthread_mutex_unlock(&one_hash);
    return right;
}

void password_of_nobody(char hash[PASSWORD_HASH_MAX])
{
    char salt[ARGON2_SALT_TEXT], result[ARGON2_RESULT_TEXT];
    uint8_t random[ARGON2_RESULT_BYTES];

    randombytes_buf(random, sizeof random);
    sodium_bin2base64(salt, sizeof salt, random, ARGON2_SALT_BYTES,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    randombytes_buf(random, sizeof random);
    sodium_bin2base64(result, sizeof result, random, ARGON2_RESULT_BYTES,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    snprintf(hash, PASSWORD_HASH_MAX, "$argon2id$v=19$m=%u,t=%u,p=1$%s$%s",
             ARGON2_MEMORY_BYTES / 1024, ARGON2_PASSES, salt, result);
}
