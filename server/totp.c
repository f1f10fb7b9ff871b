/*
 * totp: one-time codes (see totp.h). libsodium has no SHA-1, so it is here: FIPS 180-4, for one or
 * two blocks at most.
 */
#include "totp.h"

#include <sodium.h>
#include <string.h>

#define SHA1_LEN  20
#define BLOCK_LEN 64
#define STEP_S    30
#define BASE32    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static uint32_t mix(int round, const uint32_t h[5])
{
    if (round < 20)
        return ((h[1] & h[2]) | (~h[1] & h[3])) + 0x5a827999;
    if (round < 40)
        return (h[1] ^ h[2] ^ h[3]) + 0x6ed9eba1;
    if (round < 60)
        return ((h[1] & h[2]) | (h[1] & h[3]) | (h[2] & h[3])) + 0x8f1bbcdc;
    return (h[1] ^ h[2] ^ h[3]) + 0xca62c1d6;
}

static void sha1_block(uint32_t state[5], const uint8_t block[BLOCK_LEN])
{
    uint32_t w[80], h[5];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(h, state, sizeof h);
    for (int i = 0; i < 80; i++) {
        uint32_t next = rotate(h[0], 5) + mix(i, h) + h[4] + w[i];

        h[4] = h[3];
        h[3] = h[2];
        h[2] = rotate(h[1], 30);
        h[1] = h[0];
        h[0] = next;
    }
    for (int i = 0; i < 5; i++)
        state[i] += h[i];
    sodium_memzero(w, sizeof w);
}

/* SHA-1 of a whole block and `len` more bytes, fewer than 56: all that HMAC needs here. */
static void sha1_after(uint8_t out[SHA1_LEN], const uint8_t first[BLOCK_LEN], const uint8_t *more,
                       size_t len)
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t last[BLOCK_LEN] = {0};
    uint64_t bits = 8 * (BLOCK_LEN + (uint64_t)len);

    sha1_block(state, first);
    memcpy(last, more, len);
    last[len] = 0x80;
    for (int i = 0; i < 8; i++)
        last[BLOCK_LEN - 1 - i] = (uint8_t)(bits >> (8 * i));
    sha1_block(state, last);
    for (int i = 0; i < SHA1_LEN; i++)
        out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static void hmac_sha1(uint8_t out[SHA1_LEN], const uint8_t key[TOTP_SECRET_LEN],
                      const uint8_t message[8])
{
    uint8_t inner[BLOCK_LEN], outer[BLOCK_LEN];

    for (int i = 0; i < BLOCK_LEN; i++) {
        uint8_t byte = i < TOTP_SECRET_LEN ? key[i] : 0;

        inner[i] = byte ^ 0x36;
        outer[i] = byte ^ 0x5c;
    }
    sha1_after(out, inner, message, 8);
    sha1_after(out, outer, out, SHA1_LEN);
    sodium_memzero(inner, sizeof inner);
    sodium_memzero(outer, sizeof outer);
}

uint32_t totp_code(const uint8_t secret[TOTP_SECRET_LEN], uint64_t counter)
{
    uint8_t message[8], mac[SHA1_LEN];
    int at;

    for (int i = 0; i < 8; i++)
        message[i] = (uint8_t)(counter >> (56 - 8 * i));
    hmac_sha1(mac, secret, message);
    at = mac[SHA1_LEN - 1] & 0x0f;
    return (((uint32_t)mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
            (uint32_t)mac[at + 2] << 8 | mac[at + 3]) %
           1000000;
}

/* The six digits, or -1. */
static int32_t parse_code(const char *typed)
{
    int32_t code = 0;
    int digits = 0;

    for (; *typed; typed++) {
        if (*typed == ' ')
            continue;
        if (*typed < '0' || *typed > '9' || ++digits > 6)
            return -1;
        code = 10 * code + (*typed - '0');
    }
    return digits == 6 ? code : -1;
}

bool totp_match(const uint8_t secret[TOTP_SECRET_LEN], const char *typed, int64_t now_s,
                int64_t *step)
{
    int32_t code = parse_code(typed);
    bool found = false;

    /* All three are computed, whichever fits. */
    for (int64_t at = now_s / STEP_S - 1; at <= now_s / STEP_S + 1; at++) {
        if ((int32_t)totp_code(secret, (uint64_t)at) == code) {
            *step = at;
            found = true;
        }
    }
    return found;
}

/* Digits of five bits, the highest first; `bytes` holds a multiple of five bits. */
static void encode(char *text, const uint8_t *bytes, size_t digits)
{
    for (size_t i = 0; i < digits; i++) {
        unsigned value = 0;

        for (size_t bit = 5 * i; bit < 5 * i + 5; bit++)
            value = value << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1);
        text[i] = BASE32[value];
    }
    text[digits] = '\0';
}

void totp_secret_text(char text[TOTP_SECRET_TEXT], const uint8_t secret[TOTP_SECRET_LEN])
{
    encode(text, secret, TOTP_SECRET_TEXT - 1);
}

int totp_secret_parse(uint8_t secret[TOTP_SECRET_LEN], const char *text)
{
    if (strlen(text) != TOTP_SECRET_TEXT - 1)
        return -1;
    memset(secret, 0, TOTP_SECRET_LEN);
    for (size_t i = 0; text[i]; i++) {
        const char *digit = strchr(BASE32, text[i]);

        if (!digit)
            return -1;
        for (size_t b = 0; b < 5; b++)
            if ((digit - BASE32) >> (4 - b) & 1)
                secret[(5 * i + b) / 8] |= (uint8_t)(0x80 >> (5 * i + b) % 8);
    }
    return 0;
}

void totp_recovery_new(char text[TOTP_RECOVERY_TEXT])
{
    uint8_t random[10];
    char digits[16];

    randombytes_buf(random, sizeof random);
    encode(digits, random, 15);
    snprintf(text, TOTP_RECOVERY_TEXT, "%.5s-%.5s-%.5s", digits, digits + 5, digits + 10);
    sodium_memzero(random, sizeof random);
    sodium_memzero(digits, sizeof digits);
}

void totp_recovery_hash(uint8_t hash[HASH_LEN], const char *typed)
{
    char digits[16] = "";
    size_t len = 0;

    for (; *typed && len < sizeof digits; typed++) {
        char c = *typed >= 'a' && *typed <= 'z' ? (char)(*typed - 'a' + 'A') : *typed;

        if (c != ' ' && c != '-')
            digits[len++] = c;
    }
    crypto_generichash(hash, HASH_LEN, (const uint8_t *)digits, len, NULL, 0);
    sodium_memzero(digits, sizeof digits);
}
