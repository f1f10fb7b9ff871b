/*
 * note: signed notes, their keys, and the log's key file.
 *
 * Source: https://c2sp.org/signed-note, v1.0.0, Ed25519 (type 0x01). A note is a text, an empty
 * line, and signature lines `— NAME BASE64(key id || signature)`. Key id = first 4 bytes of
 * SHA-256(name || "\n" || 0x01 || public key). The private key file is one line,
 * PRIVATE+KEY+<name>+<8 hex digits of the key id>+<base64(0x01 || seed)>, the form of
 * golang.org/x/mod/sumdb/note; name is the origin of the log. This module is the only holder of the
 * log key. Signing is deterministic.
 */
#ifndef NOTE_H
#define NOTE_H

#include "buf.h"

#define NOTE_NAME_MAX   255
#define NOTE_KEY_ID_LEN 4
#define NOTE_MAX_BYTES  65536 /* of a note that is read */
#define NOTE_LINES_MAX  100   /* signatures of one */

/* True for a name a note may carry: not empty, no white space, no '+', printable ASCII. */
bool note_is_name(const char *name);

/* ---- the private key */

/* Makes a new key under the name and writes it (0600). 0, or -1 with errno. */
int note_key_create(const char *path, const char *name) __attribute__((warn_unused_result));

struct note_key; /* in guarded memory; constant, any thread */

/* Reads a key file and checks that its parts agree. NULL with *why (a constant that follows the
 * file's name: "is missing"). */
struct note_key *note_key_open(const char *path, const char **why);
void note_key_close(struct note_key *key);
/* The name only. 0, or -1 with *why as above. */
int note_key_name(const char *path, char name[NOTE_NAME_MAX + 1], const char **why)
    __attribute__((warn_unused_result));

/* Appends the text, which ends in a newline, as a note signed with the key. */
void note_sign(const struct note_key *key, struct buf *out, const char *text, size_t len);

/* ---- the public key */

struct note_verifier {
    char name[NOTE_NAME_MAX + 1];
    uint8_t id[NOTE_KEY_ID_LEN];
    uint8_t public_key[32];
};
const struct note_verifier *note_key_verifier(const struct note_key *key);

/* NAME+<8 hex digits of the key id>+BASE64(0x01 || public key): a "vkey". */
void note_print_vkey(struct buf *out, const struct note_verifier *v);
/* 0, or -1 if the text is not exactly that, or its parts do not agree. */
int note_parse_vkey(struct note_verifier *out, const char *text)
    __attribute__((warn_unused_result));

enum note_result {
    NOTE_OK,
    NOTE_MALFORMED, /* not a signed note */
    NOTE_UNSIGNED,  /* a note without a signature by that key */
    NOTE_FORGED     /* a signature under that key which is not its */
};
/* Checks a note's form and that key's signature; others are ignored. With NOTE_OK the text is the
 * first *text_len bytes. */
enum note_result note_verify(const struct note_verifier *v, const char *note, size_t len,
                             size_t *text_len) __attribute__((warn_unused_result));

#endif
