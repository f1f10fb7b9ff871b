/*
 * session: what a log-in lasts, and the secrets that follow from its cookie (see session.h).
 */
#include "session.h"

#include <sodium.h>
#include <string.h>

#define SEEN_STEP_S 20

static void as_text(char text[SESSION_TOKEN_TEXT], const uint8_t bytes[HASH_LEN])
{
    sodium_bin2base64(text, SESSION_TOKEN_TEXT, bytes, HASH_LEN,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void session_new_token(char token[SESSION_TOKEN_TEXT])
{
    uint8_t random[HASH_LEN];

    randombytes_buf(random, sizeof random);
    as_text(token, random);
    sodium_memzero(random, sizeof random);
}

void session_hash(uint8_t hash[HASH_LEN], const char *token)
{
    crypto_generichash(hash, HASH_LEN, (const uint8_t *)token, strlen(token), NULL, 0);
}

void session_form_token(char form[SESSION_TOKEN_TEXT], const char *cookie)
{
    static const char domain[] = "petition-form/v1\n";
    crypto_generichash_state state;
    uint8_t hash[HASH_LEN];

    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const uint8_t *)domain, sizeof domain - 1);
    crypto_generichash_update(&state, (const uint8_t *)cookie, strlen(cookie));
    crypto_generichash_final(&state, hash, sizeof hash);
    as_text(form, hash);
}

bool session_is_form_token(const char *given, const char *cookie)
{
    char expected[SESSION_TOKEN_TEXT];

    session_form_token(expected, cookie);
    return strlen(given) == SESSION_TOKEN_TEXT - 1 &&
           sodium_memcmp(given, expected, SESSION_TOKEN_TEXT - 1) == 0;
}

bool session_alive(const struct session_row *s, int64_t now_s)
{
    return now_s - s->created_s < SESSION_LIFE_S && now_s - s->seen_s < SESSION_IDLE_S;
}

bool session_seen_due(const struct session_row *s, int64_t now_s)
{
    return now_s - s->seen_s >= SEEN_STEP_S;
}
