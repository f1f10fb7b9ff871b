/*
 * minisign: keys and signature files (see minisign.h; https://jedisct1.github.io/minisign/).
 *
 * Any thread may sign: an opened key is read-only memory. A key file is accepted only if its two
 * halves belong together and its checksum is right; `minisign -G -W` leaves the checksum of an
 * unencrypted key at zero, so that is accepted too. Which files are signed is left to the caller.
 */
#include "minisign.h"

#include "files.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT        "untrusted comment: "
#define KEY_ID_LEN     8
#define CHECKSUM_LEN   32
#define PREHASH_LEN    64
#define FILE_MAX_BYTES 4096
#define TRUSTED        "trusted comment: "

/* The two lines' second parts, before base64. All members are bytes, so there is no padding. */
struct secret_part {
    uint8_t algorithm[2]; /* "Ed" */
    uint8_t kdf[2];       /* 0 0: not encrypted */
    uint8_t checksum_algorithm[2];
    uint8_t kdf_salt[32], kdf_ops_limit[8], kdf_mem_limit[8];
    uint8_t key_id[KEY_ID_LEN];
    uint8_t secret[crypto_sign_SECRETKEYBYTES]; /* seed || public key */
    uint8_t checksum[CHECKSUM_LEN];             /* of algorithm, key id and secret */
};

struct public_part {
    uint8_t algorithm[2]; /* "Ed" */
    uint8_t key_id[KEY_ID_LEN];
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
};

struct signature_part {
    uint8_t algorithm[2]; /* "ED": over the BLAKE2b-512 of the file */
    uint8_t key_id[KEY_ID_LEN];
    uint8_t signature[crypto_sign_BYTES];
};

_Static_assert(sizeof(struct secret_part) == 158, "layout of a secret key");
_Static_assert(sizeof(struct public_part) == 42, "layout of a public key");
_Static_assert(sizeof(struct signature_part) == 74, "layout of a signature");

struct minisign {
    uint8_t key_id[KEY_ID_LEN];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
};

static void checksum_of(uint8_t checksum[CHECKSUM_LEN], const struct secret_part *part)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, CHECKSUM_LEN);
    crypto_generichash_update(&state, part->algorithm, sizeof part->algorithm);
    crypto_generichash_update(&state, part->key_id, sizeof part->key_id);
    crypto_generichash_update(&state, part->secret, sizeof part->secret);
    crypto_generichash_final(&state, checksum, CHECKSUM_LEN);
    sodium_memzero(&state, sizeof state);
}

int minisign_create(const char *path)
{
    struct secret_part part = {.algorithm = "Ed", .kdf = {0, 0}, .checksum_algorithm = "B2"};
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    struct buf text;
    int saved, result;

    buf_init(&text, FILE_MAX_BYTES);
    randombytes_buf(part.key_id, sizeof part.key_id);
    crypto_sign_keypair(public_key, part.secret);
    checksum_of(part.checksum, &part);
    buf_adds(&text, COMMENT "minisign secret key of the petition\n");
    buf_base64(&text, (const uint8_t *)&part, sizeof part);
    buf_addc(&text, '\n');
    result = files_create(path, text.data, text.len);
    saved = errno;
    buf_wipe(&text);
    sodium_memzero(&part, sizeof part);
    errno = saved;
    return result;
}

/* The second line of a key file; NULL unless the file is a comment and one line more. Cuts the
 * buffer's text at that line's end. */
static const char *key_line(struct buf *text)
{
    char *line = strchr(text->data, '\n'), *end;

    if (strncmp(text->data, COMMENT, strlen(COMMENT)) != 0 || !line)
        return NULL;
    line++;
    end = line + strcspn(line, "\r\n");
    if (end[strspn(end, "\r\n")] != '\0' || strlen(text->data) != text->len)
        return NULL;
    *end = '\0';
    return line;
}

/* NULL if the key can be used, else why not. */
static const char *secret_fault(const struct secret_part *part)
{
    uint8_t checksum[CHECKSUM_LEN], public_key[crypto_sign_PUBLICKEYBYTES];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    bool whole;

    if (memcmp(part->algorithm, "Ed", 2) != 0 || memcmp(part->checksum_algorithm, "B2", 2) != 0)
        return "is not a minisign secret key";
    if (!sodium_is_zero(part->kdf, sizeof part->kdf))
        return "is protected by a password; remove it with minisign -C -W";
    crypto_sign_seed_keypair(public_key, secret, part->secret);
    checksum_of(checksum, part);
    whole = sodium_memcmp(secret, part->secret, sizeof secret) == 0 &&
            (sodium_memcmp(checksum, part->checksum, sizeof checksum) == 0 ||
             sodium_is_zero(part->checksum, sizeof part->checksum));
    sodium_memzero(secret, sizeof secret);
    return whole ? NULL : "is damaged: its parts do not belong together";
}

static struct minisign *key_of(const struct secret_part *part)
{
    struct minisign *key = sodium_malloc(sizeof *key);

    if (!key)
        abort();
    memcpy(key->key_id, part->key_id, sizeof key->key_id);
    memcpy(key->secret, part->secret, sizeof key->secret);
    sodium_mprotect_readonly(key);
    return key;
}

struct minisign *minisign_open(const char *path, const char **why)
{
    struct minisign *key = NULL;
    struct secret_part part;
    struct buf text;
    const char *line;

    buf_init(&text, FILE_MAX_BYTES);
    if (buf_read_file(&text, path) != 0) {
        *why = errno == ENOENT ? "is missing" : "cannot be read";
        goto out;
    }
    line = key_line(&text);
    if (!line || base64_decode((uint8_t *)&part, sizeof part, line) != 0) {
        *why = "is not a minisign secret key";
        goto out;
    }
    *why = secret_fault(&part);
    if (!*why)
        key = key_of(&part);
out:
    sodium_memzero(&part, sizeof part);
    buf_wipe(&text);
    return key;
}

void minisign_close(struct minisign *key)
{
    sodium_free(key);
}

void minisign_public(const struct minisign *key, char out[MINISIGN_PUBLIC_TEXT])
{
    struct public_part part = {.algorithm = "Ed"};

    memcpy(part.key_id, key->key_id, sizeof part.key_id);
    crypto_sign_ed25519_sk_to_pk(part.public_key, key->secret);
    sodium_bin2base64(out, MINISIGN_PUBLIC_TEXT, (const uint8_t *)&part, sizeof part,
                      sodium_base64_VARIANT_ORIGINAL);
}

/* The signature over the signature and the trusted comment. */
static void add_global_signature(const struct minisign *key, struct buf *out,
                                 const struct signature_part *part, const char *comment)
{
    uint8_t signature[crypto_sign_BYTES];
    struct buf both;

    buf_init(&both, BUF_UNLIMITED);
    buf_add(&both, part->signature, sizeof part->signature);
    buf_adds(&both, comment);
    crypto_sign_detached(signature, NULL, (const uint8_t *)both.data, both.len, key->secret);
    buf_base64(out, signature, sizeof signature);
    buf_release(&both);
}

void minisign_sign(const struct minisign *key, struct buf *out, const void *message, size_t len,
                   const char *trusted_comment)
{
    struct signature_part part = {.algorithm = "ED"};
    uint8_t prehash[PREHASH_LEN];

    assert(!strpbrk(trusted_comment, "\r\n"));
    memcpy(part.key_id, key->key_id, sizeof part.key_id);
    crypto_generichash(prehash, sizeof prehash, message, len, NULL, 0);
    crypto_sign_detached(part.signature, NULL, prehash, sizeof prehash, key->secret);
    buf_adds(out, COMMENT "signature of the petition service\n");
    buf_base64(out, (const uint8_t *)&part, sizeof part);
    buf_printf(out, "\n" TRUSTED "%s\n", trusted_comment);
    add_global_signature(key, out, &part, trusted_comment);
    buf_addc(out, '\n');
}

/* ---- verifying */

/* A signature file, taken apart. */
struct signed_file {
    struct signature_part part;
    uint8_t global[crypto_sign_BYTES];
    char comment[FILE_MAX_BYTES];
};

/* Cuts the next line off; NULL if the text has none. */
static char *cut_line(char **rest)
{
    char *newline = strchr(*rest, '\n'), *line = *rest;

    if (!newline)
        return NULL;
    *newline = '\0';
    *rest = newline + 1;
    return line;
}

/* Four lines, and nothing behind them. */
static bool take_apart(struct signed_file *out, char *text)
{
    char *rest = text;
    const char *untrusted = cut_line(&rest), *part = untrusted ? cut_line(&rest) : NULL;
    const char *trusted = part ? cut_line(&rest) : NULL;
    const char *global = trusted ? cut_line(&rest) : NULL;

    if (!global || *rest != '\0' || strncmp(untrusted, COMMENT, strlen(COMMENT)) != 0 ||
        strncmp(trusted, TRUSTED, strlen(TRUSTED)) != 0)
        return false;
    snprintf(out->comment, sizeof out->comment, "%s", trusted + strlen(TRUSTED));
    return base64_decode((uint8_t *)&out->part, sizeof out->part, part) == 0 &&
           base64_decode(out->global, sizeof out->global, global) == 0 &&
           memcmp(out->part.algorithm, "ED", 2) == 0;
}

static bool is_signed(const struct public_part *key, const struct signed_file *s,
                      const struct buf *message)
{
    uint8_t prehash[PREHASH_LEN];
    struct buf both;
    bool ok;

    crypto_generichash(prehash, sizeof prehash, (const uint8_t *)message->data, message->len, NULL,
                       0);
    buf_init(&both, BUF_UNLIMITED);
    buf_add(&both, s->part.signature, sizeof s->part.signature);
    buf_adds(&both, s->comment);
    ok = crypto_sign_verify_detached(s->part.signature, prehash, sizeof prehash, key->public_key) ==
             0 &&
         crypto_sign_verify_detached(s->global, (const uint8_t *)both.data, both.len,
                                     key->public_key) == 0;
    buf_release(&both);
    return ok;
}

const char *minisign_verify(const char *public_key, const struct buf *signature,
                            const struct buf *message, struct buf *comment)
{
    struct signed_file s = {.comment = ""};
    struct public_part key;
    char *text;
    bool ok;

    if (base64_decode((uint8_t *)&key, sizeof key, public_key) != 0 ||
        memcmp(key.algorithm, "Ed", 2) != 0)
        return "the minisign key is none";
    if (signature->len > FILE_MAX_BYTES || strlen(signature->data) != signature->len)
        return "the signature is not one of minisign";
    text = xstrdup(signature->data);
    ok = take_apart(&s, text);
    free(text);
    if (!ok)
        return "the signature is not one of minisign";
    if (memcmp(s.part.key_id, key.key_id, sizeof key.key_id) != 0)
        return "the signature is by another minisign key";
    if (!is_signed(&key, &s, message))
        return "the signature does not hold";
    buf_adds(comment, s.comment);
    return NULL;
}
