/*
 * live: which sessions are alive, in memory: asked before a large body is taken, where nobody may
 * wait for the database. Any thread.
 *
 * It holds the hashes of cookies, as the database does, and only of sessions that were found alive
 * there, so that strangers cannot crowd them out. A session that ends by its owner's log-out goes
 * at once; one that is ended in another way may stay for as long as one without a request does, and
 * is refused later, by the act itself.
 */
#ifndef LIVE_H
#define LIVE_H

#include "session.h"
#include "writer.h"

struct live;

struct live *live_new(void);
void live_free(struct live *l);
/* Takes over what the database has. 0, or -1. */
int live_load(struct live *l, struct writer *writer) __attribute__((warn_unused_result));
/* It has been seen at that time. */
void live_seen(struct live *l, const uint8_t hash[HASH_LEN], int64_t seen_s);
void live_end(struct live *l, const uint8_t hash[HASH_LEN]);
bool live_has(struct live *l, const uint8_t hash[HASH_LEN], int64_t now_s);

#endif
