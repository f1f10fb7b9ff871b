/*
 * visitor: a keyed hash that stands for a client's address for a day (see visitor.h).
 */
#include "visitor.h"

#include <sodium.h>
#include <string.h>

#define DAY_S (24 * 3600)

void visitor_key_init(struct visitor_key *k, int64_t now_s)
{
    randombytes_buf(k->key, sizeof k->key);
    k->day = now_s / DAY_S;
}

void visitor_of(struct visitor_key *k, struct visitor *out, const struct peer_address *client,
                int64_t now_s)
{
    if (now_s / DAY_S != k->day)
        visitor_key_init(k, now_s);
    crypto_generichash(out->hash, sizeof out->hash, client->bytes, sizeof client->bytes, k->key,
                       sizeof k->key);
}

bool visitor_same(const struct visitor *a, const struct visitor *b)
{
    return memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}
