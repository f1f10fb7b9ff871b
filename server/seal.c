/*
 * seal: records for the organisers (see seal.h; DESIGN, "Exact bytes").
 *
 * A batch belongs to one thread, the one that runs the transaction. The ephemeral secret lives only
 * inside seal_batch_begin; the key it shares with the organisers lives until seal_batch_end, in
 * locked memory. Every begin makes a new key, so no nonce is used twice under one, and after the
 * end this process can open nothing. Keeping the organisers' secret key is left to the caller.
 */
#include "seal.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define COUNTER_LEN 4
#define HEAD_LEN    (SEAL_KEY_LEN + COUNTER_LEN)

_Static_assert(HEAD_LEN + crypto_box_MACBYTES == SEAL_OVERHEAD, "layout of a sealed record");
_Static_assert(crypto_box_PUBLICKEYBYTES == SEAL_KEY_LEN, "X25519 public keys");
_Static_assert(crypto_box_SECRETKEYBYTES == SEAL_KEY_LEN, "X25519 secret keys");

struct seal_batch {
    uint8_t organisers_pk[SEAL_KEY_LEN];
    uint8_t epk[SEAL_KEY_LEN];
    uint8_t shared[crypto_box_BEFORENMBYTES];
    uint32_t n; /* seals made with this pair */
    bool begun;
};

struct seal_batch *seal_batch_new(const uint8_t organisers_pk[SEAL_KEY_LEN])
{
    struct seal_batch *b = sodium_malloc(sizeof *b);

    if (!b)
        abort();
    *b = (struct seal_batch){.begun = false};
    memcpy(b->organisers_pk, organisers_pk, SEAL_KEY_LEN);
    return b;
}

int seal_batch_begin_with(struct seal_batch *b, const uint8_t secret[SEAL_KEY_LEN])
{
    assert(!b->begun);
    b->n = 0;
    if (crypto_scalarmult_base(b->epk, secret) != 0 ||
        crypto_box_beforenm(b->shared, b->organisers_pk, secret) != 0)
        return -1;
    b->begun = true;
    return 0;
}

int seal_batch_begin(struct seal_batch *b)
{
    uint8_t secret[SEAL_KEY_LEN];
    int result;

    randombytes_buf(secret, sizeof secret);
    result = seal_batch_begin_with(b, secret);
    sodium_memzero(secret, sizeof secret);
    return result;
}

void seal_batch_end(struct seal_batch *b)
{
    sodium_memzero(b->shared, sizeof b->shared);
    sodium_memzero(b->epk, sizeof b->epk);
    b->n = 0;
    b->begun = false;
}

void seal_batch_free(struct seal_batch *b)
{
    sodium_free(b);
}

static void add_member(struct buf *out, const char *before, const char *value)
{
    buf_adds(out, before);
    buf_json(out, value);
}

void seal_record_json(struct buf *out, const struct seal_record *r)
{
    char day[11];

    day_text(day, r->day);
    add_member(out, "{\"name\":", r->name);
    add_member(out, ",\"contact\":", r->contact);
    add_member(out, ",\"country\":", r->country);
    add_member(out, ",\"visibility\":", visibility_names[r->visibility]);
    buf_adds(out, r->updates ? ",\"updates\":true" : ",\"updates\":false");
    add_member(out, ",\"lang\":", r->lang);
    add_member(out, ",\"day\":", day);
    buf_adds(out, ",\"text\":");
    buf_int(out, r->text);
    buf_adds(out, ",\"r\":\"");
    buf_base64(out, r->r, 32);
    buf_adds(out, "\",\"r2\":\"");
    buf_base64(out, r->r2, 32);
    buf_adds(out, "\"}");
}

static void store_le32(uint8_t out[COUNTER_LEN], uint32_t n)
{
    for (size_t i = 0; i < COUNTER_LEN; i++)
        out[i] = (uint8_t)(n >> (8 * i));
}

/* The bytes of sodium_pad. Its constant time costs as much as the encryption, and the length has
 * been no secret to this process since it parsed the form. */
static void pad(uint8_t *data, size_t len, size_t size)
{
    data[len] = 0x80;
    memset(data + len + 1, 0, size - len - 1);
}

void seal_add(struct seal_batch *b, uint8_t sealed[SEALED_MAX], size_t *sealed_len,
              const struct buf *record)
{
    uint8_t padded[SEAL_PADDED_LONG], nonce[crypto_box_NONCEBYTES] = {0};
    size_t size = record->len < SEAL_PADDED_SHORT ? SEAL_PADDED_SHORT : SEAL_PADDED_LONG;
    int failed;

    assert(b->begun && b->n < UINT32_MAX && buf_ok(record) && record->len < SEAL_PADDED_LONG);
    memcpy(padded, record->data, record->len);
    pad(padded, record->len, size);
    store_le32(nonce, b->n++);
    memcpy(sealed, b->epk, SEAL_KEY_LEN);
    memcpy(sealed + SEAL_KEY_LEN, nonce, COUNTER_LEN);
    failed = crypto_box_easy_afternm(sealed + HEAD_LEN, padded, size, nonce, b->shared);
    assert(!failed);
    (void)failed;
    *sealed_len = size + SEAL_OVERHEAD;
    sodium_memzero(padded, sizeof padded);
}

int seal_open(struct buf *record, const uint8_t *sealed, size_t len,
              const uint8_t secret[SEAL_KEY_LEN])
{
    uint8_t padded[SEAL_PADDED_LONG], nonce[crypto_box_NONCEBYTES] = {0};
    size_t size, record_len;
    int result = -1;

    buf_clear(record);
    if (len != SEAL_PADDED_SHORT + SEAL_OVERHEAD && len != SEALED_MAX)
        return -1;
    if (sealed[SEAL_KEY_LEN - 1] & 0x80) /* X25519 ignores this bit, and no pair has it set */
        return -1;
    size = len - SEAL_OVERHEAD;
    memcpy(nonce, sealed + SEAL_KEY_LEN, COUNTER_LEN);
    if (crypto_box_open_easy(padded, sealed + HEAD_LEN, len - HEAD_LEN, nonce, sealed, secret) != 0)
        goto out;
    if (sodium_unpad(&record_len, padded, size, size) != 0)
        goto out;
    buf_add(record, padded, record_len);
    result = buf_ok(record) ? 0 : -1;
out:
    sodium_memzero(padded, sizeof padded);
    return result;
}

void seal_key_pair(uint8_t public_key[SEAL_KEY_LEN], uint8_t secret[SEAL_KEY_LEN])
{
    crypto_box_keypair(public_key, secret);
}

int seal_public_key(uint8_t public_key[SEAL_KEY_LEN], const uint8_t secret[SEAL_KEY_LEN])
{
    return crypto_scalarmult_base(public_key, secret);
}
