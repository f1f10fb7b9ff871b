/*
 * totp: one-time codes, RFC 6238 over RFC 4226: HMAC-SHA-1, 30 seconds, 6 digits; and the recovery
 * codes that stand in for them. Pure.
 */
#ifndef TOTP_H
#define TOTP_H

#include "db.h"

#define TOTP_SECRET_TEXT    33 /* base32 of 20 bytes and the NUL */
#define TOTP_RECOVERY_CODES 10
#define TOTP_RECOVERY_TEXT  18 /* XXXXX-XXXXX-XXXXX and the NUL */

/* RFC 4226: the six digits of a counter, as a number. */
uint32_t totp_code(const uint8_t secret[TOTP_SECRET_LEN], uint64_t counter);
/* True if `typed` (spaces ignored) is the code of now, or of 30 seconds before or after; *step is
 * then its counter, which must not be accepted again. */
bool totp_match(const uint8_t secret[TOTP_SECRET_LEN], const char *typed, int64_t now_s,
                int64_t *step) __attribute__((warn_unused_result));

/* RFC 4648 base32, as authenticator apps want it. */
void totp_secret_text(char text[TOTP_SECRET_TEXT], const uint8_t secret[TOTP_SECRET_LEN]);
/* 0, or -1 if the text is anything else. */
int totp_secret_parse(uint8_t secret[TOTP_SECRET_LEN], const char *text)
    __attribute__((warn_unused_result));

/* A new recovery code, 75 random bits. */
void totp_recovery_new(char text[TOTP_RECOVERY_TEXT]);
/* What is stored of one; case, spaces and hyphens ignored. */
void totp_recovery_hash(uint8_t hash[HASH_LEN], const char *typed);

#endif
