/*
 * visitor: who a limit counts: a keyed hash of the client's address, in memory only.
 *
 * The key is random and replaced when the UTC day changes; then what was counted under the old one
 * belongs to nobody any more. One user at a time.
 */
#ifndef VISITOR_H
#define VISITOR_H

#include "peer.h"

struct visitor {
    uint8_t hash[16];
};

struct visitor_key {
    uint8_t key[32];
    int64_t day; /* since 1970 */
};

void visitor_key_init(struct visitor_key *k, int64_t now_s);
/* `now_s` is of the wall clock. */
void visitor_of(struct visitor_key *k, struct visitor *out, const struct peer_address *client,
                int64_t now_s);
bool visitor_same(const struct visitor *a, const struct visitor *b);

#endif
