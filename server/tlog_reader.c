/*
 * tlog_reader: authenticated hashes out of tiles (see tlog_reader.h). The thread that opened it.
 *
 * Always true: what is in `edge`, and in `kept` where `kept_n` is not NONE, has been checked
 * against the root.
 */
#include "tlog_reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE (-1)

struct tlog_reader {
    struct merkle_tree tree;
    tlog_fetch *fetch;
    void *ctx;
    struct tlog_edge edge;
    int64_t kept_n[TILE_LEVELS];
    uint8_t kept[TILE_LEVELS][TILE_BYTES]; /* full tiles */
};

static enum tlog_result fetch_edge(struct tlog_reader *r)
{
    enum tlog_result result = TLOG_OK;

    r->edge.size = r->tree.size;
    for (int level = 0; level < TILE_LEVELS && result == TLOG_OK; level++) {
        int64_t n = r->tree.size >> TILE_BITS * (level + 1);
        struct tile t = {level, n, tile_width(level, n, r->tree.size)};

        if (t.width > 0)
            result = r->fetch(r->ctx, &t, r->edge.hashes[level]);
    }
    return result;
}

struct tlog_reader *tlog_reader_open(const struct merkle_tree *tree, tlog_fetch *fetch, void *ctx,
                                     enum tlog_result *result)
{
    struct tlog_reader *r = xcalloc(1, sizeof *r);
    struct merkle_tree from_tiles;

    assert(tree->size >= 0 && tree->size <= MERKLE_SIZE_MAX);
    r->tree = *tree;
    r->fetch = fetch;
    r->ctx = ctx;
    for (int level = 0; level < TILE_LEVELS; level++)
        r->kept_n[level] = NONE;
    *result = fetch_edge(r);
    if (*result == TLOG_OK) {
        tlog_edge_tree(&r->edge, &from_tiles);
        if (memcmp(from_tiles.root, tree->root, HASH_LEN) == 0)
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

/* Fetches a full tile and compares its root with the hash above it. */
static enum tlog_result keep(struct tlog_reader *r, const struct tile *t,
                             const uint8_t above[HASH_LEN])
{
    uint8_t root[HASH_LEN];
    enum tlog_result result;

    r->kept_n[t->level] = NONE;
    result = r->fetch(r->ctx, t, r->kept[t->level]);
    if (result != TLOG_OK)
        return result;
    merkle_perfect(root, r->kept[t->level], TILE_WIDTH);
    if (memcmp(root, above, HASH_LEN) != 0)
        return TLOG_FORGED;
    r->kept_n[t->level] = t->n;
    return TLOG_OK;
}

/* Points at the hashes of a tile, which have been checked. The tile of the highest level is always
 * in the edge, so this ends. */
static enum tlog_result load(struct tlog_reader *r, int level, int64_t n, const uint8_t **hashes)
{
    if (n == r->tree.size >> TILE_BITS * (level + 1)) {
        *hashes = r->edge.hashes[level];
        return TLOG_OK;
    }
    if (r->kept_n[level] != n) {
        const struct tile t = {level, n, TILE_WIDTH};
        enum tlog_result result = load(r, level + 1, n / TILE_WIDTH, hashes);

        if (result == TLOG_OK)
            result = keep(r, &t, *hashes + n % TILE_WIDTH * HASH_LEN);
        if (result != TLOG_OK)
            return result;
    }
    *hashes = r->kept[level];
    return TLOG_OK;
}

static int get(void *ctx, int level, int64_t index, uint8_t hash[HASH_LEN])
{
    int first, count;
    struct tile t = tile_of_node(level, index, &first, &count);
    const uint8_t *hashes;
    enum tlog_result result = load(ctx, t.level, t.n, &hashes);

    if (result == TLOG_OK)
        merkle_perfect(hash, hashes + first * HASH_LEN, (size_t)count);
    return (int)result;
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
