/*
 * recent: the last submissions, so that a retry after a lost answer is known again.
 *
 * A key is a hash of all that makes two submissions the same one sent twice (it holds the signer's
 * random seed, so nobody else can form it). In memory only; one thread.
 */
#ifndef RECENT_H
#define RECENT_H

#include "buf.h"

#define RECENT_COUNT   65536
#define RECENT_KEY_LEN 16

struct recent;

struct recent *recent_new(void);
void recent_free(struct recent *r);

/* Remembers the index under the key; the oldest of RECENT_COUNT is forgotten. */
void recent_add(struct recent *r, const uint8_t key[RECENT_KEY_LEN], int64_t index);
/* Forgets the last `count` that were added: their transaction was rolled back. */
void recent_take_back(struct recent *r, size_t count);
/* The newest index under the key, or -1. */
int64_t recent_find(const struct recent *r, const uint8_t key[RECENT_KEY_LEN]);

#endif
