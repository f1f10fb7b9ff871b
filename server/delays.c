/*
 * delays: how long it takes until a password may be tried again (see delays.h).
 */
#include "delays.h"

#include <sodium.h>
#include <string.h>

static const struct visitor anywhere;

void delays_init(struct delays *d)
{
    *d = (struct delays){0};
    randombytes_buf(d->key, sizeof d->key);
}

static void hash_name(const struct delays *d, uint8_t hash[16], const char *name)
{
    crypto_generichash(hash, 16, (const uint8_t *)name, strlen(name), d->key, sizeof d->key);
}

/* Where it is, or -1. */
static int find(const struct delays *d, const uint8_t name[16], const struct visitor *from)
{
    for (int i = 0; i < DELAYS_ENTRIES; i++)
        if (d->entries[i].failures > 0 && memcmp(d->entries[i].name, name, 16) == 0 &&
            visitor_same(&d->entries[i].from, from))
            return i;
    return -1;
}

/* A place for a new one: free, or the one whose wait ends first. */
static struct delay *make_room(struct delays *d)
{
    struct delay *first = d->entries;

    for (struct delay *e = d->entries; e < d->entries + DELAYS_ENTRIES; e++) {
        if (e->failures == 0)
            return e;
        if (e->until_s < first->until_s)
            first = e;
    }
    return first;
}

static struct delay *count(struct delays *d, const uint8_t name[16], const struct visitor *from)
{
    int at = find(d, name, from);
    struct delay *e = at >= 0 ? &d->entries[at] : make_room(d);

    if (at < 0) {
        *e = (struct delay){.from = *from};
        memcpy(e->name, name, sizeof e->name);
    }
    e->failures += e->failures < 1000;
    return e;
}

static int64_t delay_of(int failures, int64_t most_s)
{
    int64_t delay_s = INT64_C(1) << (failures > 10 ? 10 : failures - 1);

    return delay_s < most_s ? delay_s : most_s;
}

int delays_wait(const struct delays *d, const char *name, const struct visitor *from, int64_t now_s)
{
    uint8_t hash[16];
    int at;

    hash_name(d, hash, name);
    at = find(d, hash, from);
    return at >= 0 && d->entries[at].until_s > now_s ? (int)(d->entries[at].until_s - now_s) : 0;
}

int delays_failures(const struct delays *d, const struct visitor *from)
{
    int failures = 0;

    for (int i = 0; i < DELAYS_ENTRIES; i++)
        if (visitor_same(&d->entries[i].from, from))
            failures += d->entries[i].failures;
    return failures;
}

void delays_fail(struct delays *d, const char *name, const struct visitor *from, int64_t now_s)
{
    int64_t own_s, least_s;
    struct delay *e;
    uint8_t hash[16];

    hash_name(d, hash, name);
    e = count(d, hash, &anywhere);
    least_s = delay_of(e->failures, DELAYS_NAME_MAX_S);
    e->until_s = now_s + least_s;
    e = count(d, hash, from);
    own_s = delay_of(e->failures, DELAYS_MAX_S);
    e->until_s = now_s + (own_s > least_s ? own_s : least_s);
}

void delays_forget(struct delays *d, const char *name, const struct visitor *from)
{
    uint8_t hash[16];

    hash_name(d, hash, name);
    for (struct delay *e = d->entries; e < d->entries + DELAYS_ENTRIES; e++)
        if (memcmp(e->name, hash, sizeof hash) == 0 &&
            (!from || visitor_same(&e->from, from) || visitor_same(&e->from, &anywhere)))
            *e = (struct delay){0};
}
