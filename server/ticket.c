/*
 * ticket: packing and unpacking of thank-you addresses (see ticket.h). Any thread.
 *
 * The first part has a fixed length and holds a hash of the second, so that neither can be altered
 * or exchanged, whether or not the second can still be opened.
 */
#include "ticket.h"

#include <sodium.h>
#include <string.h>

#define PROOF_LEN 16 /* of the second part */
#define CODES_LEN (8 + SEED_LEN + HASH_LEN + PROOF_LEN)
/* base64url without padding of nonce, MAC, time and the codes */
#define CODES_BYTES                                                                                \
    (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + 8 + (size_t)CODES_LEN)
#define CODES_TEXT ((CODES_BYTES * 4 + 2) / 3)

void ticket_init(struct ticket *t)
{
    *t = (struct ticket){.full = false};
    opening_init(&t->opening);
}

void ticket_release(struct ticket *t)
{
    opening_release(&t->opening);
    sodium_memzero(t, sizeof *t);
}

static void hash_text(uint8_t hash[PROOF_LEN], const char *text)
{
    crypto_generichash(hash, PROOF_LEN, (const uint8_t *)text, strlen(text), NULL, 0);
}

/* r, r2, then contact and FIELDS, each ended by a NUL. */
static void write_opening(struct buf *out, const struct ticket_keys *keys, const struct ticket *t,
                          int64_t now_s)
{
    struct buf plain;

    buf_init(&plain, BUF_UNLIMITED);
    buf_add(&plain, t->opening.r, HASH_LEN);
    buf_add(&plain, t->opening.r2, HASH_LEN);
    buf_add(&plain, t->opening.contact.data, t->opening.contact.len + 1);
    buf_add(&plain, t->opening.fields.data, t->opening.fields.len + 1);
    ephemeral_seal(keys->ephemeral, out, &plain, now_s);
    buf_wipe(&plain);
}

static int read_opening(struct ticket *out, const struct ticket_keys *keys, const char *text,
                        int64_t now_s)
{
    struct buf plain;
    size_t contact_len;
    int result;

    buf_init(&plain, BUF_UNLIMITED);
    result = ephemeral_open(keys->ephemeral, &plain, text, now_s);
    if (result == 0) {
        memcpy(out->opening.r, plain.data, HASH_LEN);
        memcpy(out->opening.r2, plain.data + HASH_LEN, HASH_LEN);
        contact_len = strlen(plain.data + 2 * HASH_LEN);
        buf_adds(&out->opening.contact, plain.data + 2 * HASH_LEN);
        buf_adds(&out->opening.fields, plain.data + 2 * HASH_LEN + contact_len + 1);
    }
    buf_wipe(&plain);
    return result;
}

void ticket_write(struct buf *out, const struct ticket_keys *keys, const struct ticket *t,
                  int64_t now_s)
{
    uint8_t codes[CODES_LEN], *at = codes + 8;
    struct buf second;

    buf_init(&second, BUF_UNLIMITED);
    if (t->full)
        write_opening(&second, keys, t, now_s);
    for (int i = 0; i < 8; i++)
        codes[i] = (uint8_t)(t->opening.index >> (8 * i));
    memcpy(at, t->seed, SEED_LEN);
    memcpy(at + SEED_LEN, t->leaf, HASH_LEN);
    hash_text(at + SEED_LEN + HASH_LEN, second.data);
    runkey_wrap(keys->runkey, out, codes, sizeof codes, now_s);
    buf_add(out, second.data, second.len);
    buf_wipe(&second);
    sodium_memzero(codes, sizeof codes);
}

int ticket_read(struct ticket *out, const struct ticket_keys *keys, const char *text, int64_t now_s)
{
    uint8_t codes[CODES_LEN], *at = codes + 8, hash[PROOF_LEN];
    char first[CODES_TEXT + 1] = "";
    int result = -1;

    if (strlen(text) < CODES_TEXT)
        return -1;
    memcpy(first, text, CODES_TEXT);
    hash_text(hash, text + CODES_TEXT);
    if (runkey_unwrap(keys->runkey, codes, sizeof codes, first, now_s) == 0 &&
        memcmp(hash, at + SEED_LEN + HASH_LEN, PROOF_LEN) == 0)
        result = 0;
    for (int i = 0; i < 8 && result == 0; i++)
        out->opening.index |= (int64_t)codes[i] << (8 * i);
    if (result == 0) {
        memcpy(out->seed, at, SEED_LEN);
        memcpy(out->leaf, at + SEED_LEN, HASH_LEN);
        out->full = read_opening(out, keys, text + CODES_TEXT, now_s) == 0;
    }
    sodium_memzero(codes, sizeof codes);
    return result;
}
