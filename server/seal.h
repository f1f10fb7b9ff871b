/*
 * seal: records encrypted to the organisers' public key, which the server cannot open.
 *
 * sealed = epk[32] || le32(n) || crypto_box_easy_afternm(padded record), nonce = le32(n) || 20 zero
 * bytes. One ephemeral key pair serves one transaction attempt; n counts its seals and is never
 * reused, because the pair is wiped at commit and at rollback. This is what crypto_box_seal gives,
 * at a fraction of its price. The record is padded with sodium_pad to 384 bytes, or to 1,408 if it
 * is longer.
 */
#ifndef SEAL_H
#define SEAL_H

#include "buf.h"
#include "entry.h"

#define SEAL_KEY_LEN        32
#define ORGANISER_KEY_LABEL "petition-organiser-secret-key/v1" /* of its key file (files.h) */
#define SEAL_PADDED_SHORT   384
#define SEAL_PADDED_LONG    1408
#define SEAL_OVERHEAD       52 /* epk, n, MAC */
#define SEALED_MAX          (SEAL_PADDED_LONG + SEAL_OVERHEAD)

/* One ephemeral key pair and its counter. In guarded memory; one thread. */
struct seal_batch;
struct seal_batch *seal_batch_new(const uint8_t organisers_pk[SEAL_KEY_LEN]);
/* A new ephemeral pair, counter 0. Call it at the start of every transaction attempt. 0, or -1 if
 * the organisers' key is not a usable point. */
int seal_batch_begin(struct seal_batch *b) __attribute__((warn_unused_result));
/* The same with a given ephemeral secret: for test vectors only, as one secret must never serve two
 * batches. */
int seal_batch_begin_with(struct seal_batch *b, const uint8_t secret[SEAL_KEY_LEN])
    __attribute__((warn_unused_result));
/* Wipes the pair: at commit and at rollback. */
void seal_batch_end(struct seal_batch *b);
void seal_batch_free(struct seal_batch *b);

/* What the signer typed. */
struct seal_record {
    const char *name, *contact; /* contact as typed, trimmed: mail goes there */
    const char *country;
    enum visibility visibility;
    bool updates;
    const char *lang;
    day_number day;
    int64_t text;
    const uint8_t *r, *r2; /* 32 bytes each */
};
/* The record as compact JSON. */
void seal_record_json(struct buf *out, const struct seal_record *r);

/* Seals the record (at most SEAL_PADDED_LONG - 1 bytes) between begin and end.
 * Writes *sealed_len bytes. */
void seal_add(struct seal_batch *b, uint8_t sealed[SEALED_MAX], size_t *sealed_len,
              const struct buf *record);

/* Opens a sealed record with the organisers' secret key: the JSON replaces what is in `record`.
 * 0, or -1 if it was not sealed to that key or was changed. */
int seal_open(struct buf *record, const uint8_t *sealed, size_t len,
              const uint8_t secret[SEAL_KEY_LEN]) __attribute__((warn_unused_result));

/* A new key pair, and the public half of a secret one. */
void seal_key_pair(uint8_t public_key[SEAL_KEY_LEN], uint8_t secret[SEAL_KEY_LEN]);
int seal_public_key(uint8_t public_key[SEAL_KEY_LEN], const uint8_t secret[SEAL_KEY_LEN])
    __attribute__((warn_unused_result));

#endif
