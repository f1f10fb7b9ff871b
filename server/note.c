/*
 * note: the log's key file (see note.h). Runs at init and at start; the only holder of the log key.
 */
#include "note.h"

#include "files.h"
#include "sha256.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define TYPE_ED25519       0x01
#define SEED_BYTES         crypto_sign_SEEDBYTES
#define KEY_FILE_MAX_BYTES 1024

static const char prefix[] = "PRIVATE+KEY+";

bool note_is_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NOTE_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] <= ' ' || name[i] > '~' || strchr("+\"\\", name[i]))
            return false;
    return true;
}

/* The first 4 bytes of the hash, as 8 hexadecimal digits. */
static void key_id(char id[9], const char *name, const uint8_t seed[SEED_BYTES])
{
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES], hash[32];
    struct sha256 state;
    const uint8_t type[] = {'\n', TYPE_ED25519};

    crypto_sign_seed_keypair(public_key, secret, seed);
    sha256_begin(&state);
    sha256_add(&state, name, strlen(name));
    sha256_add(&state, type, sizeof type);
    sha256_add(&state, public_key, sizeof public_key);
    sha256_end(&state, hash);
    sodium_bin2hex(id, 9, hash, 4);
    sodium_memzero(secret, sizeof secret);
}

int note_key_create(const char *path, const char *name)
{
    uint8_t key[1 + SEED_BYTES] = {TYPE_ED25519};
    struct buf text;
    char id[9];
    int result;

    randombytes_buf(key + 1, SEED_BYTES);
    key_id(id, name, key + 1);
    buf_init(&text, KEY_FILE_MAX_BYTES);
    buf_printf(&text, "%s%s+%s+", prefix, name, id);
    buf_base64(&text, key, sizeof key);
    buf_addc(&text, '\n');
    result = files_create(path, text.data, text.len);
    buf_wipe(&text);
    sodium_memzero(key, sizeof key);
    return result;
}

/* Splits `name+id+base64` in place and checks it. */
static int parse_key(char *text, char name[NOTE_NAME_MAX + 1])
{
    uint8_t key[1 + SEED_BYTES];
    char id[9], *id_text, *key_text;
    int result = -1;

    id_text = strchr(text, '+');
    key_text = id_text ? strchr(id_text + 1, '+') : NULL;
    if (!key_text)
        return -1;
    *id_text++ = *key_text++ = '\0';
    if (note_is_name(text) && base64_decode(key, sizeof key, key_text) == 0 &&
        key[0] == TYPE_ED25519) {
        key_id(id, text, key + 1);
        result = strcmp(id, id_text) == 0 ? 0 : -1;
        memcpy(name, text, strlen(text) + 1);
    }
    sodium_memzero(key, sizeof key);
    return result;
}

int note_key_name(const char *path, char name[NOTE_NAME_MAX + 1], const char **why)
{
    struct buf text;
    int result = -1;

    buf_init(&text, KEY_FILE_MAX_BYTES);
    if (buf_read_file(&text, path) != 0) {
        *why = errno == ENOENT ? "is missing" : "cannot be read";
        goto out;
    }
    *why = "is not a log key";
    text.data[strcspn(text.data, "\r\n")] = '\0';
    if (strncmp(text.data, prefix, sizeof prefix - 1) == 0)
        result = parse_key(text.data + sizeof prefix - 1, name);
out:
    buf_wipe(&text);
    return result;
}
