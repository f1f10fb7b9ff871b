/*
 * ephemeral: a key for each quarter of an hour, in memory only (see ephemeral.h). `lock` guards the
 * keys.
 */
#include "ephemeral.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define KEY_LEN   crypto_secretbox_KEYBYTES
#define NONCE_LEN crypto_secretbox_NONCEBYTES
#define EXTRA_LEN (NONCE_LEN + crypto_secretbox_MACBYTES)
#define TEXT_MAX  8192

struct slot {
    int64_t epoch; /* -1: there is no key */
    uint8_t key[KEY_LEN];
};

struct ephemeral {
    pthread_mutex_t lock;
    struct slot *slots; /* EPHEMERAL_EPOCHS of them, in guarded memory */
};

struct ephemeral *ephemeral_new(void)
{
    struct ephemeral *e = xcalloc(1, sizeof *e);

    pthread_mutex_init(&e->lock, NULL);
    e->slots = sodium_allocarray(EPHEMERAL_EPOCHS, sizeof *e->slots);
    if (!e->slots)
        abort();
    for (int i = 0; i < EPHEMERAL_EPOCHS; i++)
        e->slots[i].epoch = -1;
    return e;
}

void ephemeral_free(struct ephemeral *e)
{
    if (!e)
        return;
    sodium_free(e->slots);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* Overwrites what is too old, or of a clock that has been set back. */
static void expire(struct ephemeral *e, int64_t epoch)
{
    for (int i = 0; i < EPHEMERAL_EPOCHS; i++) {
        struct slot *slot = &e->slots[i];

        if (slot->epoch >= 0 && (slot->epoch > epoch || slot->epoch <= epoch - EPHEMERAL_EPOCHS)) {
            sodium_memzero(slot, sizeof *slot);
            slot->epoch = -1;
        }
    }
}

void ephemeral_seal(struct ephemeral *e, struct buf *out, const struct buf *plain, int64_t now_s)
{
    int64_t epoch = now_s / EPHEMERAL_EPOCH_S;
    size_t len = plain->len + EXTRA_LEN;
    uint8_t *box = xcalloc(1, len);
    struct slot *slot = &e->slots[epoch % EPHEMERAL_EPOCHS];

    randombytes_buf(box, NONCE_LEN);
    pthread_mutex_lock(&e->lock);
    expire(e, epoch);
    if (slot->epoch != epoch) {
        slot->epoch = epoch;
        randombytes_buf(slot->key, KEY_LEN);
    }
    crypto_secretbox_easy(box + NONCE_LEN, (const uint8_t *)plain->data, plain->len, box,
                          slot->key);
    pthread_mutex_unlock(&e->lock);
    buf_base64url(out, box, len);
    free(box);
}

int ephemeral_open(struct ephemeral *e, struct buf *plain, const char *text, int64_t now_s)
{
    uint8_t box[TEXT_MAX], opened[TEXT_MAX];
    size_t len;
    int result = -1;

    if (base64url_decode(box, sizeof box, &len, text) != 0 || len < EXTRA_LEN)
        return -1;
    pthread_mutex_lock(&e->lock);
    expire(e, now_s / EPHEMERAL_EPOCH_S);
    for (int i = 0; i < EPHEMERAL_EPOCHS && result != 0; i++)
        if (e->slots[i].epoch >= 0)
            result = crypto_secretbox_open_easy(opened, box + NONCE_LEN, len - NONCE_LEN, box,
                                                e->slots[i].key);
    pthread_mutex_unlock(&e->lock);
    if (result == 0)
        buf_add(plain, opened, len - EXTRA_LEN);
    sodium_memzero(opened, sizeof opened);
    return result;
}
