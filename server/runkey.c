/*
 * runkey: the key of this boot (see runkey.h).
 *
 * The file is `petition-run/v1 BASE64` of boot id (36 characters) and key. A wrapped payload is
 * base64url of nonce[24] || secretbox(le64(time) || payload) under the key of a quarter of an hour,
 * so what leaks of one quarter opens nothing of another.
 */
#include "runkey.h"

#include "files.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_LEN     32
#define BOOT_ID_LEN 36
#define STORED_LEN  (BOOT_ID_LEN + KEY_LEN)
#define PAYLOAD_MAX 128
#define BOX_MAX     (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + 8 + PAYLOAD_MAX)

static const char label[] = "petition-run/v1";

struct runkey {
    uint8_t *secret; /* KEY_LEN, guarded memory */
};

/* Without a boot id (a container may hide it) every start counts as a new boot. */
static void read_boot_id(uint8_t id[BOOT_ID_LEN])
{
    struct buf text;

    buf_init(&text, 128);
    if (buf_read_file(&text, "/proc/sys/kernel/random/boot_id") == 0 && text.len >= BOOT_ID_LEN)
        memcpy(id, text.data, BOOT_ID_LEN);
    else
        randombytes_buf(id, BOOT_ID_LEN);
    buf_release(&text);
}

/* Reads the key of this boot, or makes a new one. */
static int load_or_make(const char *path, uint8_t key[KEY_LEN])
{
    uint8_t stored[STORED_LEN], boot[BOOT_ID_LEN];
    struct buf text;
    const char *why;
    int result = 0;

    read_boot_id(boot);
    if (files_read_key(path, label, stored, sizeof stored, &why) != 0 ||
        memcmp(stored, boot, BOOT_ID_LEN) != 0) {
        memcpy(stored, boot, BOOT_ID_LEN);
        randombytes_buf(stored + BOOT_ID_LEN, KEY_LEN);
        buf_init(&text, 512);
        buf_printf(&text, "%s ", label);
        buf_base64(&text, stored, sizeof stored);
        buf_addc(&text, '\n');
        result = files_replace(path, text.data, text.len);
        buf_wipe(&text);
    }
    memcpy(key, stored + BOOT_ID_LEN, KEY_LEN);
    sodium_memzero(stored, sizeof stored);
    return result;
}

struct runkey *runkey_open(const char *data_dir, struct buf *err)
{
    const char *runtime = getenv("RUNTIME_DIRECTORY");
    char *dir = runtime && *runtime ? xstrdup(runtime) : files_join(data_dir, "run");
    char *path = files_join(dir, "run.key");
    struct runkey *k = xcalloc(1, sizeof *k);

    k->secret = sodium_malloc(KEY_LEN);
    if (!k->secret)
        abort();
    if (files_make_dir(dir) != 0 || load_or_make(path, k->secret) != 0) {
        buf_printf(err, "%s: %s", path, strerror(errno));
        runkey_close(k);
        k = NULL;
    }
    free(path);
    free(dir);
    return k;
}

void runkey_close(struct runkey *k)
{
    if (!k)
        return;
    sodium_free(k->secret);
    free(k);
}

static void epoch_key(const struct runkey *k, uint8_t key[KEY_LEN], int64_t epoch)
{
    static const char domain[] = "petition-thanks/v1\n";
    uint8_t message[sizeof domain - 1 + 8];

    memcpy(message, domain, sizeof domain - 1);
    for (int i = 0; i < 8; i++)
        message[sizeof domain - 1 + (size_t)i] = (uint8_t)(epoch >> (8 * i));
    crypto_generichash(key, KEY_LEN, message, sizeof message, k->secret, KEY_LEN);
}

void runkey_wrap(const struct runkey *k, struct buf *out, const uint8_t *payload, size_t len,
                 int64_t now_s)
{
    uint8_t key[KEY_LEN], plain[8 + PAYLOAD_MAX], box[BOX_MAX];
    size_t box_len = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + 8 + len;

    assert(len <= PAYLOAD_MAX);
    for (int i = 0; i < 8; i++)
        plain[i] = (uint8_t)(now_s >> (8 * i));
    memcpy(plain + 8, payload, len);
    epoch_key(k, key, now_s / RUNKEY_EPOCH_S);
    randombytes_buf(box, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, plain, 8 + len, box, key);
    buf_base64url(out, box, box_len);
    sodium_memzero(key, sizeof key);
    sodium_memzero(plain, sizeof plain);
}

int runkey_unwrap(const struct runkey *k, uint8_t *payload, size_t len, const char *text,
                  int64_t now_s)
{
    uint8_t key[KEY_LEN], plain[8 + PAYLOAD_MAX], box[BOX_MAX];
    const uint8_t *sealed = box + crypto_secretbox_NONCEBYTES;
    size_t box_len;
    int64_t then_s = 0;
    int result = -1;

    if (base64url_decode(box, sizeof box, &box_len, text) != 0 ||
        box_len != crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + 8 + len)
        return -1;
    for (int back = 0; back <= RUNKEY_LIFE_S / RUNKEY_EPOCH_S && result != 0; back++) {
        epoch_key(k, key, now_s / RUNKEY_EPOCH_S - back);
        result = crypto_secretbox_open_easy(plain, sealed, box_len - crypto_secretbox_NONCEBYTES,
                                            box, key);
    }
    for (int i = 0; i < 8 && result == 0; i++)
        then_s |= (int64_t)plain[i] << (8 * i);
    if (result == 0 && now_s - then_s > RUNKEY_LIFE_S)
        result = -1;
    if (result == 0)
        memcpy(payload, plain + 8, len);
    sodium_memzero(key, sizeof key);
    sodium_memzero(plain, sizeof plain);
    return result;
}
