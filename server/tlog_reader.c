/*
 * tlog_reader: authenticated hashes out of tiles (see tlog_reader.h). The thread that opened it.
 *
 * A tile is a heap: its hashes are the leaves, and every node above them is computed once. Always
 * true: what is in `edge`, and in `kept` where `kept_n` is not NONE, has been checked against the
 * root; but for the time in which the edge is being checked.
 */
#include "tlog_reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE (-1)

struct heap {
    uint8_t nodes[2 * TILE_WIDTH][HASH_LEN]; /* 1: the root; i: over 2 i and 2 i + 1 */
};

struct tlog_reader {
    struct merkle_tree tree;
    tlog_fetch *fetch;
    void *ctx;
    struct heap edge[TILE_LEVELS];
    int64_t kept_n[TILE_LEVELS];
    struct heap kept[TILE_LEVELS]; /* full tiles */
};

/* Fetches a tile and computes the nodes over its hashes, as far as they are complete. */
static enum tlog_result fetch_heap(struct tlog_reader *r, const struct tile *t, struct heap *out)
{
    enum tlog_result result = r->fetch(r->ctx, t, out->nodes[TILE_WIDTH]);

    if (result != TLOG_OK)
        return result;
    for (int first = TILE_WIDTH / 2, width = t->width / 2; first > 0; first /= 2, width /= 2)
        for (int i = first; i < first + width; i++)
            merkle_node(out->nodes[i], out->nodes[2 * i], out->nodes[2 * i + 1]);
    return TLOG_OK;
}

static enum tlog_result fetch_edge(struct tlog_reader *r)
{
    enum tlog_result result = TLOG_OK;

    for (int level = 0; level < TILE_LEVELS && result == TLOG_OK; level++) {
        int64_t n = r->tree.size >> TILE_BITS * (level + 1);
        struct tile t = {level, n, tile_width(level, n, r->tree.size)};

        if (t.width > 0)
            result = fetch_heap(r, &t, &r->edge[level]);
    }
    return result;
}

/* Fetches a full tile and compares its root with the hash above it. */
static enum tlog_result keep(struct tlog_reader *r, const struct tile *t,
                             const uint8_t above[HASH_LEN])
{
    enum tlog_result result;

    r->kept_n[t->level] = NONE;
    result = fetch_heap(r, t, &r->kept[t->level]);
    if (result != TLOG_OK)
        return result;
    if (memcmp(r->kept[t->level].nodes[1], above, HASH_LEN) != 0)
        return TLOG_FORGED;
    r->kept_n[t->level] = t->n;
    return TLOG_OK;
}

/* Points at a tile, which has been checked. That of the highest level is always in the edge, so
 * this ends. */
static enum tlog_result load(struct tlog_reader *r, int level, int64_t n, const struct heap **heap)
{
    if (n == r->tree.size >> TILE_BITS * (level + 1)) {
        *heap = &r->edge[level];
        return TLOG_OK;
    }
    if (r->kept_n[level] != n) {
        const struct tile t = {level, n, TILE_WIDTH};
        enum tlog_result result = load(r, level + 1, n / TILE_WIDTH, heap);

        if (result == TLOG_OK)
            result = keep(r, &t, (*heap)->nodes[TILE_WIDTH + n % TILE_WIDTH]);
        if (result != TLOG_OK)
            return result;
    }
    *heap = &r->kept[level];
    return TLOG_OK;
}

/* A merkle_get. */
static int get(void *ctx, int level, int64_t index, uint8_t hash[HASH_LEN])
{
    int first, count;
    struct tile t = tile_of_node(level, index, &first, &count);
    const struct heap *heap;
    enum tlog_result result = load(ctx, t.level, t.n, &heap);

    if (result == TLOG_OK)
        memcpy(hash, heap->nodes[(TILE_WIDTH + first) / count], HASH_LEN);
    return (int)result;
}

struct tlog_reader *tlog_reader_open(const struct merkle_tree *tree, tlog_fetch *fetch, void *ctx,
                                     enum tlog_result *result)
{
    struct tlog_reader *r = xcalloc(1, sizeof *r);
    const struct merkle_source s = {get, r};
    uint8_t root[HASH_LEN];

    assert(tree->size >= 0 && tree->size <= MERKLE_SIZE_MAX);
    r->tree = *tree;
    r->fetch = fetch;
    r->ctx = ctx;
    for (int level = 0; level < TILE_LEVELS; level++)
        r->kept_n[level] = NONE;
    *result = fetch_edge(r);
    if (*result == TLOG_OK)
        *result = (enum tlog_result)merkle_root(&s, tree->size, root);
    if (*result == TLOG_OK) {
        if (memcmp(root, tree->root, HASH_LEN) == 0)
            return r;
        *result = TLOG_FORGED;
    }
    free(r);
    return NULL;
}

void tlog_reader_close(struct tlog_reader *r)
{
    free(r);
}

enum tlog_result tlog_leaf(struct tlog_reader *r, int64_t index, uint8_t leaf[HASH_LEN])
{
    assert(index >= 0 && index < r->tree.size);
    return (enum tlog_result)get(r, 0, index, leaf);
}

enum tlog_result tlog_inclusion(struct tlog_reader *r, int64_t index, struct merkle_path *out)
{
    const struct merkle_source s = {get, r};

    return (enum tlog_result)merkle_inclusion(&s, r->tree.size, index, out);
}

enum tlog_result tlog_consistency(struct tlog_reader *r, int64_t older, struct merkle_path *out,
                                  uint8_t *root)
{
    const struct merkle_source s = {get, r};
    int result = merkle_consistency(&s, r->tree.size, older, out);

    if (result == 0 && root)
        result = merkle_root(&s, older, root);
    return (enum tlog_result)result;
}
