/*
 * merkle: RFC 6962 trees (see merkle.h). Any thread: there is no state.
 *
 * A range of leaves is split as the RFC does: at the largest power of two below its length. So all
 * left parts are perfect subtrees, and every hash of a proof is the root of a range that begins at
 * a multiple of its own largest power of two. Where the hashes are kept is left to the caller.
 */
#include "merkle.h"

#include "sha256.h"

#include <assert.h>
#include <string.h>

void merkle_leaf(uint8_t hash[HASH_LEN], const void *entry, size_t len)
{
    static const uint8_t prefix = 0;
    struct sha256 state;

    sha256_begin(&state);
    sha256_add(&state, &prefix, 1);
    sha256_add(&state, entry, len);
    sha256_end(&state, hash);
}

void merkle_node(uint8_t hash[HASH_LEN], const uint8_t left[HASH_LEN],
                 const uint8_t right[HASH_LEN])
{
    uint8_t node[1 + 2 * HASH_LEN] = {1};

    memcpy(node + 1, left, HASH_LEN);
    memcpy(node + 1 + HASH_LEN, right, HASH_LEN);
    sha256_of(hash, node, sizeof node);
}

#define PERFECT_MAX 256

void merkle_perfect(uint8_t hash[HASH_LEN], const uint8_t *hashes, size_t count)
{
    uint8_t level[PERFECT_MAX / 2 * HASH_LEN];
    const uint8_t *from = hashes;

    assert(count > 0 && count <= PERFECT_MAX && (count & (count - 1)) == 0);
    for (; count > 1; count /= 2, from = level)
        for (size_t i = 0; i < count / 2; i++)
            merkle_node(level + i * HASH_LEN, from + 2 * i * HASH_LEN,
                        from + (2 * i + 1) * HASH_LEN);
    memmove(hash, from, HASH_LEN);
}

/* ---- the frontier */

static bool has_bit(int64_t n, int bit)
{
    return (n >> bit & 1) != 0;
}

void merkle_append(struct merkle_frontier *f, const uint8_t leaf[HASH_LEN])
{
    uint8_t hash[HASH_LEN];
    int level = 0;

    memcpy(hash, leaf, HASH_LEN);
    for (; has_bit(f->size, level); level++)
        merkle_node(hash, f->roots[level], hash);
    memcpy(f->roots[level], hash, HASH_LEN);
    f->size++;
}

static int frontier_get(void *ctx, int level, int64_t index, uint8_t hash[HASH_LEN])
{
    const struct merkle_frontier *f = ctx;

    (void)index;
    memcpy(hash, f->roots[level], HASH_LEN);
    return 0;
}

void merkle_frontier_tree(const struct merkle_frontier *f, struct merkle_tree *out)
{
    struct merkle_frontier copy = *f;
    const struct merkle_source s = {frontier_get, &copy};

    out->size = f->size;
    if (merkle_root(&s, f->size, out->root) != 0)
        assert(false); /* frontier_get does not fail */
}

/* ---- making proofs */

/* A run of leaves; `first` is a multiple of the largest power of two that is at most `count`. */
struct range {
    int64_t first, count;
};

/* The largest power of two below n, which is at least 2. */
static int64_t split(int64_t n)
{
    int64_t k = 1;

    while (k < n - k)
        k *= 2;
    return k;
}

/* The root of a range that is not empty: its perfect subtrees, folded from the smallest on. */
static int range_root(const struct merkle_source *s, struct range r, uint8_t root[HASH_LEN])
{
    uint8_t left[HASH_LEN];
    bool any = false;

    for (int level = 0; r.count >> level > 0; level++) {
        int64_t index = (r.first >> level) + (r.count >> level) - 1;
        int result;

        if (!has_bit(r.count, level))
            continue;
        result = s->get(s->ctx, level, index, any ? left : root);
        if (result != 0)
            return result;
        if (any)
            merkle_node(root, left, root);
        any = true;
    }
    return 0;
}

int merkle_root(const struct merkle_source *s, int64_t size, uint8_t root[HASH_LEN])
{
    if (size == 0) {
        sha256_of(root, "", 0);
        return 0;
    }
    return range_root(s, (struct range){0, size}, root);
}

static int add_range(const struct merkle_source *s, struct range r, struct merkle_path *out)
{
    return range_root(s, r, out->hashes[out->count++]);
}

/* The RFC names the hashes from the leaf up; they are found from the root down. */
static void reverse(struct merkle_path *path)
{
    uint8_t hash[HASH_LEN];

    for (size_t i = 0, j = path->count; i + 1 < j; i++) {
        memcpy(hash, path->hashes[i], HASH_LEN);
        memcpy(path->hashes[i], path->hashes[--j], HASH_LEN);
        memcpy(path->hashes[j], hash, HASH_LEN);
    }
}

int merkle_inclusion(const struct merkle_source *s, int64_t size, int64_t index,
                     struct merkle_path *out)
{
    struct range r = {0, size};
    int result = 0;

    assert(index >= 0 && index < size);
    out->count = 0;
    while (r.count > 1 && result == 0) {
        int64_t k = split(r.count);
        struct range left = {r.first, k}, right = {r.first + k, r.count - k};
        bool goes_left = index < right.first;

        result = add_range(s, goes_left ? right : left, out);
        r = goes_left ? left : right;
    }
    reverse(out);
    return result;
}

int merkle_consistency(const struct merkle_source *s, int64_t newer, int64_t older,
                       struct merkle_path *out)
{
    struct range r = {0, newer};
    int result = 0;

    assert(older >= 1 && older <= newer);
    out->count = 0;
    while (older < r.first + r.count && result == 0) {
        int64_t k = split(r.count);
        struct range left = {r.first, k}, right = {r.first + k, r.count - k};
        bool goes_left = older <= right.first;

        result = add_range(s, goes_left ? right : left, out);
        r = goes_left ? left : right;
    }
    if (result == 0 && r.first > 0) /* else it is the older tree itself, whose root is known */
        result = add_range(s, r, out);
    reverse(out);
    return result;
}

/* ---- checking proofs: RFC 9162 sections 2.1.3.2 and 2.1.4.2 */

/* A node on its way up: its index and the last index of its level. */
struct climb {
    int64_t at, last;
};

/* Whether the next hash of a proof is the left sibling; moves up, past the levels where a node at
 * the right edge has no sibling. */
static bool climb_from_right(struct climb *c)
{
    bool from_right = (c->at & 1) != 0 || c->at == c->last;

    while (from_right && c->at != 0 && (c->at & 1) == 0) {
        c->at >>= 1;
        c->last >>= 1;
    }
    c->at >>= 1;
    c->last >>= 1;
    return from_right;
}

static bool equal(const uint8_t a[HASH_LEN], const uint8_t b[HASH_LEN])
{
    return memcmp(a, b, HASH_LEN) == 0;
}

bool merkle_verify_inclusion(const struct merkle_tree *tree, int64_t index,
                             const uint8_t leaf[HASH_LEN], const struct merkle_path *path)
{
    struct climb c = {index, tree->size - 1};
    uint8_t hash[HASH_LEN];

    if (index < 0 || index >= tree->size || path->count > MERKLE_PATH_MAX)
        return false;
    memcpy(hash, leaf, HASH_LEN);
    for (size_t i = 0; i < path->count; i++) {
        if (c.last == 0)
            return false;
        if (climb_from_right(&c))
            merkle_node(hash, path->hashes[i], hash);
        else
            merkle_node(hash, hash, path->hashes[i]);
    }
    return c.last == 0 && equal(hash, tree->root);
}

/* 1 <= older->size < newer->size. */
static bool verify_growth(const struct merkle_tree *older, const struct merkle_tree *newer,
                          const struct merkle_path *path)
{
    struct climb c = {older->size - 1, newer->size - 1};
    bool perfect = (older->size & (older->size - 1)) == 0;
    uint8_t old_root[HASH_LEN], new_root[HASH_LEN];
    size_t i = perfect ? 0 : 1;

    if (path->count == 0 || path->count > MERKLE_PATH_MAX)
        return false;
    for (; (c.at & 1) != 0; c.at >>= 1)
        c.last >>= 1;
    memcpy(old_root, perfect ? older->root : path->hashes[0], HASH_LEN);
    memcpy(new_root, old_root, HASH_LEN);
    for (; i < path->count; i++) {
        if (c.last == 0)
            return false;
        if (climb_from_right(&c)) {
            merkle_node(old_root, path->hashes[i], old_root);
            merkle_node(new_root, path->hashes[i], new_root);
        } else {
            merkle_node(new_root, new_root, path->hashes[i]);
        }
    }
    return c.last == 0 && equal(old_root, older->root) && equal(new_root, newer->root);
}

bool merkle_verify_consistency(const struct merkle_tree *older, const struct merkle_tree *newer,
                               const struct merkle_path *path)
{
    if (older->size < 1 || older->size > newer->size)
        return false;
    if (older->size == newer->size)
        return path->count == 0 && equal(older->root, newer->root);
    return verify_growth(older, newer, path);
}
