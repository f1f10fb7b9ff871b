/*
 * password: organisers' passwords as Argon2id strings, 64 MiB, one at a time in the whole process.
 *
 * Both calls take a tenth of a second or more: never on a request thread, nor the writer's.
 */
#ifndef PASSWORD_H
#define PASSWORD_H

#include "db.h"

#define PASSWORD_MIN 12 /* code points */
#define PASSWORD_MAX 128

bool password_is_good(const char *password);
/* 0, or -1 with a line in err: too short, too long, no memory. */
int password_hash(char hash[PASSWORD_HASH_MAX], const char *password, struct buf *err)
    __attribute__((warn_unused_result));
/* The hash of an unknown password: checking takes as long as with any other, and fails. Takes no
 * time itself. */
void password_of_nobody(char hash[PASSWORD_HASH_MAX]);
bool password_verify(const char *hash, const char *password) __attribute__((warn_unused_result));

#endif
