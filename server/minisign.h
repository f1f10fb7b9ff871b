/*
 * minisign: signatures that Debian's `minisign -V` accepts.
 *
 * Source: https://jedisct1.github.io/minisign/ "Signature format", "Public key format", "Secret key
 * format". Signatures are the prehashed kind ("ED"): Ed25519 over BLAKE2b-512 of the file, and a
 * global signature over the signature and the trusted comment. This module is the only holder of
 * the minisign key. Deterministic: the same file and comments give the same bytes.
 */
#ifndef MINISIGN_H
#define MINISIGN_H

#include "buf.h"

#define MINISIGN_PUBLIC_TEXT 64 /* bytes for the base64 public key ("RW…"), with NUL */

struct minisign; /* the key, in guarded memory; constant, any thread */

/* Makes a new key and writes it to `path` (0600) in minisign's unencrypted secret-key format.
 * 0, or -1 with errno. */
int minisign_create(const char *path) __attribute__((warn_unused_result));
/* Reads such a file, or one made by `minisign -G -W`. NULL with a reason in *why (a constant that
 * follows the file's name: "is missing"). */
struct minisign *minisign_open(const char *path, const char **why);
void minisign_close(struct minisign *key);

/* The public key as `minisign -P` takes it. */
void minisign_public(const struct minisign *key, char out[MINISIGN_PUBLIC_TEXT]);

/* Appends the .minisig file for `message`. The trusted comment is one line of ASCII. */
void minisign_sign(const struct minisign *key, struct buf *out, const void *message, size_t len,
                   const char *trusted_comment);

#define MINISIGN_FILE_MAX 4096 /* bytes of a signature file that is read */

/* Checks the .minisig file `signature` of the message with a key as minisign_public gives it. NULL,
 * with the trusted comment in *comment; or what is wrong, a constant sentence without its stop. */
const char *minisign_verify(const char *public_key, const struct buf *signature,
                            const struct buf *message, struct buf *comment)
    __attribute__((warn_unused_result));

#endif
