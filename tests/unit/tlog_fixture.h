/*
 * tlog_fixture: a log in memory for unit tests: entries "entry N", every tile of it, and a key of
 * its own. Include after cmocka.h.
 */
#ifndef TLOG_FIXTURE_H
#define TLOG_FIXTURE_H

#include "tlog_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE_TILES_MAX 600

struct tlog_fixture {
    struct tlog_edge edge;
    struct merkle_frontier frontier; /* the same log, hashed in another way */
    size_t count;
    struct tile tiles[FIXTURE_TILES_MAX];
    uint8_t (*hashes)[TILE_BYTES];
    /* What a hash of a tile is replaced with, or the tile is missing. */
    int forged_level, forged_at;
    int64_t forged_n;
    bool missing;
};

static inline size_t fixture_entry(char out[32], int64_t n)
{
    return (size_t)snprintf(out, 32, "entry %lld", (long long)n);
}

static inline void fixture_leaf(uint8_t leaf[HASH_LEN], int64_t n)
{
    char entry[32];
    size_t len = fixture_entry(entry, n);

    merkle_leaf(leaf, entry, len);
}

static inline int fixture_full(void *ctx, const struct tile *t, const uint8_t hashes[TILE_BYTES])
{
    struct tlog_fixture *f = ctx;

    assert_true(f->count < FIXTURE_TILES_MAX);
    assert_int_equal(t->width, TILE_WIDTH);
    f->tiles[f->count] = *t;
    memcpy(f->hashes[f->count++], hashes, TILE_BYTES);
    return 0;
}

static inline struct tlog_fixture *fixture_new(void)
{
    struct tlog_fixture *f = xcalloc(1, sizeof *f);

    f->hashes = xcalloc(FIXTURE_TILES_MAX, sizeof *f->hashes);
    tlog_edge_init(&f->edge);
    f->forged_level = -1;
    return f;
}

static inline void fixture_grow(struct tlog_fixture *f, int64_t size)
{
    uint8_t leaf[HASH_LEN];

    while (f->edge.size < size) {
        fixture_leaf(leaf, f->edge.size);
        merkle_append(&f->frontier, leaf);
        assert_int_equal(tlog_append(&f->edge, leaf, fixture_full, f), 0);
    }
}

static inline void fixture_free(struct tlog_fixture *f)
{
    free(f->hashes);
    free(f);
}

/* A tlog_fetch. */
static inline enum tlog_result fixture_fetch(void *ctx, const struct tile *t,
                                             uint8_t hashes[TILE_BYTES])
{
    struct tlog_fixture *f = ctx;
    const uint8_t *from = NULL;

    if (t->n == f->edge.size >> TILE_BITS * (t->level + 1))
        from = f->edge.hashes[t->level];
    for (size_t i = 0; i < f->count && !from; i++)
        if (f->tiles[i].level == t->level && f->tiles[i].n == t->n)
            from = f->hashes[i];
    assert_non_null(from);
    memcpy(hashes, from, (size_t)t->width * HASH_LEN);
    if (t->level != f->forged_level || t->n != f->forged_n)
        return TLOG_OK;
    hashes[f->forged_at * HASH_LEN + 5] ^= 4;
    return f->missing ? TLOG_MISSING : TLOG_OK;
}

#endif
