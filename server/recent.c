/*
 * recent: a ring of the last keys, chained by bucket (see recent.h). Runs on the writer's thread.
 */
#include "recent.h"

#include <string.h>

#define NONE UINT32_MAX

struct place {
    uint8_t key[RECENT_KEY_LEN];
    int64_t index;
    uint32_t next; /* in its bucket's chain, newest first, or NONE */
    bool used;
};

struct recent {
    struct place places[RECENT_COUNT];
    uint32_t buckets[RECENT_COUNT]; /* head of the chain, or NONE */
    uint32_t at;                    /* the place that is written next: the oldest */
};

/* Keys are hashes: any two bytes of them spread well. */
static uint32_t bucket_of(const uint8_t *key)
{
    return (uint32_t)key[0] << 8 | key[1];
}

struct recent *recent_new(void)
{
    struct recent *r = xcalloc(1, sizeof *r);

    memset(r->buckets, 0xff, sizeof r->buckets);
    return r;
}

void recent_free(struct recent *r)
{
    free(r);
}

static void forget(struct recent *r, uint32_t at)
{
    uint32_t *link = &r->buckets[bucket_of(r->places[at].key)];

    while (*link != at)
        link = &r->places[*link].next;
    *link = r->places[at].next;
    r->places[at].used = false;
}

void recent_add(struct recent *r, const uint8_t key[RECENT_KEY_LEN], int64_t index)
{
    struct place *place = &r->places[r->at];
    uint32_t bucket = bucket_of(key);

    if (place->used)
        forget(r, r->at);
    memcpy(place->key, key, RECENT_KEY_LEN);
    place->index = index;
    place->used = true;
    place->next = r->buckets[bucket];
    r->buckets[bucket] = r->at;
    r->at = (r->at + 1) % RECENT_COUNT;
}

void recent_take_back(struct recent *r, size_t count)
{
    for (size_t i = 0; i < count && i < RECENT_COUNT; i++) {
        r->at = (r->at + RECENT_COUNT - 1) % RECENT_COUNT;
        if (r->places[r->at].used)
            forget(r, r->at);
    }
}

int64_t recent_find(const struct recent *r, const uint8_t key[RECENT_KEY_LEN])
{
    for (uint32_t at = r->buckets[bucket_of(key)]; at != NONE; at = r->places[at].next)
        if (memcmp(r->places[at].key, key, RECENT_KEY_LEN) == 0)
            return r->places[at].index;
    return -1;
}
