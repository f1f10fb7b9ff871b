/*
 * password: Argon2id, one at a time (see password.h). Any thread that may wait.
 */
#include "password.h"

#include "input.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define ARGON2_MEMORY_BYTES (64u * 1024 * 1024)
#define ARGON2_PASSES       3

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
