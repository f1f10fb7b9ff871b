/*
 * entry: the exact bytes of the log's entries, commitments and codes.
 *
 * Source: DESIGN "Exact bytes". Entries are compact ASCII JSON in a fixed field order and are
 * hashed as stored; nothing here is ever re-serialised. Pure functions, any thread.
 */
#ifndef ENTRY_H
#define ENTRY_H

#include "merkle.h"

#define SEED_LEN         16
#define SIGN_ENTRY_BYTES 120 /* every sign entry has this length */
#define OPENING_LEN      64  /* r[32] || ch[32] */
#define CODE_DIGITS      27  /* 26 of the seed and a check digit */
#define CODE_MAX         64  /* bytes for any code below, with NUL */

enum visibility { VISIBILITY_PRIVATE, VISIBILITY_ADDRESSEES, VISIBILITY_PUBLIC, VISIBILITY__MAX };
enum tier { TIER_CONFIRMED, TIER_PAPER, TIER_UNCONFIRMED, TIER__MAX };
enum void_why { VOID_REQUEST, VOID_DUPLICATE, VOID_FRAUD, VOID_TEST, VOID_LOST, VOID__MAX };

extern const char *const visibility_names[VISIBILITY__MAX]; /* private addressees public */
extern const char *const tier_names[TIER__MAX];             /* confirmed paper unconfirmed */
extern const char *const void_why_names[VOID__MAX];

/* UTC day as days since 1970-01-01; "YYYY-MM-DD" needs 11 bytes. Both calls stay within the years
 * 0000 to 9999: what lies outside becomes the first or the last day of them. */
typedef int32_t day_number;
day_number day_of(int64_t unix_s);
void day_text(char out[11], day_number day);
/* False if the text is no day, written YYYY-MM-DD. */
bool day_parse(day_number *day, const char *text);

/* FIELDS: what of a submission is committed to and may be delivered. */
struct fields {
    const char *name;
    const char *country;
    int64_t text; /* index of the last open or text entry before it */
    day_number day;
    enum visibility visibility;
};
void entry_fields(struct buf *out, const struct fields *f);

/* s = SHA-256("petition-withdraw-seed/v1\n" || seed); w = SHA-256("petition-withdraw/v1\n" || s) */
void entry_withdraw_secret(uint8_t s[HASH_LEN], const uint8_t seed[SEED_LEN]);
void entry_withdraw_hash(uint8_t w[HASH_LEN], const uint8_t s[HASH_LEN]);
/* ch = SHA-256("petition-contact/v1\n" || r2 || canonical contact) */
void entry_contact_hash(uint8_t ch[HASH_LEN], const uint8_t r2[HASH_LEN], const char *canonical);
/* c = SHA-256("petition-sign/v1\n" || G || r || ch || FIELDS); opening = r || ch */
void entry_commitment(uint8_t c[HASH_LEN], const uint8_t g[HASH_LEN],
                      const uint8_t opening[OPENING_LEN], const struct buf *fields);

/* The entries. text_hashes are in the order en, fr, km. The origin is 1 to 255 characters of ASCII
 * without space, quote or backslash. */
void entry_open(struct buf *out, const char *origin, uint8_t text_hashes[3][HASH_LEN],
                const uint8_t addressees[HASH_LEN], const uint8_t seal_key[32]);
void entry_text(struct buf *out, uint8_t text_hashes[3][HASH_LEN],
                const uint8_t addressees[HASH_LEN]);
void entry_sign(struct buf *out, const uint8_t c[HASH_LEN], const uint8_t w[HASH_LEN]);
void entry_wd(struct buf *out, int64_t index, const uint8_t s[HASH_LEN]);
void entry_void(struct buf *out, int64_t index, enum void_why why);
/* A delivery that is done: its number, the size of the log it was frozen at, and the SHA-256 of
 * each bundle's manifest.json in the order of the addressees. */
#define ENTRY_MANIFESTS 19
struct dlv_entry {
    int64_t n, size;
    uint8_t manifests[ENTRY_MANIFESTS][HASH_LEN];
};
void entry_dlv(struct buf *out, const struct dlv_entry *d);
/* What a petition had when it was closed. */
struct closing_figures {
    uint64_t sign, withdrawn, removed; /* entries before it; removed for any reason */
    uint64_t repeats;
};
void entry_close(struct buf *out, const struct closing_figures *f);

/* Reads w out of a sign entry. 0, or -1 if the body is not one. */
int entry_sign_w(uint8_t w[HASH_LEN], const char *body, size_t len)
    __attribute__((warn_unused_result));

/* What a reader of entry 0, or of a text entry, needs. */
struct opening_entry {
    char origin[256];
    uint8_t text_hashes[3][HASH_LEN]; /* en, fr, km */
    uint8_t addressees[HASH_LEN];
    uint8_t seal_key[32];
};
/* Parse what entry_open and entry_text wrote. 0, or -1. */
int entry_parse_open(struct opening_entry *out, const char *body, size_t len)
    __attribute__((warn_unused_result));
int entry_parse_text(struct opening_entry *out, const char *body, size_t len)
    __attribute__((warn_unused_result));

/* INDEX-<26 Crockford base32 digits of the seed, two zero bits last><check: Luhn mod 32>. */
void entry_withdraw_code(char out[CODE_MAX], int64_t index, const uint8_t seed[SEED_LEN]);
/* INDEX-XXXX-XXXX: the first 40 bits of the leaf hash. */
void entry_short_code(char out[CODE_MAX], int64_t index, const uint8_t leaf[HASH_LEN]);
/* Case, spaces and hyphens ignored, O=0, I=L=1; the index ends at the first hyphen or, if there is
 * none, before the last 27 digits. 0, or -1 if mistyped: wrong length, characters, check digit or
 * padding bits, an index with leading zeros or above 2^53. */
int entry_parse_withdraw_code(int64_t *index, uint8_t seed[SEED_LEN], const char *code)
    __attribute__((warn_unused_result));
/* The same rules, without a check digit: `plain` becomes the code as entry_short_code writes it.
 * Whether it is that of the entry is not checked. */
int entry_parse_short_code(int64_t *index, char plain[CODE_MAX], const char *code)
    __attribute__((warn_unused_result));

#endif
