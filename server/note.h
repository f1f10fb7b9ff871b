/*
 * note: the log's key, in the form of C2SP signed-note.
 *
 * Source: https://c2sp.org/signed-note. The private key file is one line,
 * PRIVATE+KEY+<name>+<8 hex digits of the key id>+<base64(0x01 || seed)>, the form of
 * golang.org/x/mod/sumdb/note; name is the origin of the log. Key id = first 4 bytes of
 * SHA-256(name || "\n" || 0x01 || public key).
 */
#ifndef NOTE_H
#define NOTE_H

#include "buf.h"

#define NOTE_NAME_MAX 255

/* True for a name a note may carry: not empty, no white space, no '+', printable ASCII. */
bool note_is_name(const char *name);

/* Makes a new key under the name and writes it (0600). 0, or -1 with errno. */
int note_key_create(const char *path, const char *name) __attribute__((warn_unused_result));

/* Reads a key file and checks that its parts agree. 0 and the name, or -1 with *why (a constant).
 */
int note_key_name(const char *path, char name[NOTE_NAME_MAX + 1], const char **why)
    __attribute__((warn_unused_result));

#endif
