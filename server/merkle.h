/*
 * merkle: the hashes of RFC 6962: leaves, nodes, roots, and proofs made and checked.
 *
 * Source: RFC 6962 section 2.1 (the same as RFC 9162 section 2.1), SHA-256. Pure functions, any
 * thread. Sizes and indices are below 2^62; whatever a proof brings from outside may be anything.
 */
#ifndef MERKLE_H
#define MERKLE_H

#include "buf.h"

#define HASH_LEN        32
#define MERKLE_LEVELS   62 /* of perfect subtrees: 2^0 to 2^61 leaves */
#define MERKLE_SIZE_MAX (INT64_C(1) << 53)

/* A whole tree, as a checkpoint states it. */
struct merkle_tree {
    int64_t size;
    uint8_t root[HASH_LEN];
};

/* SHA-256(0x00 || entry) and SHA-256(0x01 || left || right); `hash` may be one of the two. */
void merkle_leaf(uint8_t hash[HASH_LEN], const void *entry, size_t len);
void merkle_node(uint8_t hash[HASH_LEN], const uint8_t left[HASH_LEN],
                 const uint8_t right[HASH_LEN]);
/* The root of `count` neighbouring leaves or subtrees of equal size; count is a power of two, at
 * most 256. */
void merkle_perfect(uint8_t hash[HASH_LEN], const uint8_t *hashes, size_t count);

/* ---- a tree that only grows: the roots of its perfect subtrees */

struct merkle_frontier {
    int64_t size; /* 0 in a new one: {.size = 0} */
    uint8_t roots[MERKLE_LEVELS][HASH_LEN];
};
void merkle_append(struct merkle_frontier *f, const uint8_t leaf[HASH_LEN]);
/* Size and root; of an empty tree SHA-256(""). */
void merkle_frontier_tree(const struct merkle_frontier *f, struct merkle_tree *out);

/* ---- proofs */

#define MERKLE_PATH_MAX 64
struct merkle_path {
    size_t count;
    uint8_t hashes[MERKLE_PATH_MAX][HASH_LEN]; /* from the leaf's sibling upwards */
};

/* Gives the root of the perfect subtree of 2^level leaves that begins at leaf index * 2^level. What
 * it returns, if not 0, ends the call that asked, which returns the same. */
typedef int merkle_get(void *ctx, int level, int64_t index, uint8_t hash[HASH_LEN]);
struct merkle_source {
    merkle_get *get;
    void *ctx;
};

/* Root of the first `size` leaves. */
int merkle_root(const struct merkle_source *s, int64_t size, uint8_t root[HASH_LEN])
    __attribute__((warn_unused_result));
/* PATH(index, D[size]), 0 <= index < size. */
int merkle_inclusion(const struct merkle_source *s, int64_t size, int64_t index,
                     struct merkle_path *out) __attribute__((warn_unused_result));
/* PROOF(older, D[newer]), 1 <= older <= newer; empty if they are equal. */
int merkle_consistency(const struct merkle_source *s, int64_t newer, int64_t older,
                       struct merkle_path *out) __attribute__((warn_unused_result));

/* True if the leaf is the entry at that index of the tree. */
bool merkle_verify_inclusion(const struct merkle_tree *tree, int64_t index,
                             const uint8_t leaf[HASH_LEN], const struct merkle_path *path)
    __attribute__((warn_unused_result));
/* True if the newer tree begins with the older one. An empty tree has nothing to prove: false, as
 * in other implementations. */
bool merkle_verify_consistency(const struct merkle_tree *older, const struct merkle_tree *newer,
                               const struct merkle_path *path) __attribute__((warn_unused_result));

#endif
